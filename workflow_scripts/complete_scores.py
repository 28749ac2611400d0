"""Complete the scores of a run on one task from those of the runs before new tasks came."""

import argparse

from visatb.errors import friendly_exit
from visatb.runtime.files import read_parquet, write_parquet
from visatb.scores.completed import completed_table


@friendly_exit
def main() -> None:
    """Scores of three runs in, those of the one that was not trained out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True)
    parser.add_argument("--mini", required=True, metavar="FILE", help="scores of mini, with the new tasks")
    parser.add_argument("--before-mini", required=True, metavar="FILE", help="scores of mini as it was before")
    parser.add_argument("--before-plus", required=True, metavar="FILE", help="scores of the run as it was before")
    parser.add_argument("--output", required=True, help="Parquet")
    args = parser.parse_args()
    files = {"mini": args.mini, "before-mini": args.before_mini, "before-plus": args.before_plus}
    parts = {name: read_parquet(file) for name, file in files.items()}
    write_parquet(args.output, completed_table(args.task, parts))


if __name__ == "__main__":
    main()
