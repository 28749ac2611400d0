"""Scores that were made elsewhere: the table that names them, checked against the runs of an experiment."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from visatb.errors import VisatbError, did_you_mean
from visatb.experiment.runs import Run
from visatb.scores.imported import SEPARATORS, ImportedScore
from visatb.scores.metrics import METRICS
from visatb.scores.table import Evaluation

NEEDED = ("run", "task", "metric", "value", "n")
OPTIONAL = ("split", "samples")


def read_imported_scores(
    path: str, runs: Mapping[str, Run], metrics: Mapping[str, Sequence[str]]
) -> tuple[list[ImportedScore], list[str]]:
    """Return the scores in a table, and a line for each mistake in it.

    Args:
        path: the table, tab-separated (``.tsv``) or comma-separated (``.csv``). Files of samples that it names are
            relative to its folder.
        runs: every run of the experiment by name.
        metrics: task -> its metrics.
    """
    try:
        table = _read(path)
    except VisatbError as error:
        return [], [str(error)]
    scores: list[ImportedScore] = []
    mistakes: list[str] = []
    for number, row in enumerate(table.to_dict("records"), start=2):
        values = {str(key): str(value).strip() for key, value in row.items()}
        row_mistakes = list(_check_row(values, runs, metrics, Path(path).parent))
        mistakes += [f"{path}, line {number}: {words}" for words in row_mistakes]
        if not row_mistakes:
            scores.append(_score(values, runs, Path(path).parent))
    mistakes += [f"{path}: {words}" for words in _check_table(scores, metrics, complete=not mistakes)]
    return scores, mistakes


def _read(path: str) -> pd.DataFrame:
    separator = SEPARATORS.get(Path(path).suffix.lower())
    if separator is None:
        raise VisatbError(f"{path}: a table of scores ends in .tsv (tabs) or .csv (commas); rename it")
    if not Path(path).is_file():
        raise VisatbError(f"{path}: no such file")
    try:
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise VisatbError(f"{path}: cannot be read as a table ({' '.join(str(error).split())})") from error
    missing = [name for name in NEEDED if name not in table.columns]
    unknown = [name for name in table.columns if name not in (*NEEDED, *OPTIONAL)]
    if missing or unknown:
        lacks = f"lacks the column(s) {', '.join(missing)}" if missing else "has all columns that are needed"
        more = f" and has unknown ones: {', '.join(unknown)}" if unknown else ""
        raise VisatbError(f"{path}: {lacks}{more}; expected {', '.join(NEEDED)}, and if wanted {', '.join(OPTIONAL)}")
    if table.empty:
        raise VisatbError(f"{path}: the table has no rows; give it some or take imports.scores away")
    return table


def _check_row(
    row: Mapping[str, str], runs: Mapping[str, Run], metrics: Mapping[str, Sequence[str]], folder: Path
) -> Iterator[str]:
    yield from _check_run(row, runs)
    if row["task"] not in metrics:
        yield f"there is no task '{row['task']}'{did_you_mean(row['task'], metrics) or _known(metrics)}"
    elif row["metric"] not in metrics[row["task"]]:
        hint = did_you_mean(row["metric"], metrics[row["task"]]) or _known(metrics[row["task"]])
        yield f"the task '{row['task']}' has no metric '{row['metric']}'{hint}"
    yield from _check_numbers(row)
    samples = row.get("samples")
    if samples and not (folder / samples).is_file():
        yield f"samples: {folder / samples} is no file"


def _check_run(row: Mapping[str, str], runs: Mapping[str, Run]) -> Iterator[str]:
    name, task, split = row["run"], row["task"], row.get("split")
    if name not in runs:
        yield f"there is no run '{name}' here{did_you_mean(name, runs) or _known(runs)}"
        return
    if runs[name].follows_measurement:
        yield f"the run '{name}' follows from the weights that this experiment measures; take the row away"
    splits = _splits(runs[name], task)
    if split and split not in splits:
        yield f"the run '{name}' is not scored on the {split} split of '{task}'{_known(splits)}"
    elif not splits:
        yield f"the run '{name}' is not scored on '{task}'; take the row away"
    elif not split and len(splits) > 1:
        yield f"the run '{name}' is scored on {' and '.join(splits)}; say which in a column `split`"


def _splits(run: Run, task: str) -> list[str]:
    return [split for split, tasks in run.evaluates.items() if task in tasks]


def _check_numbers(row: Mapping[str, str]) -> Iterator[str]:
    value, n = _number(row["value"]), _number(row["n"])
    metric = METRICS.get(row["metric"])
    if not math.isfinite(value):
        yield f"value: expected a number, found '{row['value']}'"
    elif metric and not metric.lowest <= value <= metric.highest:
        yield f"value: {metric.name} lies between {metric.lowest:g} and {metric.highest:g}, found {value:g}"
    if not row["n"]:
        yield "n: missing; how many samples the score is of"
    elif not n >= 2 or n != int(n):
        yield f"n: expected a whole number of samples, 2 or more, found '{row['n']}'"


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _score(row: Mapping[str, str], runs: Mapping[str, Run], folder: Path) -> ImportedScore:
    split = row.get("split") or _splits(runs[row["run"]], row["task"])[0]
    samples = str(folder / row["samples"]) if row.get("samples") else None
    return ImportedScore(
        row["run"], split, row["task"], row["metric"], float(row["value"]), int(float(row["n"])), samples
    )


def _check_table(
    scores: Sequence[ImportedScore], metrics: Mapping[str, Sequence[str]], complete: bool
) -> Iterator[str]:
    cells: dict[Evaluation, list[str]] = {}
    for score in scores:
        cells.setdefault(score.evaluation, []).append(score.metric)
    for (run, split, task), present in cells.items():
        where = f"{run}, {split}, {task}"
        for metric in dict.fromkeys(present):
            if present.count(metric) > 1:
                yield f"{where}: {metric} is there {present.count(metric)} times; keep one row"
        lacking = [metric for metric in metrics[task] if metric not in present]
        if lacking and complete:
            yield f"{where}: has no row for {', '.join(lacking)}; a task's metrics are imported together or not at all"


def _known(names: object) -> str:
    listed = list(names)  # type: ignore[call-overload]
    return f"; there is {', '.join(map(str, listed))}" if listed else ""
