"""Write accepted samples as LLaVA JSON lines, in tasks and splits."""

import argparse

import numpy as np

from visatb.errors import friendly_exit
from visatb.runtime.files import read_parquet
from visatb.taskgalaxy.export import Exporting, exported, task_of_types, write_export
from visatb.taskgalaxy.tables import kept_rows


@friendly_exit
def main() -> None:
    """Judged samples in, files for training out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", required=True, help="Parquet, with votes")
    parser.add_argument("--types", required=True, help="Parquet, after near duplicates were rejected")
    parser.add_argument("--type-vectors", required=True, help=".npy")
    parser.add_argument("--task", choices=("level_1", "cluster"), default="level_1")
    parser.add_argument("--clusters", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--min-samples", type=int, required=True, help="of a task")
    parser.add_argument("--shares", type=float, nargs=2, required=True, help="of the pictures, for val and test")
    parser.add_argument("--folder", required=True, help="gets <split>.jsonl")
    parser.add_argument("--table", required=True, help="Parquet with every accepted sample")
    parser.add_argument("--tasks", required=True, help="table of the tasks")
    arguments = parser.parse_args()
    exporting = Exporting(
        by=arguments.task,
        clusters=arguments.clusters,
        seed=arguments.seed,
        min_samples=arguments.min_samples,
        shares=(arguments.shares[0], arguments.shares[1]),
    )
    samples, types = kept_rows(arguments.samples), read_parquet(arguments.types).to_pylist()
    vectors = np.load(arguments.type_vectors, allow_pickle=False)
    task_of = task_of_types(types, vectors, {row["type"] for row in samples}, exporting)
    rows = exported(samples, types, task_of, exporting)
    write_export(rows, arguments.folder, arguments.table, arguments.tasks)


if __name__ == "__main__":
    main()
