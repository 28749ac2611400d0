"""All that the golden tests know of the code: from a config, by way of the rules, to what programs are told and do."""

import ast
import json
import re
import runpy
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from running import run_workflow
from visatb.config_loading import read_yaml
from visatb.files import write_table
from visatb.training.recipe import Machine

from visatb.evaluation import predictions
from visatb.experiment import Experiment
from visatb.training import fit, processes
from visatb.training.checkpoints import Checkpoints

REPOSITORY = Path(__file__).resolve().parents[2]
SCORES_TO_TABLES = (
    *("collect_validation_matrix", "compute_weights", "collect_benchmark"),
    *("typeset_weights", "typeset_benchmark", "typeset_data", "summarize"),
)
"""The rules that make tables of scores."""
RENAMED: dict[str, str] = {}
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
    experiment, rules = _prepared(config, folder, monkeypatch)
    return {run.name: _training(run.name, experiment, rules, monkeypatch) for run in experiment.trained_runs}


def answers(config: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """Return, by run and split, where the answers to each task are kept; models and records are stood in for."""
    experiment, rules = _prepared(config, folder, monkeypatch)
    asked = [(run, split) for run in experiment.runs for split in experiment.runs[run].evaluates]
    return {f"{run}/{split}": _answers(run, split, experiment, rules, monkeypatch) for run, split in asked}


def _prepared(config: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Experiment, dict[str, Any]]:
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
    return experiment, _rule_functions(experiment)


def _stand_in(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
    return path


def _rule_functions(experiment: Experiment) -> dict[str, Any]:
    """Return the functions by which rules tell jobs what to do."""
    names: dict[str, Any] = {"EXPERIMENT": experiment, "Path": Path, "json": json, "shlex": shlex, "signal": None}
    exec("from visatb.config_l2t import L2TConfig\nDATA_SET = None", names)
    for rules in ("start", "common", "resources", "options"):
        path = REPOSITORY / "rules" / f"{rules}.smk"
        # Files with rules are no Python; what these four hold beside functions asks the machine, but for the options.
        kept = ast.parse(path.read_text().partition("\nwildcard_constraints:")[0]).body
        if rules != "options":
            kept = [part for part in kept if isinstance(part, ast.FunctionDef)]
        exec(compile(ast.Module(kept, type_ignores=[]), str(path), "exec"), names)
    return names


def _run_program(name: str, arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = REPOSITORY / "workflow_scripts" / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [str(program), *shlex.split(arguments)])
    main = runpy.run_path(str(program))["main"]
    for variable, value in (("ACCELERATE_USE_CPU", "1"), ("OMP_NUM_THREADS", "1"), ("DS_ACCELERATOR", "cpu")):
        monkeypatch.setenv(variable, value)  # which programs set themselves, but do not take back
    with pytest.raises(_Described):
        main()


def _training(run: str, experiment: Experiment, rules: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    told = _Wildcards(run)
    mixture = _stand_in(experiment.folder / "mixtures" / f"{run}.arrow", run)
    weights = rules["weights_file"](told)
    weights = f"--weights {weights.replace('<results>', str(experiment.folder))}" if weights else ""
    wanted = experiment.resources(run)
    found: dict[str, Any] = {}

    def describe(_: Path, description: Mapping[str, Any], layout: str) -> None:
        kept = Checkpoints("checkpoints", description, layout)
        found.update(fingerprint=kept.folder.name, layout=layout, description=dict(description))
        raise _Described

    real_fit = fit.fit

    def fit_here(*arguments: Any) -> None:
        found["machine"] = asdict(arguments[5])
        real_fit(*arguments)

    table = pa.table({"task": list(experiment.runs[run].mixture)})
    processes_started = wanted.nodes * max(1, wanted.gpus)
    with monkeypatch.context() as patched:
        patched.setattr(fit, "fit", fit_here)
        patched.setattr(fit, "check_devices", lambda gpus: None)
        patched.setattr(fit, "read_mixture", lambda path: table)
        patched.setattr(fit, "Checkpoints", describe)
        patched.setenv("WORLD_SIZE", str(processes_started))
        arguments = f"{rules['training_options'](told)} {rules['machine_options'](told)} --threads {wanted.cpus}"
        places = f"--mixture {mixture} {weights} --folder runs/{run} --output runs/{run}/model"
        _run_program("train", f"{arguments} {places}", patched)
    return {**found, "launcher": rules["launcher"](told)}


def _answers(
    run: str, split: str, experiment: Experiment, rules: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    told = _Wildcards(run, split)
    model = _stand_in(experiment.folder / "runs" / run / "model" / "config.json", run).parent
    model = model if experiment.runs[run].is_trained else Path(experiment.model_of(run).source)
    records = experiment.folder / "records"
    for task in experiment.asked(run, split):
        _stand_in(records / task / f"{split}.parquet", f"{task} {split}")
    found: dict[str, str] = {}

    def describe(
        _run: str, questions: Sequence[Any], _outputs: Any, answering: Any, shard_size: int, folder: Path
    ) -> None:
        for task in questions:
            found[task.task] = str(predictions._folder(task, answering, shard_size, "answers"))
        raise _Described

    places = f"--model {model} --records {records} --output predictions --shards runs/{run}/answers"
    with monkeypatch.context() as patched:
        patched.setattr(predictions, "answer_all", describe)
        patched.setattr(processes, "check_devices", lambda gpus: None)
        arguments = f"{rules['prediction_options'](told)} {rules['answering_connection']()} --threads 1 {places}"
        _run_program("predict", arguments, patched)
    return found


def losses(family: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return what 20 steps of a tiny model's training told, of four samples in two micro-batches each, in float32."""
    from training_examples import LAMBDAS, TASKS, mixture, recipe, sample, save_tiny

    real_arguments = fit.training_arguments

    def told_of_each_step(*arguments: Any) -> Any:
        made = real_arguments(*arguments)
        made.logging_steps = 1
        return made

    monkeypatch.setattr(fit, "training_arguments", told_of_each_step)
    samples = [sample(TASKS[number % len(TASKS)], number) for number in range(80)]
    data = mixture(folder, samples)
    machine = Machine(micro_batch_size=2, attention="eager")
    base = save_tiny(family, folder / "base")
    fit.fit("mini", data, str(base), LAMBDAS, recipe(), machine, folder / "run", folder / "model")
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
