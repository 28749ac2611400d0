"""A stage's questions to its endpoints: asked once, read strictly, asked again where a reply cannot be used."""

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


@dataclass(frozen=True)
class Asking:
    """How a stage asks.

    Attributes:
        stage: its name; its replies are kept in a folder of this name.
        replies: folder of the replies of all stages.
        attempts: times a question is asked whose reply cannot be used.
        budget: what all replies of all stages may cost, None without a limit.
    """

    stage: str
    replies: str | Path
    attempts: int = 1
    budget: float | None = None


@dataclass
class Use:
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
            told, said = reply.prompt_tokens or 0, reply.completion_tokens or 0
            self.cost = (self.cost or 0) + (told * endpoint.prices[0] + said * endpoint.prices[1]) / 1e6


@dataclass(frozen=True)
class Outcome(Generic[Value]):
    """What a question has come to: a value, or why there is none."""

    value: Value | None
    reason: str
    detail: str
    request: str
    model: str


def ask(
    asking: Asking,
    asked: Sequence[tuple[Question, Endpoint]],
    read: Callable[[int, str], Value],
    use: Use,
) -> list[Outcome[Value]]:
    """Return what each question has come to.

    Args:
        asking: how.
        asked: questions and whom to ask.
        read: the number of a question and a reply's text in, the value out; raises `UnusableError`.
        use: what the requests took is added here.

    Raises:
        VisatbError: an endpoint does not answer, or the budget is used up; what was replied is kept.
    """
    outcomes: dict[int, Outcome[Value]] = {}
    with alone_in(asking.replies, asking.stage):
        budget = Budget(asking.budget, spent_in(asking.replies)) if asking.budget is not None else None
        for attempt in range(1, asking.attempts + 1):
            waiting = [number for number in range(len(asked)) if _may_be_asked(outcomes.get(number))]
            if not waiting:
                break
            questions = [(_again(asked[number][0], attempt), asked[number][1]) for number in waiting]
            for number, outcome in zip(waiting, _round(asking, questions, waiting, read, use, budget), strict=True):
                outcomes[number] = outcome
    return [outcomes[number] for number in range(len(asked))]


def _may_be_asked(outcome: Outcome[Any] | None) -> bool:
    return outcome is None or (outcome.value is None and outcome.reason != REFUSED)


def _again(question: Question, attempt: int) -> Question:
    return question if attempt == 1 else replace(question, apart=f"{question.apart}/attempt {attempt}")


def _round(
    asking: Asking,
    questions: Sequence[tuple[Question, Endpoint]],
    numbers: Sequence[int],
    read: Callable[[int, str], Value],
    use: Use,
    budget: Budget | None,
) -> list[Outcome[Value]]:
    progress = Progress(asking.stage, "replies", len(questions))
    keys, replies, new = ask_each(questions, Path(asking.replies) / asking.stage, progress.at, budget)
    say(f"[{asking.stage}] {len(questions)} replies; {new} asked now, the others had been asked before")
    counted: set[str] = set()
    outcomes = []
    for number, key, reply, (_, endpoint) in zip(numbers, keys, replies, questions, strict=True):
        if key not in counted:
            use.add(reply, endpoint)
            counted.add(key)
        outcomes.append(_outcome(number, key, reply, read))
    return outcomes


REFUSED = "refused by the endpoint for its content"


def _outcome(number: int, key: str, reply: Reply, read: Callable[[int, str], Value]) -> Outcome[Value]:
    try:
        if reply.finish_reason == "content_filter":
            raise UnusableError(REFUSED)
        if reply.finish_reason == "length":
            raise UnusableError("reply cut off at its longest length", reply.text)
        return Outcome(read(number, reply.text), "", "", key, reply.model)
    except UnusableError as error:
        return Outcome(None, error.reason, error.detail, key, reply.model)
