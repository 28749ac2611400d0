"""Draw how the visual contribution of answers is distributed, a panel a task."""

import argparse

from visatb.errors import friendly_exit
from visatb.reporting.figures.style import save_figure
from visatb.reporting.figures.visual_contribution import visual_contribution_figure
from visatb.runtime.words_on_command_lines import named_value
from visatb.scores.visual_contribution import contributions_of


@friendly_exit
def main() -> None:
    """Per-sample files in, figure out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", required=True, metavar="FOLDER", help="holds <run>/<task>.parquet")
    parser.add_argument("--place", type=named_value, nargs="+", required=True, metavar="RUN=TASK")
    parser.add_argument("--output", nargs="+", required=True, help="files to write, .svg or .png")
    args = parser.parse_args()
    save_figure(visual_contribution_figure(contributions_of(args.samples, args.place)), args.output)


if __name__ == "__main__":
    main()
