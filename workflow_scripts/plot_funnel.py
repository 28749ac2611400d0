"""Draw what of each stage of TaskGalaxy went on."""

import argparse

from visatb.errors import friendly_exit
from visatb.reporting.figures.funnel import funnel_figure
from visatb.reporting.figures.style import save_figure
from visatb.runtime.files import read_table


@friendly_exit
def main() -> None:
    """Table in, figure out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--funnel", required=True, help="funnel.tsv")
    parser.add_argument("--output", nargs="+", required=True, help="files to write, .svg or .png")
    arguments = parser.parse_args()
    save_figure(funnel_figure(read_table(arguments.funnel)), arguments.output)


if __name__ == "__main__":
    main()
