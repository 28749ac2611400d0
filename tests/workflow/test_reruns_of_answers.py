"""What a change in who answers makes again, of models on the hub and behind servers: seen in dry runs alone."""

from pathlib import Path

import pytest

from tests.helpers.pretending import pretend_finished
from tests.helpers.running import dry_run, workplace

ANSWERS = "results/simple/predictions/base/val/vqa.parquet"
PILOT = "results/simple/pilot/predictions/base/val/vqa.parquet"
VERDICTS = "results/simple/verdicts/base/val/vqa.parquet"
ZERO_SHOT = "results/simple/zero_shot/ew/POPE.json"
CONFIG = """
extends: tests/workflow/tiny.yaml
experiment: simple
model: hub.yaml
fixed_tasks: null
groups: null
methods: [ew, visatb]
given_weights: null
balancing: {form: simple}
tasks: {vqa: {metrics: [EM, judge]}}
evaluation:
  precision: 0.1
  judge: {model: a-judge, url: "http://localhost:9/v1"}
zero_shot:
  benchmarks: [POPE]
  endpoint: {url: "http://localhost:9/v1", model: "{run}", concurrency: 4}
"""
MODEL = "name: Hub\nfamily: llava\ncheckpoint: someone/llava\nrevision: v1\n"


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of an experiment whose base model is on the hub, with answers to val and a benchmark."""
    folder = workplace(tmp_path_factory.mktemp("hub") / "work")
    (folder / "simple.yaml").write_text(CONFIG)
    (folder / "hub.yaml").write_text(MODEL)
    pretend_finished(folder, ANSWERS, PILOT, VERDICTS, ZERO_SHOT, configfile="simple.yaml")
    return folder


def made(folder: Path, *targets: str, zero_shot: str = "{}", judge: str = "{}") -> set[str]:
    """Return the jobs of a dry run with a change in the config."""
    changes = (f"zero_shot={zero_shot}", f"evaluation={{judge: {judge}}}")
    return dry_run(folder, *targets, "--config", *changes, configfile="simple.yaml")


def test_nothing_changed(answered: Path):
    assert made(answered, ANSWERS, PILOT, VERDICTS, ZERO_SHOT) == set()


@pytest.mark.parametrize("change", [("someone/llava", "someone/other"), ("v1", "v2"), ("revision: v1\n", "")])
def test_another_model_on_the_hub_is_asked_again(answered: Path, change: tuple[str, str]):
    model = answered / "hub.yaml"
    try:
        model.write_text(MODEL.replace(*change))
        assert made(answered, ANSWERS) >= {"predict base val", "predict_pilot base val"}
    finally:
        model.write_text(MODEL)


def test_another_name_of_the_served_model_is_asked_for_benchmarks_again(answered: Path):
    assert "zero_shot ew" in made(answered, ZERO_SHOT, zero_shot="{endpoint: {model: 'mine-{run}'}}")


@pytest.mark.parametrize("change", ["url: 'http://elsewhere:9/v1'", "concurrency: 1", "retries: 1", "timeout: 9"])
def test_another_way_to_the_same_server_asks_nothing_again(answered: Path, change: str):
    assert made(answered, ZERO_SHOT, zero_shot=f"{{endpoint: {{{change}}}}}") == set()
    assert made(answered, VERDICTS, judge=f"{{{change}}}") == set()


@pytest.mark.parametrize("change", ["model: another", "parameters: {}", "show_image: true"])
def test_another_judge_reads_the_answers_of_the_pilot_anew(answered: Path, change: str):
    jobs = made(answered, VERDICTS, judge=f"{{{change}}}")
    assert jobs >= {"judge_pilot base val vqa", "score_pilot base val", "plan_evaluation", "judge base val vqa"}
    assert not any(job.startswith(("predict_pilot", "train")) for job in jobs)
