"""A finished experiment whose answers a server gives again: the same ones, without a GPU, wherever the server is."""

import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.helpers.answering_server import Served
from tests.helpers.judge_server import judge_server
from tests.helpers.running import dry_run, run_workflow
from visatb.evaluation.generate import Generation, predict
from visatb.evaluation.predictions import Questions

JOB = "predict_alone single-vqa test vqa"
ANSWERS = "results/demo-small/predictions/single-vqa/test/vqa.parquet"


def told(url: str) -> str:
    return f"evaluation={{endpoint: {{url: '{url}', model: 'demo-{{run}}', parameters: {{}}, concurrency: 2}}}}"


def answered_here(model: Path, folder: Path) -> list[dict[str, Any]]:
    """Return the answers of the model, loaded here, in the precision that the server computes in."""
    how = Generation(batch_size=16, shard_size=256, precision="float32", attention="eager", device="cpu")
    questions = [Questions("vqa", "results/demo-small/records/vqa/test.parquet", 8)]
    predict("single-vqa", model, questions, {"vqa": folder / "vqa.parquet"}, how, folder / "shards")
    return pq.read_table(folder / "vqa.parquet").to_pylist()


def test_a_server_answers_for_the_runs(copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model = copied / "results/demo-small/runs/single-vqa/model"
    with judge_server(Served({"demo-single-vqa": model}.get), {"demo-single-vqa": str(model)}) as server:
        assert JOB in dry_run(copied, "--config", told(server.url), "--", ANSWERS)
        run_workflow(copied, "--config", told(server.url), "--", ANSWERS)
    after = pq.read_table(copied / ANSWERS).to_pylist()
    assert len(server.asked) == len({(row["image"], row["prompt"]) for row in after})
    monkeypatch.chdir(copied)  # what the pictures' paths are relative to
    assert after == answered_here(model, tmp_path)
    assert dry_run(copied, "--config", told("http://{run}.elsewhere:8000/v1"), "--", ANSWERS) == set()
    assert set(os.listdir(copied / "results/demo-small/runs/single-vqa/answers")) == {"vqa", "replies"}


def test_no_gpu_is_asked_for_where_a_server_answers(finished: Path):
    def resources(*settings: str) -> str:
        default_output = ("--workflow-profile", "none", "--cores", "1")
        job = "results/demo-small/predictions/mini/val/vqa.parquet"
        more = (
            "--config",
            "resources={predict: {gpus: 1, cpus: 8, mem_mb: 64000}}",
            *settings,
            "--forcerun",
            "predict",
        )
        return run_workflow(finished, "--dry-run", *default_output, *more, "--", job)

    assert "gpu=1" in resources()
    served = resources(told("http://gpu1:8000/v1"))
    assert "gpu=1" not in served
    assert "mem_mb=4000" in served
