"""Gather the validation scores of the preparation runs into the matrix V."""

import argparse
from pathlib import Path

from visatb.command_line import add_balancing, balance_settings, groups
from visatb.errors import friendly_exit
from visatb.evaluation.scores import tidy_scores
from visatb.files import write_table
from visatb.validation_matrix import needed_scores
from visatb.weights import validation_matrix, validation_samples


@friendly_exit
def main() -> None:
    """Per-sample scores in, matrix and tidy table out."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_balancing(parser)
    parser.add_argument("--matrix", required=True, help="validation_matrix.tsv")
    parser.add_argument("--tidy", required=True, help="validation_scores.tsv")
    args = parser.parse_args()
    settings, members = balance_settings(args), groups(args.group)
    needs = needed_scores(args.column, members, settings)
    samples = validation_samples(args.scores, args.column, members, settings)
    write_table(args.matrix, validation_matrix(samples, list(needs)).rename_axis("run").reset_index())
    tasks = {name: column.task for name, column in zip(next(iter(needs.values())), args.column, strict=True)}
    pairs = dict.fromkeys((run, tasks[name]) for run, names in needs.items() for name in names)
    folder = Path(args.scores)
    write_table(args.tidy, tidy_scores((r, "val", t, folder / r / "val" / f"{t}.parquet") for r, t in pairs))


if __name__ == "__main__":
    main()
