"""Draw the demo corpus: seven small visual instruction tasks with train, val and test splits."""

import argparse

from visatb.data.demo.corpus import draw_corpus
from visatb.errors import friendly_exit


@friendly_exit
def main() -> None:
    """Read the arguments and draw the corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", required=True, help="where <task>/<split>.json and <task>/images/ are written")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same corpus")
    for split in ("train", "val", "test"):
        parser.add_argument(f"--{split}", type=int, required=True, help=f"samples of each task's {split} split")
    parser.add_argument("--processes", type=int, default=2, help="tasks drawn at the same time")
    arguments = parser.parse_args()
    samples = {"train": arguments.train, "val": arguments.val, "test": arguments.test}
    draw_corpus(arguments.folder, arguments.seed, samples, arguments.processes)


if __name__ == "__main__":
    main()
