"""MM-Vet's scores: a judge is asked about each answer, and the mean of its grades is the score."""

import re
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from visatb.endpoints.client import Question, Reply, ask_all
from visatb.endpoints.endpoint import Endpoint
from visatb.errors import VisatbError
from visatb.evaluation.zero_shot.results import read_samples
from visatb.runtime.progress import Progress, say

_GRADE = re.compile(r"(?:0(?:\.\d+)?|1(?:\.0+)?)(?![\d.]*\d)")


def read_grade(text: str) -> float | None:
    """Return a grade from 0 to 1 with which a reply begins, or None."""
    match = _GRADE.match(text.strip())
    return float(match.group()) if match else None


def grade(
    label: str, samples: str | Path, endpoint: Endpoint, replies: str | Path, prices: tuple[float, float] | None = None
) -> dict[str, Any]:
    """Return the score of the answers in a file of lmms-eval's samples, in the form of a benchmark's JSON file.

    Grades that cannot be read are left out of the mean and counted. Replies are kept, and not asked for again.

    Args:
        label: for progress lines.
        samples: of the task ``config/zero_shot/mmvet.yaml``; each holds what the judge is asked.
        endpoint: the judge.
        replies: the folder in which its replies are kept.
        prices: of a million prompt tokens and of a million tokens of replies, None if they are not known.

    Raises:
        VisatbError: an endpoint that does not answer, or no readable grade at all.
    """
    questions = [Question(system="", user=sample["to_judge"]["asked"]) for sample in read_samples(samples)]
    progress = Progress(label, "grades", len(questions))
    _, answers, new = ask_all(questions, endpoint, replies, progress.at)
    grades = [value for reply in answers if (value := read_grade(reply.text)) is not None]
    if not grades:
        first = " ".join(answers[0].text.split())[:200] if answers else ""
        raise VisatbError(
            f"none of the {len(answers)} replies of {endpoint.model} begins with a grade from 0 to 1; the first one: "
            f"'{first}'; change evaluation.judge.model"
        )
    say(f"[{label}] {len(grades)} grades of {len(answers)} replies; {new} asked now, the others had been asked before")
    return {
        "metric": "score",
        "value": 100 * fmean(grades),
        "stderr": _stderr(grades),
        "n": len(answers),
        "invalid": len(answers) - len(grades),
        "judge": ", ".join(sorted({reply.model for reply in answers})),
        "judge_tokens": sum((reply.prompt_tokens or 0) + (reply.completion_tokens or 0) for reply in answers),
        "judge_cost": _cost(answers, prices),
    }


def _stderr(grades: Sequence[float]) -> float | None:
    return 100 * stdev(grades) / len(grades) ** 0.5 if len(grades) > 1 else None


def _cost(replies: Sequence[Reply], prices: tuple[float, float] | None) -> float | None:
    if prices is None:
        return None
    tokens = [(reply.prompt_tokens or 0, reply.completion_tokens or 0) for reply in replies]
    return (
        sum(prompt_tokens * prices[0] + completion_tokens * prices[1] for prompt_tokens, completion_tokens in tokens)
        / 1e6
    )
