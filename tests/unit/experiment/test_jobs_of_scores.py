"""What jobs from scores to weights depend on: exactly that, so that other keys make nothing again."""

import json
from pathlib import Path

import pytest

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values
from visatb.balancing.jobs import DesignJob, WeightsJob
from visatb.experiment.experiment import Experiment
from visatb.experiment.jobs.balancing import design_job, grouping_job, matrix_job, sizes_job, weights_job
from visatb.experiment.jobs.scores import benchmark_job, kept_job
from visatb.runtime.cli import as_json

TASKS = ("vqa", "caption", "bbox")


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL_FILE).write_text(MODEL_TEXT)


def experiment(**changes: object) -> Experiment:
    return Experiment.from_values(config_values(**changes))


def test_a_job_comes_through_json_as_it_was() -> None:
    alpha = {"out": 0.1, "in": 0.2, "difficulty": 0.7}
    job = weights_job(experiment(balancing={"alpha": alpha, "temperature": 1}), "visatb")
    assert WeightsJob.model_validate_json(as_json(job)) == job
    assert json.loads(as_json(job))["settings"] == {"alpha": alpha, "temperature": 1.0}
    assert job.design().settings.alphas == (0.1, 0.2, 0.7)
    assert job.design() == experiment(balancing={"alpha": alpha, "temperature": 1}).design("visatb")


def test_a_job_says_nothing_of_keys_that_it_does_not_depend_on() -> None:
    plain, more = experiment(), experiment(balancing={"bootstrap": 50}, seed=3)
    for job in (matrix_job, grouping_job, lambda one: design_job(one, "visatb")):
        assert as_json(job(plain)) == as_json(job(more))
    assert as_json(weights_job(plain, "visatb")) != as_json(weights_job(more, "visatb"))
    hotter = experiment(balancing={"temperature": 2})
    assert matrix_job(plain) == matrix_job(hotter)
    assert benchmark_job(plain) == benchmark_job(hotter)


def test_how_questions_are_drawn_matters_where_groups_follow_from_them() -> None:
    by = {"by": "instructions", "samples": 20}
    assert grouping_job(experiment(grouping=by)) != grouping_job(experiment(grouping=by, seed=1))
    assert grouping_job(experiment(grouping=by)).samples == 20
    assert grouping_job(experiment(grouping=by | {"by": "contributions"})) == grouping_job(experiment())


def test_a_rate_that_the_data_decide_on_is_not_asked_of_the_config() -> None:
    assert grouping_job(experiment()).rate_mini is not None
    assert grouping_job(experiment(sampling={"mini": "auto"})).rate_mini is None


def test_the_matrix_knows_what_each_run_was_scored_on_and_its_trainings() -> None:
    job = matrix_job(experiment(balancing={"seeds": 2, "mini_seeds": 3, "difficulty": "precise"}))
    assert job.tasks("mini") == TASKS
    assert job.tasks("large-only-vqa") == ("vqa",)
    assert job.trainings["mini"] == ("mini", "mini-seed1", "mini-seed2")
    assert job.trainings["plus-vqa"] == ("plus-vqa", "plus-vqa-seed1")
    assert job.trainings["mini-only-bbox"] == ("mini-only-bbox",)
    assert matrix_job(experiment()).repetitions == {}


def test_a_group_may_be_called_like_a_repetition() -> None:
    job = matrix_job(experiment(groups={"x-seed1": ["vqa", "bbox"]}, balancing={"seeds": 2}))
    assert job.trainings["plus-x-seed1"] == ("plus-x-seed1", "plus-x-seed1-seed1")
    assert set(job.trainings) == {"mini", "plus-x-seed1", "plus-caption"}


def test_stl_is_one_run_a_task_and_every_other_method_one_run() -> None:
    job = benchmark_job(experiment(methods=["stl", "ew"]))
    assert job.runs == {"stl": {task: f"single-{task}" for task in TASKS}, "ew": dict.fromkeys(TASKS, "ew")}
    assert not benchmark_job(experiment(methods=["ew"], balancing={"form": "simple"})).single


def test_other_jobs() -> None:
    of = experiment(evaluation={"precision": 0.1})
    assert (sizes_job(of).precision, sizes_job(of).round_to) == (0.1, of.config.evaluation.shard_size)
    assert list(kept_job(of, "vqa").metrics) == of.metrics["vqa"]
    assert DesignJob.model_validate_json(as_json(design_job(of, "visatb"))).design() == of.design("visatb")
