"""Draw the training set of one run: nested random subsets of its tasks."""

import argparse
from pathlib import Path

from visatb.command_line import named_number, named_value
from visatb.data.mixtures import build_mixture
from visatb.errors import friendly_exit
from visatb.files import read_parquet, write_parquet


@friendly_exit
def main() -> None:
    """Records in, mixture out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", required=True, metavar="FOLDER", help="holds <task>/train.parquet")
    parser.add_argument("--subset", type=named_value, nargs="+", required=True, metavar="TASK=SUBSET")
    parser.add_argument("--rate", type=named_number, nargs="+", required=True, metavar="SUBSET=RATE")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", required=True, help="mixture, Parquet")
    arguments = parser.parse_args()
    subsets = dict(arguments.subset)
    records = {task: read_parquet(Path(arguments.records) / task / "train.parquet") for task in subsets}
    write_parquet(arguments.output, build_mixture(records, subsets, dict(arguments.rate), arguments.seed))


if __name__ == "__main__":
    main()
