"""How fast trainings and predictions are: as the config says, or as finished ones were."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import pandas as pd

from visatb.balancing.run_names import RunName
from visatb.config.resources import ThroughputConfig
from visatb.errors import VisatbError
from visatb.runtime.files import read_parquet
from visatb.training.history_file import history

TRAININGS = ("mini", "plus", "single", "final")
PREDICT = "predict"

Speeds = Mapping[str, float]
"""`TRAININGS` or `PREDICT` -> tokens a second of one GPU, or of one process on CPUs."""


def speeds(config: ThroughputConfig, experiment: Path) -> dict[str, float]:
    """Return the speed of each kind of job as far as it is known: given, else measured here, else in `measured_in`.

    A kind of training that none was measured of has the median of the others.

    Args:
        config: what is given.
        experiment: the experiment's own folder.

    Raises:
        VisatbError: `measured_in` is no folder of an experiment with a finished training.
    """
    measured = measured_speeds(experiment)
    if config.measured_in is not None:
        elsewhere = measured_speeds(Path(config.measured_in))
        if not elsewhere:
            raise VisatbError(
                f"throughput.measured_in: {config.measured_in} holds no finished training that noted its speed; "
                "expected the folder of an experiment, e.g. results/demo"
            )
        measured = elsewhere | measured
    trained = [measured[kind] for kind in TRAININGS if kind in measured]
    result: dict[str, float] = {}
    for kind in TRAININGS:
        given = getattr(config, kind) or config.training
        if speed := given or measured.get(kind) or (median(trained) if trained else None):
            result[kind] = speed
    if speed := config.predict or measured.get(PREDICT):
        result[PREDICT] = speed
    return result


def measured_speeds(experiment: Path) -> dict[str, float]:
    """Return the median speed of each kind of job that an experiment's folder tells of."""
    measured: dict[str, list[float]] = defaultdict(list)
    for log in sorted(experiment.glob("runs/*/training.jsonl")):
        measured[RunName.parse(log.parent.name).resources] += _training_speed(log)
    for benchmark in sorted(experiment.glob("benchmarks/predict/*.tsv")):
        measured[PREDICT] += _answering_speed(benchmark, experiment / "predictions")
    return {kind: median(numbers) for kind, numbers in measured.items() if numbers}


def _training_speed(path: Path) -> list[float]:
    """The first step of an attempt, which waits for caches and kernels, is left out."""
    entries = [entry for entry in history(path) if entry.get("input_tokens_per_second")]
    attempts = [entry["attempt"] for entry in entries]
    warm = [entry for entry, before in zip(entries[1:], attempts, strict=False) if entry["attempt"] == before]
    seconds = sum(entry["input_tokens"] / entry["input_tokens_per_second"] for entry in warm)
    tokens = sum(entry["input_tokens"] / entry["processes"] for entry in warm)
    return [tokens / seconds] if seconds else []


def _answering_speed(benchmark: Path, predictions: Path) -> list[float]:
    """Tokens of one job's answers over its duration, from the measurement ``<run>.<split>[.<task>].tsv``."""
    name = benchmark.name.removesuffix(".tsv")
    folders = [
        folder / split
        for folder in predictions.glob("*/")
        for split in ("val", "test")
        if name == f"{folder.name}.{split}" or name.startswith(f"{folder.name}.{split}.")
    ]
    answers = [file for folder in folders for file in folder.glob("*.parquet")]
    try:
        seconds = float(pd.read_csv(benchmark, sep="\t")["s"].iloc[-1])
        tokens = sum(read_parquet(file, ["new_tokens"])["new_tokens"].to_numpy().sum() for file in answers)
    except (VisatbError, LookupError, ValueError):
        return []
    return [float(tokens) / seconds] if seconds > 0 and tokens else []
