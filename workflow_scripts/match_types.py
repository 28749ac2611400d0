"""Match pictures to their nearest types by the cosine of unit vectors."""

import argparse

import numpy as np

from visatb.config.taskgalaxy import MatchingConfig
from visatb.errors import friendly_exit
from visatb.runtime.files import read_parquet, write_parquet
from visatb.taskgalaxy.matches import match_table
from visatb.taskgalaxy.tables import KEPT, kept_rows


@friendly_exit
def main() -> None:
    """Vectors in, table of matches out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", required=True, help="Parquet")
    parser.add_argument("--picture-vectors", required=True, help=".npy")
    parser.add_argument("--types", required=True, help="Parquet, after near duplicates were rejected")
    parser.add_argument("--type-vectors", required=True, help=".npy, of the types before that")
    parser.add_argument("--top-k", type=int, required=True, help="types a picture")
    parser.add_argument("--floor", type=float, required=True, help="lowest cosine")
    parser.add_argument("--cap", type=int, required=True, help="pictures a type")
    parser.add_argument("--threads", type=int, default=1, help="blocks at a time")
    parser.add_argument("--output", required=True, help="Parquet")
    arguments = parser.parse_args()
    types = read_parquet(arguments.types).to_pylist()
    distinct = [number for number, row in enumerate(types) if row["status"] == KEPT]
    table = match_table(
        pictures=kept_rows(arguments.pictures, ["image", "digest"]),
        picture_vectors=np.load(arguments.picture_vectors, mmap_mode="r", allow_pickle=False),
        types=[types[number] for number in distinct],
        type_vectors=np.load(arguments.type_vectors, allow_pickle=False)[distinct],
        settings=MatchingConfig(top_k=arguments.top_k, floor=arguments.floor, cap=arguments.cap),
        threads=arguments.threads,
    )
    write_parquet(arguments.output, table)


if __name__ == "__main__":
    main()
