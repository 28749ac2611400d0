"""What jobs of planning and reporting are handed: complete, and no more than they depend on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values
from visatb.config.types import Section
from visatb.errors import VisatbError
from visatb.experiment.experiment import Experiment
from visatb.planning.jobs import CountJob, count_job, sampling_job
from visatb.reporting import jobs
from visatb.runtime.cli import arguments_of, as_json

Build = Callable[[Experiment], Section]
BUILDERS: list[Build] = [
    *(count_job, sampling_job, jobs.balancing_figures_job, jobs.benchmark_figures_job, jobs.training_figures_job),
    *(jobs.visual_contribution_figure_job, jobs.benchmark_table_job, jobs.data_table_job, jobs.explorer_job),
    *(jobs.export_job, jobs.cost_job),
]


@pytest.fixture(autouse=True)
def in_a_folder_with_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL_FILE).write_text(MODEL_TEXT)


def experiment(**changes: object) -> Experiment:
    return Experiment.from_values(config_values(**changes))


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_a_job_is_the_same_on_the_other_side(build: Build) -> None:
    job = build(experiment(balancing={"temperature": 1.5, "alpha": {"out": 0.2, "in": 0.3, "difficulty": 0.5}}))
    assert type(job).model_validate_json(as_json(job)) == job


CHANGES: dict[str, tuple[dict[str, object], set[Build]]] = {
    "balancing": ({"balancing": {"temperature": 1.5}}, {jobs.explorer_job}),
    "bootstrap": ({"balancing": {"bootstrap": 300}}, {jobs.explorer_job}),
    "epochs": ({"training": {"epochs": 3}}, {sampling_job, jobs.export_job}),
    "packing": ({"training": {"packing": False}}, {count_job}),
    "learning rate": ({"training": {"learning_rate": 0.5}}, set()),
    "seed": ({"seed": 7}, {count_job, jobs.explorer_job, jobs.export_job}),
    "methods": ({"methods": ["ew", "visatb"]}, {jobs.visual_contribution_figure_job, jobs.cost_job}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_key_touches_the_jobs_that_depend_on_it_and_no_others(change: str) -> None:
    values, touched = CHANGES[change]
    before, after = experiment(), experiment(**values)
    assert {build for build in BUILDERS if as_json(build(before)) != as_json(build(after))} == touched


def test_one_model_is_counted() -> None:
    def count_tokens(job: CountJob) -> None: ...

    text = as_json(count_job(experiment())).removesuffix("}") + ', "tiny": "llava"}'
    with pytest.raises(VisatbError, match="exactly one of base, tiny and components"):
        arguments_of(count_tokens, {"job": text})
