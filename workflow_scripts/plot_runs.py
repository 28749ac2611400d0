"""Draw the training of each run: the losses of its tasks, and the weights where they move."""

import argparse
from pathlib import Path

from visatb.errors import friendly_exit
from visatb.reporting.figures.run import run_figure
from visatb.reporting.figures.style import save_figure
from visatb.reporting.read_results import read_training, read_weight_history


@friendly_exit
def main() -> None:
    """Histories in, figures out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", nargs="+", required=True, metavar="LOG", help="runs/<run>/training.jsonl of each run")
    parser.add_argument("--folder", required=True, help="to write <run>.svg and <run>.png to")
    parser.add_argument("--tasks", nargs="+", required=True, help="all tasks, in the order of their colours")
    args = parser.parse_args()
    for log in map(Path, args.runs):
        run = log.parent.name
        figure = run_figure(run, read_training(log), read_weight_history(log), args.tasks)
        save_figure(figure, [Path(args.folder) / f"{run}.{kind}" for kind in ("svg", "png")])


if __name__ == "__main__":
    main()
