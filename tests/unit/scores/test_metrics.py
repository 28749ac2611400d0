import math
import shutil
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.gleu_score import corpus_gleu

from visatb.data.boxes import parse_box
from visatb.errors import VisatbError
from visatb.runtime.files import write_parquet
from visatb.scores.metrics import BOX_METRICS, JAVA_METRICS, JUDGED_METRICS, METRIC_NAMES, METRICS, SampleScores
from visatb.scores.scoring import score_predictions
from visatb.scores.table import SCORE_SCHEMA
from visatb.scores.tidy import tidy_scores

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="the PTB tokenizer needs Java")
words = st.sampled_from(["a", "red", "blue", "circle", "square", "the", "on", "of", "left"])
captions = st.lists(words, min_size=0, max_size=12).map(" ".join)
truth_texts = st.lists(words, min_size=1, max_size=12).map(" ".join)
answers = st.lists(st.tuples(captions, st.lists(truth_texts, min_size=1, max_size=3)), min_size=1, max_size=6)
CAPTIONS = ["a man rides a red bike", "two dogs sleep on the old sofa", "the blue cup stands on a table"]


def score(metric: str, predictions: list[str], truths: list[list[str]]) -> float:
    numerators, denominators = both(METRICS[metric].score(predictions, truths))
    return numerators.sum() / denominators.sum()


def both(scores: SampleScores) -> tuple[np.ndarray, np.ndarray]:
    return scores.numerators, scores.denominators


@pytest.mark.parametrize(
    ("prediction", "truth", "hit"),
    [
        ("Yes", "yes", True),
        (" yes \n", "yes", True),
        ("yes.", "yes", True),
        ("yes", "YES.", True),
        ("yes..", "yes", False),
        ("yes..", "yes.", False),
        ("yes!", "yes", False),
        ("yes .", "yes", False),
        (".", "", True),
        ("", "yes", False),
        ("12", "twelve", False),
        ("1.5", "1.5", True),
        ("the cat", "cat", False),
    ],
)
def test_em_strips_lowers_and_drops_one_full_stop(prediction: str, truth: str, hit: bool):
    assert score("EM", [prediction], [[truth]]) == (100.0 if hit else 0.0)


def test_em_is_the_percentage_of_hits_on_any_truth():
    assert score("EM", ["grey", "red", "x", "y"], [["gray", "grey"], ["red"], ["a"], ["b"]]) == 50.0


# As models write them; areas of a 1e-300 would only test how floats underflow.
coordinates = st.integers(0, 1000).map(lambda n: n / 1000)
boxes = st.tuples(coordinates, coordinates, coordinates, coordinates).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)


def overlap_by_inclusion_and_exclusion(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 1e-300 else 0.0


@given(boxes, boxes)
def test_iou_agrees_with_the_formula(a: tuple[float, ...], b: tuple[float, ...]):
    predicted, truth = str(list(a)), str(list(b))
    expected = overlap_by_inclusion_and_exclusion(a, b)
    assert score("mean_IoU", [predicted], [[truth]]) == pytest.approx(100 * expected, abs=1e-7)
    if abs(expected - 0.5) > 1e-9:
        assert score("IoU", [predicted], [[truth]]) == (100.0 if expected > 0.5 else 0.0)


def test_half_an_overlap_is_not_enough():
    truth = [["[0, 0, 1, 1]"]]
    assert score("mean_IoU", ["[0, 0, 1, 0.5]"], truth) == 50.0
    assert score("IoU", ["[0, 0, 1, 0.5]"], truth) == 0.0
    assert score("IoU", ["[0, 0, 1, 0.51]"], truth) == 100.0


MALFORMED = [
    "", "no box", "[person]", "[0.1, 0.2, 0.3]", "[0.1, 0.2, 0.3, 0.4, 0.5]", "[0.1, 0.2, 0.3, x]", "[,,,]", "[]",
    "[nan, 0, 1, 1]", "[0, 0, inf, 1]", "[0.9, 0, 0.1, 1]", "[0, 0.9, 1, 0.1]", "0.1, 0.2, 0.3, 0.4",
    "[0.1 0.2 0.3 0.4]",
    "[0.1, 0.2, 0.3, 0.4", "[[0.1, 0.2], [0.3, 0.4]]", "[0.1.2, 0.2, 0.3, 0.4]", "[1_0, 0, 20, 1]", "[0x1, 0, 1, 1]",
]  # fmt: skip


@pytest.mark.parametrize("metric", ["IoU", "mean_IoU"])
@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_box_scores_zero_and_is_counted(metric: str, text: str):
    scores = METRICS[metric].score([text, "[0, 0, 1, 1]"], [["[0, 0, 1, 1]"]] * 2)
    assert scores.numerators.tolist() == [0.0, 100.0]
    assert scores.valid.tolist() == [False, True]


@pytest.mark.parametrize("text", ["[0, 0, 0, 0]", "[0.5, 0.5, 0.5, 0.5]", "[0.2, 0, 0.2, 1]"])
def test_a_box_without_area_scores_zero(text: str):
    assert score("mean_IoU", [text], [["[0, 0, 1, 1]"]]) == 0.0
    assert score("mean_IoU", [text], [[text]]) == 0.0


def test_a_box_within_a_sentence_is_read():
    assert parse_box("It is at [0.1, .2, 3e-1, 1].") == (0.1, 0.2, 0.3, 1.0)


def test_a_truth_that_is_no_box_is_refused():
    with pytest.raises(VisatbError, match="'left' is no box"):
        score("IoU", ["[0, 0, 1, 1]"], [["left"]])


def cider_d(predictions: list[str], truths: list[list[str]]) -> list[float]:
    """CIDEr-D as its paper has it: tf-idf vectors of 1- to 4-grams, clipped cosine, length penalty, times 10."""

    @cache
    def grams(text: str, n: int) -> Counter[tuple[str, ...]]:
        tokens = text.split()
        return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))

    @cache
    def vector(text: str, n: int) -> dict[tuple[str, ...], float]:
        seen = {g: sum(any(g in grams(t, n) for t in ts) for ts in truths) for g in grams(text, n)}
        return {g: c * (math.log(len(truths)) - math.log(max(1, seen[g]))) for g, c in grams(text, n).items()}

    def similarity(prediction: str, truth: str, n: int) -> float:
        p, t = vector(prediction, n), vector(truth, n)
        norm = math.sqrt(sum(v * v for v in p.values())) * math.sqrt(sum(v * v for v in t.values()))
        gap = sum(grams(prediction, 2).values()) - sum(grams(truth, 2).values())
        dot = sum(min(p[g], t[g]) * t[g] for g in p.keys() & t.keys())
        return dot / (norm or 1.0) * math.exp(-(gap**2) / 72)

    return [
        10 * float(np.mean([[similarity(p, t, n) for t in ts] for n in range(1, 5)]))
        for p, ts in zip(predictions, truths, strict=True)
    ]


@settings(max_examples=40, deadline=None)
@given(answers)
def test_cider_agrees_with_its_definition(pairs: list[tuple[str, list[str]]]):
    predictions, truths = [p for p, _ in pairs], [ts for _, ts in pairs]
    values = METRICS["CIDEr"].score(predictions, truths).numerators
    np.testing.assert_allclose(values, cider_d(predictions, truths), atol=1e-9)


def test_cider_of_perfect_answers_is_ten_and_of_one_sample_zero():
    truths = [[text] for text in CAPTIONS]
    assert score("CIDEr", CAPTIONS, truths) == pytest.approx(10.0, abs=1e-12)
    assert score("CIDEr", CAPTIONS[:1], truths[:1]) == 0.0


def test_a_full_stop_costs_an_exact_answer_much_without_the_tokenizer():
    truths = [[f"{text} ."] for text in CAPTIONS]
    assert 3 < score("CIDEr", [f"{text}." for text in CAPTIONS], truths) < 9


def test_truths_without_words_are_refused():
    with pytest.raises(VisatbError, match="none of the true answers holds a word"):
        score("CIDEr", ["a"], [[" "]])


@needs_java
def test_cider_ptb_of_perfect_answers_is_ten_whatever_the_punctuation():
    truths = [[text] for text in CAPTIONS]
    assert score("CIDEr-PTB", [f"{text.capitalize()}." for text in CAPTIONS], truths) == pytest.approx(10.0, abs=1e-12)


@needs_java
def test_cider_ptb_agrees_with_the_package_that_defines_it():
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    predictions = ["A man rides a bike!", "Dogs sleep; the sofa's old.", "L'été: a (blue) cup", ""]
    truths = [
        ["A man, on a red bike."],
        ["Two dogs sleep.", "An old sofa"],
        ["été: the cup isn't red"],
        ['It\'s "it".'],
    ]
    tokenizer = PTBTokenizer()
    expected = Cider().compute_score(
        tokenizer.tokenize({n: [{"caption": t} for t in ts] for n, ts in enumerate(truths)}),
        tokenizer.tokenize({n: [{"caption": p}] for n, p in enumerate(predictions)}),
    )[1]
    np.testing.assert_allclose(METRICS["CIDEr-PTB"].score(predictions, truths).numerators, expected, rtol=1e-12)


@needs_java
@pytest.mark.parametrize("separator", ["\n", "\r", "\r\n", "\u2028", "\u2029", "\x0b", "\x0c", "\x85", "\x1c", "\x1d"])
def test_a_line_separator_in_one_caption_shifts_no_other(separator: str):
    truths = [[text] for text in CAPTIONS]
    broken = [CAPTIONS[0].replace("rides ", f"rides{separator}"), *CAPTIONS[1:]]
    assert METRICS["CIDEr-PTB"].score(broken, truths).numerators == pytest.approx([10.0] * 3)
    assert METRICS["CIDEr"].score(broken, truths).numerators == pytest.approx([10.0] * 3)


@needs_java
def test_empty_answers_keep_their_place_in_the_tokenizer():
    from visatb.scores.ptb import tokenize

    assert tokenize(["", "A dog.", "", "", "été", ""]) == ["", "a dog", "", "", "été", ""]
    assert tokenize([""]) == [""]


def test_without_java_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(VisatbError, match=r"install a Java runtime .* or use the metric CIDEr"):
        score("CIDEr-PTB", ["a"], [["a"]])


@pytest.mark.parametrize("metric", ["EM", "CIDEr", "GLEU"])
def test_empty_answers_score_zero_and_finite(metric: str):
    scores = METRICS[metric].score(["", " ", *CAPTIONS], [[CAPTIONS[0]], [CAPTIONS[1]], *([c] for c in CAPTIONS)])
    assert scores.numerators[:2].tolist() == [0.0, 0.0]
    assert np.all(np.isfinite(scores.numerators))
    assert np.all(scores.denominators > 0)


@settings(deadline=None)
@given(answers)
def test_gleu_is_the_corpus_gleu_of_nltk(pairs: list[tuple[str, list[str]]]):
    predictions, truths = [p for p, _ in pairs], [ts for _, ts in pairs]
    numerators, denominators = both(METRICS["GLEU"].score(predictions, truths))
    expected = corpus_gleu([[t.split() for t in ts] for ts in truths], [p.split() for p in predictions])
    assert numerators.sum() / denominators.sum() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ratio", [False, True])
def test_the_standard_error_in_the_table_agrees_with_a_bootstrap(ratio: bool, tmp_path: Path):
    rng = np.random.default_rng(0)
    denominators = rng.integers(5, 60, 400).astype(float) if ratio else np.ones(400)
    numerators = denominators * rng.beta(2, 3, 400)
    drawn = rng.integers(0, 400, (4000, 400))
    resampled = numerators[drawn].sum(axis=1) / denominators[drawn].sum(axis=1)
    columns = [[str(n) for n in range(400)], [f"{n}.png" for n in range(400)], ["GLEU"] * 400]
    flags = [[True] * 400, [False] * 400]
    write_parquet(tmp_path / "scores", pa.table([*columns, numerators, denominators, *flags], schema=SCORE_SCHEMA))
    row = tidy_scores([("mini", "val", "task", tmp_path / "scores")]).iloc[0]
    assert row["value"] == pytest.approx(numerators.sum() / denominators.sum(), rel=1e-12)
    assert row["stderr"] == pytest.approx(resampled.std(), rel=0.05)


def predictions(texts: list[str], truths: list[str], reasons: list[str]) -> pa.Table:
    return pa.table(
        {
            "id": [f"s{n}" for n in range(len(texts))],
            "image": pa.array([None, *["a.png"] * (len(texts) - 1)], pa.string()),
            "prediction": texts,
            "truths": [[text] for text in truths],
            "finish_reason": reasons,
        }
    )


def test_scores_are_written_per_sample_and_summed_up(tmp_path: Path):
    table = predictions(["[0, 0, 1, 1]", "none", "[0, 0, 1, 0.4]"], ["[0, 0, 1, 1]"] * 3, ["stop", "length", "stop"])
    scores = score_predictions(table, ["IoU", "mean_IoU"])
    assert scores.schema == SCORE_SCHEMA
    assert scores["metric"].to_pylist() == ["IoU"] * 3 + ["mean_IoU"] * 3
    write_parquet(tmp_path / "scores.parquet", scores)
    tidy = tidy_scores([("mini", "val", "bbox", tmp_path / "scores.parquet")])
    assert tidy.filter(like="judge").isna().to_numpy().all()
    counts = tidy[["run", "split", "task", "metric", "n", "invalid", "truncated"]]
    assert counts.to_numpy().tolist() == [
        ["mini", "val", "bbox", "IoU", 3, 1, 1],
        ["mini", "val", "bbox", "mean_IoU", 3, 1, 1],
    ]
    assert tidy["value"].to_list() == pytest.approx([100 / 3, 140 / 3])


def test_a_score_without_denominator_is_refused(tmp_path: Path):
    write_parquet(tmp_path / "s.parquet", score_predictions(predictions([""], [""], ["stop"]), ["GLEU"]))
    with pytest.raises(VisatbError, match=r"s\.parquet, GLEU cannot be used"):
        tidy_scores([("mini", "val", "t", tmp_path / "s.parquet")])


def test_every_metric_is_declared_with_its_direction_and_needs():
    assert all(name == metric.name and metric.version >= 1 for name, metric in METRICS.items())
    assert all(metric.higher_is_better for metric in METRICS.values())
    assert METRIC_NAMES == ("EM", "IoU", "mean_IoU", "CIDEr", "CIDEr-PTB", "GLEU", "judge")
    assert BOX_METRICS == ("IoU", "mean_IoU")
    assert JAVA_METRICS == ("CIDEr-PTB",)
    assert JUDGED_METRICS == ("judge",)
