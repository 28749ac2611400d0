"""Draw the difficulty of every task with its 95 % interval."""

import argparse

from visatb.errors import friendly_exit
from visatb.reporting.figures.bars import difficulty_figure
from visatb.reporting.figures.style import save_figure
from visatb.runtime.tables import read_columns


@friendly_exit
def main() -> None:
    """Tables in, figure out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--difficulty", required=True, help="difficulty.tsv")
    parser.add_argument("--remark", nargs="*", default=[], help="sentences below the figure")
    parser.add_argument("--output", nargs="+", required=True, help="files to write, .svg or .png")
    args = parser.parse_args()
    save_figure(
        difficulty_figure(read_columns(args.difficulty, ["group"], ["D", "low", "high"])), args.output, args.remark
    )


if __name__ == "__main__":
    main()
