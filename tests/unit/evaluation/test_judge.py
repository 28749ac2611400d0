"""The judge against a server over HTTP: real requests, the real client."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.helpers.judge_examples import KEY, KEY_VARIABLE, PROMPT, judged, predictions
from tests.helpers.judge_server import SERVED_MODEL, Answer, judge_server, question_of, refusal, verdict
from tests.helpers.paths import REPOSITORY, SCRIPTS
from visatb.errors import VisatbError
from visatb.evaluation.judge.judge import Judging
from visatb.evaluation.judge.prompt import NO_CONTEXT
from visatb.runtime.files import read_parquet, write_parquet
from visatb.scores.verdicts import VERDICT_SCHEMA, cost_words, judge_usage

SCRIPT = SCRIPTS / "evaluation.py"


def fine(body: dict[str, Any], times: int) -> Answer:
    return verdict("8 6\nBecause.")


@pytest.fixture(autouse=True)
def with_a_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY)


def test_every_answer_gets_its_verdict_and_what_it_cost(tmp_path: Path):
    def by_number(body: dict[str, Any], times: int) -> Answer:
        number = int(question_of(body).split("answer ")[1])
        return verdict(f"8 {number + 1}", delay=0.05 * (5 - number))  # the first to be asked is the last to be answered

    with judge_server(by_number) as server:
        verdicts = judged(predictions(5), server.url, tmp_path, Judging(PROMPT, prices=(2.5, 10.0)))
    assert verdicts.schema == VERDICT_SCHEMA
    assert verdicts["id"].to_pylist() == [f"s{n}" for n in range(5)]
    assert verdicts["verdict"].to_pylist() == [f"8 {n + 1}" for n in range(5)]
    assert set(verdicts["judge"].to_pylist()) == {SERVED_MODEL}, "the model that answered, not the name that was asked"
    assert verdicts["cost"].to_pylist() == pytest.approx([(100 * 2.5 + 20 * 10) / 1e6] * 5)
    assert judge_usage(verdicts) == {"judge": SERVED_MODEL, "tokens": 600, "cost": pytest.approx(5 * 0.00045)}
    assert "5 verdicts of judge-2026-11, 0 unreadable; 600 tokens, cost 0.00225" in cost_words(verdicts)


def test_what_the_judge_is_asked(tmp_path: Path):
    with judge_server(fine) as server:
        judged(predictions(1), server.url, tmp_path)
    _, question, body = server.asked[0]
    assert question == f"C: {NO_CONTEXT}\nQ: question 0?\nA: reference 0\nB: answer 0"
    assert body["messages"][0] == {"role": "system", "content": "Be strict."}
    assert {key: body[key] for key in ("model", "temperature", "max_tokens")} == {
        "model": "judge",
        "temperature": 0,
        "max_tokens": 64,
    }
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_nothing_is_asked_again_unless_it_is_asked_otherwise(tmp_path: Path):
    with judge_server(fine) as server:
        first = judged(predictions(4), server.url, tmp_path)
        assert len(server.asked) == 4
        assert judged(predictions(4), server.url, tmp_path).equals(first)
        assert len(server.asked) == 4
        judged(predictions(4, ["answer 0", "other", "answer 2", "answer 3"]), server.url, tmp_path)
        assert len(server.asked) == 5
        judged(predictions(4), server.url, tmp_path, parameters={"temperature": 1})
        assert len(server.asked) == 9
        judged(predictions(4), server.url, tmp_path, model="other")
        assert len(server.asked) == 13


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"reply": {"text": "8 6"}}'])
def test_a_reply_that_somebody_has_broken_is_told(text: str, tmp_path: Path):
    with judge_server(fine) as server:
        judged(predictions(1), server.url, tmp_path)
        (file,) = tmp_path.glob("*/*.json")
        file.write_text(text)
        with pytest.raises(VisatbError, match=file.name):
            judged(predictions(1), server.url, tmp_path)


def test_equal_questions_are_asked_once(tmp_path: Path):
    table = predictions(2).to_pylist()
    twins = [{**table[0], "id": f"s{n}"} for n in range(6)]
    with judge_server(fine) as server:
        verdicts = judged(type(predictions(1)).from_pylist(twins), server.url, tmp_path)
    assert len(server.asked) == 1
    assert len(verdicts) == 6


def test_no_more_requests_at_a_time_than_allowed(tmp_path: Path):
    with judge_server(lambda body, times: verdict("8 6", delay=0.1)) as server:
        judged(predictions(12), server.url, tmp_path, concurrency=3)
    assert server.most_at_once == 3


def test_a_429_is_asked_again_when_the_endpoint_says(tmp_path: Path):
    with judge_server(lambda body, times: refusal(429, Retry_After="2") if times == 1 else verdict("8 6")) as server:
        judged(predictions(1), server.url, tmp_path)
    first, second = (at for at, _, _ in server.asked)
    assert second - first >= 2.0, "the client's own pause after one failure is half a second"


def test_a_500_and_a_stall_are_asked_again(tmp_path: Path):
    def moody(body: dict[str, Any], times: int) -> Answer:
        return [refusal(500), verdict("1 1", delay=15.0), verdict("8 6")][times - 1]

    with judge_server(moody) as server:
        verdicts = judged(predictions(1), server.url, tmp_path, timeout=3.0)
    assert verdicts["verdict"].to_pylist() == ["8 6"]
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "changes", "message"),
    [
        (refusal(500, "on fire"), {}, r"fails \(status 500\), in 2 attempt\(s\); it said: .*on fire"),
        (refusal(429, "slow down", retry_after="0.01"), {}, r"fewer requests.*429\), in 2 attempt\(s\).*slow down"),
        (verdict("8 6", delay=2.0), {"timeout": 0.2}, r"gave no reply within 0.2 s, in 2 attempt\(s\); raise"),
    ],
)
def test_attempts_are_bounded(answer: Answer, changes: dict[str, Any], message: str, tmp_path: Path):
    with judge_server(lambda body, times: answer) as server, pytest.raises(VisatbError, match=message):
        judged(predictions(1), server.url, tmp_path, retries=1, **changes)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(text="<html>Welcome</html>", kind="text/html"),
        Answer(text='{"choices": [', kind="application/json"),
        Answer({}),
        Answer([]),
        Answer({"choices": []}),
        Answer({"choices": None}),
        Answer({"choices": [{"message": None}]}),
        Answer({"error": {"message": "overloaded"}}),
    ],
)
def test_something_else_than_a_completion_is_told(answer: Answer, tmp_path: Path):
    with judge_server(lambda body, times: answer) as server, pytest.raises(VisatbError, match="no chat completion"):
        judged(predictions(1), server.url, tmp_path, retries=0)
    assert not list(tmp_path.rglob("*.json")), "nonsense is not kept"


def test_a_wrong_key_is_told_at_once_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    told = refusal(401, f"Incorrect API key provided: {KEY[:6]}****")
    with judge_server(lambda body, times: told) as server:
        with pytest.raises(VisatbError, match=rf"refuses the key in {KEY_VARIABLE} \(status 401\)") as error:
            judged(predictions(9), server.url, tmp_path, concurrency=2)
        assert len(server.asked) == 2, "those under way, and no more"
        monkeypatch.delenv(KEY_VARIABLE)
        with pytest.raises(VisatbError, match=rf"refuses no key \({KEY_VARIABLE} is not set\)"):
            judged(predictions(1), server.url, tmp_path)
    assert KEY[:6] not in str(error.value)


def test_a_key_that_the_endpoint_repeats_is_not_shown(tmp_path: Path):
    told = refusal(400, f"bad header Bearer {KEY}")
    with judge_server(lambda body, times: told) as server, pytest.raises(VisatbError, match=r"Bearer \*\*\*") as error:
        judged(predictions(1), server.url, tmp_path)
    assert KEY not in str(error.value)
    assert "evaluation.judge.parameters" in str(error.value)


def test_a_wrong_model_and_a_wrong_address_are_told(tmp_path: Path):
    with judge_server(lambda body, times: refusal(404, "The model does not exist")) as server:
        with pytest.raises(VisatbError, match=r"knows no model 'judge'.*The model does not exist"):
            judged(predictions(1), server.url, tmp_path)
        with pytest.raises(VisatbError, match=r"usually ends in /v1\); it said: .*no such path /chat/completions"):
            judged(predictions(1), server.url.removesuffix("/v1"), tmp_path)


def test_an_endpoint_that_is_not_there_is_told(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(VisatbError, match=r"at http://127.*/v1 cannot be reached .*in 2 attempt\(s\)"):
            judged(predictions(1), url, tmp_path, retries=1)


def test_replies_before_a_failure_are_kept(tmp_path: Path):
    def third_fails(body: dict[str, Any], times: int) -> Answer:
        return refusal(400, "no") if "answer 2" in question_of(body) else verdict("8 6")

    with judge_server(third_fails) as server:
        with pytest.raises(VisatbError, match=r"2 of 6 new replies are kept; start again for the others"):
            judged(predictions(6), server.url, tmp_path, concurrency=1)
        assert len(server.asked) == 3
    with judge_server(fine) as server:
        assert len(judged(predictions(6), server.url, tmp_path)) == 6
        assert len(server.asked) == 4


def test_unreadable_verdicts_are_kept_and_counted(tmp_path: Path):
    texts = ["8 6", "Both are fine.", None, "", "8/10 6/10", "9 7"]
    with judge_server(lambda body, times: verdict(texts[int(question_of(body)[-1])], usage=False)) as server:
        verdicts = judged(predictions(6), server.url, tmp_path)
        assert judged(predictions(6), server.url, tmp_path).equals(verdicts)
    assert len(server.asked) == 6
    assert "6 verdicts of judge-2026-11, 4 unreadable; 0 tokens" in cost_words(verdicts)
    assert verdicts["prompt_tokens"].null_count == 6


def test_one_question_that_a_filter_refuses_does_not_stop_the_others(tmp_path: Path):
    def filtered(body: dict[str, Any], times: int) -> Answer:
        return refusal(400, "filtered", "content_filter") if "answer 1" in question_of(body) else verdict("8 6")

    with judge_server(filtered) as server:
        verdicts = judged(predictions(3), server.url, tmp_path)
    assert verdicts["verdict"].to_pylist() == ["8 6", "", "8 6"]
    assert verdicts["finish_reason"].to_pylist()[1] == "content_filter"


def test_no_readable_verdict_at_all_is_an_error(tmp_path: Path):
    expected = r"none of the 3 verdicts of judge-2026-11 .* the first one: 'I like both\.'; change evaluation"
    silly = verdict("I like both.")
    with judge_server(lambda body, times: silly) as server, pytest.raises(VisatbError, match=expected):
        judged(predictions(3), server.url, tmp_path)


def test_the_picture_is_sent_along(tmp_path: Path):
    table = predictions(1).to_pylist()
    file = tmp_path / "a.png"
    Image.new("RGB", (4, 4), "red").save(file)
    shown = type(predictions(1)).from_pylist([{**table[0], "image": str(file)}])
    with judge_server(fine) as server:
        judged(shown, server.url, tmp_path / "replies", Judging(PROMPT, show_image=True))
        text, picture = server.asked[0][2]["messages"][-1]["content"]
        judged(shown, server.url, tmp_path / "replies", Judging(PROMPT, show_image=True))
        assert len(server.asked) == 1
        Image.new("RGB", (4, 4), "blue").save(file)
        judged(shown, server.url, tmp_path / "replies", Judging(PROMPT, show_image=True))
        assert len(server.asked) == 2, "another picture under the same name is another question"
    assert text["text"].endswith("B: answer 0")
    assert picture["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    file.unlink()
    with pytest.raises(VisatbError, match=r"a\.png: the picture to be sent cannot be read"):
        judged(shown, server.url, tmp_path / "replies", Judging(PROMPT, show_image=True))


def command() -> list[str]:
    prompt = REPOSITORY / "config" / "judge.yaml"
    job = {"run": "mini", "split": "val", "task": "chat", "image_folder": ".", "model": "judge"}
    job["parameters"] = {"temperature": 0}
    parts = ["--job", json.dumps(job), "--predictions", "predictions.parquet", "--prompt", str(prompt)]
    return [sys.executable, str(SCRIPT), "judge", *parts, "--replies", "replies", "--output", "verdicts.parquet"]


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let programs reach the judge at an address."""

    def at(url: str) -> None:
        connection = {"url": url, "key_variable": KEY_VARIABLE, "concurrency": 2}
        monkeypatch.setenv("VISATB_UNTRACKED", json.dumps({"evaluation.judge": connection}))

    return at


def test_after_a_kill_no_answered_question_is_asked_again(tmp_path: Path, reach: Callable[[str], None]):
    write_parquet(tmp_path / "predictions.parquet", predictions(12))
    holding = True

    def hold_the_last(body: dict[str, Any], times: int) -> Answer:
        return verdict("8 6", delay=60.0 if holding and len(server.asked) > 7 else 0.0)

    with judge_server(hold_the_last) as server:
        reach(server.url)
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(command(), cwd=tmp_path, stdout=log, stderr=log)
            deadline = time.monotonic() + 60
            while len(list(tmp_path.glob("replies/*/*.json"))) < 7 and time.monotonic() < deadline:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=10)
        before = server.times()
        assert not (tmp_path / "verdicts.parquet").exists()
        holding = False
        done = subprocess.run(command(), cwd=tmp_path, capture_output=True, text=True, check=True)
        again = server.times() - before
    assert 7 < sum(before.values()) <= 9, "seven were answered, up to two were under way"
    assert sum(again.values()) == 12 - 7
    assert max((before + again).values()) == 2
    assert sum(count == 1 for count in (before + again).values()) >= 7 + 5 - 2
    assert "5 asked now" in done.stderr
    assert len(read_parquet(tmp_path / "verdicts.parquet")) == 12
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()] + [done.stderr.encode()]
    assert not any(KEY.encode() in data for data in written), "the key is nowhere"


def test_the_script_ends_without_a_traceback(tmp_path: Path, reach: Callable[[str], None]):
    write_parquet(tmp_path / "predictions.parquet", predictions(2))
    with judge_server(lambda body, times: refusal(401)) as server:
        reach(server.url)
        done = subprocess.run(command(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: the judge at {server.url} refuses the key in {KEY_VARIABLE}")
    assert "Traceback" not in done.stderr


def test_a_reply_that_trickles_in_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Spaces before the reply, as some endpoints send to keep a connection open, silence every time-out of silence."""
    monkeypatch.setattr("visatb.endpoints.client.LONGEST_PAUSE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        trickle = (
            "import socket, sys, time; c = socket.socket(fileno=int(sys.argv[1])).accept()[0]; c.recv(9999);"
            "c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 9999\\r\\n\\r\\n');"
            "[(c.sendall(b' '), time.sleep(0.1)) for _ in range(200)]"
        )
        number = listening.fileno()
        server = subprocess.Popen(
            [sys.executable, "-c", trickle, str(number)], pass_fds=[number], stderr=subprocess.DEVNULL
        )
        started = time.monotonic()
        with pytest.raises(VisatbError, match=r"gave no reply within 0\.5 s"):
            judged(predictions(1), url, tmp_path, timeout=0.5, retries=0)
        server.kill()
        server.wait()
    assert time.monotonic() - started < 10
