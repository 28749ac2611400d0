"""What a change makes again: exactly what it touches, seen in a dry run after the small demo has run."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.running import REPOSITORY, TINY, dry_run, run_workflow, workplace

TASKS = ("caption", "vqa", "gqa", "region")
FINAL = {"compute_weights", "train visatb", "predict visatb test", "score visatb test"}
READ = {
    *("plot_balancing", "plot_training", "plot_benchmark", "build_explorer"),
    *("collect_benchmark", "typeset_benchmark", "typeset_preparation", "summarize"),
}


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Return a copy of the project's code."""
    folder = tmp_path / "code"
    ignored = shutil.ignore_patterns(".*", "results", "data", "tests", "__pycache__")
    shutil.copytree(REPOSITORY, folder, ignore=ignored)
    shutil.copytree(REPOSITORY / "visatb" / "data", folder / "visatb" / "data", dirs_exist_ok=True)
    return folder


def test_nothing_changed(finished: Path):
    assert dry_run(finished) == set()


@pytest.mark.parametrize("change", ["temperature: 1.0", "alpha: {out: 0.2, in: 0.3}", "on_unlearned: clip"])
def test_a_change_in_balancing_re_makes_weights_and_the_final_run_alone(finished: Path, change: str):
    assert dry_run(finished, "--config", f"balancing={{{change}}}") == FINAL | READ


def test_a_changed_metric_scores_again_and_predicts_nothing_but_the_final_run(finished: Path):
    made = dry_run(finished, "--config", "tasks={vqa: {metrics: CIDEr}}")
    assert {job for job in made if job.startswith("predict")} == {"predict visatb test"}
    assert {job for job in made if job.startswith("train")} == {"train visatb"}
    scored = {job for job in made if job.startswith("score") and "visatb" not in job}
    preparation = {f"score {run} val" for run in ("mini", *(f"plus-{task}" for task in TASKS))}
    assert scored == preparation | {"score ew test", "score_alone single-vqa test vqa"}


def test_lost_scores_are_made_again(copied: Path):
    scores = copied / "results" / "demo-small" / "scores"
    (scores / "ew" / "test" / "vqa.parquet").unlink()
    (scores / "single-gqa" / "test" / "gqa.parquet").unlink()
    made = dry_run(copied)
    assert {job for job in made if job.startswith("score")} == {"score ew test", "score_alone single-gqa test gqa"}
    assert not any(job.startswith(("predict", "train", "compute_weights")) for job in made)


def test_another_version_of_a_metric_scores_its_tasks_again(
    finished: Path, code: Path, monkeypatch: pytest.MonkeyPatch
):
    metrics = code / "visatb" / "scores" / "metrics.py"
    text = metrics.read_text()
    assert 'Metric("EM", 1,' in text
    metrics.write_text(text.replace('Metric("EM", 1,', 'Metric("EM", 2,'))
    monkeypatch.setenv("PYTHONPATH", str(code))  # before the library that is installed
    made = dry_run(finished, code=code)
    alone = {job for job in made if job.startswith("score_alone")}
    assert alone == {"score_alone single-vqa test vqa", "score_alone single-gqa test gqa"}
    assert "score mini val" in made
    assert {job for job in made if job.startswith("train")} == {"train visatb"}


def test_a_longer_answer_predicts_again_and_trains_nothing_but_the_final_run(finished: Path):
    made = dry_run(finished, "--config", "tasks={gqa: {max_new_tokens: 9}}")
    assert {job for job in made if job.startswith("train")} == {"train visatb"}
    assert {"predict mini val", "predict ew test", "predict_alone single-gqa test gqa"} <= made
    assert "predict_alone single-vqa test vqa" not in made


@pytest.mark.parametrize("change", ["learning_rate: 0.002", "epochs: 2", "normalization: micro_batch"])
def test_a_changed_recipe_trains_everything_again_from_the_same_data(finished: Path, change: str):
    made = dry_run(finished, "--config", f"training={{{change}}}")
    assert sum(job.startswith("train") for job in made) == 11
    assert not any(job.startswith(("check_data", "build_mixture", "pretrain", "draw")) for job in made)


def test_a_changed_mini_rate_leaves_single_task_and_final_mixtures_as_they_were(finished: Path):
    made = dry_run(finished, "--config", "sampling={mini: 0.1}")
    assert "train_preparation mini" in made
    assert not any(job.startswith(("check_data", "pretrain", "draw")) for job in made)


def test_weights_of_ones_own_add_one_run(finished: Path):
    mine = json.dumps({"mine": dict.fromkeys(TASKS, 1.5)})
    made = dry_run(finished, "--config", "methods=[stl, ew, visatb, mine]", f"given_weights={mine}")
    assert {job for job in made if job.startswith(("train", "build_mixture"))} == {"train mine", "build_mixture mine"}
    assert "compute_weights" not in made


BY_INSTRUCTIONS = "grouping={by: instructions}"


@pytest.fixture(scope="module")
def proposed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which groups have been proposed by instructions, for which nothing is trained."""
    folder = workplace(tmp_path_factory.mktemp("proposed") / "work")
    run_workflow(folder, "--config", BY_INSTRUCTIONS, "--", "propose_groups")
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        ["grouping={by: instructions, samples: 3}"],
        ["grouping={by: instructions, number: 3}"],
        [BY_INSTRUCTIONS, "seed=1"],
    ],
)
def test_what_decides_on_groups_proposes_them_again(proposed: Path, changes: list[str]):
    assert dry_run(proposed, "--config", BY_INSTRUCTIONS, "--", "propose_groups") == set()
    assert dry_run(proposed, "--config", *changes, "--", "propose_groups") == {"propose_groups"}


ADDED = f"""
extends: {TINY}
experiment: added
model: model.yaml
tasks:
  chart: null
  bbox: null
  region: {{data: "region/{{split}}.json", image_folder: region, metrics: GLEU, max_new_tokens: 16}}
groups: null
given_weights: null
methods: [stl]
adding: {{tasks: [region], to: results/tiny}}
"""


def test_another_freeze_looks_at_the_model_of_an_earlier_experiment_again(tiny: Path, tmp_path: Path):
    folder = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(tiny), str(folder)], check=True)
    model = (REPOSITORY / "tests" / "workflow" / "tiny-model.yaml").read_text()
    (folder / "model.yaml").write_text(model)
    (folder / "added.yaml").write_text(ADDED)
    imported = "results/added/runs/single-vqa/model"
    run_workflow(folder, "--cores", "2", imported, configfile="added.yaml")
    assert dry_run(folder, "--", imported, configfile="added.yaml") == set()
    (folder / "model.yaml").write_text(f"{model}freeze: [vision_tower, projector]\n")
    assert dry_run(folder, "--", imported, configfile="added.yaml") == {"import_model single-vqa"}


def test_groups_can_be_proposed_where_rates_are_left_to_the_data(tmp_path: Path):
    made = dry_run(workplace(tmp_path / "work"), "--config", "sampling={mini: auto}", "--", "propose_groups")
    assert {"resolve_sampling", "propose_groups"} <= made


def edited_records(folder: Path) -> None:
    path = folder / "data" / "demo-small" / "vqa" / "val.json"
    records = json.loads(path.read_text())
    records[0]["conversations"][1]["value"] = "changed"
    path.write_text(json.dumps(records))


def test_an_edited_data_file_is_checked_and_answered_again(copied: Path):
    edited_records(copied)
    made = dry_run(copied)
    assert {job for job in made if job.startswith("check_data")} == {"check_data vqa val"}
    assert "predict mini val" in made
    assert not any(job.startswith(("pretrain", "draw")) for job in made)


def comment_in_script(code: Path) -> None:
    path = code / "workflow_scripts" / "training.py"
    path.write_text(path.read_text() + "\n# a note\n")


def comment_in_library(code: Path) -> None:
    path = code / "visatb" / "training" / "fit.py"
    path.write_text(path.read_text() + "\n# a note\n")


def comment_in_rules(code: Path) -> None:
    path = code / "rules" / "training.smk"
    path.write_text("# a note\n" + path.read_text())


@pytest.mark.parametrize("edit", [comment_in_script, comment_in_library, comment_in_rules])
def test_a_comment_re_runs_nothing_even_where_the_code_has_moved(
    finished: Path, code: Path, edit: Callable[[Path], None]
):
    edit(code)
    assert dry_run(finished, code=code) == set()
