"""What is read off verdicts, and the score that follows: a ratio of means with intervals to match."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.helpers.judge_examples import predictions
from visatb.errors import VisatbError
from visatb.reporting.text.summary import judge_lines, warning_lines
from visatb.runtime.files import read_parquet, read_table, write_parquet, write_table
from visatb.scores.metrics import METRICS
from visatb.scores.paired import paired_samples
from visatb.scores.scoring import score_predictions
from visatb.scores.tidy import tidy_scores
from visatb.scores.uncertainty import replicate_scores
from visatb.scores.verdicts import VERDICT_SCHEMA, read_verdict


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("8 6", (8, 6)),
        ("8 6\nThe first is better: 10 1.", (8, 6)),
        ("\n  10\t1  \r\nReasons", (10, 1)),
        ("7.5 9", (7.5, 9)),
        ("8, 6", (8, 6)),
        ("8,6", (8, 6)),
        ("1 10", (1, 10)),
        ("", None),
        ("8", None),
        ("8 6 7", None),
        ("8 6.", None),
        ("8/10 6/10", None),
        ("Assistant 1: 8 Assistant 2: 6", None),
        ("Scores: 8 6", None),
        ("**8 6**", None),
        ("86", None),
        ("0 6", None),
        ("8 11", None),
        ("-8 6", None),
        ("8 -6", None),
        ("8-6", None),
        ("8 nan", None),
        ("1e1 6", None),
        ("٨ ٦", None),
        ("eight six", None),
        ("The answers are graded\n8 6", None),
        ("8\n6", None),
        ("8\u20286", None),
    ],
)
def test_two_numbers_on_the_first_line_or_nothing(text: str, scores: tuple[float, float] | None):
    assert read_verdict(text) == scores


def verdicts(texts: list[str], cost: float | None = None) -> pa.Table:
    rows = [
        {"id": f"s{n}", "verdict": text, "judge": "j", "prompt_tokens": 10, "completion_tokens": 2, "cost": cost}
        for n, text in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, schema=VERDICT_SCHEMA)


def test_a_ratio_of_means_over_the_readable_ones():
    texts = ["10 5", "no idea", "2 4", "", "9 9"]
    scores = METRICS["judge"].score(texts, [["r"]] * 5)
    assert scores.valid.tolist() == [True, False, True, False, True]
    ratio = scores.numerators.sum() / scores.denominators.sum()
    assert ratio == pytest.approx(100 * np.mean([5, 4, 9]) / np.mean([10, 2, 9]))
    assert ratio != pytest.approx(100 * np.mean([5 / 10, 4 / 2, 9 / 9]))


def test_scores_keep_who_judged_and_what_it_cost(tmp_path: Path):
    table = score_predictions(predictions(3), ["EM", "judge"], verdicts(["8 4", "?", "10 5"], cost=0.5))
    write_parquet(tmp_path / "scores.parquet", table)
    tidy = tidy_scores([("mini", "val", "chat", tmp_path / "scores.parquet")]).set_index("metric")
    assert tidy.loc["judge", "value"] == pytest.approx(50)
    assert tidy.loc["judge", ["n", "invalid", "judge", "judge_tokens", "judge_cost"]].tolist() == [3, 1, "j", 36, 1.5]
    assert tidy.loc["EM", "invalid"] == 0
    assert tidy.loc["EM", ["judge", "judge_tokens", "judge_cost"]].isna().all()
    write_table(tmp_path / "scores.tsv", tidy.reset_index())
    read = read_table(tmp_path / "scores.tsv")
    assert judge_lines(read) == ["  j: 3 verdicts, 36 tokens, cost 1.5"]
    weights = pd.DataFrame({"note": [""]})
    assert warning_lines(weights, read) == [
        "chat: 1 of 3 verdicts of the judge could not be read and are left out (most in run mini, val: 1 of 3)"
    ]


def test_verdicts_that_are_missing_or_on_other_answers_are_refused():
    with pytest.raises(VisatbError, match="the metric judge needs a judge's verdicts"):
        score_predictions(predictions(3), ["judge"])
    with pytest.raises(VisatbError, match="the 2 verdicts are not on these 3 predictions"):
        score_predictions(predictions(3), ["judge"], verdicts(["8 6", "8 6"]))


def test_intervals_are_those_of_a_ratio_without_the_unreadable(tmp_path: Path):
    """Against resampling the readable verdicts in plain loops, mean of one score over mean of the other."""
    rng = np.random.default_rng(1)
    reference, answer = rng.integers(7, 11, 200), rng.integers(1, 11, 200)
    texts = ["??" if n % 10 == 0 else f"{reference[n]} {answer[n]}" for n in range(200)]
    write_parquet(tmp_path / "s", score_predictions(predictions(200), ["judge"], verdicts(texts)))
    row = tidy_scores([("mini", "val", "chat", tmp_path / "s")]).iloc[0]
    kept = np.flatnonzero(np.arange(200) % 10)
    drawn = [
        100 * answer[draw].mean() / reference[draw].mean() for draw in rng.choice(kept, (4000, kept.size), replace=True)
    ]
    assert row["value"] == pytest.approx(100 * answer[kept].mean() / reference[kept].mean())
    assert row["stderr"] == pytest.approx(np.std(drawn), rel=0.05)
    samples = paired_samples("chat", {"mini": read_parquet(tmp_path / "s").to_pandas()})
    own = np.percentile(replicate_scores(samples, 4000, 0), [2.5, 97.5])
    assert own == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.1 * row["stderr"] * 2)
