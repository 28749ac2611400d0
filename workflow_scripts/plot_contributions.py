"""Draw the heatmap of contributions between tasks, with C_out and C_in at its margins."""

import argparse

from visatb.errors import friendly_exit
from visatb.reporting.figures.contributions import contributions_figure
from visatb.reporting.figures.style import save_figure
from visatb.reporting.read_results import read_contributions, read_intervals, read_margins
from visatb.runtime.files import read_json


@friendly_exit
def main() -> None:
    """Tables in, figure out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contributions", required=True, help="contributions.tsv")
    parser.add_argument("--weights", required=True, help="weights.tsv, for C_out and C_in")
    parser.add_argument("--intervals", help="contributions_intervals.tsv; values told from 0 become bold")
    parser.add_argument("--balancing", help="balancing.json; says whose column was not measured")
    parser.add_argument("--remark", nargs="*", default=[], help="sentences below the figure")
    parser.add_argument("--output", nargs="+", required=True, help="files to write, .svg or .png")
    args = parser.parse_args()
    intervals = read_intervals(args.intervals) if args.intervals else None
    contributions = read_contributions(args.contributions)
    margins = read_margins(args.weights, contributions.index)
    not_measured = read_json(args.balancing)["not_measured"] if args.balancing else ()
    save_figure(contributions_figure(contributions, margins, intervals, not_measured), args.output, args.remark)


if __name__ == "__main__":
    main()
