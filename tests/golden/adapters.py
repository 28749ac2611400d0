"""All that the golden tests know of the code: from a config, by way of the rules, to what programs are told and do."""

import json
import re
import runpy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from tests.helpers import training_examples as examples
from tests.helpers.paths import REPOSITORY
from tests.helpers.running import run_workflow
from tests.helpers.training_examples import TASKS, mixture, sample, save_tiny
from visatb.config.loading import read_yaml
from visatb.evaluation import predictions
from visatb.experiment.experiment import Experiment
from visatb.experiment.jobs.evaluation import prediction_job
from visatb.experiment.jobs.training import machine_job, training_job
from visatb.runtime import processes
from visatb.runtime.cli import arguments_of, as_json
from visatb.runtime.files import write_table
from visatb.runtime.untracked import VARIABLE
from visatb.training import fit
from visatb.training.checkpoints import Checkpoints

SCORES_TO_TABLES = (
    *("collect_validation_matrix", "compute_weights", "collect_benchmark"),
    *("typeset_preparation", "typeset_benchmark", "summarize"),
)
"""The rules that make tables of scores."""
RENAMED = {
    **dict.fromkeys(("plot_contributions", "plot_difficulty", "plot_data_amount", "plot_weights"), "plot_balancing"),
    "plot_radar": "plot_benchmark",
    "plot_final_runs": "plot_training",
    "plot_cost": "collect_cost",
    **dict.fromkeys(("typeset_weights", "typeset_data"), "typeset_preparation"),
}
"""Rules and scripts that have another name now than when job sets were recorded: old name -> new one."""
TRAINING = ("train", "train_preparation", "train_single")
"""The rules that train."""
ANSWERING = ("predict", "predict_alone")
"""The rules that have questions answered."""


@dataclass(frozen=True)
class _Wildcards:
    run: str
    split: str = ""

    def get(self, name: str) -> None:
        """Return nothing: jobs of all tasks are described."""


class _Described(Exception):  # noqa: N818
    """Leaves a program as soon as it is known what it would do."""


def experiment_of(config: str) -> Experiment:
    """Return the experiment of a config file of the repository; relative paths are those of the working directory."""
    return Experiment.from_values(read_yaml(REPOSITORY / config), config)


def trainings(config: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what each training of a config's experiment is described by, and kept under.

    ``folder`` is the working directory: mixtures, models that the workflow makes, and measured weights are stood in for
    by files that never change.
    """
    experiment = _prepared(config, folder, monkeypatch)
    return {run.name: _training(run.name, experiment, monkeypatch) for run in experiment.trained_runs}


def answers(config: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """Return, by run and split, where the answers to each task are kept; models and records are stood in for."""
    experiment = _prepared(config, folder, monkeypatch)
    asked = [(run, split) for run in experiment.runs for split in experiment.runs[run].evaluates]
    return {f"{run}/{split}": _answers(run, split, experiment, monkeypatch) for run, split in asked}


def _prepared(config: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    folder.mkdir()
    for name in ("config", "tests"):
        (folder / name).symlink_to(REPOSITORY / name)
    monkeypatch.chdir(folder)
    experiment = experiment_of(config)
    for model in experiment.models:
        if model.is_made_here:
            _stand_in(Path(model.source) / "config.json", model.name)
    for name in ("weights.tsv", *(f"variants/{variant}/weights.tsv" for variant in experiment.config.variants)):
        values = [(1.25, 0.75, 0.75, 1.25)[number % 4] for number in range(len(experiment.tasks))]
        weights = dict(zip(experiment.tasks, values, strict=True))
        weights |= {task: fixed.weight for task, fixed in experiment.config.fixed_tasks.items()}
        write_table(experiment.folder / name, pd.DataFrame({"task": list(weights), "weight": list(weights.values())}))
    write_table(
        experiment.folder / "templates.tsv",
        pd.DataFrame({"sentence": ["Answer with one word.", "Why?"], "decision": ["removed", "kept"]}),
    )
    return experiment


def _stand_in(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
    return path


def _functions(experiment: Experiment) -> dict[str, Any]:
    """Return the functions that rules of trainings stand on, out of files that are no Python as a whole."""
    made: dict[str, Any] = {"EXPERIMENT": experiment, "training_resources": lambda w: experiment.resources(w.run)}
    for rules, name in (("common", "weights_file"), ("resources", "launcher"), ("resources", "on_every_node")):
        text = (REPOSITORY / "rules" / f"{rules}.smk").read_text() + "\nend\n"
        found = re.search(rf"^def {name}\(.*?(?=^\S)", text, re.MULTILINE | re.DOTALL)
        assert found, f"rules/{rules}.smk has no function {name}"
        exec(found[0], made)
    return made


def _run_program(stage: str, rule: str, words: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a subcommand of a program with the words of its flags, up to where it is known what it would do."""
    subcommand = runpy.run_path(str(REPOSITORY / "workflow_scripts" / f"{stage}.py"))[rule]
    for variable, value in (("ACCELERATE_USE_CPU", "1"), ("OMP_NUM_THREADS", "1"), ("DS_ACCELERATOR", "cpu")):
        monkeypatch.setenv(variable, value)  # which programs set themselves, but do not take back
    with pytest.raises(_Described):
        subcommand(**arguments_of(subcommand, {name: word for name, word in words.items() if word}))


def _training(run: str, experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> Any:
    rules = _functions(experiment)
    told = _Wildcards(run)
    wanted = experiment.resources(run)
    found: dict[str, Any] = {}

    def describe(_: Path, description: Mapping[str, Any], layout: str) -> None:
        kept = Checkpoints("checkpoints", description, layout)
        found.update(fingerprint=kept.folder.name, layout=layout, description=dict(description))
        raise _Described

    table = pa.table({"task": list(experiment.runs[run].mixture)})
    folder = experiment.folder
    l2t = experiment.config.objective == "l2t"
    job, machine = training_job(experiment, run), machine_job(experiment, run)
    words = {
        "job": as_json(job),
        "machine": as_json(machine),
        "threads": str(wanted.cpus),
        "mixture": str(_stand_in(folder / "mixtures" / f"{run}.arrow", run)),
        "weights": (rules["weights_file"](told) or "").replace("<results>", str(folder)),
        "templates": str(folder / "templates.tsv") if l2t else "",
        "folder": f"runs/{run}",
        "output": f"runs/{run}/model",
    }
    with monkeypatch.context() as patched:
        patched.setattr(fit, "check_devices", lambda gpus: None)
        patched.setattr(fit, "read_mixture", lambda path: table)
        patched.setattr(fit, "Checkpoints", describe)
        patched.setenv("WORLD_SIZE", str(wanted.nodes * max(1, wanted.gpus)))
        _run_program("training", "train", words, patched)
    return {**found, "machine": machine.model_dump(), "launcher": rules["launcher"](told)}


def _answers(run: str, split: str, experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    model = _stand_in(experiment.folder / "runs" / run / "model" / "config.json", run).parent
    model = model if experiment.runs[run].is_trained else Path(experiment.model_of(run).source)
    tasks = experiment.answered_tasks(run, split)
    for task in tasks:
        _stand_in(experiment.folder / "records" / task / f"{split}.parquet", f"{task} {split}")
    found: dict[str, str] = {}

    def describe(
        _run: str, questions: Sequence[Any], _outputs: Any, answering: Any, shard_size: int, folder: Path
    ) -> None:
        for task in questions:
            found[task.task] = str(predictions._folder(task, answering, shard_size, "answers"))
        raise _Described

    words = {
        "job": as_json(prediction_job(experiment, run, split, tasks)),
        "model": str(model),
        "records": str(experiment.folder / "records"),
        "output": "predictions",
        "shards": f"runs/{run}/answers",
    }
    with monkeypatch.context() as patched:
        if endpoint := experiment.config.evaluation.endpoint:
            patched.setenv(VARIABLE, json.dumps({"evaluation.endpoint": endpoint.model_dump(mode="json")}))
        patched.setattr(predictions, "answer_all", describe)
        patched.setattr(processes, "check_devices", lambda gpus: None)
        _run_program("evaluation", "predict", words, patched)
    return found


def losses(family: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return what 20 steps of a tiny model's training told, of four samples in two micro-batches each, in float32."""
    real_arguments = fit.training_arguments

    def told_of_each_step(*arguments: Any) -> Any:
        made = real_arguments(*arguments)
        made.logging_steps = 1
        return made

    monkeypatch.setattr(fit, "training_arguments", told_of_each_step)
    samples = [sample(TASKS[number % len(TASKS)], number) for number in range(80)]
    data = mixture(folder, samples)
    base = save_tiny(family, folder / "base")
    fit.fit(examples.training_job(base), examples.machine(micro_batch_size=2), data, folder / "run", folder / "model")
    lines = [json.loads(line) for line in (folder / "run" / "training.jsonl").read_text().splitlines()]
    return [{name: line[name] for name in ("step", "tokens", "loss", "task_loss")} for line in lines]


def jobs(folder: Path, *arguments: str, code: Path = REPOSITORY) -> list[str]:
    """Return all jobs that a dry run of the small demo names: rules, and what their wildcards stand for."""
    printed = run_workflow(folder, "--dry-run", *arguments, code=code)
    return sorted(set(re.findall(r"^  ([a-z_]+(?: [^\s:]+)*): ", printed, re.MULTILINE)) - {"all"})


def renamed(recorded: Sequence[str]) -> list[str]:
    """Return recorded jobs under the names that their rules have now."""
    words = (job.partition(" ") for job in recorded)
    return sorted({f"{RENAMED.get(rule, rule)}{space}{rest}" for rule, space, rest in words})
