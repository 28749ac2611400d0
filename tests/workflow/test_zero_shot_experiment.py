"""Zero-shot benchmarks with lmms-eval itself, where VISATB_LMMS_EVAL_PYTHON names its interpreter."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoProcessor, LlavaForConditionalGeneration

from tests.helpers.judge_server import judge_server
from tests.helpers.paths import SCRIPTS
from tests.helpers.running import TINY, dry_run, workplace
from tests.helpers.training_examples import save_tiny
from tests.helpers.zero_shot_examples import hub_parquet, png, pope, write_benchmarks
from tests.helpers.zero_shot_server import SCORES, answer
from visatb.evaluation.jobs import BenchmarkJob, LoaderJob, ZeroShotJob
from visatb.evaluation.zero_shot.lmms_eval import VERSION
from visatb.runtime.cli import as_json

LMMS_EVAL = os.environ.get("VISATB_LMMS_EVAL_PYTHON")

needs_lmms_eval = pytest.mark.skipif(
    not LMMS_EVAL, reason="VISATB_LMMS_EVAL_PYTHON names no interpreter with lmms-eval"
)


def ask(folder: Path, sections: dict[str, dict[str, Any]], model: str | Path) -> subprocess.CompletedProcess[str]:
    """Have benchmarks asked on the CPU; of a server, where ``model`` is its address."""
    keys = ("task", "metric", "image_folder")
    benchmarks = [
        BenchmarkJob(
            name=name,
            data=(str(one["data"]),) if "data" in one else (),
            **{key: str(one[key]) for key in keys if key in one},
        )
        for name, one in sections.items()
    ]
    is_served = str(model).startswith("http")
    job = ZeroShotJob(
        run="ew",
        benchmarks=tuple(benchmarks),
        python=str(LMMS_EVAL),
        cache=str(folder / "cache"),
        loaded=None if is_served else LoaderJob(loader="llava_hf", arguments={}, precision="float32"),
        served_model="ew" if is_served else None,
    )
    line = [sys.executable, str(SCRIPTS / "zero_shot.py"), "zero_shot", "--job", as_json(job), "--model", str(model)]
    reached = {"VISATB_UNTRACKED": json.dumps({"zero_shot.endpoint": {"url": str(model), "retries": 0}})}
    return subprocess.run(
        [*line, "--output", str(folder / "ew")],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env=os.environ | reached,
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("llava", tmp_path_factory.mktemp("model") / "tiny")


def answered(model: Path, number: int, question: str) -> str:
    """Return what the model says through transformers alone, with the checkpoint's own processor and template."""
    processor = AutoProcessor.from_pretrained(model)
    content = [{"type": "image"}, {"type": "text", "text": question}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    inputs = processor(text=text, images=Image.open(io.BytesIO(png(number))).convert("RGB"), return_tensors="pt")
    llava = LlavaForConditionalGeneration.from_pretrained(model, dtype=torch.float32)
    said = llava.generate(**inputs, max_new_tokens=128, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    return processor.decode(said, skip_special_tokens=True).strip()


@needs_lmms_eval
@pytest.mark.slow
def test_a_model_is_loaded_once_and_answers_benchmarks(tmp_path: Path, tiny: Path):
    sections = write_benchmarks(tmp_path)
    sections = {name: sections[name] for name in ("TextVQA", "POPE", "SQA-IMG")}
    done = ask(tmp_path, sections, tiny)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Using single device: cpu") == 1
    for name, count in {"TextVQA": 3, "POPE": 6, "SQA-IMG": 3}.items():
        score = json.loads((tmp_path / "ew" / f"{name}.json").read_text())
        assert score["n"] == count
        lines = (tmp_path / "ew" / f"{name}.samples.jsonl").read_text().splitlines()
        assert len(lines) == count
        assert json.loads(lines[0])["filtered_resps"]
    assert [path.name for path in (tmp_path / "ew").iterdir() if path.name.startswith(".")] == []
    samples = [json.loads(line) for line in (tmp_path / "ew" / "POPE.samples.jsonl").read_text().splitlines()]
    for number, sample in enumerate(samples):
        assert sample["filtered_resps"].strip() == answered(tiny, number, sample["input"])


@needs_lmms_eval
@pytest.mark.slow
def test_a_server_answers_all_seven(tmp_path: Path):
    sections = write_benchmarks(tmp_path)
    with judge_server(answer) as server:
        done = ask(tmp_path, sections, server.url)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(server.asked) == 3 + 6 + 4 + 3 + 4 + 2 + 2
    scores = {name: json.loads((tmp_path / "ew" / f"{name}.json").read_text()) for name in SCORES}
    assert {name: score["value"] for name, score in scores.items()} == pytest.approx(SCORES)
    assert not (tmp_path / "ew" / "MM-Vet.json").exists()
    assert {score["lmms_eval"] for score in scores.values()} == {VERSION}
    assert (tmp_path / "ew" / "lmms_eval.json").is_file()
    assert {name: score["truncated"] for name, score in scores.items()} == dict.fromkeys(SCORES, 0)


@needs_lmms_eval
@pytest.mark.slow
def test_failures_are_told(tmp_path: Path, tiny: Path):
    done = ask(tmp_path, {"mine": {"task": "nosuch", "metric": "m"}}, tiny)
    assert done.returncode == 1
    assert "Tasks not found: nosuch" in done.stderr
    rows = pope()
    rows[3]["answer"] = "maybe"
    file = hub_parquet(tmp_path / "bad.parquet", rows)
    done = ask(tmp_path, {"POPE": {"data": str(file)}}, tiny)
    assert done.returncode == 1
    assert "status 0, no results): ValueError: POPE: expected yes or no and a category, found 'maybe'" in done.stderr
    done = ask(tmp_path, {"POPE": {"data": str(file)}}, tmp_path / "nowhere")
    assert done.returncode == 1
    assert "lmms-eval failed" in done.stderr
    assert not list((tmp_path / "ew").iterdir())


@needs_lmms_eval
@pytest.mark.slow
def test_a_server_that_does_not_answer_is_no_score(tmp_path: Path):
    file = hub_parquet(tmp_path / "pope.parquet", pope())
    done = ask(tmp_path, {"POPE": {"data": str(file)}}, "http://127.0.0.1:9/v1")
    assert done.returncode == 1
    assert "questions found no answer" in done.stderr


def test_the_plan_asks_every_final_model_once(tmp_path: Path):
    place = workplace(tmp_path / "place")
    sections = write_benchmarks(tmp_path)
    section: dict[str, Any] = {"benchmarks": sections, "python": sys.executable}
    judge = {"judge": {"model": "local", "url": "http://localhost:9/v1"}}

    def jobs(**more: Any) -> set[str]:
        config = [f"zero_shot={json.dumps(section | more)}", f"evaluation={json.dumps(judge)}"]
        return dry_run(place, "--config", *config, configfile=TINY)

    added = jobs() - dry_run(place, configfile=TINY)
    runs = ("ew", "visatb", "mine")
    expected = {f"zero_shot {run}" for run in runs} | {f"judge_zero_shot {run} MM-Vet" for run in runs}
    assert {job.split(" [")[0] for job in added} == expected | {"collect_zero_shot"}
    fewer = jobs(methods=["ew"], endpoint={"url": "http://localhost:9/v1", "model": "{run}"})
    assert [job for job in fewer if job.startswith("zero_shot")] == ["zero_shot ew"]
