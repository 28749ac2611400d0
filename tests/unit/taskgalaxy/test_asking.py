"""Replies read strictly, asked for once, and within a budget; a judge's vote belongs to its sample."""

import hashlib
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.data_examples import picture
from tests.helpers.judge_server import Answer, JudgeServer, judge_server, question_of, refusal, verdict
from visatb.endpoints.budget import dearest, spent_in
from visatb.endpoints.client import Question
from visatb.endpoints.endpoint import Endpoint
from visatb.endpoints.prompts import Prompt
from visatb.errors import VisatbError
from visatb.taskgalaxy.asking import REFUSED, Asking, ask
from visatb.taskgalaxy.expansion import expand
from visatb.taskgalaxy.replies import UnusableError, parse_exchange, parse_numbers, parse_types, parse_votes
from visatb.taskgalaxy.stages import PictureStage, filter_types, vote, write_questions

PRICED = (1000.0, 2000.0)


def endpoint(server: JudgeServer, name: str = "one", **more: Any) -> Endpoint:
    told = {
        "url": server.url,
        "model": "m",
        "parameters": {"max_tokens": 50},
        "key_variable": "NO_KEY",
        "concurrency": 4,
    }
    return Endpoint(**{**told, "timeout": 5.0, "retries": 2, "name": name, **more})


def number(_: int, text: str) -> int:
    if not text.isdigit():
        raise UnusableError("no number", text)
    return int(text)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ('{"suitable": [2, 1, 2]}', [1, 2]),
        ('```json\n{"suitable": []}\n```', []),
        ('Sure {really}: {"suitable": [3], "why": {}} I hope.', [3]),
    ],
)
def test_numbers_are_read_from_what_models_write(text: str, numbers: list[int]):
    assert parse_numbers(text, 3) == numbers


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty reply"),
        ("I cannot.", "no JSON in the reply"),
        ('{"suitable": [1, 2', "no JSON in the reply"),
        ('{"suitable": "1"}', "no list of numbers in the reply"),
        ('{"suitable": [4]}', "a number that was not offered"),
        ('{"suitable": [0]}', "a number that was not offered"),
        ('{"suitable": ["counting cups"]}', "something else than a number in the reply"),
        ('{"suitable": [true]}', "something else than a number in the reply"),
        ("[" * 100_000, "no JSON in the reply"),
        ('{"suitable": ' + "[" * 100_000, "no JSON in the reply"),
    ],
)
def test_numbers_that_were_not_asked_for_make_a_reply_unusable(text: str, reason: str):
    with pytest.raises(UnusableError, match=reason):
        parse_numbers(text, 3)


def test_other_replies_are_read_as_strictly():
    assert parse_types('{"types": ["a", "b"]}') == ["a", "b"]
    assert parse_exchange('{"question": " Q? ", "answer": "A"}') == ("Q?", "A")
    assert parse_votes('{"question": 1, "answer": 0, "reason": "no"}') == (1, 0, "no")
    assert parse_votes('{"question": true, "answer": true}') == (1, 1, "")
    for read, text in (
        (parse_types, '{"types": []}'),
        (parse_types, '{"types": [1]}'),
        (parse_exchange, '{"question": "Q?", "answer": ""}'),
        (parse_exchange, '{"question": "<image> Q?", "answer": "A"}'),
        (parse_exchange, '{"question": "\\ud800?", "answer": "A"}'),
        (parse_votes, '{"question": 1}'),
        (parse_votes, '{"question": 2, "answer": 1}'),
        (parse_votes, '{"question": "1", "answer": "1"}'),
        (parse_votes, '{"question": 1.0, "answer": 1}'),
    ):
        with pytest.raises(UnusableError):
            read(text)


def test_a_reply_of_no_use_is_asked_for_again_and_each_reply_is_kept(tmp_path: Path):
    def behave(body: dict[str, Any], times: int) -> Answer:
        match question_of(body):
            case "stubborn":
                return verdict("no")
            case "refused":
                return refusal(400, "no", code="content_filter")
            case _:
                return verdict("7" if times == 2 else "what?")

    with judge_server(behave) as server:
        one, asking = endpoint(server), Asking("s", tmp_path, attempts=3)
        questions = [(Question("", text), one) for text in ("late", "stubborn", "refused")]
        found = ask(asking, questions, number)
        assert [(outcome.value, outcome.reason) for outcome in found] == [(7, ""), (None, "no number"), (None, REFUSED)]
        assert server.times() == {"late": 2, "stubborn": 3, "refused": 1}
        assert asking.usage.requests == 6
        again = ask(Asking("s", tmp_path, attempts=3), questions, number)
        assert again == found
        assert len(server.asked) == 6


def test_two_judges_of_the_same_model_are_asked_both(tmp_path: Path):
    picture(tmp_path)
    with judge_server(lambda body, times: verdict('{"question": 1, "answer": 1}')) as server:
        judges = [endpoint(server, name) for name in ("a", "b", "c")]
        votes, judged = vote([sample("s1", "Q?", "A")], picture_stage(tmp_path, "vote"), judges, 2)
        assert len(server.asked) == 3
    assert [one["judge"] for one in votes] == ["a", "b", "c"]
    assert judged[0]["votes"] == 3


def test_no_request_is_sent_that_might_exceed_the_budget(tmp_path: Path):
    """Each reply costs 100 x 1000 + 20 x 2000 for a million: 0.14. A request may at most cost what `dearest` says."""
    with judge_server(lambda body, times: verdict("1")) as server:
        one = endpoint(server, prices=PRICED)
        questions = [(Question("", f"q{n:02d}"), one) for n in range(12)]
        most = dearest(one, "q00", with_picture=False)
        assert most > 0.14, "the bound lies above what a reply costs here"
        budget = 5 * 0.14 + most - 0.001
        with pytest.raises(VisatbError, match=r"0\.7 spent.*Raise the budget and give the same command again.*5 of 12"):
            ask(Asking("s", tmp_path, budget=budget), questions, number)
        assert len(server.asked) == 5
        assert spent_in(tmp_path) == pytest.approx(0.7)
        with pytest.raises(VisatbError, match="0 of 7 new replies"):
            ask(Asking("other", tmp_path, budget=budget), questions[5:], number)
        assert len(server.asked) == 5, "what other stages have cost counts"
        asking = Asking("s", tmp_path, budget=12 * 0.14 + most)
        assert len(ask(asking, questions, number)) == 12
        assert max(server.times().values()) == 1
        assert asking.usage.cost == pytest.approx(12 * 0.14)


def test_a_reply_that_tells_no_tokens_counts_as_the_dearest(tmp_path: Path):
    with judge_server(lambda body, times: verdict("1", usage=False)) as server:
        one = endpoint(server, prices=PRICED)
        ask(Asking("s", tmp_path, budget=1.0), [(Question("", "q"), one)], number)
        assert spent_in(tmp_path) == pytest.approx(dearest(one, "q", with_picture=False))


def test_endpoints_are_asked_side_by_side_each_within_its_own_limit(tmp_path: Path):
    def behave(body: dict[str, Any], times: int) -> Answer:
        return verdict("1", delay=0.15)

    with judge_server(behave) as server:
        first, second = endpoint(server, "a", concurrency=1, model="a"), endpoint(server, "b", concurrency=3, model="b")
        questions = [(Question("", f"{n}"), one) for n in range(6) for one in (first, second)]
        ask(Asking("s", tmp_path), questions, number)
        assert server.most_at_once == 4
        times = sorted(when for when, _, body in server.asked if body["model"] == "a")
        assert all(later - earlier > 0.1 for earlier, later in pairwise(times))


def picture_stage(folder: Path, stage: str) -> PictureStage:
    user = {"filter": "{types}", "write": "{type}", "vote": "{type}|{question}|{answer}"}[stage]
    asking = Asking(stage, folder / "replies", attempts=1)
    return PictureStage(folder, 64, Prompt("", user), {"t1": "A > B > counting", "t2": "A > B > naming"}, asking)


def match(kind: str, digest: str) -> dict[str, Any]:
    return {"image": "a.png", "digest": digest, "type": kind, "cosine": 0.5}


def sample(name: str, question: str, answer: str) -> dict[str, Any]:
    told = {"id": name, "image": "a.png", "digest": None, "type": "t1"}
    return told | {"question": question, "answer": answer}


def test_types_are_kept_by_their_numbers_not_by_what_is_written_beside_them(tmp_path: Path):
    picture(tmp_path)
    digest = digest_of_picture(tmp_path)
    with judge_server(lambda body, times: verdict('{"suitable": [2], "said": "counting"}')) as server:
        rows = filter_types(
            [match("t1", digest), match("t2", digest)], picture_stage(tmp_path, "filter"), endpoint(server)
        )
        assert question_of(server.asked[0][2]) == "1. A > B > counting\n2. A > B > naming"
        assert len(server.asked) == 1
    assert [(row["type"], row["status"], row["reason"]) for row in rows] == [
        ("t1", "rejected", "does not suit the picture"),
        ("t2", "kept", None),
    ]
    assert len({row["id"] for row in rows}) == 2


def digest_of_picture(folder: Path) -> str:
    return hashlib.sha256((folder / "a.png").read_bytes()).hexdigest()


def test_a_question_asked_before_on_the_picture_is_rejected(tmp_path: Path):
    picture(tmp_path)
    digest = digest_of_picture(tmp_path)
    rows = [match(kind, digest) | {"id": kind} for kind in ("t1", "t2")]

    def behave(body: dict[str, Any], times: int) -> Answer:
        mark = "!" if "counting" in question_of(body) else "?"
        return verdict(json.dumps({"question": f"How many{mark}", "answer": "2"}))

    with judge_server(behave) as server:
        found = write_questions(rows, picture_stage(tmp_path, "write"), endpoint(server))
    assert [row["status"] for row in found] == ["kept", "rejected"]
    assert (found[1]["reason"], found[1]["detail"]) == ("question asked before on the picture", "t1")


def test_judges_see_question_and_answer_and_both_must_be_good(tmp_path: Path):
    picture(tmp_path)

    def behave(body: dict[str, Any], times: int) -> Answer:
        kind, question, told = question_of(body).split("|")
        assert kind == "A > B > counting"
        good = {"question": int("bad" not in question), "answer": int(told == "right" or body["model"] == "kind")}
        return verdict(json.dumps(good)) if question != "odd" or body["model"] == "kind" else verdict("hm")

    samples = [
        sample("s1", "q1", "right"),
        sample("s2", "q1", "wrong"),
        sample("s3", "bad q", "right"),
        sample("s4", "odd", "right"),
    ]
    with judge_server(behave) as server:
        judges = [endpoint(server, name, model=name) for name in ("kind", "strict", "stern")]
        votes, judged = vote(samples, picture_stage(tmp_path, "vote"), judges, 2)
    assert [row["votes"] for row in judged] == [3, 1, 0, 1]
    assert [row["status"] for row in judged] == ["kept", "rejected", "rejected", "rejected"]
    assert {row["reason"] for row in judged[1:]} == {"too few votes"}
    unusable = [one for one in votes if one["question_vote"] is None]
    assert [(one["id"], one["judge"], one["vote"]) for one in unusable] == [("s4", "strict", 0), ("s4", "stern", 0)]


def test_a_tree_grows_and_every_name_is_accounted_for(tmp_path: Path):
    names = {
        "(the root: name families)": ["Maps", "objects"],
        "Objects": ["Counting", "2) Sorting."],
        "Maps": ["Routes", "Places", "Scales"],
        "Objects > Counting": ["counting cups", "Counting  dogs", "?!"],
        "Objects > Sorting": ["counting dogs", "sorting cups"],
        "Maps > Routes": ["the shortest way"],
    }

    def behave(body: dict[str, Any], times: int) -> Answer:
        place = question_of(body).split("|")[0]
        return verdict(json.dumps({"types": names[place]}) if place in names else "nothing comes to mind")

    prompt = Prompt("", "{parent}|{known}|{number}")
    seeds = {"Objects": {"Counting": ["counting dogs"]}}
    with judge_server(behave) as server:
        rows = expand(seeds, [2, 2, 2], prompt, endpoint(server), Asking("expand", tmp_path))
        asked = [question_of(body) for _, _, body in server.asked]
    assert "Objects > Counting|- counting dogs|2" in asked
    kept = [(row["level_1"], row["level_2"], row["level_3"], row["origin"]) for row in rows if row["status"] == "kept"]
    assert kept == [
        ("Objects", "Counting", "counting dogs", "seed"),
        ("Objects", "Counting", "counting cups", "model"),
        ("Objects", "Sorting", "sorting cups", "model"),
        ("Maps", "Routes", "the shortest way", "model"),
    ]
    refused = {
        (row["level_1"], row["level_2"], row["level_3"]): row["reason"] for row in rows if row["status"] != "kept"
    }
    assert refused == {
        ("objects", "", ""): "named before",
        ("Objects", "Counting", ""): "named before",
        ("Objects", "Counting", "Counting dogs"): "named before",
        ("Objects", "Counting", "?!"): "more than were asked for",
        ("Objects", "Sorting", "counting dogs"): "named before",
        ("Maps", "Scales", ""): "more than were asked for",
        ("Maps", "Places", ""): "no JSON in the reply",
    }
    assert len({row["id"] for row in rows}) == len(rows)


def test_the_key_is_sent_and_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GALAXY_KEY", "sk-secret-4711")
    with judge_server(lambda body, times: refusal(401, "bad key sk-secret-4711")) as server:
        one = replace(endpoint(server), key_variable="GALAXY_KEY")
        with pytest.raises(VisatbError) as told:
            ask(Asking("s", tmp_path), [(Question("", "q"), one)], number)
        assert server.headers[0]["authorization"] == "Bearer sk-secret-4711"
    assert "sk-secret" not in str(told.value)
    assert not any("sk-secret" in path.read_text() for path in tmp_path.rglob("*.json"))
