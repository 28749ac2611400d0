"""Asks models behind OpenAI-compatible endpoints, each question once: replies are kept by content of the request."""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import openai

from visatb.endpoints.budget import Budget, dearest
from visatb.endpoints.endpoint import Endpoint
from visatb.endpoints.failures import NoCompletionError, words_of
from visatb.endpoints.images import as_data_url, digest_of
from visatb.errors import VisatbError
from visatb.runtime.files import read_json, write_json

LONGEST_PAUSE = 120.0
"""Seconds that the client lets an endpoint ask for between two attempts (``Retry-After``)."""

REFUSED_CONTENT = ("content_filter", "content_policy_violation")
"""Codes by which an endpoint refuses one question for its content; others of its refusals concern all questions."""


@dataclass(frozen=True)
class Question:
    """The two messages of a request, and the file of a picture that is sent along.

    Attributes:
        system: left out if empty.
        user: the question itself.
        image: the picture's file.
        side: longest side in pixels that the picture is sent with; as it is in the file, if None.
        digest: SHA-256 of the file, where it is known; the file is read for it otherwise.
        apart: tells requests apart that say the same, such as those to two judges; it is not sent.
    """

    system: str
    user: str
    image: str | None = None
    side: int | None = None
    digest: str | None = None
    apart: str = ""

    def described(self) -> dict[str, Any]:
        """Return all of the question that a reply depends on, the picture as its digest: JSON values."""
        image = (self.digest or digest_of(self.image)) if self.image else None
        more = {"side": self.side if self.image else None, "apart": self.apart or None}
        return {
            "system": self.system,
            "user": self.user,
            "image": image,
            **{name: value for name, value in more.items() if value is not None},
        }

    def messages(self) -> list[dict[str, Any]]:
        """Return the messages to send."""
        content: Any = self.user
        if self.image:
            url = as_data_url(self.image, self.side, self.digest)
            content = [{"type": "text", "text": self.user}, {"type": "image_url", "image_url": {"url": url}}]
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": content}]

    def parameters(self) -> dict[str, Any]:
        """Return what is sent beside the endpoint's own parameters, or in their place."""
        return {}


@dataclass(frozen=True)
class Reply:
    """What came back. ``model`` is the one that the endpoint says has answered; tokens are None where it is silent."""

    text: str
    model: str
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None


class Replies:
    """The replies in a folder, one file a request."""

    def __init__(self, folder: str | Path, endpoint: Endpoint) -> None:
        self._folder, self._endpoint = Path(folder), endpoint

    def key(self, question: Question) -> str:
        """Return the digest of all that a reply depends on: model, parameters, messages and the picture's content."""
        text = json.dumps(self._request(question), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def read(self, key: str) -> Reply | None:
        """Return a kept reply, or None."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            return Reply(**read_json(path)["reply"])
        except (KeyError, TypeError) as error:
            raise VisatbError(f"{path}: no reply is in it; delete it to have it asked for again") from error

    def keep(self, key: str, question: Question, reply: Reply) -> None:
        """Write a reply down, whole or not at all, with its cost where the endpoint has prices."""
        cost = self.cost(question, reply)
        paid = {} if cost is None else {"cost": cost}
        write_json(self._path(key), {"request": self._request(question), "reply": asdict(reply), **paid})

    def forget(self, keys: Iterable[str]) -> None:
        """Remove kept replies."""
        for key in keys:
            self._path(key).unlink(missing_ok=True)

    def cost(self, question: Question, reply: Reply) -> float | None:
        """Return what a reply has cost, or None without prices; one that tells no tokens counts as the dearest one."""
        prices = self._endpoint.prices
        if prices is None:
            return None
        if reply.prompt_tokens is None or reply.completion_tokens is None:
            return dearest(self._endpoint, question.system + question.user, question.image is not None)
        return (reply.prompt_tokens * prices[0] + reply.completion_tokens * prices[1]) / 1e6

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"

    def _request(self, question: Question) -> dict[str, Any]:
        parameters = {**self._endpoint.parameters, **question.parameters()}
        return {"model": self._endpoint.model, "parameters": parameters, **question.described()}


def ask_all(
    questions: Sequence[Question], endpoint: Endpoint, folder: str | Path, at: Callable[[int], None]
) -> tuple[list[str], list[Reply], int]:
    """Ask one endpoint what it was not asked before (`ask_each`)."""
    return ask_each([(question, endpoint) for question in questions], folder, at)


def ask_each(
    asked: Sequence[tuple[Question, Endpoint]],
    folder: str | Path,
    at: Callable[[int], None],
    budget: Budget | None = None,
) -> tuple[list[str], list[Reply], int]:
    """Ask what was not asked before, all endpoints side by side.

    Args:
        asked: questions and whom to ask; equal ones are asked once.
        folder: of the replies, kept one by one, so that an interrupted call goes on where it was.
        at: is told the number of different questions that have a reply.
        budget: a request that might not fit into it is not begun.

    Returns:
        The key and the reply of each question, and how many were asked now.

    Raises:
        VisatbError: a question found no reply after all retries, or no room in the budget. None is begun after that;
            replies to those that were under way are still kept.
    """
    kept = {endpoint.name: Replies(folder, endpoint) for _, endpoint in asked}
    keys = [kept[endpoint.name].key(question) for question, endpoint in asked]
    wanted = {key: (question, endpoint) for key, (question, endpoint) in zip(keys, asked, strict=True)}
    replies = {
        key: reply for key, (_, endpoint) in wanted.items() if (reply := kept[endpoint.name].read(key)) is not None
    }
    missing = {key: pair for key, pair in wanted.items() if key not in replies}
    if missing:
        before = len(replies)
        asking = _Asking(kept, lambda count: at(before + count), budget)
        replies |= asyncio.run(asking.all(missing))
    return keys, [replies[key] for key in keys], len(missing)


def served_models(endpoint: Endpoint) -> dict[str, str]:
    """Return the models that an endpoint lists, by name, with the folder that each comes from where it says so.

    Raises:
        VisatbError: it does not answer.
    """
    with openai.OpenAI(**_connection(endpoint)) as client:
        try:
            return {model.id: str(getattr(model, "root", None) or "") for model in client.models.list()}
        except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:
            raise VisatbError(words_of(error, endpoint)) from None


@dataclass
class _Asking:
    """Requests under way, and what came of those before."""

    kept: Mapping[str, Replies]
    at: Callable[[int], None]
    budget: Budget | None
    replies: dict[str, Reply] = field(default_factory=dict)
    failures: list[tuple[Exception, Endpoint]] = field(default_factory=list)

    async def all(self, missing: Mapping[str, tuple[Question, Endpoint]]) -> dict[str, Reply]:
        waiting: dict[str, list[tuple[str, Question]]] = {}
        endpoints = {endpoint.name: endpoint for _, endpoint in missing.values()}
        for key, (question, endpoint) in list(missing.items())[::-1]:
            waiting.setdefault(endpoint.name, []).append((key, question))
        async with AsyncExitStack() as stack:
            workers = []
            for name, endpoint in endpoints.items():
                client = await stack.enter_async_context(openai.AsyncOpenAI(**_connection(endpoint)))
                number = min(endpoint.concurrency, len(waiting[name]))
                workers += [self._work(client, endpoint, waiting[name]) for _ in range(number)]
            await asyncio.gather(*workers)
        if self.failures:
            words = words_of(*self.failures[0])
            raise VisatbError(
                f"{words}. {len(self.replies)} of {len(missing)} new replies are kept; start again for the others"
            )
        return self.replies

    async def _work(self, client: openai.AsyncOpenAI, endpoint: Endpoint, waiting: list[tuple[str, Question]]) -> None:
        while waiting and not self.failures:
            key, question = waiting.pop()
            try:
                await self._ask(client, endpoint, key, question)
            except (openai.OpenAIError, TimeoutError, ValueError, NoCompletionError, VisatbError) as error:
                self.failures.append((error, endpoint))
                return
            self.at(len(self.replies))

    async def _ask(self, client: openai.AsyncOpenAI, endpoint: Endpoint, key: str, question: Question) -> None:
        kept, reserved = self.kept[endpoint.name], 0.0
        if self.budget:
            reserved = dearest(endpoint, question.system + question.user, question.image is not None)
            await self.budget.reserve(reserved, endpoint, stopped=lambda: bool(self.failures))
        cost = reserved  # a request that fails may have been paid for
        try:
            reply = await _reply(client, endpoint, question)
            kept.keep(key, question, reply)
            cost = kept.cost(question, reply) or 0.0
            self.replies[key] = reply
        finally:
            if self.budget:
                await self.budget.settle(reserved, cost)


def _connection(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "base_url": endpoint.url,
        "api_key": os.environ.get(endpoint.key_variable) or "none",
        "timeout": endpoint.timeout,
        "max_retries": endpoint.retries,
    }


async def _reply(client: openai.AsyncOpenAI, endpoint: Endpoint, question: Question) -> Reply:
    messages: Any = await asyncio.to_thread(question.messages)
    # The client's own time-out is one of silence; this one also ends a reply that trickles in without end.
    async with asyncio.timeout((endpoint.timeout + LONGEST_PAUSE) * (endpoint.retries + 1)):
        try:
            completion: Any = await client.chat.completions.create(
                model=endpoint.model,
                messages=messages,
                extra_body={**endpoint.parameters, **question.parameters()},
            )
        except openai.BadRequestError as error:
            if error.code in REFUSED_CONTENT:
                return Reply("", endpoint.model, "content_filter", None, None)
            raise
    try:
        choice = completion.choices[0]
        text = choice.message.content
    except (AttributeError, IndexError, TypeError):
        raise NoCompletionError(str(completion)) from None
    return Reply(
        text=text if isinstance(text, str) else "",
        model=str(completion.model or endpoint.model),
        finish_reason=str(choice.finish_reason or ""),
        prompt_tokens=_count(completion.usage, "prompt_tokens"),
        completion_tokens=_count(completion.usage, "completion_tokens"),
    )


def _count(usage: Any, name: str) -> int | None:
    count = getattr(usage, name, None)
    return count if isinstance(count, int) else None
