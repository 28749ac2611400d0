"""Take types away that are nearly the same as an earlier one, and list them."""

import argparse

import numpy as np

from visatb.errors import friendly_exit
from visatb.runtime.files import write_table
from visatb.taskgalaxy.duplicates import deduplicated
from visatb.taskgalaxy.tables import TYPE_SCHEMA, kept_rows, write_stage


@friendly_exit
def main() -> None:
    """Types and their vectors in, types and a table of near duplicates out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--types", required=True, help="Parquet")
    parser.add_argument("--vectors", required=True, help=".npy")
    parser.add_argument("--threshold", type=float, required=True, help="cosine from which on two types are one")
    parser.add_argument("--output", required=True, help="Parquet")
    parser.add_argument("--duplicates", required=True, help="table")
    arguments = parser.parse_args()
    vectors = np.load(arguments.vectors, allow_pickle=False)
    rows, table = deduplicated(kept_rows(arguments.types), vectors, arguments.threshold)
    write_table(arguments.duplicates, table)
    write_stage(arguments.output, rows, TYPE_SCHEMA)


if __name__ == "__main__":
    main()
