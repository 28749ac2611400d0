"""Gather the validation scores of the preparation runs into the matrix V."""

import argparse
from pathlib import Path

from visatb.balancing.cli import add_seeds, add_validation
from visatb.balancing.run_names import repetitions
from visatb.balancing.weights import score_origins, validation_matrix, validation_samples
from visatb.errors import friendly_exit
from visatb.runtime.files import write_table
from visatb.runtime.words_on_command_lines import groups, named_value
from visatb.scores.columns import column_names
from visatb.scores.origins import MEASURED, run_origins
from visatb.scores.tidy import tidy_scores


@friendly_exit
def main() -> None:
    """Per-sample scores in, matrix and tidy table out."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_validation(parser)
    parser.add_argument("--run", type=named_value, nargs="+", required=True, metavar="RUN=TASK,TASK", help="its tasks")
    add_seeds(parser)
    parser.add_argument("--matrix", required=True, help="validation_matrix.tsv")
    parser.add_argument("--tidy", required=True, help="validation_scores.tsv")
    args = parser.parse_args()
    tasks, names = groups(args.run), column_names(args.column)
    task_of = {name: column.task for name, column in zip(names, args.column, strict=True)}
    needs = {run: [name for name in names if task_of[name] in own] for run, own in tasks.items()}
    again = {run: repetitions(run, args.seeds, args.mini_seeds) for run in needs}
    trained = {name: needs[run] for run, names_of_run in again.items() for name in names_of_run}
    samples = validation_samples(args.scores, args.column, trained)
    matrix = validation_matrix(samples, list(needs), args.seeds, args.mini_seeds)
    table = matrix.rename_axis("run").reset_index()
    origins = run_origins(score_origins(args.scores, args.column, trained))
    if origins:
        table["origin"] = [origins.get(run, MEASURED) for run in table["run"]]
    write_table(args.matrix, table)
    folder = Path(args.scores)
    scored = [(name, task) for run, own in tasks.items() for name in again[run] for task in own]
    files = ((run, "val", task, folder / run / "val" / f"{task}.parquet") for run, task in scored)
    write_table(args.tidy, tidy_scores(files))


if __name__ == "__main__":
    main()
