"""The validation scores of an experiment as tables: the matrix V, and one row a score."""

from pathlib import Path

import pandas as pd

from visatb.balancing.jobs import MatrixJob
from visatb.balancing.matrix import validation_matrix
from visatb.balancing.weights import score_origins, validation_samples
from visatb.scores.columns import column_names, columns_of
from visatb.scores.origins import MEASURED, run_origins
from visatb.scores.tidy import tidy_scores


def matrix_table(folder: Path, job: MatrixJob) -> pd.DataFrame:
    """Return ``run``, one column a score, and ``origin`` where some scores were not measured here.

    Args:
        folder: holds ``<run>/val/<task>.parquet``.
        job: runs, tasks and metrics.
    """
    columns = columns_of(job.metrics)
    names = column_names(columns)
    needs = {
        again: [name for name, column in zip(names, columns, strict=True) if column.task in job.tasks(run)]
        for run, trainings in job.trainings.items()
        for again in trainings
    }
    matrix = validation_matrix(validation_samples(folder, columns, needs), job.trainings)
    table = matrix.rename_axis("run").reset_index()
    if origins := run_origins(score_origins(folder, columns, needs)):
        table["origin"] = [origins.get(run, MEASURED) for run in table["run"]]
    return table


def tidy_table(folder: Path, job: MatrixJob) -> pd.DataFrame:
    """Return a row a training, task and metric (`visatb.scores.tidy.tidy_scores`); arguments as of `matrix_table`."""
    scored = [
        (again, task) for run, trainings in job.trainings.items() for again in trainings for task in job.tasks(run)
    ]
    return tidy_scores((run, "val", task, folder / run / "val" / f"{task}.parquet") for run, task in scored)
