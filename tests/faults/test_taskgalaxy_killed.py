"""SIGKILL in every stage of TaskGalaxy: the same command goes on, nothing is lost, nothing is there twice."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from tests.helpers import warm
from tests.helpers.faulting import at_file_event
from tests.helpers.galaxy_examples import draw_pictures, save_tiny_clip, section
from tests.helpers.galaxy_server import reply
from tests.helpers.judge_server import Answer, JudgeServer, judge_server, verdict
from tests.helpers.paths import REPOSITORY, SCRIPTS
from visatb.config.taskgalaxy import ExportConfig, MatchLimits, TaskGalaxyConfig
from visatb.runtime.cli import as_json
from visatb.runtime.files import read_parquet
from visatb.taskgalaxy.jobs import (
    EmbeddingJob,
    TypeEmbeddingJob,
    connections,
    expansion_job,
    filter_job,
    voting_job,
    writing_job,
)

TABLES = {
    "list_images": "pictures",
    "expand_types": "proposed",
    "deduplicate_types": "types",
    "match_types": "matches",
    "filter_types": "candidates",
    "write_questions": "samples",
    "vote": "judged",
    "export_taskgalaxy": "exported",
}
AT_ONCE = 4
"""Requests of an endpoint at a time in `section`: so many may be asked twice after a kill."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("config").symlink_to(REPOSITORY / "config")
    draw_pictures(Path("data/pictures"), 60)
    save_tiny_clip(Path("data/clip"))
    return tmp_path


def stages(config: TaskGalaxyConfig, out: str) -> dict[str, list[str]]:
    """Return stage -> its command line, in the order of the stages, with everything in the folder ``out``."""
    lines = lines_of_vectors(config, out) | lines_of_requests(config, out)
    order = ("list_images", "expand_types", "embed_types", "embed_images", "deduplicate_types", "match_types")
    order += ("filter_types", "write_questions", "vote", "export_taskgalaxy")
    assert set(order) == set(lines)
    return {stage: shlex.split(lines[stage].format(out=out, **tables(out))) for stage in order}


def literally(word: str) -> str:
    return shlex.quote(word).replace("{", "{{").replace("}", "}}")


def tables(out: str) -> dict[str, str]:
    return {stage: f"{out}/{name}.parquet" for stage, name in TABLES.items()}


def job(section: BaseModel) -> str:
    return f"--job {literally(as_json(section))}"


def lines_of_vectors(config: TaskGalaxyConfig, out: str) -> dict[str, str]:
    clip = {"checkpoint": config.embedding.checkpoint, "gpus": 0, "batch_size": 4, "shard_size": 8}
    types = job(TypeEmbeddingJob.model_validate({**clip, "text": config.embedding.text}))
    pictures = f"--pictures {{list_images}} --images {config.images}"
    vectors = "--types {deduplicate_types} --type-vectors {out}/types.npy"
    export = ExportConfig(task="cluster", clusters=2, min_samples=5, val=0.2, test=0.2)
    return {
        "list_images": f"--images {config.images} --output {{list_images}}",
        "embed_types": f"{types} --types {{expand_types}} --shards {{out}}/embeddings --output {{out}}/types.npy",
        "embed_images": f"{job(EmbeddingJob.model_validate(clip))} {pictures} --shards {{out}}/embeddings"
        " --output {out}/pictures.npy",
        "deduplicate_types": "--types {expand_types} --vectors {out}/types.npy --threshold 0.999"
        " --output {deduplicate_types} --duplicates {out}/duplicates.tsv",
        "match_types": f"{job(MatchLimits(top_k=5, floor=-0.9, cap=40))} --pictures {{list_images}}"
        f" --picture-vectors {{out}}/pictures.npy {vectors} --output {{match_types}}",
        "export_taskgalaxy": f"{job(export)} --samples {{vote}} {vectors} --folder {{out}}"
        " --table {export_taskgalaxy} --tasks {out}/tasks.tsv",
    }


def lines_of_requests(config: TaskGalaxyConfig, out: str) -> dict[str, str]:
    shown = "--types {deduplicate_types} --replies {out}/replies --prompt config/taskgalaxy"
    pictures = f"--images {config.images} {shown}"
    return {
        "expand_types": f"{job(expansion_job(config))} --seeds {config.seeds} --replies {{out}}/replies"
        " --prompt config/taskgalaxy/expand.yaml --output {expand_types}",
        "filter_types": f"{job(filter_job(config))} {pictures}/filter.yaml --matches {{match_types}}"
        " --output {filter_types}",
        "write_questions": f"{job(writing_job(config))} {pictures}/write.yaml --candidates {{filter_types}}"
        " --output {write_questions}",
        "vote": f"{job(voting_job(config))} {pictures}/vote.yaml --samples {{write_questions}}"
        " --votes {out}/votes.parquet --output {vote}",
    }


def program(stage: str, line: list[str]) -> list[str]:
    return [sys.executable, str(SCRIPTS / "taskgalaxy.py"), stage, *line]


def start(command: list[str]) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        warm.started_warm(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


def finish(command: list[str]) -> str:
    process = start(command)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def kill_when(stage: str, command: list[str], moment: Callable[[], bool]) -> None:
    """Start a stage and kill it at a moment; it must not have come to its end before."""
    process = start(command)
    while not moment():
        assert process.poll() is None, f"{stage} ended before it could be killed: {process.communicate()[0]}"
        time.sleep(0.002)
    warm.kill(process)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def kill_somewhere(stage: str, line: list[str], server: JudgeServer, events: int) -> None:
    """Start a stage and kill it amid its requests, with some shards written, or at the last change of its folder."""
    before = len(server.asked)
    if stage in ("expand_types", "filter_types", "write_questions", "vote"):
        kill_when(stage, program(stage, line), lambda: len(server.asked) >= before + 12)
    elif stage in ("embed_types", "embed_images"):
        shards = f"embeddings/{stage.removeprefix('embed_')}/*/*.npz"
        kill_when(stage, program(stage, line), lambda: len(list(Path("killed").glob(shards))) >= 2)
    else:
        process = start(at_file_event("kill", events, Path("killed"), program(stage, line)))
        said, _ = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL, f"{stage}: {said}"


def rows(out: str, stage: str) -> list[dict[str, Any]]:
    return read_parquet(f"{out}/{TABLES[stage]}.parquet").to_pylist()


@pytest.mark.slow
def test_every_stage_goes_on_where_it_was_killed(place: Path, monkeypatch: pytest.MonkeyPatch):
    def slowly(body: dict[str, Any], times: int) -> Answer:
        return verdict(json.dumps(reply(body)), delay=0.02)

    with judge_server(slowly) as server:
        config = TaskGalaxyConfig.model_validate(section(server.url))
        monkeypatch.setenv("VISATB_UNTRACKED", json.dumps({"taskgalaxy": connections(config)}))
        events = {}
        for stage, line in stages(config, "quiet").items():
            said = finish(at_file_event("count", 0, Path("quiet"), program(stage, line)))
            events[stage] = int(said.rsplit("file events: ", 1)[1])
        undisturbed = request_counts(server)
        server.asked.clear()
        for stage, line in stages(config, "killed").items():
            kill_somewhere(stage, line, server, events[stage])
            finish(program(stage, line))
        killed = request_counts(server)
    the_same_was_asked_hardly_more_often(undisturbed, killed)
    for stage in TABLES:
        assert rows("killed", stage) == rows("quiet", stage), stage
    for name in ("types.npy", "pictures.npy"):
        np.testing.assert_array_equal(np.load(f"killed/{name}"), np.load(f"quiet/{name}"))
    for split in ("train", "val", "test"):
        assert Path(f"killed/{split}.jsonl").read_bytes() == Path(f"quiet/{split}.jsonl").read_bytes()
    ids = [row["id"] for row in rows("killed", "export_taskgalaxy")]
    assert len(ids) == len(set(ids)) > 20
    assert not list(Path("killed").rglob("*.tmp")), "what the killed ones left is gone"


def request_counts(server: JudgeServer) -> Counter[str]:
    return Counter(json.dumps(body, sort_keys=True) for _, _, body in server.asked)


def the_same_was_asked_hardly_more_often(undisturbed: Counter[str], killed: Counter[str]) -> None:
    """Requests under way at a kill are asked again; nothing else is, and nothing else than without a kill."""
    assert set(killed) == set(undisturbed)
    again = killed - undisturbed
    assert 0 < again.total() <= AT_ONCE * (3 + 3), "three stages with one endpoint, the votes with three"
