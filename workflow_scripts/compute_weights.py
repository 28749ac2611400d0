"""Derive contributions, difficulties and the weights lambda from the validation scores (Eq. 3-8)."""

import argparse

from visatb.balancing.cli import add_balancing, balance_settings
from visatb.balancing.matrix import scored_runs
from visatb.balancing.weights import measure_weights, score_origins, validation_samples
from visatb.errors import friendly_exit
from visatb.runtime.files import write_json, write_parquet, write_table
from visatb.runtime.words_on_command_lines import groups, named_number

TABLES = ("contributions", "contributions_intervals", "difficulty", "weights", "weights_comparison")


@friendly_exit
def main() -> None:
    """Per-sample scores in, tables out."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_balancing(parser)
    parser.add_argument("--fixed", type=named_number, nargs="*", default=[], metavar="TASK=WEIGHT")
    parser.add_argument("--bootstrap", type=int, default=2000, help="draws behind the 95 %% intervals")
    parser.add_argument("--seed", type=int, default=0, help="of these draws")
    parser.add_argument("--remark", nargs="*", default=[], help="what readers must know of how the scores came about")
    for table in TABLES:
        parser.add_argument(f"--{table}-table", required=True, metavar="FILE", help=f"{table}.tsv")
    parser.add_argument("--replicates", required=True, metavar="FILE", help="bootstrap replicates of C and D, Parquet")
    parser.add_argument("--balancing", required=True, metavar="FILE", help="the settings that were used, JSON")
    args = parser.parse_args()
    settings, members = balance_settings(args), groups(args.group)
    needs = scored_runs(args.column, members, settings)
    samples = validation_samples(args.scores, args.column, needs)
    origins = score_origins(args.scores, args.column, needs)
    fixed = dict(args.fixed)
    tables = measure_weights(
        samples, args.column, members, settings, fixed, args.bootstrap, args.seed, origins, args.remark
    )
    for table in TABLES:
        write_table(getattr(args, f"{table}_table"), getattr(tables, table))
    write_parquet(args.replicates, tables.replicates)
    write_json(args.balancing, tables.balancing)


if __name__ == "__main__":
    main()
