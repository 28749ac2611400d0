"""Plan how many validation samples of each task are answered, from the scores of a pilot."""

import argparse

import pyarrow.parquet as pq

from visatb.balancing.cli import add_balancing, balance_settings
from visatb.balancing.evaluation_sizes import evaluation_sizes
from visatb.balancing.matrix import scored_runs
from visatb.balancing.weights import validation_samples
from visatb.errors import friendly_exit
from visatb.runtime.files import write_table
from visatb.runtime.words_on_command_lines import groups, named_value


@friendly_exit
def main() -> None:
    """Per-sample scores of the pilot in, sizes out."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_balancing(parser)
    parser.add_argument("--records", type=named_value, nargs="+", required=True, metavar="TASK=FILE", help="of val")
    parser.add_argument("--precision", type=float, required=True, help="largest half-width of an interval of lambda")
    parser.add_argument("--round-to", type=int, default=1, help="sizes are multiples of this")
    parser.add_argument("--output", required=True, help="evaluation_sizes.tsv")
    args = parser.parse_args()
    settings, members = balance_settings(args), groups(args.group)
    totals = {task: pq.read_metadata(file).num_rows for task, file in args.records}
    pilot = validation_samples(args.scores, args.column, scored_runs(args.column, members, settings))
    sizes = evaluation_sizes(pilot, args.column, members, settings, totals, args.precision, args.round_to)
    write_table(args.output, sizes)


if __name__ == "__main__":
    main()
