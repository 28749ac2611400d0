"""Mistakes in a config's `adding`: does the finished experiment fit what is asked of it?"""

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from visatb.config.loading import no_such_file
from visatb.config.reuse import AddingConfig
from visatb.config.schema import Config
from visatb.config.training import Recipe
from visatb.errors import VisatbError, did_you_mean
from visatb.experiment.incremental import earlier_name, old_groups, original_name
from visatb.experiment.runs import Run, groups_of
from visatb.runtime.files import read_json


def check_incremental(config: Config, runs: Mapping[str, Run]) -> Iterator[str]:
    """Yield one line for each mistake."""
    adding = config.adding
    if adding is None:
        return
    folder = Path(adding.to)
    if not (folder / "scores").is_dir():
        missing = f"{folder} has no scores" if folder.is_dir() else no_such_file(folder)
        yield f"adding.to: {missing}; name the folder of a finished experiment"
        return
    if folder.resolve() == (Path(config.results) / config.experiment).resolve():
        yield "adding.to: is this very experiment; give it another name, so that the finished one stays as it is"
    yield from _tasks(config, adding, folder)
    if adding.mode == "frozen":
        yield from _frozen(config, runs, folder)
    yield from _recipe(config, runs, folder)


def _tasks(config: Config, adding: AddingConfig, folder: Path) -> Iterator[str]:
    known = {path.stem for path in (folder / "scores").glob("*/*/*.parquet")}
    for task in adding.tasks:
        if task not in config.tasks:
            yield f"adding.tasks: there is no task '{task}'{did_you_mean(task, config.tasks)}; describe it under tasks"
        elif task in known:
            yield f"adding.tasks: {folder} has scores of '{task}' already; take it away"
    for task in config.tasks:
        if task not in adding.tasks and task not in known:
            yield f"adding.tasks: {folder} knows no task '{task}'; add it here too"


def _frozen(config: Config, runs: Mapping[str, Run], folder: Path) -> Iterator[str]:
    assert config.adding is not None
    new = set(config.adding.tasks)
    for group, tasks in groups_of(config).items():
        if not new.isdisjoint(tasks) and not new.issuperset(tasks):
            yield f"groups.{group}: holds new and old tasks, which frozen cannot tell apart; part them, or use strict"
    if not any(run.kind == "plus" for run in runs.values()):
        yield "adding.mode: the simple form has no mixtures of several tasks; strict trains no more than frozen there"
        return
    again = [run.name for run in runs.values() if run.kind == "plus" and run.repetition]
    if again:
        yield f"adding.mode: frozen has one run a group, but {', '.join(again)} are repeated ones; use strict"
    if not old_groups(config):
        yield "adding.tasks: no task or group is left that was there before; run it without adding"
    for run in (run for run in runs.values() if run.kind == "before"):
        name = original_name(run)
        lacking = [] if (folder / "runs" / name / "model").is_dir() else ["model"]
        lacking += [
            f"scores of {task}"
            for task in config.tasks
            if task not in new and not (folder / "scores" / name / "val" / f"{task}.parquet").is_file()
        ]
        if lacking:
            yield (
                f"adding.to: {folder} has no {', '.join(lacking)} of the run {name}; frozen needs them (are the groups "
                "as they were?)"
            )


def _recipe(config: Config, runs: Mapping[str, Run], folder: Path) -> Iterator[str]:
    wanted: dict[str, Any] = {name: getattr(config.training, name) for name in Recipe.model_fields} | {
        "seed": config.seed
    }
    names = [earlier for run in runs.values() if run.is_trained and (earlier := earlier_name(run, config))]
    files = (sorted((folder / "runs" / name / "checkpoints").glob("*/training.json")) for name in names)
    differing: dict[str, Any] = {}
    for file in chain.from_iterable(files):
        try:
            recipe = Recipe.later_defaults() | read_json(file)
        except VisatbError as error:
            yield f"adding.to: {error}"
            return
        differing |= {key: recipe[key] for key in wanted if key in recipe and recipe[key] != wanted[key]}
    for key, value in differing.items():
        full_key = key if key == "seed" else f"training.{key}"
        yield f"{full_key}: is {wanted[key]}, but {folder} was trained with {value}; scores would not compare"
