"""Intervals of dI, dE and weights: against known truths, against the tables, and the sentences that tell of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from visatb.balancing.balance import balance
from visatb.balancing.bootstrap import REPLICATES_KEPT, intervals, replicate, replicates_table
from visatb.balancing.design import Design
from visatb.balancing.weights_comparison import weights_comparison
from visatb.config.balancing import BalanceSettings
from visatb.reporting.text.certainty import half_width_sentence, ill_posed_sentence, overall_lines, pairs_sentence
from visatb.runtime.files import write_parquet
from visatb.scores.benchmark import benchmark_intervals, benchmark_table, test_scores
from visatb.scores.columns import Column
from visatb.scores.improvement import improvement
from visatb.scores.improvement_intervals import overall_intervals, task_improvements
from visatb.scores.paired import PairedSamples
from visatb.scores.table import ABOUT, SCORE_SCHEMA

test_scores.__test__ = False  # type: ignore[attr-defined]
COLUMNS = [Column("vqa", "EM"), Column("box", "IoU"), Column("box", "mean_IoU")]
LOWER = [Column("a", "m"), Column("b", "m", higher_is_better=False), Column("b", "n")]


def test_improvements_are_those_of_the_table() -> None:
    scores = pd.DataFrame([[0.5, 2.0, 3.0], [0.6, 1.0, 6.0]], index=["stl", "ew"], columns=["a", "b:m", "b:n"])
    expected = improvement(scores, "stl", LOWER).loc["ew"].to_numpy()
    found = task_improvements(scores.loc["ew"].to_numpy(), scores.loc["stl"].to_numpy(), LOWER)
    np.testing.assert_allclose(found, expected)
    assert task_improvements(np.ones(3), np.array([0.0, 1, 1]), LOWER)[0] == 0


def drawn_scores(truth: dict[str, list[float]], count: int, generator: np.random.Generator) -> list[PairedSamples]:
    samples = []
    for place in range(len(truth["stl"])):
        shared = generator.uniform(size=count)
        p = np.array([truth[method][place] for method in truth])[:, None]
        own = generator.uniform(size=(len(truth), count)) < 0.5
        right = np.where(own, generator.uniform(size=own.shape), shared) < p
        samples.append(
            PairedSamples(
                str(place),
                tuple(truth),
                right.astype(float),
                np.ones(right.shape),
                [f"{place}.{n}" for n in range(count)],
            )
        )
    return samples


def test_overall_intervals_hold_a_known_truth() -> None:
    """Half of the tasks lie where dE bends."""
    truth = {"stl": [0.5] * 6, "ew": [0.5, 0.5, 0.5, 0.55, 0.4, 0.45], "visatb": [0.5, 0.5, 0.52, 0.6, 0.45, 0.48]}
    columns = [Column(str(place), "m") for place in range(6)]
    runs = {method: [method] * 6 for method in truth}
    known = {("dI", "ew"): -20 / 6, ("dE", "ew"): 30 / 6, ("dI", "visatb"): 10 / 6, ("dE", "visatb"): 14 / 6}
    held = dict.fromkeys(known, 0)
    generator = np.random.default_rng(1)
    for trial in range(150):
        samples = drawn_scores(truth, 300, generator)
        table = overall_intervals(samples, runs, "stl", columns, 300, trial)
        for row in table[table["other"] == ""].itertuples():
            value = known[row.quantity, row.method]
            held[row.quantity, row.method] += row.low - 1e-9 <= value <= row.high + 1e-9
    assert min(held.values()) >= 0.89 * 150, held


def test_pairing_makes_a_difference_surer_than_its_parts() -> None:
    truth = {"stl": [0.5] * 4, "ew": [0.5] * 4, "visatb": [0.52] * 4}
    columns = [Column(str(place), "m") for place in range(4)]
    samples = drawn_scores(truth, 800, np.random.default_rng(0))
    table = overall_intervals(samples, {m: [m] * 4 for m in truth}, "stl", columns, 800)
    width = (table["high"] - table["low"])[table["quantity"] == "dI"].to_numpy()
    assert list(table["other"][:3]) == ["", "", "visatb"]
    assert width[2] < np.hypot(width[0], width[1]) * 0.9
    assert table["value"][2] == pytest.approx(table["value"][0] - table["value"][1])
    assert (table.loc[table["quantity"].eq("dE") & table["other"].eq(""), "low"] >= 0).all()


def write_scores(folder: Path, run: str, task: str, metrics: list[str], accuracy: float, seed: int) -> None:
    right = np.random.default_rng(seed).uniform(size=60) < accuracy
    rows = [
        {
            "id": str(i),
            "image": f"{i}.png",
            "metric": metric,
            "numerator": 100.0 * hit,
            "denominator": 1.0,
            "valid": True,
            "truncated": False,
        }
        for metric in metrics
        for i, hit in enumerate(right.tolist())
    ]
    about = {ABOUT: b'{"judge": null}'}
    write_parquet(
        folder / run / "test" / f"{task}.parquet",
        pa.Table.from_pylist(rows, SCORE_SCHEMA).replace_schema_metadata(about),
    )


def test_intervals_from_score_files_surround_the_benchmark_table(tmp_path: Path) -> None:
    for seed, (task, metrics) in enumerate({"vqa": ["EM"], "box": ["IoU", "mean_IoU"]}.items()):
        for run, accuracy in {f"single-{task}": 0.5, "ew": 0.45, "visatb": 0.6}.items():
            write_scores(tmp_path, run, task, metrics, accuracy, seed)
    runs = {"stl": {task: f"single-{task}" for task in ("vqa", "box")}}
    runs |= {method: dict.fromkeys(("vqa", "box"), method) for method in ("ew", "visatb")}
    table = benchmark_table(test_scores(tmp_path, runs), runs, COLUMNS)
    found = benchmark_intervals(tmp_path, table, runs, COLUMNS, 400).set_index(["method", "other", "quantity"])
    for method in ("ew", "visatb"):
        for quantity in ("dI", "dE"):
            row = found.loc[method, "", quantity]
            assert row["value"] == pytest.approx(table.set_index("method").loc[method, quantity])
            assert row["low"] <= row["value"] <= row["high"]
    assert benchmark_intervals(tmp_path, table[table["method"] != "stl"], runs, COLUMNS).empty


def point_and_replicates(count: int = 300):
    generator = np.random.default_rng(2)
    runs = ("mini", "plus-a", "plus-b", "plus-c")
    accuracy = {"a": [0.2, 0.8, 0.5, 0.2], "b": [0.4, 0.5, 0.7, 0.4], "c": [0.4, 0.5, 0.4, 0.7]}
    samples = []
    for task, p in accuracy.items():
        right = (generator.uniform(size=count) < np.array(p)[:, None]).astype(float)
        samples.append(PairedSamples(task, runs, right, np.ones_like(right), [f"{task}{n}" for n in range(count)]))
    matrix = pd.DataFrame({one.column: pd.Series(one.scores(), index=list(one.runs)) for one in samples})
    point = balance(
        matrix, Design.ungrouped([Column(task, "em") for task in accuracy], BalanceSettings(temperature=0.5))
    )
    return point, replicate(point, samples, 1200)


def test_every_pair_of_weights_is_compared_once() -> None:
    point, drawn = point_and_replicates()
    table = weights_comparison(point, drawn)
    assert list(zip(table["group"], table["other"], strict=True)) == [
        ("a", "1"), ("b", "1"), ("c", "1"), ("a", "b"), ("a", "c"), ("b", "c"),
    ]  # fmt: skip
    groups = intervals(point, drawn).groups
    for row in table.iloc[:3].itertuples():
        assert row.low == pytest.approx(groups.loc[row.group, "weight_low"] - 1)
        assert row.high == pytest.approx(groups.loc[row.group, "weight_high"] - 1)
    pair = table.iloc[3]
    assert pair["difference"] == pytest.approx(point.weights["a"] - point.weights["b"])
    both = drawn.weights.total[:, 0] - drawn.weights.total[:, 1]
    assert [pair["low"], pair["high"]] == pytest.approx(np.percentile(both, (2.5, 97.5)))
    assert (table["told_apart"] == np.where((table["low"] <= 0) & (table["high"] >= 0), "no", "yes")).all()
    assert table.set_index(["group", "other"]).loc[("a", "b"), "told_apart"] == "yes"


def test_weights_that_cannot_be_told_apart_are_named() -> None:
    point, drawn = point_and_replicates()
    table = weights_comparison(point, drawn)
    table.loc[4, "told_apart"] = "no"
    pairs = table[table["other"] != "1"]
    alike = pairs[pairs["told_apart"] == "no"]
    sentence = pairs_sentence(table)
    assert f"{len(alike)} of 3 pairs" in sentence
    assert all(f"{one} and {other}" in sentence for one, other in zip(alike["group"], alike["other"], strict=True))
    assert pairs_sentence(table.assign(told_apart="yes")) == "All weights can be told from each other."
    many = pd.concat([pairs.assign(told_apart="no")] * 4)
    assert (
        pairs_sentence(many) == "12 of 12 pairs of weights cannot be told from each other: see weights_comparison.tsv."
    )


def test_ill_posed_columns_and_overall_intervals_are_told() -> None:
    assert ill_posed_sentence({"unlearned": []}).startswith("No column is ill-posed")
    assert "gqa, box:IoU;" in ill_posed_sentence({"unlearned": ["gqa: found; done", "box:IoU: found; done"]})
    rows = [("ew", "", "dI", 1.0, -1.0, 3.0), ("ew", "", "dE", 0.5, 0.0, 1.0), ("visatb", "ew", "dI", 2.0, 0.5, 3.5)]
    table = pd.DataFrame(rows, columns=["method", "other", "quantity", "value", "low", "high"])
    lines = overall_lines(table)
    assert lines[1:] == [
        "  ew: ΔI% 1.00 (-1.00 to 3.00), ΔE% 0.50 (0.00 to 1.00)",
        "  visatb less ew: ΔI% 2.00 (0.50 to 3.50)",
    ]
    unsure = table.assign(low=-5.0)
    assert overall_lines(unsure)[-1] == "  1 of 1 pairs of methods cannot be told apart by ΔI%"


def test_replicates_are_kept_as_numbers_of_pairs_and_groups() -> None:
    point, drawn = point_and_replicates()
    table = replicates_table(point, drawn).to_pandas()
    assert table["replicate"].nunique() == REPLICATES_KEPT
    one = table[table["replicate"] == 7]
    assert one["quantity"].value_counts().to_dict() == {"C": 6, "D": 3}
    pair = one[(one["from"] == "a") & (one["to"] == "c")]["value"].item()
    assert pair == pytest.approx(drawn.measures.C[7, 0, 2], rel=1e-6)
    D = one[(one["quantity"] == "D") & (one["to"] == "b")]
    assert D["value"].item() == pytest.approx(drawn.measures.D[7, 1], rel=1e-6)
    assert D["from"].isna().all()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"form": "paired", "seeds": 1}, "not that in training; balancing.mini_seeds: 3 would tell it."),
        ({"form": "paired", "seeds": 1, "mini_seeds": None}, "balancing.mini_seeds: 3"),
        ({"form": "simple", "seeds": 1}, "not that in training."),
        ({"form": "paired", "seeds": 2}, "the chance in training too"),
        ({"form": "paired", "seeds": 1, "mini_seeds": 3}, "the chance in training too"),
    ],
)
def test_the_width_says_what_it_knows(settings: dict[str, object], expected: str) -> None:
    assert expected in half_width_sentence({"largest_half_width": 0.1, **settings})
