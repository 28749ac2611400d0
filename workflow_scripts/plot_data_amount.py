"""Draw validation scores against the amount of each task's training data."""

import argparse

from visatb.data.mixtures import subset_amounts
from visatb.errors import friendly_exit
from visatb.reporting.figures.data_amount import data_amount_figure, learning_curves
from visatb.reporting.figures.style import save_figure
from visatb.reporting.read_results import read_validation_scores


@friendly_exit
def main() -> None:
    """Scores and mixtures in, figure out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", required=True, help="validation_scores.tsv")
    parser.add_argument("--mixtures", nargs="+", required=True, metavar="FILE", help="mixtures/<run>.arrow of each run")
    parser.add_argument("--output", nargs="+", required=True, help="files to write, .svg or .png")
    args = parser.parse_args()
    curves = learning_curves(read_validation_scores(args.scores), subset_amounts(args.mixtures))
    save_figure(data_amount_figure(curves), args.output)


if __name__ == "__main__":
    main()
