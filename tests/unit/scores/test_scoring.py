"""The program that scores all tasks of a run: the same scores as task by task, and every failure by its task's name."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.helpers.judge_examples import predictions
from tests.helpers.paths import SCRIPTS
from visatb.runtime.files import write_parquet
from visatb.scores.scoring import score_predictions
from visatb.scores.verdicts import VERDICT_SCHEMA

SCRIPT = SCRIPTS / "evaluation.py"


def score(folder: Path, origin: str | None = None, **metrics: str) -> subprocess.CompletedProcess[str]:
    folders = {name: str(folder / name) for name in ("predictions", "verdicts", "output")}
    told = [word for name, place in folders.items() for word in (f"--{name}", place)]
    job = {"metrics": {task: dict.fromkeys(names.split(","), 1) for task, names in metrics.items()}, "origin": origin}
    told += ["--digests", str(folder / "digests.json"), "--job", json.dumps(job)]
    command = [sys.executable, str(SCRIPT), "score", *told]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def verdicts(count: int) -> pa.Table:
    rows = [
        {"id": f"s{n}", "verdict": "8 6", "judge": "j", "prompt_tokens": 10, "completion_tokens": 2, "cost": None}
        for n in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=VERDICT_SCHEMA)


def test_tasks_are_scored_as_each_alone(tmp_path: Path) -> None:
    for task in ("vqa", "caption"):
        write_parquet(tmp_path / "predictions" / f"{task}.parquet", predictions(4))
    write_parquet(tmp_path / "verdicts" / "caption.parquet", verdicts(4))
    done = score(tmp_path, "elsewhere", vqa="EM", caption="GLEU,judge")
    assert done.returncode == 0, done.stderr
    expected = {
        "vqa": score_predictions(predictions(4), ["EM"], None, "elsewhere"),
        "caption": score_predictions(predictions(4), ["GLEU", "judge"], verdicts(4), "elsewhere"),
    }
    for task, table in expected.items():
        found = pq.read_table(tmp_path / "output" / f"{task}.parquet")
        assert found.equals(table, check_metadata=True)
    digests = json.loads((tmp_path / "digests.json").read_text())
    for task in expected:
        content = (tmp_path / "output" / f"{task}.parquet").read_bytes()
        assert digests.pop(task) == hashlib.sha256(content).hexdigest()
    assert digests == {}


def test_every_task_that_fails_is_named_and_the_others_are_scored(tmp_path: Path) -> None:
    for task in ("vqa", "boxes", "chat"):
        write_parquet(tmp_path / "predictions" / f"{task}.parquet", predictions(4))
    done = score(tmp_path, boxes="IoU", vqa="EM", chat="judge", gone="EM")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    first, *lines = done.stderr.splitlines()
    assert first == "error: boxes, chat, gone could not be scored:"
    assert [line.split(":")[0] for line in lines] == ["  - boxes", "  - chat", "  - gone"]
    assert {path.name for path in (tmp_path / "output").iterdir()} == {"vqa.parquet"}
    assert not (tmp_path / "digests.json").exists(), "nothing takes the run for scored"


def test_an_unknown_metric_is_refused(tmp_path: Path) -> None:
    done = score(tmp_path, vqa="EM,EMM")
    assert done.returncode == 1
    assert "--job, metrics.vqa.EMM: expected metrics of EM, IoU" in done.stderr
