"""Gather the visual contribution of all runs into one table."""

import argparse

from visatb.errors import friendly_exit
from visatb.runtime.files import write_table
from visatb.runtime.words_on_command_lines import named_value
from visatb.scores.visual_contribution import contribution_table, contributions_of


@friendly_exit
def main() -> None:
    """Per-sample files in, a table out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", required=True, metavar="FOLDER", help="holds <run>/<task>.parquet")
    parser.add_argument("--place", type=named_value, nargs="+", required=True, metavar="RUN=TASK")
    parser.add_argument("--output", required=True, help="visual_contribution.tsv")
    args = parser.parse_args()
    write_table(args.output, contribution_table(contributions_of(args.samples, args.place)))


if __name__ == "__main__":
    main()
