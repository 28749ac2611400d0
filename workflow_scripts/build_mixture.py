"""Draw the training set of one run: nested random subsets of its tasks."""

import argparse

from visatb.data.mixtures import write_mixture
from visatb.errors import friendly_exit
from visatb.runtime.cli import named_number, named_value
from visatb.runtime.files import read_json, read_parquet


@friendly_exit
def main() -> None:
    """Records in, mixture out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", required=True, metavar="FOLDER", help="holds <task>/train.parquet")
    parser.add_argument("--subset", type=named_value, nargs="+", required=True, metavar="TASK=SUBSET")
    parser.add_argument("--rate", type=named_number, nargs="+", required=True, metavar="SUBSET=RATE")
    parser.add_argument("--sampling", help="sampling.json: rates that go before the others")
    parser.add_argument("--rows", type=named_value, nargs="*", default=[], metavar="TASK:SUBSET=FILE")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", required=True, help="mixture, an Arrow file")
    arguments = parser.parse_args()
    ready_made = {}
    for name, file in arguments.rows:
        task, _, subset = name.rpartition(":")
        ready_made[task, subset] = read_parquet(file)["row"].to_numpy()
    rates = dict(arguments.rate)
    if arguments.sampling:
        chosen = read_json(arguments.sampling)
        rates |= {"large": chosen["large"], "mini": chosen["mini"]}
    write_mixture(
        arguments.output,
        arguments.records,
        dict(arguments.subset),
        rates,
        arguments.seed,
        ready_made,
    )


if __name__ == "__main__":
    main()
