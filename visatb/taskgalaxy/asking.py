"""A stage's prompts to its endpoints: sent once, parsed strictly, sent again where a reply cannot be used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from visatb.endpoints.budget import Budget, spent_in
from visatb.endpoints.client import Question, Reply, ask_each
from visatb.endpoints.endpoint import Endpoint
from visatb.runtime.locking import alone_in
from visatb.runtime.progress import Progress, say
from visatb.taskgalaxy.replies import UnusableError

Value = TypeVar("Value")


@dataclass
class Usage:
    """What a stage's requests took, from this and earlier calls. ``models``: those that said they had answered."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    models: list[str] = field(default_factory=list)

    def add(self, reply: Reply, endpoint: Endpoint) -> None:
        """Count a reply."""
        self.requests += 1
        self.prompt_tokens += reply.prompt_tokens or 0
        self.completion_tokens += reply.completion_tokens or 0
        self.models = sorted({*self.models, reply.model})
        if endpoint.prices:
            prompt_tokens, completion_tokens = reply.prompt_tokens or 0, reply.completion_tokens or 0
            self.cost = (self.cost or 0) + (
                prompt_tokens * endpoint.prices[0] + completion_tokens * endpoint.prices[1]
            ) / 1e6


@dataclass(frozen=True)
class Asking:
    """How a stage asks, and what its requests took.

    Attributes:
        stage: its name; its replies are kept in a folder of this name.
        replies: folder of the replies of all stages.
        attempts: times a prompt is sent whose reply cannot be used.
        budget: what all replies of all stages may cost, None without a limit.
        usage: what the stage's requests took; `ask` adds to it.
    """

    stage: str
    replies: str | Path
    attempts: int = 1
    budget: float | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True)
class Outcome(Generic[Value]):
    """What a prompt has come to: a value, or why there is none."""

    value: Value | None
    reason: str
    detail: str
    request: str
    model: str


def ask(
    asking: Asking,
    prompts: Sequence[tuple[Question, Endpoint]],
    parse: Callable[[int, str], Value],
) -> list[Outcome[Value]]:
    """Return what each prompt has come to.

    Args:
        asking: how.
        prompts: what is asked, and whom.
        parse: the number of a prompt and a reply's text in, the value out; raises `UnusableError`.

    Raises:
        VisatbError: an endpoint does not answer, or the budget is used up; what was replied is kept.
    """
    outcomes: dict[int, Outcome[Value]] = {}
    with alone_in(asking.replies, asking.stage):
        budget = Budget(asking.budget, spent_in(asking.replies)) if asking.budget is not None else None
        for attempt in range(1, asking.attempts + 1):
            waiting = [number for number in range(len(prompts)) if _may_be_sent(outcomes.get(number))]
            if not waiting:
                break
            again = [(_again(prompts[number][0], attempt), prompts[number][1]) for number in waiting]
            for number, outcome in zip(waiting, _round(asking, again, waiting, parse, budget), strict=True):
                outcomes[number] = outcome
    return [outcomes[number] for number in range(len(prompts))]


def _may_be_sent(outcome: Outcome[Any] | None) -> bool:
    return outcome is None or (outcome.value is None and outcome.reason != REFUSED)


def _again(question: Question, attempt: int) -> Question:
    return question if attempt == 1 else replace(question, apart=f"{question.apart}/attempt {attempt}")


def _round(
    asking: Asking,
    prompts: Sequence[tuple[Question, Endpoint]],
    numbers: Sequence[int],
    parse: Callable[[int, str], Value],
    budget: Budget | None,
) -> list[Outcome[Value]]:
    progress = Progress(asking.stage, "replies", len(prompts))
    keys, replies, new = ask_each(prompts, Path(asking.replies) / asking.stage, progress.at, budget)
    say(f"[{asking.stage}] {len(prompts)} replies; {new} asked now, the others had been asked before")
    counted: set[str] = set()
    outcomes = []
    for number, key, reply, (_, endpoint) in zip(numbers, keys, replies, prompts, strict=True):
        if key not in counted:
            asking.usage.add(reply, endpoint)
            counted.add(key)
        outcomes.append(_outcome(number, key, reply, parse))
    return outcomes


REFUSED = "refused by the endpoint for its content"


def _outcome(number: int, key: str, reply: Reply, parse: Callable[[int, str], Value]) -> Outcome[Value]:
    try:
        if reply.finish_reason == "content_filter":
            raise UnusableError(REFUSED)
        if reply.finish_reason == "length":
            raise UnusableError("reply cut off at its longest length", reply.text)
        return Outcome(parse(number, reply.text), "", "", key, reply.model)
    except UnusableError as error:
        return Outcome(None, error.reason, error.detail, key, reply.model)
