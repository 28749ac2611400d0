"""Embed pictures with CLIP. What is embedded already is not embedded again."""

import argparse
from pathlib import Path

from visatb.errors import friendly_exit
from visatb.taskgalaxy.embedding import embed, fingerprint
from visatb.taskgalaxy.tables import kept_rows


@friendly_exit
def main() -> None:
    """Pictures in, unit vectors out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", required=True, help="Parquet")
    parser.add_argument("--images", required=True, metavar="FOLDER", help="what their names are relative to")
    parser.add_argument("--checkpoint", required=True, help="folder, or hub name with @revision")
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--threads", type=int, default=4, help="that read pictures")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--shard-size", type=int, default=4096)
    parser.add_argument("--shards", required=True, metavar="FOLDER", help="what is embedded already")
    parser.add_argument("--output", required=True, help=".npy")
    arguments = parser.parse_args()
    from visatb.taskgalaxy.clip import Clip

    rows = kept_rows(arguments.pictures, ["image", "digest"])
    images = Path(arguments.images)
    clip = Clip(arguments.checkpoint, arguments.gpus, "embed_images", arguments.threads)
    embed(
        keys=[row["digest"] for row in rows],
        vectors_of=lambda numbers: clip.pictures([images / rows[number]["image"] for number in numbers]),
        shards=Path(arguments.shards) / "images" / fingerprint(arguments.checkpoint),
        output=arguments.output,
        label="embed_images",
        sizes=(arguments.batch_size, arguments.shard_size),
    )


if __name__ == "__main__":
    main()
