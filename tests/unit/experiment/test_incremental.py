"""Adding a task: what stays exact when the finished preparation runs are kept, and what a config must get right."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values
from visatb.balancing.balance import Balance, balance
from visatb.balancing.design import Design
from visatb.config.balancing import BalanceSettings
from visatb.config.training import Recipe
from visatb.errors import VisatbError
from visatb.experiment.experiment import Experiment
from visatb.runtime.files import write_parquet
from visatb.scores.columns import Column
from visatb.scores.extrapolated import extrapolated_table, pseudo_values
from visatb.scores.imported import ImportedScore, imported_table, sample_table
from visatb.scores.paired import PairedSamples
from visatb.scores.table import about_scores
from visatb.scores.uncertainty import standard_errors

OLD, NEW = ("vqa", "caption"), "bbox"
ALL = (*OLD, NEW)
SETTINGS = BalanceSettings(temperature=1.0, on_unlearned="error")


def score(effects: np.ndarray, interactions: np.ndarray, task: int, large: set[int], mini: set[int]) -> float:
    """A made-up score: what each subset adds to a task, and what two subsets add together beyond that."""
    present = [(other, other in large) for other in sorted(mini | large)]
    value = 20.0 + sum(effects[other, task] * (3.0 if is_large else 1.0) for other, is_large in present)
    for first, is_large in present:
        for second, _ in present:
            value += interactions[first, second, task] * is_large * (first != second)
    return float(value)


def matrices(interactions: np.ndarray, effects: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """V by the definitions with all tasks, V before the last one came, and V as frozen completes it."""

    def row(large: set[int], mini: set[int]) -> list[float]:
        return [score(effects, interactions, task, large, mini - large) for task in range(3)]

    strict = {"mini": row(set(), {0, 1, 2})} | {f"plus-{ALL[i]}": row({i}, {0, 1, 2}) for i in range(3)}
    before = {"mini": row(set(), {0, 1})} | {f"plus-{ALL[i]}": row({i}, {0, 1}) for i in range(2)}
    tables = [pd.DataFrame(rows, index=list(ALL)).T for rows in (strict, before)]
    frozen = tables[0].copy()
    for run in ("plus-vqa", "plus-caption"):
        frozen.loc[run] = tables[0].loc["mini"] + tables[1].loc[run] - tables[1].loc["mini"]
    return tables[0], tables[1], frozen


def of(matrix: pd.DataFrame, tasks: tuple[str, ...]) -> Balance:
    return balance(
        matrix.loc[["mini", *(f"plus-{t}" for t in tasks)], list(tasks)],
        Design.ungrouped([Column(t, "EM") for t in tasks], SETTINGS),
    )


EFFECTS = np.array([[5.0, 1.0, 0.5], [0.8, 6.0, -0.5], [0.4, -0.6, 4.0]])


def test_frozen_is_exact_where_mini_subsets_add_up():
    strict, _, frozen = matrices(np.zeros((3, 3, 3)), EFFECTS)
    exact, kept = of(strict, ALL), of(frozen, ALL)
    assert kept.C.to_numpy() == pytest.approx(exact.C.to_numpy())
    assert kept.D.to_numpy() == pytest.approx(exact.D.to_numpy())
    assert kept.weights.to_numpy() == pytest.approx(exact.weights.to_numpy())


def test_what_stays_exact_where_they_do_not_add_up():
    interactions = np.random.default_rng(3).normal(0, 0.8, (3, 3, 3))
    strict, before, frozen = matrices(interactions, EFFECTS)
    exact, kept, earlier = of(strict, ALL), of(frozen, ALL), of(before, OLD)
    assert kept.D[NEW] == pytest.approx(exact.D[NEW]), "the new task's difficulty is measured as defined"
    assert kept.C.loc[list(OLD), list(OLD)].to_numpy() == pytest.approx(earlier.C.to_numpy()), (
        "old cells stay as before"
    )
    for task in OLD:
        gap = before.loc[f"plus-{task}", task] - before.loc["mini", task]
        change = strict.loc[f"plus-{NEW}", task] - strict.loc["mini", task]
        assert kept.C.loc[NEW, task] == pytest.approx(change / gap), (
            "its numerator is as defined, its unit is the old gap"
        )
        change = before.loc[f"plus-{task}", NEW] - before.loc["mini", NEW]
        gap = strict.loc[f"plus-{NEW}", NEW] - strict.loc["mini", NEW]
        assert kept.C.loc[task, NEW] == pytest.approx(change / gap), "its unit is as defined, its change is that before"
    off = ~np.eye(3, dtype=bool)
    assert (np.abs(kept.C - exact.C).to_numpy()[off] > 1e-3).all(), "every other cell is an approximation"
    assert (np.abs(kept.D - exact.D)[list(OLD)] > 1e-3).all()


def scored(values: np.ndarray, metric: str = "EM", below: np.ndarray | None = None) -> pa.Table:
    ids = [str(number) for number in range(len(values))]
    table = sample_table(
        metric, ids, [f"{i}.png" for i in ids], values, np.ones(len(values)) if below is None else below
    )
    about = {"versions": {metric: 1}, "judge": {"judge": None, "tokens": None, "cost": None}}
    return table.replace_schema_metadata({b"visatb": json.dumps(about)})


def test_completed_scores_are_sums_sample_by_sample():
    generator = np.random.default_rng(0)
    values = {name: 100.0 * (generator.random(50) < 0.5) for name in ("mini", "before-mini", "before-plus")}
    table = extrapolated_table("vqa", {name: scored(one) for name, one in values.items()})
    found = dict(zip(table["id"].to_pylist(), table["numerator"].to_pylist(), strict=True))
    expected = values["mini"] + values["before-plus"] - values["before-mini"]
    assert [found[str(number)] for number in range(50)] == pytest.approx(expected.tolist())
    assert about_scores(table)["origin"] == "completed, approximate"
    assert table["image"].to_pylist()[:2] == ["0.png", "1.png"]


def test_pseudo_values_of_a_ratio_have_its_score_and_its_error():
    generator = np.random.default_rng(1)
    below = generator.integers(1, 9, (2, 300)).astype(float)
    above = below * generator.random((2, 300))
    images = [str(number) for number in range(300)]
    ratio = PairedSamples("x", ("a", "b"), above, below, images)
    plain = PairedSamples("x", ("a", "b"), pseudo_values(ratio), np.ones((2, 300)), images)
    assert plain.scores() == pytest.approx(ratio.scores())
    assert standard_errors(plain).to_numpy() == pytest.approx(standard_errors(ratio).to_numpy())


def test_what_cannot_be_completed_is_told():
    parts = {name: scored(np.array([0.0, 100.0, 0.0])) for name in ("mini", "before-mini")}
    with pytest.raises(VisatbError, match="lacks ids"):
        extrapolated_table("vqa", parts | {"before-plus": scored(np.array([0.0, 100.0]))})
    with pytest.raises(VisatbError, match="was scored by"):
        extrapolated_table("vqa", parts | {"before-plus": scored(np.array([0.0, 9.0, 1.0]), "CIDEr")})
    records = pa.table({"id": ["0"], "image": ["0.png"]})
    value = imported_table([ImportedScore("plus-vqa", "val", "vqa", "EM", 50.0, 3)], records)
    with pytest.raises(VisatbError, match="only a value is known"):
        extrapolated_table("vqa", parts | {"before-plus": value})


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an experiment on the old tasks, as far as the config's checks look at it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL_FILE).write_text(MODEL_TEXT)
    folder = tmp_path / "results" / "old"
    runs = {"mini": "val", "plus-vqa": "val", "plus-caption": "val", "single-vqa": "test", "single-caption": "test"}
    for run, split in runs.items():
        (folder / "runs" / run / "model").mkdir(parents=True)
        told = folder / "runs" / run / "checkpoints" / "0" / "training.json"
        told.parent.mkdir(parents=True)
        told.write_text(json.dumps({"seed": 0, "learning_rate": 2e-5, "epochs": 1.0}))
        for task in OLD if split == "val" else [run.removeprefix("single-")]:
            write_parquet(folder / "scores" / run / split / f"{task}.parquet", scored(np.array([0.0, 100.0])))
    return Path("results/old")


def adding(mode: str, **changes: object) -> Experiment:
    section = {"tasks": [NEW], "to": "results/old", "mode": mode}
    return Experiment.from_values(config_values(adding=section) | changes)


def test_strict_trains_what_the_definitions_ask_for(finished: Path):
    one = adding("strict")
    trained = [run.name for run in one.trained_runs]
    assert trained == ["mini", "plus-vqa", "plus-caption", "plus-bbox", "single-bbox", "ew", "visatb"]
    assert one.reuse.models == {f"single-{task}": f"results/old/runs/single-{task}/model" for task in OLD}
    assert one.answered_tasks("single-vqa", "test") == ()


def test_frozen_trains_mini_and_the_new_task_alone(finished: Path):
    one = adding("frozen")
    assert [run.name for run in one.trained_runs] == ["mini", "plus-bbox", "single-bbox", "ew", "visatb"]
    assert dict(one.runs["before-plus-vqa"].mixture) == {"vqa": "large", "caption": "mini"}
    assert one.answered_tasks("before-plus-vqa", "val") == (NEW,)
    assert one.answered_tasks("plus-vqa", "val") == ()
    assert one.reuse.earlier.extrapolated == {(f"plus-{old}", "val", task) for old in OLD for task in ALL}
    assert one.measured_by("visatb")[0] == ("mini", "val", "vqa")
    assert one.reuse.model_origin("before-mini") == "earlier model"


def test_the_simple_form_needs_no_approximation(finished: Path):
    with pytest.raises(VisatbError, match="strict trains no more than frozen there"):
        adding("frozen", balancing={"form": "simple"})
    one = adding("strict", balancing={"form": "simple"})
    assert one.answered_tasks("single-vqa", "val") == ALL
    assert "single-vqa" not in [run.name for run in one.trained_runs]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"adding": {"tasks": [NEW], "to": "results/odl"}}, "results/odl: no such file; did you mean 'old'?"),
        ({"adding": {"tasks": ["bbocks"], "to": "results/old"}}, "there is no task 'bbocks'; did you mean 'bbox'?"),
        ({"adding": {"tasks": ["bbocks"], "to": "results/old"}}, "knows no task 'bbox'; add it here too"),
        ({"adding": {"tasks": [NEW, "vqa"], "to": "results/old"}}, "has scores of 'vqa' already"),
        ({"experiment": "old"}, "is this very experiment"),
        ({"groups": {"seeing": ["vqa", "bbox"]}}, "groups.seeing: holds new and old tasks"),
        ({"groups": {"both": ["vqa", "caption"]}}, "has no model, scores of vqa, scores of caption of the run plus-"),
        ({"training": {"learning_rate": 1e-3}}, "training.learning_rate: is 0.001, but results/old was trained with "),
        ({"training": {"label_smoothing": 0.1}}, "label_smoothing: is 0.1, but results/old was trained with 0.0"),
        ({"seed": 1}, "seed: is 1, but results/old was trained with 0"),
    ],
)  # fmt: skip
def test_mistakes_in_adding(finished: Path, changes: dict[str, object], words: str):
    with pytest.raises(VisatbError) as caught:
        adding("frozen", **changes)
    assert words in str(caught.value)


OTHER_WORDS = {"schedule": "linear", "precision": "float32", "normalization": "micro_batch"}


@pytest.mark.parametrize("key", Recipe.model_fields)
def test_every_key_of_the_recipe_must_be_as_it_was(finished: Path, key: str):
    told = finished / "runs" / "single-vqa" / "checkpoints" / "0" / "training.json"
    told.write_text(json.dumps({"seed": 0, key: OTHER_WORDS.get(key, 0.123)}))
    with pytest.raises(VisatbError, match=rf"training\.{key}: is .*, but results/old was trained with "):
        adding("strict")
