"""Draw the losses of all runs over their optimiser steps."""

import argparse

from visatb.errors import friendly_exit
from visatb.reporting.figures.style import save_figure
from visatb.reporting.figures.training import training_figure
from visatb.reporting.read_results import read_histories


@friendly_exit
def main() -> None:
    """Tables in, figure out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", nargs="+", required=True, metavar="LOG", help="runs/<run>/training.jsonl of each run")
    parser.add_argument("--output", nargs="+", required=True, help="files to write, .svg or .png")
    args = parser.parse_args()
    save_figure(training_figure(read_histories(args.runs)), args.output)


if __name__ == "__main__":
    main()
