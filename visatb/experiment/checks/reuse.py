"""Mistakes in what a config says is there already: models, scores, finished experiments, groups in a file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from visatb.config.loading import no_such_file, read_yaml
from visatb.config.model import ModelConfig
from visatb.config.schema import Config
from visatb.errors import VisatbError, did_you_mean
from visatb.experiment.checks.incremental import check_incremental
from visatb.experiment.reuse import check_tables
from visatb.experiment.runs import Run, experiment_runs
from visatb.runtime.files import read_json

INDEX = "model.safetensors.index.json"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
IMAGE_PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def with_groups_from_file(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config whose ``groups``, where it names a file, is what that file has under the same key.

    Raises:
        VisatbError: the file is missing or has no such key.
    """
    path = values.get("groups")
    if not isinstance(path, str):
        return dict(values)
    try:
        groups = read_yaml(path).get("groups")
    except VisatbError as error:
        raise VisatbError(f"groups: {error}") from error
    if not isinstance(groups, Mapping):
        raise VisatbError(f"groups: {path} has no key `groups` with name -> tasks; let propose_groups write it")
    return {**values, "groups": groups}


def check_reuse(config: Config) -> Iterator[str]:
    """Yield one line for each mistake."""
    try:
        runs = experiment_runs(config)
    except VisatbError:
        return  # the mistakes in balancing that other checks tell of
    for name, folder in config.imports.runs.items():
        yield from (f"imports.runs.{name}: {words}" for words in _imported_run(name, folder, runs))
    yield from (f"imports.scores: {words}" for words in check_tables(config, runs))
    yield from check_incremental(config, runs)


def check_proxy(config: Config, model: ModelConfig, proxy: ModelConfig) -> list[str]:
    """Return one line for each mistake in measuring with another model."""
    lines = []
    if proxy.source == model.source:
        lines.append(f"measure_with: has the checkpoint of the model itself ({model.source}); take measure_with away")
    elif proxy.name == model.name:
        lines.append(f"measure_with: is called '{proxy.name}' as the model is; give it another name in its file")
    try:
        runs = experiment_runs(config)
    except VisatbError:
        return lines
    both = [run.name for run in runs.values() if run.is_trained and {"val", "test"} <= set(run.evaluates)]
    if both:
        lines.append(
            f"measure_with: {', '.join(both)} would measure and be compared, as two models at once; with the simple "
            "form take stl out of methods"
        )
    return lines


def _imported_run(name: str, folder: str, runs: Mapping[str, Run]) -> Iterator[str]:
    if name not in runs:
        known = ", ".join(run.name for run in runs.values() if run.is_trained)
        yield f"there is no such run here{did_you_mean(name, runs) or f'; the runs are {known}'}"
    elif not runs[name].is_trained:
        yield "is the model that trainings start from; name it in the model file instead"
    elif runs[name].follows_measurement:
        yield "follows from the weights that this experiment measures; take it away"
    yield from check_folder(folder)


def check_folder(folder: str) -> Iterator[str]:
    """Yield what a model folder lacks, as far as its file names say."""
    path = Path(folder)
    if not path.is_dir():
        yield no_such_file(path).replace("no such file", "no such folder", 1)
        return
    names = {entry.name for entry in path.iterdir()}
    if "config.json" not in names:
        yield f"{folder} has no config.json; expected a model in the layout of transformers"
    weights = {name for name in names if name.endswith(".safetensors")}
    if not weights:
        hint = " (it has weights in another format, which could run code)" if _has_pickles(names) else ""
        yield f"{folder} has no *.safetensors{hint}; save the model with safe_serialization"
    yield from _missing_shards(path, names)
    if names.isdisjoint(TOKENIZERS):
        yield f"{folder} has no tokenizer ({', '.join(TOKENIZERS)}); save the processor beside the model"
    if names.isdisjoint(IMAGE_PROCESSORS):
        yield f"{folder} has no image processor ({' or '.join(IMAGE_PROCESSORS)}); save the processor beside the model"


def _has_pickles(names: set[str]) -> bool:
    return any(name.endswith((".bin", ".pt", ".pth", ".ckpt")) for name in names)


def _missing_shards(path: Path, names: set[str]) -> Iterator[str]:
    if INDEX not in names:
        return
    try:
        wanted = set(read_json(path / INDEX)["weight_map"].values())
    except (VisatbError, LookupError, TypeError, AttributeError):
        yield f"{path / INDEX} cannot be read; get the model again"
        return
    if missing := sorted(wanted - names):
        yield f"{path} lacks {', '.join(missing)}, which its index names; get the whole model"
