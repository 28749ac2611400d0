"""Take scores of a finished experiment over into the one that adds tasks to it."""

import argparse

from visatb.errors import friendly_exit
from visatb.runtime.files import read_parquet, write_parquet
from visatb.scores.imported import kept_table
from visatb.scores.metrics import METRIC_NAMES


@friendly_exit
def main() -> None:
    """Scores in; the same, held to the records and metrics of this experiment, out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", required=True, metavar="FILE", help="of the finished experiment, Parquet")
    parser.add_argument("--metrics", nargs="+", required=True, choices=METRIC_NAMES)
    parser.add_argument("--records", required=True, help="of this split here, Parquet")
    parser.add_argument("--output", required=True, help="Parquet")
    args = parser.parse_args()
    records = read_parquet(args.records, ["id", "image"])
    write_parquet(args.output, kept_table(args.scores, read_parquet(args.scores), args.metrics, records))


if __name__ == "__main__":
    main()
