"""Where results come from: does it change when, and only when, something changed?"""

import hashlib
import json
import os
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from visatb.experiment.provenance import commit, provenance, provenance_table, training_description
from visatb.reporting.tables.web_table import web_table


def finished(run: Path, name: str, description: dict[str, object], time: int) -> None:
    folder = run / "checkpoints" / name
    (folder / "finished").mkdir(parents=True)
    (folder / "training.json").write_text(json.dumps(description))
    os.utime(folder / "finished", (time, time))


@pytest.fixture
def experiment(tmp_path: Path) -> dict[str, object]:
    mixture = tmp_path / "mixtures/ew.arrow"
    mixture.parent.mkdir()
    mixture.write_bytes(b"records")
    finished(tmp_path / "runs/ew", "old", {"base": "0", "seed": 1, "mixture": "x"}, 100)
    finished(tmp_path / "runs/ew", "new", {"base": "abc", "seed": 2, "mixture": "x"}, 200)
    folders = {"source": tmp_path, "mixtures": [mixture], "runs": tmp_path / "runs"}
    return {"experiment": "demo", "config": {"b": 1, "a": [2]}, "workflow": {"snakemake": "9"}, **folders}


def test_what_is_written_down(experiment: dict[str, object]):
    found = provenance(**experiment)
    assert found["mixtures"]["ew"]["sha256"] == hashlib.sha256(b"records").hexdigest()
    assert found["base model"]["fingerprint"] == ["abc"], "of the training that finished last"
    assert found["trainings"]["ew"] == {"seed": 2}
    assert found["packages"]["pandas"] == version("pandas")
    assert found["machine"]["cores"] == os.cpu_count()
    json.dumps(found, allow_nan=False)


def test_the_config_is_known_by_its_values_not_by_their_order(experiment: dict[str, object]):
    def digest(config: object) -> str:
        return provenance(**{**experiment, "config": config})["config"]["sha256"]

    assert digest({"a": [2], "b": 1}) == digest({"b": 1, "a": [2]})
    assert digest({"a": [2], "b": 1}) != digest({"b": 2, "a": [2]})


def test_trainings_without_checkpoints_are_not_known(tmp_path: Path):
    (tmp_path / "checkpoints/unfinished").mkdir(parents=True)
    (tmp_path / "checkpoints/unfinished/training.json").write_text("{}")
    assert training_description(tmp_path) == {}


def test_the_commit_and_whether_files_changed_since(tmp_path: Path):
    assert commit(tmp_path) == {"commit": None, "changed since": None}
    (tmp_path / "code.py").write_text("1")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    found = commit(tmp_path)
    assert len(found["commit"]) == 40
    assert found["changed since"] is False
    (tmp_path / "code.py").write_text("2")
    assert commit(tmp_path) == {**found, "changed since": True}


def test_the_table_has_a_row_for_each_value(experiment: dict[str, object]):
    table = provenance_table(provenance(**experiment)).set_index(["part", "name"])["value"]
    assert table["experiment", ""] == "demo"
    assert table["visatb", "commit"] == "not known"
    assert table["mixtures", "ew sha256"] == hashlib.sha256(b"records").hexdigest()
    page = web_table(table.reset_index(), "<b>provenance</b>")
    assert "&lt;b&gt;provenance" in page
    assert "<b>" not in page
