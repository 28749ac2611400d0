"""The plan of an experiment with its costs, from the files that are there before anything is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from visatb.experiment.experiment import Experiment
from visatb.planning.costs import Basis
from visatb.planning.plan import Sizes, plan
from visatb.planning.throughput import Speeds, speeds
from visatb.planning.token_ledger import read_counts
from visatb.runtime.files import read_json, read_parquet


@dataclass(frozen=True)
class Estimate:
    """A plan and what it was made from.

    Attributes:
        experiment: with sampling rates as numbers.
        plan: a row a run (`visatb.planning.plan.plan`).
        chosen_rates: lines on rates that the config leaves to the data.
        missing: why tokens could not be counted, or nothing.
        speeds: of each kind of job, as far as they are known.
    """

    experiment: Experiment
    plan: pd.DataFrame
    chosen_rates: tuple[str, ...]
    missing: str
    speeds: Speeds


def estimate(
    experiment: Experiment, records: Path, counts: Path, sizes: Path, sampling: Path | None = None
) -> Estimate:
    """Count and estimate what an experiment will take.

    Args:
        experiment: what is planned.
        records: folder that holds ``<task>/<split>.parquet``, and rows of ready-made subsets.
        counts: tokens of each counted record, Parquet.
        sizes: of model and answers, JSON (`visatb.planning.counting.CountedTokens`).
        sampling: chosen rates, where the config leaves some to the data.
    """
    rates = read_json(sampling) if sampling else {"why": []}
    if sampling:
        experiment = experiment.with_rates(rates["large"], rates["mini"])
    named = [(key, f"{key[1]}.parquet") for key in experiment.splits]
    named += [(key, f"{key[1]}.rows.parquet") for key in experiment.ready_made]
    files = {key: records / key[0] / name for key, name in named}
    lengths = {key: pq.read_metadata(file).num_rows for key, file in files.items()}
    facts, known = read_json(sizes), speeds(experiment.config.throughput, experiment.folder)
    table = plan(experiment, lengths, basis(counts, facts, lengths, files, known))
    return Estimate(experiment, table, tuple(rates["why"]), facts.get("missing", ""), known)


def basis(
    counts: Path, facts: Mapping[str, Any], lengths: Sizes, files: Mapping[tuple[str, str], Path], speeds: Speeds
) -> Basis:
    """Return what the costs are estimated from.

    Args:
        counts: tokens of each counted record, Parquet.
        facts: sizes of model and answers.
        lengths: (task, split) -> records.
        files: (task, split) -> their file.
        speeds: of each kind of job.
    """
    train = {task: length for (task, split), length in lengths.items() if split == "train"}
    answers = {}
    for key, mean in facts.get("answer_tokens", {}).items():
        task, split = key.rsplit("/", 1)
        answers[task, split] = mean
    return Basis(
        counts=read_counts(read_parquet(counts).to_pandas(), train),
        blank_row=facts.get("blank_row", 0),
        answer_tokens=answers,
        parameters=facts.get("parameters"),
        trained=facts.get("trained"),
        speeds=speeds,
        record_bytes={key: file.stat().st_size for key, file in files.items()},
    )
