"""The metrics, each declared once. A score is the sum of its samples' numerators over that of their denominators."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visatb.data.boxes import parse_box
from visatb.errors import VisatbError
from visatb.scores.verdicts import read_verdict

Values = NDArray[np.float64]


@dataclass(frozen=True)
class SampleScores:
    """Per-sample values of a metric, each of shape [samples].

    Attributes:
        numerators: what a sample adds to the score's numerator.
        denominators: what it adds to the denominator; 1 for a plain mean.
        valid: False where an answer could not be read at all, which scores 0, or a verdict, which is left out; both
            are counted.
    """

    numerators: Values
    denominators: Values
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        name: as the config has it.
        version: raised when the same answers come to score otherwise; all scores of the metric are then made again.
        higher_is_better: its direction.
        score: from the answers and the truths of the samples to their scores.
        needs: what else it takes: ``boxes`` as truths, ``java``, or a judge's ``verdicts``, of which the texts are
            then scored in the answers' stead.
        lowest, highest: the range of its scores.
        is_share: whether each sample scores either ``lowest`` or ``highest``, so that a score and the number of its
            samples say how much it may vary.
    """

    name: str
    version: int
    higher_is_better: bool
    score: Callable[[Sequence[str], Sequence[Sequence[str]]], SampleScores]
    needs: Literal["nothing", "boxes", "java", "verdicts"] = "nothing"
    lowest: float = 0.0
    highest: float = 100.0
    is_share: bool = False


def exact_match(predictions: Sequence[str], truths: Sequence[Sequence[str]]) -> SampleScores:
    """EM in percent: equality after stripping, lower-casing and dropping one trailing full stop."""
    hits = [any(_plain(p) == _plain(t) for t in ts) for p, ts in zip(predictions, truths, strict=True)]
    return _mean_of(100.0 * np.array(hits, dtype=np.float64))


def _plain(text: str) -> str:
    return text.strip().lower().removesuffix(".")


def _mean_of(values: Values, valid: NDArray[np.bool_] | None = None) -> SampleScores:
    return SampleScores(values, np.ones(len(values)), np.ones(len(values), bool) if valid is None else valid)


def box_overlaps(predictions: Sequence[str], truths: Sequence[Sequence[str]]) -> tuple[Values, NDArray[np.bool_]]:
    """Return the intersection over union of each predicted box with the true one, 0 where none is readable.

    Raises:
        VisatbError: a truth is no box.
    """
    from pycocotools import mask

    overlaps, valid = np.zeros(len(predictions)), np.zeros(len(predictions), bool)
    for index, (prediction, boxes) in enumerate(zip(predictions, truths, strict=True)):
        box, truth = parse_box(prediction), parse_box(boxes[0])
        if truth is None:
            raise VisatbError(f"the true answer '{boxes[0]}' is no box [x1, y1, x2, y2]; IoU cannot score this task")
        if box is not None:
            valid[index] = True
            overlaps[index] = mask.iou([_corner_and_size(box)], [_corner_and_size(truth)], [0])[0, 0]
    return overlaps, valid


def _corner_and_size(box: tuple[float, float, float, float]) -> list[float]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def iou_above_half(predictions: Sequence[str], truths: Sequence[Sequence[str]]) -> SampleScores:
    """IoU as the authors' code prints it: the percentage of boxes with IoU > 0.5."""
    overlaps, valid = box_overlaps(predictions, truths)
    return _mean_of(np.where(overlaps > 0.5, 100.0, 0.0), valid)


def mean_iou(predictions: Sequence[str], truths: Sequence[Sequence[str]]) -> SampleScores:
    """Mean IoU in percent."""
    overlaps, valid = box_overlaps(predictions, truths)
    return _mean_of(100.0 * overlaps, valid)


def cider(predictions: Sequence[str], truths: Sequence[Sequence[str]]) -> SampleScores:
    """CIDEr-D of pycocoevalcap, up to 10, on words split at white space, as in the authors' code.

    Words count by how few samples' truths hold them, so that a set of one sample always scores 0.

    Raises:
        VisatbError: no truth holds a word.
    """
    from pycocoevalcap.cider.cider import Cider

    references = {index: [_one_line(text) for text in texts] for index, texts in enumerate(truths)}
    answers = {index: [_one_line(text)] for index, text in enumerate(predictions)}
    if not any(chain.from_iterable(references.values())):
        raise VisatbError("none of the true answers holds a word; CIDEr cannot score this task")
    _, values = Cider().compute_score(references, answers)
    return _mean_of(np.asarray(values, dtype=np.float64))


def cider_ptb(predictions: Sequence[str], truths: Sequence[Sequence[str]]) -> SampleScores:
    """CIDEr-D after the PTB tokenizer, as captioning papers report it. Needs Java."""
    from visatb.scores.ptb import tokenize

    words = iter(tokenize([_one_line(text) for text in predictions]))
    predicted = [next(words) for _ in predictions]
    counts = [len(texts) for texts in truths]
    flat = iter(tokenize([_one_line(text) for texts in truths for text in texts]))
    return cider(predicted, [[next(flat) for _ in range(count)] for count in counts])


def _one_line(text: str) -> str:
    return " ".join(text.split())


def gleu(predictions: Sequence[str], truths: Sequence[Sequence[str]]) -> SampleScores:
    """Corpus GLEU of nltk over words split at white space, 0 to 1."""
    from nltk.translate.gleu_score import sentence_gleu

    numerators, denominators = np.zeros(len(predictions)), np.zeros(len(predictions))
    for index, (prediction, texts) in enumerate(zip(predictions, truths, strict=True)):
        words = prediction.split()
        best = max((text.split() for text in texts), key=lambda reference: sentence_gleu([reference], words))
        denominators[index] = max(_ngrams(len(words)), _ngrams(len(best)))
        numerators[index] = sentence_gleu([best], words) * denominators[index]
    return SampleScores(numerators, denominators, np.ones(len(predictions), bool))


def _ngrams(words: int, longest: int = 4) -> int:
    return sum(max(0, words - n + 1) for n in range(1, longest + 1))


def judge_score(verdicts: Sequence[str], truths: Sequence[Sequence[str]]) -> SampleScores:
    """Judge score in percent: 100 times the mean score of the answers over that of the reference answers.

    A ratio of means, not a mean of ratios. A verdict that cannot be read enters neither mean: both its numerator and
    its denominator are 0.
    """
    pairs = [read_verdict(text) for text in verdicts]
    reference, answer = np.array([scores or (0.0, 0.0) for scores in pairs], dtype=np.float64).reshape(-1, 2).T
    return SampleScores(100.0 * answer, reference, np.array([scores is not None for scores in pairs], dtype=bool))


METRICS = {
    metric.name: metric
    for metric in (
        Metric("EM", 1, True, exact_match, is_share=True),
        Metric("IoU", 1, True, iou_above_half, needs="boxes", is_share=True),
        Metric("mean_IoU", 1, True, mean_iou, needs="boxes"),
        Metric("CIDEr", 1, True, cider, highest=10.0),
        Metric("CIDEr-PTB", 1, True, cider_ptb, needs="java", highest=10.0),
        Metric("GLEU", 1, True, gleu, highest=1.0),
        Metric("judge", 1, True, judge_score, needs="verdicts", lowest=10.0, highest=1000.0),
    )
}


METRIC_NAMES = tuple(METRICS)

BOX_METRICS = tuple(name for name, metric in METRICS.items() if metric.needs == "boxes")

JAVA_METRICS = tuple(name for name, metric in METRICS.items() if metric.needs == "java")

JUDGED_METRICS = tuple(name for name, metric in METRICS.items() if metric.needs == "verdicts")
