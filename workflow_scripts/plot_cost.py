"""Draw what every run really took."""

import argparse

from visatb.errors import friendly_exit
from visatb.reporting.figures.cost import PARTS, cost_figure
from visatb.reporting.figures.style import save_figure
from visatb.runtime.tables import read_columns


@friendly_exit
def main() -> None:
    """Table in, figure out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cost", required=True, help="cost_runs.tsv")
    parser.add_argument("--output", nargs="+", required=True, help="files to write, .svg or .png")
    args = parser.parse_args()
    save_figure(cost_figure(read_columns(args.cost, ["run"], [column for column, _ in PARTS])), args.output)


if __name__ == "__main__":
    main()
