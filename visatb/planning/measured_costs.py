"""What an experiment really took: from the measurements of its jobs and the histories of its trainings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from visatb.runtime.files import read_table
from visatb.training.history_file import read_training_log

HOUR = 3600.0
MEASURED = ("s", "max_rss", "cpu_time")
PLANNED = {"tokens": "planned_tokens", "gpu_hours": "planned_gpu_hours"}
"""Columns that a plan may have, and what the table of runs calls them."""


def job_measurements(folder: str | Path) -> pd.DataFrame:
    """Read Snakemake's ``<folder>/<rule>.tsv`` and ``<folder>/<rule>/<job>.tsv``, one row a job.

    Columns: ``rule``, ``job`` (empty for rules of one job), ``s`` (seconds), ``max_rss`` (MB), ``cpu_time`` (seconds).
    What could not be measured is NaN. Only the last attempt of a job is in its file.
    """
    rows: list[dict[str, Any]] = []
    for path in sorted(Path(folder).rglob("*.tsv")):
        rule, *job = path.relative_to(folder).with_suffix("").parts
        table = read_table(path)
        numbers = {name: pd.to_numeric(table.get(name), errors="coerce") for name in MEASURED if name in table}
        last = {name: float(column.iloc[-1]) for name, column in numbers.items() if len(column)}
        rows.append({"rule": rule, "job": "/".join(job), **last})
    return pd.DataFrame(rows, columns=["rule", "job", *MEASURED])


def jobs_cost(measurements: pd.DataFrame) -> pd.DataFrame:
    """Return one row a rule, the longest first, and the sum: ``jobs``, ``hours``, ``cpu_hours``, ``peak_memory_gb``."""
    rules = measurements.groupby("rule", sort=False)
    table = pd.DataFrame(
        {
            "jobs": rules.size(),
            "hours": rules["s"].sum() / HOUR,
            "cpu_hours": rules["cpu_time"].sum() / HOUR,
            "peak_memory_gb": rules["max_rss"].max() / 1e3,
        }
    )
    table = table.sort_values("hours", ascending=False, kind="stable").rename_axis("rule").reset_index()
    total = {**table[["jobs", "hours", "cpu_hours"]].sum(), "peak_memory_gb": table["peak_memory_gb"].max()}
    return pd.concat([table, pd.DataFrame([{"rule": "all", **total}])], ignore_index=True).astype({"jobs": int})


def runs_cost(
    plan: pd.DataFrame, histories: Mapping[str, str | Path], measurements: pd.DataFrame, gpus: Mapping[str, int]
) -> pd.DataFrame:
    """Return one row a run of the plan, what it was planned to take beside what it took.

    Args:
        plan: `plan.tsv`; the columns of `PLANNED` are taken over where it has them.
        histories: run -> its `training.jsonl`; a run that trains nothing has none.
        measurements: of `job_measurements`.
        gpus: run -> GPUs of its training, 0 for CPUs.
    """
    planned = plan[[column for column in PLANNED if column in plan]].rename(columns=PLANNED)
    rows = [_run_cost(str(run), histories, measurements, gpus) for run in plan["run"]]
    runs = plan[["run", "kind", "steps"]].rename(columns={"steps": "planned_steps"})
    return pd.concat([runs, planned, pd.DataFrame(rows, index=plan.index)], axis=1)


def _run_cost(
    run: str, histories: Mapping[str, str | Path], measurements: pd.DataFrame, gpus: Mapping[str, int]
) -> dict[str, float | None]:
    trained = training_cost(read_training_log(histories[run])) if run in histories else {}
    jobs = measurements["job"]
    training = measurements[(measurements["rule"] == "train") & (jobs == run)]
    # A job of `predict` is named <run>.<split>, or <run>.<split>.<task>; names of runs may have dots themselves.
    is_prediction = (measurements["rule"] == "predict") & jobs.str.startswith((f"{run}.val", f"{run}.test"))
    predictions = measurements.loc[is_prediction, "s"]
    return {
        **trained,
        "gpu_hours": trained["training_hours"] * gpus[run] if trained and gpus.get(run) else None,
        "training_job_hours": training["s"].sum() / HOUR if len(training) else None,
        "prediction_hours": predictions.sum() / HOUR if len(predictions) else None,
        "peak_memory_gb": training["max_rss"].max() / 1e3 if len(training) else None,
    }


def training_cost(log: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return ``attempts``, ``steps``, ``supervised_tokens`` and ``training_hours`` of all attempts at a training.

    Steps that were trained again after an interruption count again; what an attempt did after its last line in
    the history is not known. The hours are those of the steps, without loading and saving.
    """
    lines = pd.DataFrame(list(log)).reindex(columns=["step", "tokens", "tokens_per_second", "attempt"])
    attempts = lines.groupby(lines["attempt"].fillna(1))["step"]
    tokens = lines["tokens"].astype(float)
    speeds = lines["tokens_per_second"].astype(float)
    return {
        "attempts": float(attempts.ngroups),
        "steps": float((attempts.max() - attempts.min() + 1).sum()),
        "supervised_tokens": float(tokens.sum()),
        "training_hours": float((tokens / speeds.where(speeds > 0)).sum() / HOUR),
    }
