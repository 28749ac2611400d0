"""What the evaluation needs is asked for before anything is trained: in the config, and of the machine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values, task
from tests.helpers.paths import REPOSITORY
from visatb.errors import VisatbError
from visatb.experiment.experiment import Experiment
from visatb.planning.preflight import check_machine

ROOT = REPOSITORY
KEYLESS = {"model": "local", "url": "http://localhost:8000/v1/"}


@pytest.fixture(autouse=True)
def in_a_folder_with_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    Path(MODEL_FILE).write_text(MODEL_TEXT)
    Path("config").mkdir()
    shutil.copy(ROOT / "config" / "judge.yaml", "config/judge.yaml")


def experiment(metrics: Any, judge: dict[str, Any] | None = None, **more: Any) -> Experiment:
    tasks = {"vqa": task("vqa"), "chat": {**task("chat", metrics), **more}}
    return Experiment.from_values(config_values(tasks=tasks, evaluation={"judge": judge} if judge else {}))


def test_a_judged_task_among_others():
    judged = experiment(["judge", "EM"], KEYLESS, judge_context="context.jsonl")
    assert judged.judged_tasks == ["chat"]
    assert judged.judge_context("chat") == ["context.jsonl"]
    assert judged.config.evaluation.judge.url == "http://localhost:8000/v1"
    assert str(judged.judge_replies) == "results/small/judge_replies"
    check_machine(judged)


@pytest.mark.parametrize(
    ("judge", "more", "message"),
    [
        (None, {}, "tasks.chat.metrics: 'judge' needs a judge; add evaluation.judge"),
        ({"url": "http://localhost/v1"}, {}, "evaluation.judge.model: missing"),
        (KEYLESS | {"url": "localhost:8000"}, {}, "evaluation.judge.url: expected an address that begins"),
        (KEYLESS | {"url": "http://me:sk-1@host/v1"}, {}, "must hold no key or password"),
        (KEYLESS | {"prompt": "config/judges.yaml"}, {}, "no such file; did you mean 'judge.yaml'?"),
        (KEYLESS | {"retries": -1}, {}, "evaluation.judge.retries: must be at least 0"),
        (KEYLESS | {"timeout": 0}, {}, "evaluation.judge.timeout: must be above 0"),
        (KEYLESS | {"key_variable": "sk-1"}, {}, "key_variable: expected the name of an environment variable, not the"),
        (KEYLESS | {"key": "sk-1"}, {}, "evaluation.judge.key: unknown key; known here:"),
        (KEYLESS | {"parameters": {"model": "x"}}, {}, "evaluation.judge.parameters: 'model' is set by the workflow"),
        (KEYLESS | {"prices": {"input": 1}}, {}, "evaluation.judge.prices.output: missing"),
    ],
)
def test_a_mistake_about_the_judge_is_told(judge: dict[str, Any] | None, more: dict[str, Any], message: str):
    with pytest.raises(VisatbError) as error:
        experiment("judge", judge, **more)
    assert message in str(error.value)
    assert str(error.value).startswith("config has 1 mistake:"), "and nothing that only follows from it"
    assert "sk-1" not in str(error.value)


def test_context_for_no_judge_is_a_mistake():
    with pytest.raises(VisatbError, match=r"tasks\.chat\.judge_context: no judge reads it"):
        experiment("EM", KEYLESS, judge_context="context.jsonl")


def test_what_is_missing_is_told_all_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(VisatbError) as error:
        check_machine(experiment(["judge", "CIDEr-PTB"], {"model": "gpt"}))
    message = str(error.value)
    assert "tasks chat: CIDEr-PTB needs Java" in message
    assert "the judge at https://api.openai.com/v1 needs a key" in message
    assert "OPENAI_API_KEY is not set" in message


def test_a_finished_experiment_asks_for_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    finished = experiment(["judge", "CIDEr-PTB"], {"model": "gpt"})
    files = [
        finished.folder / "scores" / run / split / f"{task}.parquet"
        for split in ("val", "test")
        for run, _, task in finished.evaluations(split)
    ]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    check_machine(finished)
    files[-1].unlink()
    with pytest.raises(VisatbError, match="needs Java"):
        check_machine(finished)


def test_a_key_is_wanted_where_one_is_needed(monkeypatch: pytest.MonkeyPatch):
    named = experiment("judge", KEYLESS | {"key_variable": "MY_KEY"})
    with pytest.raises(VisatbError, match="MY_KEY is not set"):
        check_machine(named)
    monkeypatch.setenv("MY_KEY", "x")
    check_machine(named)
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    check_machine(experiment("judge", {"model": "gpt"}))
    monkeypatch.delenv("OPENAI_API_KEY")
    check_machine(experiment("EM", {"model": "gpt"}))


def test_the_workflow_refuses_before_anything_runs(tmp_path: Path):
    for name in ("config", "tests"):
        target = tmp_path / "work" / name
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(ROOT / name)
    (tmp_path / "ptb.yaml").write_text("extends: config/config.yaml\ntasks: {caption: {metrics: CIDEr-PTB}}\n")
    (tmp_path / "bin").mkdir()
    for name in ("bash", "which"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    snakemake = Path(sys.executable).with_name("snakemake")
    command = [str(snakemake), "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(tmp_path / "ptb.yaml")]
    done = subprocess.run(
        command,
        cwd=tmp_path / "work",
        env=os.environ | {"PATH": f"{snakemake.parent}:{tmp_path / 'bin'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    assert "tasks caption: CIDEr-PTB needs Java, and there is no 'java' on the PATH" in done.stderr
    assert not (tmp_path / "work" / "data").exists()


def tracked(**more: Any) -> Experiment:
    return Experiment.from_values(config_values(tracking={"wandb": {"project": "mine"}}, **more))


def test_weights_and_biases_needs_its_package_and_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Asked is the interpreter that trains, before anything is trained."""
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with pytest.raises(VisatbError, match="the training could not run") as told:
        check_machine(tracked())
    assert f"tracking.wandb: {sys.executable} has no package wandb" in str(told.value)
    assert "WANDB_API_KEY is not set" in str(told.value)
    monkeypatch.setenv("WANDB_MODE", "offline")
    with pytest.raises(VisatbError) as told:
        check_machine(tracked())
    assert "WANDB_API_KEY" not in str(told.value)
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    check_machine(tracked())
    with pytest.raises(VisatbError, match="nowhere cannot be asked for the package wandb"):
        check_machine(tracked(python="nowhere"))
    for run in tracked().trained_runs:
        (tracked().folder / "runs" / run.name / "model").mkdir(parents=True)
    monkeypatch.delenv("PYTHONPATH")
    check_machine(tracked())


def test_a_servers_key_is_asked_for_where_its_variable_is_named(monkeypatch: pytest.MonkeyPatch):
    for named, words in (({}, None), ({"key_variable": "SERVER_KEY"}, "variable SERVER_KEY, which is to hold the key")):
        endpoint = {"url": "http://gpu1:8000/v1", **named}
        served = Experiment.from_values(config_values(evaluation={"endpoint": endpoint}))
        if words is None:
            check_machine(served)
            continue
        with pytest.raises(VisatbError, match=words):
            check_machine(served)
        monkeypatch.setenv("SERVER_KEY", "k")
        check_machine(served)
