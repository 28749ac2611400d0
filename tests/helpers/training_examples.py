"""Small trainings for the tests: tiny models on disk, a handful of samples, a mixture, and trainings as processes."""

import copy
import functools
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import PreTrainedModel, ProcessorMixin

from tests.helpers import warm
from tests.helpers.paths import REPOSITORY, SCRIPTS
from visatb.config.training import Recipe
from visatb.data.demo.exchanges import demo_sample
from visatb.data.mixtures import MIXTURE_SCHEMA
from visatb.models.families import rope_index
from visatb.models.tiny import build_tiny
from visatb.runtime.cli import as_json
from visatb.runtime.files import write_parquet
from visatb.training.batches.collator import Collator, Sample
from visatb.training.batches.packing import PackingCollator
from visatb.training.fit import fit
from visatb.training.jobs import MachineJob, TrainingJob

torch.set_num_threads(1)
ROOT = REPOSITORY
TASKS = ("caption", "vqa", "ocr", "text")
LAMBDAS = {"caption": 0.4, "vqa": 2.3, "ocr": 1.1, "text": 0.7}
SEED = 3
RECIPE: dict[str, Any] = {
    "epochs": 1,
    "global_batch_size": 4,
    "learning_rate": 1e-3,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "beta2": 0.98,
    "max_length": 160,
    "precision": "float32",
}


_built = functools.cache(build_tiny)


def processor_of(family: str) -> ProcessorMixin:
    return _built(family, 1)[1]


def model_of(family: str) -> PreTrainedModel:
    """Return a copy of a tiny model, with eager attention."""
    model = copy.deepcopy(_built(family, 1)[0])
    model.set_attn_implementation("eager")
    return model


def packing(family: str, **options: Any) -> PackingCollator:
    """Return the collator that a training of a tiny model has; ``options`` are those of `Collator`."""
    return PackingCollator(Collator(processor_of(family), TASKS, 512, **options), rope_index(_built(family, 1)[0]))


def save_tiny(family: str, folder: Path) -> Path:
    model_of(family).save_pretrained(folder)
    processor_of(family).save_pretrained(folder)
    return folder


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[number % 2], "value": text} for number, text in enumerate(texts)]


def sample(task: str, number: int) -> Sample:
    """Return a sample of the demo; those of the task ``text`` have no image."""
    if task == "text":
        conversations = turns(f"Count to {number}", "one two " * (1 + number % 3))
        return {"conversations": conversations, "image": None, "task": task}
    image, record = demo_sample(0, task, "train", number)
    return {"conversations": record["conversations"], "image": image, "task": task}


def mixture(folder: Path, samples: Sequence[Sample]) -> Path:
    """Write the samples with their images and return the mixture's file."""
    rows = []
    for number, one in enumerate(samples):
        path = folder / f"{number}.png"
        if isinstance(one["image"], Image.Image):
            one["image"].save(path)
        rows.append(one | {"id": str(number), "image": str(path) if one["image"] else None, "subset": "train"})
    write_parquet(folder / "mixture.parquet", pa.Table.from_pylist(rows, schema=MIXTURE_SCHEMA))
    return folder / "mixture.parquet"


def recipe(**changes: Any) -> Recipe:
    """Return the examples' recipe, changed."""
    return Recipe(**RECIPE | changes)


def training_job(base: Path | str, **changes: Any) -> TrainingJob:
    """Return the examples' job; ``changes`` are its own or its recipe's."""
    settings: dict[str, Any] = {"run": "mini", "base": str(base), "freeze": (), "seed": SEED, "weights": LAMBDAS}
    own = {name: value for name, value in changes.items() if name in TrainingJob.model_fields}
    of_recipe = {name: value for name, value in changes.items() if name not in own}
    return TrainingJob(**settings | own, recipe=recipe(**of_recipe))


def machine(**changes: Any) -> MachineJob:
    """Return the examples' machine, changed."""
    changes |= {"deepspeed": str(changes["deepspeed"])} if "deepspeed" in changes else {}
    return MachineJob(**{"micro_batch_size": 4, "attention": "eager", "gpus": 0, "workers": 0} | changes)


def training_command(
    folder: Path,
    base: Path,
    mixture: Path,
    processes: int = 1,
    script: Path = SCRIPTS / "training.py",
    templates: Path | None = None,
    **options: Any,
) -> list[str]:
    """Return the command that trains in ``folder`` (model in ``folder/model``).

    ``script`` may be another one in the program's place; ``options`` change the job, its recipe or the machine.
    """
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "--"]
    of_machine = {name: value for name, value in options.items() if name in MachineJob.model_fields}
    job = training_job(base, **{name: value for name, value in options.items() if name not in of_machine})
    line = [*launcher, str(script), "train", "--job", as_json(job), "--machine", as_json(machine(**of_machine))]
    places = {"mixture": mixture, "folder": folder, "output": folder / "model"}
    places |= {"templates": templates} if templates else {}
    return [*line, *(text for name, path in places.items() for text in (f"--{name}", str(path)))]


def _environment() -> dict[str, str]:
    # By the last one torchrun starts its processes.
    own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "PYTHON_EXEC": warm.python()}
    return os.environ | own


def start_training(folder: Path, base: Path, mixture: Path, **options: Any) -> subprocess.Popen[str]:
    """Start `training_command`, each process as a fork of a warm one, which `warm.kill` kills."""
    return subprocess.Popen(
        warm.started_warm(training_command(folder, base, mixture, **options)),
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def train(folder: Path, base: Path, mixture: Path, **options: Any) -> str:
    """Train to the end and return what was said."""
    line = warm.started_warm(training_command(folder, base, mixture, **options))
    done = subprocess.run(line, env=_environment(), capture_output=True, text=True, timeout=300, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def train_here(folder: Path, base: Path | str, mixture: Path, **changes: Any) -> None:
    """Train in this process, by `fit`; ``changes`` are the job's or its recipe's."""
    fit(training_job(base, **changes), machine(save_steps=3), mixture, folder, folder / "model")


def weights_in(model: Path) -> dict[str, torch.Tensor]:
    return load_file(model / "model.safetensors")
