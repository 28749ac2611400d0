"""Embed types with CLIP. What is embedded already is not embedded again."""

import argparse
import hashlib
from pathlib import Path

from visatb.endpoints.prompts import Prompt
from visatb.errors import friendly_exit
from visatb.taskgalaxy.embedding import embed, fingerprint
from visatb.taskgalaxy.tables import kept_rows


@friendly_exit
def main() -> None:
    """Types in, unit vectors out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--types", required=True, help="Parquet")
    parser.add_argument("--text", required=True, help="with {level_1}, {level_2} and {level_3}")
    parser.add_argument("--checkpoint", required=True, help="folder, or hub name with @revision")
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--shard-size", type=int, default=4096)
    parser.add_argument("--shards", required=True, metavar="FOLDER", help="what is embedded already")
    parser.add_argument("--output", required=True, help=".npy")
    arguments = parser.parse_args()
    from visatb.taskgalaxy.clip import Clip

    rows = kept_rows(arguments.types)
    names = ("level_1", "level_2", "level_3")
    form = Prompt("", arguments.text)
    texts = [form.filled(**{name: row[name] for name in names}) for row in rows]
    clip = Clip(arguments.checkpoint, arguments.gpus, "embed_types")
    embed(
        keys=[hashlib.sha256(text.encode()).hexdigest() for text in texts],
        vectors_of=lambda numbers: clip.texts([texts[number] for number in numbers]),
        shards=Path(arguments.shards) / "types" / fingerprint(arguments.checkpoint),
        output=arguments.output,
        label="embed_types",
        sizes=(arguments.batch_size, arguments.shard_size),
    )


if __name__ == "__main__":
    main()
