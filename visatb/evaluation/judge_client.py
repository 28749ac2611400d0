"""Asks a model behind an OpenAI-compatible endpoint, each question once: replies are kept by content of the request."""

import asyncio
import base64
import hashlib
import json
import mimetypes
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import openai

from visatb.errors import VisatbError
from visatb.files import read_json, write_json

LONGEST_PAUSE = 120.0
"""Seconds that the client lets an endpoint ask for between two attempts (``Retry-After``)."""

REFUSED_CONTENT = ("content_filter", "content_policy_violation")
"""Codes by which an endpoint refuses one question for its content; others of its refusals concern all questions."""


@dataclass(frozen=True)
class Endpoint:
    """Whom to ask, and how.

    Attributes:
        url: base address of the API, usually ending in ``/v1``.
        model: the name by which the endpoint knows the model.
        parameters: sent with each request, such as temperature and max_tokens.
        key_variable: the environment variable that holds the key; where it is not set, no key is sent.
        concurrency: requests at a time.
        timeout: seconds that one attempt may take.
        retries: further attempts after one that failed in passing (connection, 408, 409, 429, 5xx).
    """

    url: str
    model: str
    parameters: Mapping[str, Any]
    key_variable: str
    concurrency: int
    timeout: float
    retries: int


@dataclass(frozen=True)
class Question:
    """The two messages of a request, and the file of a picture that is sent along."""

    system: str
    user: str
    image: str | None = None


@dataclass(frozen=True)
class Reply:
    """What came back. ``model`` is the one that the endpoint says has answered; tokens are None where it is silent."""

    text: str
    model: str
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None


class _NoCompletionError(Exception):
    """The endpoint answered with something else than a chat completion."""


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
            raise VisatbError(f"{path}: no reply of a judge is in it; delete it to have it asked for again") from error

    def keep(self, key: str, question: Question, reply: Reply) -> None:
        """Write a reply down, whole or not at all."""
        write_json(self._path(key), {"request": self._request(question), "reply": asdict(reply)})

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"

    def _request(self, question: Question) -> dict[str, Any]:
        image = hashlib.sha256(_picture(question.image)).hexdigest() if question.image else None
        messages = {"system": question.system, "user": question.user, "image": image}
        return {"model": self._endpoint.model, "parameters": dict(self._endpoint.parameters), **messages}


def ask_all(
    questions: Sequence[Question], endpoint: Endpoint, folder: str | Path, at: Callable[[int], None]
) -> tuple[list[str], list[Reply], int]:
    """Ask what was not asked before.

    Args:
        questions: may repeat each other; equal ones are asked once.
        endpoint: whom.
        folder: of the replies, kept one by one, so that an interrupted call goes on where it was.
        at: is told the number of different questions that have a reply.

    Returns:
        The key and the reply of each question, and how many were asked now.

    Raises:
        VisatbError: a question found no reply after all retries. None is begun after that; replies to those that
            were under way are still kept.
    """
    kept = Replies(folder, endpoint)
    keys = [kept.key(question) for question in questions]
    wanted = dict(zip(keys, questions, strict=True))
    replies = {key: reply for key in wanted if (reply := kept.read(key)) is not None}
    missing = {key: question for key, question in wanted.items() if key not in replies}
    if missing:
        before = len(replies)
        replies |= asyncio.run(_ask(missing, endpoint, kept, lambda count: at(before + count)))
    return keys, [replies[key] for key in keys], len(missing)


async def _ask(
    missing: Mapping[str, Question], endpoint: Endpoint, kept: Replies, at: Callable[[int], None]
) -> dict[str, Reply]:
    waiting = list(missing.items())[::-1]
    failures: list[Exception] = []
    replies: dict[str, Reply] = {}

    async def work(client: openai.AsyncOpenAI) -> None:
        while waiting and not failures:
            key, question = waiting.pop()
            try:
                reply = await _reply(client, endpoint, question)
            except (openai.OpenAIError, TimeoutError, ValueError, _NoCompletionError) as error:
                failures.append(error)
                return
            kept.keep(key, question, reply)
            replies[key] = reply
            at(len(replies))

    async with openai.AsyncOpenAI(
        base_url=endpoint.url,
        api_key=os.environ.get(endpoint.key_variable) or "none",
        timeout=endpoint.timeout,
        max_retries=endpoint.retries,
    ) as client:
        await asyncio.gather(*(work(client) for _ in range(min(endpoint.concurrency, len(missing)))))
    if failures:
        words = _words(failures[0], endpoint)
        raise VisatbError(f"{words}. {len(replies)} of {len(missing)} new replies are kept; start again for the others")
    return replies


async def _reply(client: openai.AsyncOpenAI, endpoint: Endpoint, question: Question) -> Reply:
    # The client's own time-out is one of silence; this one also ends a reply that trickles in without end.
    async with asyncio.timeout((endpoint.timeout + LONGEST_PAUSE) * (endpoint.retries + 1)):
        try:
            completion: Any = await client.chat.completions.create(
                model=endpoint.model, messages=_messages(question), extra_body=dict(endpoint.parameters)
            )
        except openai.BadRequestError as error:
            if error.code in REFUSED_CONTENT:
                return Reply("", endpoint.model, "content_filter", None, None)
            raise
    try:
        choice = completion.choices[0]
        text = choice.message.content
    except (AttributeError, IndexError, TypeError):
        raise _NoCompletionError(str(completion)) from None
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


def _messages(question: Question) -> Any:
    content: Any = question.user
    if question.image:
        kind = mimetypes.guess_type(question.image)[0] or "image/jpeg"
        data = base64.b64encode(_picture(question.image)).decode()
        picture = {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
        content = [{"type": "text", "text": question.user}, picture]
    system = [{"role": "system", "content": question.system}] if question.system else []
    return [*system, {"role": "user", "content": content}]


def _picture(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise VisatbError(f"{path}: the picture for the judge cannot be read ({error.strerror})") from error


def _words(error: Exception, endpoint: Endpoint) -> str:
    """Return what went wrong and what to do, without the key."""
    key = os.environ.get(endpoint.key_variable, "")
    said = " ".join(str(getattr(error, "message", error)).split())[:300]
    said = said.replace(key, "***") if key else said
    attempts = f"{endpoint.retries + 1} attempt(s)"
    match error:
        case openai.AuthenticationError() | openai.PermissionDeniedError():  # endpoints quote parts of the key here
            held = f"the key in {endpoint.key_variable}" if key else f"no key ({endpoint.key_variable} is not set)"
            what = f"refuses {held} (status {error.status_code}); set the environment variable to a valid key"
        case openai.NotFoundError():
            what = (
                f"knows no model '{endpoint.model}', or is no such address (it usually ends in /v1); "
                f"it said: {said}; look at evaluation.judge.model and endpoint"
            )
        case openai.APITimeoutError() | TimeoutError():
            what = (
                f"gave no reply within {endpoint.timeout:g} s, in {attempts}; "
                "raise evaluation.judge.timeout, or lower concurrency"
            )
        case openai.APIConnectionError():
            what = f"cannot be reached ({error.__cause__ or said}), in {attempts}; look at evaluation.judge.endpoint"
        case openai.RateLimitError():
            what = f"asks for fewer requests, or its quota is used up (status 429), in {attempts}; it said: {said}"
        case openai.InternalServerError():
            what = f"fails (status {error.status_code}), in {attempts}; it said: {said}"
        case openai.APIStatusError():
            what = (
                f"refuses the request (status {error.status_code}); it said: {said}; "
                "look at evaluation.judge.parameters"
            )
        case _:
            what = f"sent no chat completion but: {said}; look at evaluation.judge.endpoint"
    return f"the judge at {endpoint.url} {what}"
