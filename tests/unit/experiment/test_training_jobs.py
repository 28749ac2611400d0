"""What trainings are told: all that their results depend on, through JSON and back, and nothing of other methods."""

from pathlib import Path

import pytest

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values
from visatb.experiment.experiment import Experiment
from visatb.experiment.jobs.training import machine_job, mining_job, training_job
from visatb.runtime.cli import as_json
from visatb.training.jobs import L2T, MachineJob, TrainingJob
from visatb.training.loss.methods import Dwa, Given

METHODS = ["ew", "tla", "rlw", "dwa", "igbv1", "visatb"]


@pytest.fixture(autouse=True)
def in_a_folder_with_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL_FILE).write_text(MODEL_TEXT)


@pytest.mark.parametrize("run", METHODS)
@pytest.mark.parametrize("objective", ["response", "l2t"])
def test_a_job_comes_back_from_json_as_it_was(run: str, objective: str):
    values = config_values(objective=objective, methods=METHODS, training={"epochs": 2, "packing": False})
    experiment = Experiment.from_values(values)
    job, machine = training_job(experiment, run), machine_job(experiment, run)
    assert TrainingJob.model_validate_json(as_json(job)) == job
    assert MachineJob.model_validate_json(as_json(machine)) == machine
    assert (job.recipe.epochs, machine.packing) == (2, False)
    assert isinstance(job.objective, L2T) == (objective == "l2t")


def test_packing_is_on_unless_the_config_says_otherwise():
    assert machine_job(Experiment.from_values(config_values()), "ew").packing


def test_a_run_is_told_the_numbers_of_its_own_method_alone():
    changed = [Experiment.from_values(config_values(methods=METHODS, dwa={"window": number})) for number in (3, 4)]
    first, second = ({run: as_json(training_job(one, run)) for run in METHODS} for one in changed)
    assert [run for run in METHODS if first[run] != second[run]] == ["dwa"]
    method = training_job(changed[0], "dwa").method
    assert isinstance(method, Dwa)
    assert (method.window, method.temperature) == (3, 2.0)
    assert training_job(changed[0], "ew").method == Given()


def test_machine_settings_are_no_part_of_what_a_result_depends_on():
    settings = {"micro_batch_size": 8, "packing": False, "workers": 3, "save_steps": 7, "gradient_checkpointing": True}
    plain, other = (Experiment.from_values(config_values(training=one)) for one in ({}, settings))
    assert training_job(plain, "ew") == training_job(other, "ew")
    assert machine_job(plain, "ew") != machine_job(other, "ew")


def test_templates_do_not_depend_on_the_weight_of_an_instruction():
    jobs = [
        mining_job(Experiment.from_values(config_values(objective="l2t", l2t={"instruction_weight": weight})))
        for weight in (0.5, 1)
    ]
    assert jobs[0] == jobs[1]
