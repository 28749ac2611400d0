"""Small trainings for the tests: tiny models on disk, a handful of samples, a mixture, and train.py as a process."""

import copy
import functools
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import PreTrainedModel, ProcessorMixin

from tests.helpers.paths import REPOSITORY
from visatb.config.training import Machine, Recipe
from visatb.data.demo.exchanges import demo_sample
from visatb.data.mixtures import MIXTURE_SCHEMA
from visatb.models.families import rope_index
from visatb.models.tiny import build_tiny
from visatb.runtime.files import write_parquet
from visatb.training.batches.collator import Collator, Sample
from visatb.training.batches.packing import PackingCollator
from visatb.training.fit import fit
from visatb.training.loss.methods import Method

torch.set_num_threads(1)
ROOT = REPOSITORY
TASKS = ("caption", "vqa", "ocr", "text")
LAMBDAS = {"caption": 0.4, "vqa": 2.3, "ocr": 1.1, "text": 0.7}
RECIPE: dict[str, Any] = {
    "seed": 3,
    "epochs": 1,
    "global-batch-size": 4,
    "learning-rate": 1e-3,
    "warmup": 0.1,
    "schedule": "cosine",
    "weight-decay": 0.01,
    "beta1": 0.9,
    "beta2": 0.98,
    "max-gradient-norm": 1.0,
    "max-length": 160,
    "precision": "float32",
    "normalization": "step",
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


def training_command(
    folder: Path,
    base: Path,
    mixture: Path,
    processes: int = 1,
    weights: Mapping[str, float] = LAMBDAS,
    script: Path = ROOT / "workflow_scripts/train.py",
    **options: Any,
) -> list[str]:
    """Return the command that runs train.py, or another script in its place, in ``folder`` (model in ``folder/model``).

    ``options`` change the recipe or are the machine's.
    """
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "--"]
    settings = RECIPE | {"micro-batch-size": 4, "attention": "eager", "packing": True}
    settings |= {name.replace("_", "-"): value for name, value in options.items()}
    flags = [f"--{name}" for name, value in settings.items() if value is True]
    values = {name: value if isinstance(value, list) else [value] for name, value in settings.items()}
    arguments = [
        t for name, value in values.items() if settings[name] is not True for t in (f"--{name}", *map(str, value))
    ]
    places = {"run": "mini", "base": base, "mixture": mixture, "folder": folder, "output": folder / "model"}
    arguments += [text for name, value in places.items() for text in (f"--{name}", str(value))]
    given = ["--weight", *(f"{task}={value}" for task, value in weights.items())]
    return [*launcher, str(script), *flags, *arguments, *given]


def start_training(folder: Path, base: Path, mixture: Path, **options: Any) -> subprocess.Popen[str]:
    """Start `training_command`."""
    return subprocess.Popen(
        training_command(folder, base, mixture, **options),
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def train(folder: Path, base: Path, mixture: Path, **options: Any) -> str:
    """Train to the end and return what was said."""
    process = start_training(folder, base, mixture, **options)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said


def recipe(**changes: Any) -> Recipe:
    """Return the examples' recipe, changed."""
    settings = {name.replace("-", "_"): value for name, value in RECIPE.items()} | {"freeze": ()}
    return Recipe(**settings | changes)


def train_here(folder: Path, base: Path | str, mixture: Path, method: Method | None = None, **changes: Any) -> None:
    """Train in this process, by `fit`; ``changes`` are the recipe's."""
    machine = Machine(micro_batch_size=4, attention="eager", save_steps=3)
    fit("mini", mixture, str(base), LAMBDAS, recipe(**changes), machine, folder, folder / "model", method)


def weights_in(model: Path) -> dict[str, torch.Tensor]:
    return load_file(model / "model.safetensors")
