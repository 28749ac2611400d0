"""Answers of a model that a server holds, behind an OpenAI-compatible endpoint such as vLLM's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from visatb.config.endpoints import RUN, SECTION, ServedConfig
from visatb.data.chat import chat_messages
from visatb.endpoints.client import Question, Replies, Reply, ask_all, served_models
from visatb.endpoints.endpoint import Endpoint, endpoint_of, reached
from visatb.endpoints.images import as_seen_url
from visatb.errors import VisatbError
from visatb.evaluation.jobs import EndpointJob
from visatb.evaluation.predictions import Answer, SamplePrompt
from visatb.runtime.digests import folder_digest, model_digest

ROUNDS = 16
"""Requests of one window over those at a time: the end of a window, where they run out, weighs little."""


@dataclass(frozen=True)
class Conversation(Question):
    """The turns of a sample up to the answer that is wanted.

    Attributes:
        turns: LLaVA-format turns.
        max_tokens: the longest answer.
    """

    turns: Sequence[dict[str, str]] = ()
    max_tokens: int = 0

    def described(self) -> dict[str, Any]:
        """Return all that the answer depends on."""
        return {**super().described(), "turns": list(self.turns)}

    def messages(self) -> list[dict[str, Any]]:
        """Return what a model that is loaded here would be shown, the picture as a ``data:`` address."""
        messages = chat_messages(self.turns, self.image)
        for message in messages:
            message["content"] = [self._part(part) for part in message["content"]]
        return messages

    def parameters(self) -> dict[str, Any]:
        """Return the limit; the likeliest token is always taken."""
        return {"temperature": 0, "max_tokens": self.max_tokens}

    def _part(self, part: dict[str, Any]) -> dict[str, Any]:
        if part["type"] != "image":
            return part
        return {"type": "image_url", "image_url": {"url": as_seen_url(part["image"], self.digest)}}


def served_model(run: str, model: str | Path, job: EndpointJob, folder: Path) -> "ServedModel":
    """Return a run's model behind the server of ``evaluation.endpoint``, reached as the environment says.

    Args:
        run: the run's name.
        model: its folder, or a name on the hub.
        job: what the server is asked for.
        folder: where replies are kept until they are saved.
    """
    config = reached(ServedConfig, SECTION, model=job.model, parameters=job.parameters)
    endpoint = endpoint_of(config)
    return ServedModel(run, model, replace(endpoint, url=endpoint.url.replace(RUN, run)), folder)


class ServedModel:
    """A model that a server answers for.

    Its replies are kept one by one in ``folder`` until they are saved as predictions. They are told from those of other
    models by the content of the model's own folder, not by the name that the server knows it by.
    """

    def __init__(self, run: str, model_folder: str | Path, endpoint: Endpoint, folder: str | Path) -> None:
        self._run, self._model_folder, self._folder = run, model_folder, Path(folder)
        self._endpoint = replace(endpoint, role="the server", section=SECTION)
        self._unsaved: set[str] = set()
        self._is_checked = False

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """What the answers depend on."""
        return {
            "model": model_digest(self._model_folder),
            "served": self._endpoint.model,
            "parameters": dict(self._endpoint.parameters),
        }

    @property
    def at_a_time(self) -> int:
        """Enough to keep all connections busy."""
        return ROUNDS * self._endpoint.concurrency

    def answer(self, prompts: Sequence[SamplePrompt], at: Callable[[int], None]) -> list[Answer]:
        """Return the answers; what a killed process was told before is not asked again.

        Raises:
            VisatbError: the server cannot be reached, does not serve this model, or sends what is no answer.
        """
        self._check_served()
        questions = [
            Conversation(
                system="",
                user=prompt.turns[-1]["value"],
                image=prompt.image,
                apart=prompt.kept_in,
                turns=prompt.turns,
                max_tokens=prompt.max_new_tokens,
            )
            for prompt in prompts
        ]
        keys, replies, _ = ask_all(questions, self._endpoint, self._folder, at)
        self._unsaved.update(keys)
        return [self._answer(prompt, reply) for prompt, reply in zip(prompts, replies, strict=True)]

    def saved(self) -> None:
        """Remove the replies that are saved as predictions now."""
        Replies(self._folder, self._endpoint).forget(self._unsaved)
        self._unsaved.clear()

    def _check_served(self) -> None:
        """Ask once which models there are, and refuse one of another content where that can be seen from here.

        A server that is asked for this model's own folder, as ``transformers serve`` can be, need not list it.
        """
        if self._is_checked or self._is_this_model(self._endpoint.model):
            return
        served = served_models(self._endpoint)
        name, server = self._endpoint.model, f"the server at {self._endpoint.url}"
        if name not in served:
            raise VisatbError(
                f"{server} does not serve '{name}', the model of the run '{self._run}'; it serves "
                f"{', '.join(sorted(served)) or 'none'}. Serve {self._model_folder} under this name, or correct "
                "evaluation.endpoint, and give the same command again"
            )
        if self._is_this_model(served[name]) is False:
            raise VisatbError(
                f"{server} serves as '{name}' the model in {served[name]}, expected that of the run '{self._run}', of "
                f"another content: {self._model_folder}. Serve that one, and give the same command again"
            )
        self._is_checked = True

    def _is_this_model(self, source: str) -> bool | None:
        """Tell whether a folder that the server names holds this very model; None if it cannot be seen from here."""
        if not Path(source).is_absolute() or not Path(source).is_dir():
            return None
        return folder_digest(source) == self.settings["model"]

    def _answer(self, prompt: SamplePrompt, reply: Reply) -> Answer:
        answered = f"the server at {self._endpoint.url} answered sample '{prompt.id}'"
        if reply.finish_reason not in ("stop", "length"):
            raise VisatbError(f"{answered} with finish_reason '{reply.finish_reason}', expected 'stop' or 'length'")
        if reply.completion_tokens is None:
            raise VisatbError(f"{answered} without usage.completion_tokens, the length of the answer in tokens")
        return {
            "prediction": reply.text.strip(),
            "new_tokens": reply.completion_tokens,
            "finish_reason": reply.finish_reason,
        }
