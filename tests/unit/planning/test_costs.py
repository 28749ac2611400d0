"""What the plan says an experiment costs, computed again by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values
from visatb.balancing.run_names import RunName
from visatb.errors import VisatbError
from visatb.experiment.experiment import Experiment
from visatb.planning.costs import Basis
from visatb.planning.plan import plan
from visatb.planning.throughput import measured_speeds, speeds
from visatb.planning.token_ledger import Counts
from visatb.reporting.tables.costs import short_hours, short_size
from visatb.reporting.text.plan import plan_text, preparation_cost

TASKS = ("vqa", "caption", "bbox")
SIZES = {(task, split): size for task in TASKS for split, size in (("train", 64), ("val", 10), ("test", 20))}
LENGTHS = {"vqa": 20, "caption": 50, "bbox": 30}


@pytest.fixture(autouse=True)
def in_a_folder_with_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL_FILE).write_text(MODEL_TEXT)


def experiment(**changes: object) -> Experiment:
    training = {"global_batch_size": 8, "micro_batch_size": 1, "epochs": 2, "save_steps": 5}
    return Experiment.from_values(config_values(sampling={"mini": 0.25}, training=training, **changes))


def counts(length: int) -> Counts:
    parts = {"supervised": 4, "instruction": length - 6, "template": 2, "image": 0, "tokens": length}
    return Counts(64, pd.DataFrame([parts | {"has_image": False, "is_cut": False}] * 64))


def basis(speeds: dict[str, float]) -> Basis:
    answers = {place: 7.5 for place in SIZES if place[1] != "train"}
    of_records = dict.fromkeys(SIZES, 1000)
    return Basis({t: counts(n) for t, n in LENGTHS.items()}, 21, answers, 1_000_000, 600_000, speeds, of_records)


def test_costs_by_hand():
    table = plan(
        experiment(), SIZES, basis({"mini": 10.0, "plus": 20.0, "single": 20.0, "final": 40.0, "predict": 5.0})
    )
    rows = table.set_index("run")
    assert rows.loc["mini", "tokens"] == 2 * 16 * (20 + 50 + 30)
    assert rows.loc["plus-caption", "tokens"] == 2 * (16 * 20 + 64 * 50 + 16 * 30)
    assert rows.loc["ew", "tokens"] == 2 * 64 * 100
    assert (rows["padding"] == 0).all(), "one sample at a time"
    assert rows.loc["mini", "answer_tokens"] == 3 * 10 * 7.5
    assert rows.loc["mini", "gpu_hours"] == pytest.approx((3200 / 10 + 225 / 5) / 3600)
    assert rows.loc["ew", "disk_gb"] == pytest.approx((4_000_000 + 3 * 1000) / 1e9)
    # 12 optimiser steps, a checkpoint every 5: three lie there before the oldest of three would go
    assert rows.loc["mini", "checkpoints_gb"] == pytest.approx(3 * (4_000_000 + 8 * 600_000) / 1e9)
    assert preparation_cost(table) == pytest.approx(1 + 3 * 0.25)
    assert preparation_cost(table, unit="tokens") == pytest.approx(1 + 3 * 0.25)
    text = plan_text(table, 1.0, 0.25, 3, on_gpus=True, speeds_known=True)
    assert "1.75 times a final training, counted in samples" in text
    assert "in tokens 1.75 times" in text
    assert f"All together about {short_hours(table['gpu_hours'].sum())} GPU-hours" in text


def test_what_is_not_known_is_left_empty_and_said():
    without_speeds = plan(experiment(), SIZES, basis({}))
    assert without_speeds["gpu_hours"].isna().all()
    assert "No GPU-hours are told" in plan_text(without_speeds, 1.0, 0.25, 3)
    bare = plan(experiment(), SIZES, Basis())
    assert bare[["tokens", "answer_tokens", "gpu_hours", "disk_gb"]].isna().all(axis=None)
    assert "samples" in plan_text(bare, 1.0, 0.25, 3)


def test_answers_are_not_longer_than_they_may_be():
    short = {task: {**config_values()["tasks"][task], "max_new_tokens": 5} for task in TASKS}
    rows = plan(experiment(tasks=short), SIZES, basis({})).set_index("run")
    assert rows.loc["mini", "answer_tokens"] == 3 * 10 * 5


def finished_run(folder: Path, run: str, processes: int, seconds: list[float], attempts: list[int]) -> None:
    path = folder / "runs" / run / "training.jsonl"
    path.parent.mkdir(parents=True)
    lines = [
        {"step": n, "input_tokens": 600, "input_tokens_per_second": 600 / s, "processes": processes, "attempt": a}
        for n, (s, a) in enumerate(zip(seconds, attempts, strict=True), 1)
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 9, "inp')


def test_speeds_are_given_or_measured(tmp_path: Path):
    here, there = tmp_path / "here", tmp_path / "there"
    finished_run(here, "mini", 2, [60, 1, 2, 60, 3], [1, 1, 1, 2, 2])  # the first lines of attempts are warming up
    finished_run(there, "mini", 1, [9, 1], [1, 1])
    finished_run(there, "plus-vqa", 1, [9, 2], [1, 1])
    finished_run(there, "plus-bbox", 1, [9, 6], [1, 1])
    assert measured_speeds(here) == {"mini": pytest.approx(3 * 300 / 6)}
    assert measured_speeds(there) == {"mini": pytest.approx(600), "plus": pytest.approx(200)}
    config = experiment(throughput={"measured_in": str(there), "single": 7, "predict": 3}).config.throughput
    known = speeds(config, here)
    assert known == {"mini": 150, "plus": 200, "single": 7, "final": 175, "predict": 3}
    assert speeds(experiment(throughput=1000).config.throughput, here)["final"] == 1000
    assert speeds(experiment().config.throughput, tmp_path / "nowhere") == {}
    with pytest.raises(VisatbError, match=r"measured_in: .*nowhere holds no finished training"):
        speeds(experiment(throughput={"measured_in": "nowhere"}).config.throughput, here)


def test_kinds_of_runs_are_those_of_the_resources():
    of = experiment(methods=["stl", "ew", "visatb"], balancing={"difficulty": "precise"})
    assert {run: RunName.parse(run).resources for run in of.runs} == {run: of.resource_kind(run) for run in of.runs}


def test_numbers_as_people_read_them():
    assert [short_size(size) for size in (0.0000031, 0.0049, 0.054, 14.2, 1400, np.nan)] == [
        *("3 kB", "4.9 MB", "54 MB", "14 GB", "1.4 TB", "")
    ]
    assert [short_hours(hours) for hours in (0.0123, 3.44, 250.3)] == ["0.012", "3.4", "250"]
