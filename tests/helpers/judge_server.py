"""An OpenAI-compatible server on a port of its own, that answers as it is told and remembers what it was asked."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SERVED_MODEL = "judge-2026-11"


@dataclass(frozen=True)
class Answer:
    """What is sent back: ``body`` as JSON, or ``text`` as it is; ``delay`` seconds later."""

    body: Any = None
    status: int = 200
    text: str | None = None
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


def verdict(text: str | None, delay: float = 0.0, usage: bool = True) -> Answer:
    """Return a chat completion with this text."""
    message = {"role": "assistant", "content": text}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": SERVED_MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    counts = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return Answer({**body, "usage": counts} if usage else body, delay=delay)


def refusal(status: int, message: str = "no", code: str | None = None, **headers: str) -> Answer:
    """Return an error as OpenAI words it."""
    return Answer({"error": {"message": message, "code": code}}, status, headers=headers)


@dataclass
class JudgeServer:
    """``behave`` is told a request's body and the how manieth time it was asked, from 1, and says what to answer.

    ``models`` are those that it lists, by name, with the folder that each comes from.
    """

    behave: Callable[[dict[str, Any], int], Answer]
    models: dict[str, str | None] = field(default_factory=dict)
    url: str = ""
    asked: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def times(self) -> Counter[str]:
        """Return how often each question was asked."""
        return Counter(question for _, question, _ in self.asked)


def question_of(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else next(part["text"] for part in content if part["type"] == "text")


class _Handler(BaseHTTPRequestHandler):
    judge: JudgeServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        models = [{"id": name, "object": "model", "root": root} for name, root in self.judge.models.items()]
        self._send(Answer({"object": "list", "data": models}) if self.path == "/v1/models" else refusal(404))

    def do_POST(self) -> None:
        judge = self.judge
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = question_of(body)
        with judge.lock:
            judge.asked.append((time.monotonic(), question, body))
            judge.headers.append({name.lower(): value for name, value in self.headers.items()})
            judge.at_once += 1
            judge.most_at_once = max(judge.most_at_once, judge.at_once)
            times = judge.times()[question]
        if self.path == "/v1/chat/completions":
            answer = judge.behave(body, times)
        else:
            answer = refusal(404, f"no such path {self.path}")
        time.sleep(answer.delay)
        with judge.lock:
            judge.at_once -= 1
        with suppress(OSError):  # the client has gone away
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        data = (json.dumps(answer.body) if answer.text is None else answer.text).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": answer.kind, "Content-Length": str(len(data)), **answer.headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def judge_server(
    behave: Callable[[dict[str, Any], int], Answer], models: dict[str, str | None] | None = None
) -> Iterator[JudgeServer]:
    """Run a server in this process until the block ends."""
    judge = JudgeServer(behave, models or {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"judge": judge}))
    server.daemon_threads = True
    judge.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield judge
    finally:
        server.shutdown()
        server.server_close()
