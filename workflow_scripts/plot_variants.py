"""Draw the weights of every task under the experiment's settings and under each variant of them."""

import argparse

from visatb.errors import friendly_exit
from visatb.reporting.figures.style import save_figure
from visatb.reporting.figures.variants import variants_figure
from visatb.reporting.read_results import read_variants


@friendly_exit
def main() -> None:
    """Tables in, figure out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", nargs="+", required=True, help="what the settings are called")
    parser.add_argument("--weights", nargs="+", required=True, help="weights.tsv of each, in the same order")
    parser.add_argument("--output", nargs="+", required=True, help="files to write, .svg or .png")
    args = parser.parse_args()
    save_figure(variants_figure(read_variants(args.names, args.weights)), args.output)


if __name__ == "__main__":
    main()
