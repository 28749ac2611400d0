"""What evaluation's jobs are handed: all that answers, verdicts and scores depend on, and nothing else."""

from typing import Any

from tests.helpers.config_examples import config_values
from visatb.evaluation.jobs import ContributionTableJob, EndpointJob
from visatb.experiment.experiment import Experiment
from visatb.experiment.jobs.evaluation import (
    contribution_job,
    contribution_table_job,
    grading_job,
    judge_job,
    pilot_job,
    prediction_job,
    scoring_job,
    zero_shot_job,
    zero_shot_table_job,
)
from visatb.runtime.cli import as_json
from visatb.scores.metrics import METRICS

MODEL = "config/models/llava-1.5-7b.yaml"
JUDGE = {"model": "gpt", "url": "http://host/v1", "key_variable": "K", "concurrency": 3, "timeout": 7, "retries": 1}
SERVER = {"url": "http://{run}.host/v1", "model": "m-{run}", "timeout": 7}


def experiment(**changes: Any) -> Experiment:
    return Experiment.from_values(config_values(model=MODEL, **changes))


def test_answers_of_a_loaded_model():
    job = prediction_job(experiment(evaluation={"batch_size": 3, "precision": 0.1}), "mini", "val", ["vqa"])
    assert job.loaded is not None
    assert (job.loaded.batch_size, job.loaded.gpus, job.served) == (3, 1, None)
    assert list(job.max_new_tokens) == ["vqa"]
    assert job.order_seed == 0, "in a random order, where the first ones are to stand for all"
    assert prediction_job(experiment(), "mini", "val", ["vqa"]).order_seed is None


def test_a_pilot_differs_by_the_number_alone():
    precise = experiment(evaluation={"precision": 0.1, "pilot": 20})
    job = prediction_job(precise, "mini", "val", ["vqa"])
    assert pilot_job(precise, "mini", "val", ["vqa"]) == job.model_copy(update={"first": 20})


def test_answers_of_a_server_do_not_depend_on_the_way_to_it():
    def job(**changes: Any) -> str:
        return as_json(prediction_job(experiment(evaluation={"endpoint": SERVER | changes}), "mini", "val", ["vqa"]))

    assert '"served":{"model":"m-mini"' in job()
    assert "loaded" not in job()
    assert job() == job(url="http://{run}.other/v1", key_variable="K", concurrency=1, timeout=1, retries=0)
    assert job() != job(model="n-{run}")
    assert job() != job(parameters={})


def test_verdicts_depend_on_what_the_judge_is_asked():
    def jobs(**changes: Any) -> tuple[str, str]:
        asked = experiment(evaluation={"judge": JUDGE | changes}, zero_shot={"benchmarks": ["MM-Vet"]})
        return as_json(judge_job(asked, "mini", "val", "vqa")), as_json(grading_job(asked, "ew", "MM-Vet"))

    same = {"url": "http://other/v1", "key_variable": "L", "concurrency": 1, "timeout": 1, "retries": 9}
    assert jobs() == jobs(**same)
    for change in ({"model": "other"}, {"parameters": {}}, {"prices": {"input": 1, "output": 2}}):
        assert not set(jobs()) & set(jobs(**change))


def test_scores_depend_on_metrics_and_their_versions():
    job = scoring_job(experiment(), "mini", ["bbox"])
    assert job.metrics == {"bbox": {name: METRICS[name].version for name in ("IoU", "mean_IoU")}}
    assert job.origin is None


def test_the_contribution_of_images_is_measured_of_all_that_is_tested():
    tested = experiment(methods=["stl", "ew"])
    expected = {"single-vqa": ("vqa",), "single-caption": ("caption",), "single-bbox": ("bbox",)}
    expected["ew"] = ("vqa", "caption", "bbox")
    assert contribution_table_job(tested) == ContributionTableJob(tasks=expected)
    assert contribution_job(tested, "single-vqa").tasks == ("vqa",)


def test_zero_shot_answers_depend_on_no_folder_of_this_project():
    section = {"benchmarks": {"POPE": {"data": "pope.parquet"}, "mine": {"task": "t", "metric": "m"}}}
    section["benchmarks"]["mine"]["lower_is_better"] = True
    asked = experiment(zero_shot=section, data_folder="d", methods=["ew", "stl"])
    job = zero_shot_job(asked, "ew")
    assert [one.name for one in job.benchmarks] == ["POPE", "mine"]
    assert (job.benchmarks[0].task, job.benchmarks[0].data) == (None, ("d/pope.parquet",))
    assert job.loaded is not None
    assert job.loaded.loader == "llava_hf"
    table = zero_shot_table_job(asked)
    assert (table.methods, table.higher_is_better) == (("ew",), {"POPE": True, "mine": False})


def test_zero_shot_answers_of_a_server_depend_on_its_model_alone():
    def job(**changes: Any) -> str:
        section = {"benchmarks": ["POPE"], "endpoint": SERVER | changes}
        return as_json(zero_shot_job(experiment(zero_shot=section), "ew"))

    assert '"served_model":"m-ew"' in job()
    assert job() == job(url="http://{run}.other/v1", concurrency=1, retries=0, timeout=1)
    assert job() != job(model="n-{run}")


def test_a_request_is_a_model_and_its_parameters():
    assert set(EndpointJob.model_fields) == {"model", "parameters"}
