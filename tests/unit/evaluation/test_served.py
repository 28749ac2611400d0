"""A server's answers: those of the same model loaded here; kept over an interruption; never those of another model."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from tests.helpers.answering_server import Served
from tests.helpers.judge_server import Answer, JudgeServer, judge_server, refusal, verdict
from tests.helpers.training_examples import ROOT, turns
from visatb.config.endpoints import ServedConfig, check_served
from visatb.data.demo.exchanges import demo_sample
from visatb.data.records import RECORD_SCHEMA
from visatb.endpoints.endpoint import Endpoint
from visatb.errors import VisatbError
from visatb.evaluation.generate import Generation, LoadedModel
from visatb.evaluation.jobs import EndpointJob, PredictionJob
from visatb.evaluation.predictions import Questions, answer_all
from visatb.evaluation.served import ServedModel
from visatb.models.families import load_model, load_processor
from visatb.runtime.cli import as_json

HERE = Generation(batch_size=4, shard_size=5, precision="float32", attention="sdpa", device="cpu")
LIMITS = {"vqa": 3, "caption": 7}
ORIENTATION = 0x0112
Row = dict[str, Any]


def pictures(folder: Path, number: int) -> str:
    """Save a demo picture as one of those that readers take for different pixels."""
    picture, _ = demo_sample(0, "vqa", "val", number)
    name, options = [("plain.png", {}), ("plain.jpg", {}), ("turned.jpg", {}), ("clear.png", {}), ("grey.png", {})][
        number % 5
    ]
    path = folder / f"{number}-{name}"
    if name == "turned.jpg":
        notes = Image.Exif()
        notes[ORIENTATION] = 6
        options = {"exif": notes}
    elif name == "clear.png":
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    elif name == "grey.png":
        picture = picture.convert("L")
    picture.save(path, **options)
    return str(path)


def records(folder: Path, task: str, number: int) -> None:
    """Write questions with all kinds of pictures, without any, and with turns and instructions before the last one."""
    (folder / task).mkdir(parents=True)
    rows = []
    for at in range(number):
        conversations = demo_sample(0, task, "val", at)[1]["conversations"][:2]
        image = pictures(folder / task, at)
        if at == 5:
            conversations, image = turns("Say one. ", "one", "And two?", "two"), None
        if at == 6:
            conversations = [{"from": "system", "value": "Be brief."}, *turns("<image>\nWhat?", "A box", "Why?", "So")]
        rows.append({"id": str(at), "image": image, "conversations": conversations, "truths": ["x"]})
    pq.write_table(pa.Table.from_pylist(rows, schema=RECORD_SCHEMA), folder / task / "val.parquet")


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> list[Questions]:
    folder = tmp_path_factory.mktemp("records")
    for task in LIMITS:
        records(folder, task, 8)
    return [Questions(task, folder / task / "val.parquet", limit) for task, limit in LIMITS.items()]


def endpoint(server: JudgeServer, **settings: Any) -> Endpoint:
    told: dict[str, Any] = {"key_variable": "A_KEY", "concurrency": 2, "timeout": 20.0, "retries": 0}
    return Endpoint(server.url, "mini", {"repetition_penalty": 1.0}, **{**told, **settings})


def answered_by(model: Path, server: JudgeServer, questions: list[Questions], folder: Path) -> dict[str, list[Row]]:
    outputs = {task: folder / f"{task}.parquet" for task in LIMITS}
    served = ServedModel("mini", model, endpoint(server), folder / "shards/replies")
    answer_all("mini", questions, outputs, served, 5, folder / "shards")
    return {task: pq.read_table(path).to_pylist() for task, path in outputs.items()}


def test_a_servers_answers_are_those_of_the_model_loaded_here(
    model: Path, questions: list[Questions], tmp_path: Path
) -> None:
    outputs = {task: tmp_path / "here" / f"{task}.parquet" for task in LIMITS}
    answer_all("mini", questions, outputs, LoadedModel(model, HERE), 5, tmp_path / "here/shards")
    with judge_server(Served(lambda _: model), {"mini": None}) as server:
        found = answered_by(model, server, questions, tmp_path)
    assert found == {task: pq.read_table(path).to_pylist() for task, path in outputs.items()}
    assert {row["new_tokens"] for row in found["vqa"]} != {row["new_tokens"] for row in found["caption"]}
    bodies = [body for _, _, body in server.asked]
    assert {body["max_tokens"] for body in bodies} == set(LIMITS.values())
    assert {(body["temperature"], body["repetition_penalty"]) for body in bodies} == {(0, 1.0)}
    assert ["system", "user", "assistant", "user"] in [[one["role"] for one in body["messages"]] for body in bodies]
    assert server.most_at_once == 2
    assert list((tmp_path / "shards/replies").rglob("*.json")) == []


def failing_after(number: int, behave: Callable[[dict[str, Any], int], Answer]) -> Callable[..., Answer]:
    left = iter(range(number))
    return lambda body, times: refusal(500) if next(left, None) is None else behave(body, times)


def test_what_was_answered_before_a_failure_is_not_asked_again_nor_taken_for_another_models(
    llava: Path, questions: list[Questions], tmp_path: Path
) -> None:
    behave = Served(lambda _: llava)
    with judge_server(behave, {"mini": None}) as server:
        whole = answered_by(llava, server, questions, tmp_path / "whole")
        asked_in_all = len(server.asked)
    with (
        judge_server(failing_after(9, behave), {"mini": None}) as server,
        pytest.raises(VisatbError, match=rf"the server at {server.url} fails .*\d+ of 16 new replies are kept"),
    ):
        answered_by(llava, server, questions, tmp_path)
    kept = len(list((tmp_path / "shards/replies").rglob("*.json")))
    assert 8 <= kept <= 9
    with judge_server(behave, {"mini": None}) as server:
        assert answered_by(llava, server, questions, tmp_path) == whole
        assert len(server.asked) == asked_in_all - kept
    with judge_server(lambda *_: refusal(500)) as server:  # what is complete needs no server
        assert answered_by(llava, server, questions, tmp_path) == whole
    other = load_model(llava, torch.float32)
    with torch.no_grad():
        other.lm_head.weight[7, 7] += 0.001
    other.save_pretrained(tmp_path / "other")
    load_processor(llava).save_pretrained(tmp_path / "other")
    with judge_server(behave, {"mini": None}) as server:
        answered_by(tmp_path / "other", server, questions, tmp_path)
        assert len(server.asked) == asked_in_all


def test_a_server_without_the_model_or_with_another_one_is_refused(
    llava: Path, questions: list[Questions], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.json").write_text("{}")
    refused = {
        "does not serve 'mini', the model of the run 'mini'; it serves base, large": {"large": None, "base": None},
        "it serves none": {},
        rf"serves as 'mini' the model in {tmp_path}/other, expected that of the run": {"mini": str(tmp_path / "other")},
    }
    for words, models in refused.items():
        with judge_server(Served(lambda _: llava), models) as server, pytest.raises(VisatbError, match=words):
            answered_by(llava, server, questions, tmp_path)
        assert server.asked == []
    for models in ({"mini": str(llava)}, {"mini": "somewhere/else"}):
        with judge_server(Served(lambda _: llava), models) as server:
            answered_by(llava, server, questions, tmp_path / str(models["mini"])[-4:])
    with pytest.raises(VisatbError, match=rf"the server at {server.url} cannot be reached .*evaluation\.endpoint\.url"):
        answered_by(llava, server, questions, tmp_path)


def test_a_model_asked_for_by_its_folder_need_not_be_listed(
    llava: Path, questions: list[Questions], tmp_path: Path
) -> None:
    with judge_server(Served(Path)) as server:
        outputs = {task: tmp_path / f"{task}.parquet" for task in LIMITS}
        served = ServedModel("mini", llava, replace(endpoint(server), model=str(llava)), tmp_path / "replies")
        answer_all("mini", questions, outputs, served, 5, tmp_path / "shards")
    assert len(server.asked) == 16


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (verdict("x", usage=False), "sample '0' without usage.completion_tokens"),
        (refusal(400, "no", "content_filter"), "sample '0' with finish_reason 'content_filter'"),
    ],
)
def test_what_is_no_answer_is_refused(
    llava: Path, questions: list[Questions], tmp_path: Path, reply: Answer, words: str
) -> None:
    with judge_server(lambda *_: reply, {"mini": None}) as server, pytest.raises(VisatbError, match=words):
        answered_by(llava, server, questions, tmp_path)
    assert not (tmp_path / "vqa.parquet").exists()


def test_the_script_asks_a_server_without_importing_torch(
    llava: Path, questions: list[Questions], tmp_path: Path
) -> None:
    records = str(Path(questions[0].records).parents[1])
    with judge_server(Served(lambda name: llava if name == "m-mini" else None), {"m-mini": None}) as server:
        served = EndpointJob(model="m-mini", parameters={"repetition_penalty": 1.0})
        job = PredictionJob(run="mini", split="val", max_new_tokens=LIMITS, shard_size=5, served=served)
        line = [
            *("predict", "--job", as_json(job), "--model", str(llava), "--records", records),
            *("--output", str(tmp_path), "--shards", str(tmp_path / "shards")),
        ]
        connection = {"url": server.url, "concurrency": 4, "retries": 0}
        reached = {"VISATB_UNTRACKED": json.dumps({"evaluation.endpoint": connection})}
        script = str(ROOT / "workflow_scripts/evaluation.py")
        code = (
            f"import json, runpy, sys; sys.argv = [{script!r}, *json.loads({json.dumps(json.dumps(line))})]\n"
            f"runpy.run_path({script!r}, run_name='__main__')\n"
            "assert not {'torch', 'transformers'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=os.environ | reached)
        assert len(server.asked) == 16
    assert len(pq.read_table(tmp_path / "vqa.parquet")) == 8


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"url": "http://gpu1:8000/v1", "model": "llava"}, "every run would ask the same model"),
        ({"url": "http://gpu1:8000/{task}/v1"}, "evaluation.endpoint.url: {run} is the only place to fill"),
        ({"url": "http://me:secret@gpu1/v1"}, "an address must hold no key"),
        ({"url": "http://gpu1/v1", "parameters": {"temperature": 1}}, "'temperature' is set by the workflow itself"),
    ],
)
def test_mistakes_in_the_section_are_told(section: Row, words: str) -> None:
    lines = list(check_served(ServedConfig.model_validate(section)))
    assert any(words in line for line in lines)
    assert "secret" not in " ".join(lines)
    assert list(check_served(ServedConfig(url="http://{run}.cluster:8000/v1"))) == []
