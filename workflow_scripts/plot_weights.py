"""Draw the weight of every task, its 95 % interval and the three weights it is made of."""

import argparse

from visatb.errors import friendly_exit
from visatb.reporting.figures.bars import weights_figure
from visatb.reporting.figures.style import save_figure
from visatb.reporting.read_results import read_weights


@friendly_exit
def main() -> None:
    """Tables in, figure out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", required=True, help="weights.tsv")
    parser.add_argument("--remark", nargs="*", default=[], help="sentences below the figure")
    parser.add_argument("--output", nargs="+", required=True, help="files to write, .svg or .png")
    args = parser.parse_args()
    save_figure(weights_figure(read_weights(args.weights)), args.output, args.remark)


if __name__ == "__main__":
    main()
