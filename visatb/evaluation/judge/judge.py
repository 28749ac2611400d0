"""Verdicts of a judge on a model's answers: what is asked, what came back, and what it cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from visatb.config.endpoints import EndpointConfig
from visatb.endpoints.client import Question, Reply, ask_all
from visatb.endpoints.endpoint import Endpoint, endpoint_of, reached
from visatb.endpoints.prompts import Prompt
from visatb.errors import VisatbError
from visatb.evaluation.jobs import EndpointJob
from visatb.evaluation.judge.prompt import context_of, read_contexts
from visatb.runtime.progress import Progress, say
from visatb.scores.verdicts import VERDICT_SCHEMA, cost_words, judge_usage, read_verdict


@dataclass(frozen=True)
class Judging:
    """What the judge is shown, and what a token costs.

    Attributes:
        prompt: what is asked about an answer.
        contexts: files that describe pictures (`visatb.evaluation.judge.prompt.read_contexts`).
        image_folder: what the pictures' names in these files are relative to.
        show_image: send the picture itself along.
        prices: of a million prompt tokens and of a million tokens of verdicts, None if they are not known.
    """

    prompt: Prompt
    contexts: Sequence[str | Path] = ()
    image_folder: str | Path = "."
    show_image: bool = False
    prices: tuple[float, float] | None = None


def judge_endpoint(job: EndpointJob) -> Endpoint:
    """Return the judge of ``evaluation.judge``, reached as the environment says."""
    return endpoint_of(reached(EndpointConfig, "evaluation.judge", model=job.model, parameters=job.parameters))


def judge_predictions(
    label: str, predictions: pa.Table, judging: Judging, endpoint: Endpoint, replies: str | Path
) -> pa.Table:
    """Return a verdict (`VERDICT_SCHEMA`) on each prediction, in their order.

    Args:
        label: for progress lines.
        predictions: `visatb.evaluation.predictions.PREDICTION_SCHEMA`. Of several truths the first is the reference.
        judging: what the judge is shown.
        endpoint: the judge.
        replies: the folder in which its replies are kept; what is there is not asked again.

    Raises:
        VisatbError: a picture without context, an endpoint that does not answer, or no readable verdict at all.
    """
    questions = _questions(predictions.to_pylist(), judging)
    progress = Progress(label, "verdicts", len(questions))
    keys, answers, new = ask_all(questions, endpoint, replies, progress.at)
    rows = [
        {"id": name, "request": key, **_row(reply, judging)}
        for name, key, reply in zip(predictions["id"].to_pylist(), keys, answers, strict=True)
    ]
    verdicts = pa.Table.from_pylist(rows, schema=VERDICT_SCHEMA)
    _check_readable(verdicts)
    say(f"[{label}] {cost_words(verdicts)}; {new} asked now, the others had been asked before")
    return verdicts


def _questions(rows: Sequence[Mapping[str, Any]], judging: Judging) -> list[Question]:
    contexts = read_contexts(judging.contexts, judging.image_folder)
    return [
        Question(
            system=judging.prompt.system,
            user=judging.prompt.filled(
                context=context_of(row["image"], contexts, judging.contexts),
                question=row["prompt"].replace("<image>", "").strip(),
                reference=row["truths"][0],
                answer=row["prediction"],
            ),
            image=row["image"] if judging.show_image else None,
        )
        for row in rows
    ]


def _row(reply: Reply, judging: Judging) -> dict[str, Any]:
    cost = None
    if judging.prices and reply.prompt_tokens is not None and reply.completion_tokens is not None:
        cost = (reply.prompt_tokens * judging.prices[0] + reply.completion_tokens * judging.prices[1]) / 1e6
    return {
        "verdict": reply.text,
        "judge": reply.model,
        "finish_reason": reply.finish_reason,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "cost": cost,
    }


def _check_readable(verdicts: pa.Table) -> None:
    texts = verdicts["verdict"].to_pylist()
    if not any(read_verdict(text) for text in texts):
        first = " ".join(texts[0].split())[:200] if texts else ""
        raise VisatbError(
            f"none of the {len(texts)} verdicts of {judge_usage(verdicts)['judge']} begins with a line of two numbers "
            f"from 1 to 10; the first one: '{first}'; change evaluation.judge.prompt or the model"
        )
