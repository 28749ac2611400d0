"""This project's training side by side with LLaMA-Factory's: same checkpoint, samples, recipe, precision, one thread.

python benchmarks/peer_training.py --peer /tmp/peer/bin/python --mixture results/demo/mixtures/plus-caption.arrow \
    --base data/models/tiny-llava --output benchmarks/results/peer_training.json

LLaMA-Factory 0.9.5 needs an environment of its own, with a transformers before ours:

    python3.11 -m venv /tmp/peer
    /tmp/peer/bin/pip install torch==2.13.0    # on a machine without a GPU the CPU build, as in envs/install.sh
    /tmp/peer/bin/pip install --no-deps llamafactory==0.9.5 torchaudio==2.11.0
    /tmp/peer/bin/pip install transformers==5.6.0 datasets==4.0.0 accelerate==1.11.0 peft==0.18.1 trl==0.24.0 \
        torchdata==0.11.0 "tyro<0.9" "av<=16" omegaconf sse-starlette uvicorn fastapi fire einops scipy pandas \
        matplotlib sentencepiece tiktoken pyyaml protobuf modelscope hf-transfer pillow

torchvision is left out, as here: both process pictures by Pillow. PyPI's torchaudio is built for CUDA; beside a CPU
torch its folder lib/ must be deleted for it to be imported, and nothing of it is used.

Four ways take turns, each a process of its own that trains one epoch with equal weights:

- visatb: workflow_scripts/training.py train, with --train-options.
- padded: LLaMA-Factory, padded to the longest of a batch, its default.
- packed: LLaMA-Factory's neat_packing. A pack holds as many tokens as a global batch of samples has on average.
- checkpointing: padded, with gradient checkpointing, which LLaMA-Factory does unless told otherwise; the others do not.

All read the same samples in the same order, shuffled before, as packs are made of neighbours. LLaMA-Factory's prompt is
that of the checkpoint's chat template: no system prompt, a space before the answer. That visatb and padded train the
same shows in their losses, which are printed. Speed is that between the first line of a training's log, of its first
step, and the last one, so without start-up (LLaMA-Factory tokenises all texts in it) and saving. Seconds of the
processor, of the process and those that it started, are taken at the same two moments; other work on the machine
changes them less. What the parts of a step take is told by step_parts.py, through which all are run. Tokens are those
of samples, pictures included; padding does not count.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from side_by_side import ROOT, medians, ratio, taking_turns, write_figures

from visatb.data.mixtures import read_mixture
from visatb.models.families import load_processor
from visatb.planning.token_counts import TokenCounter

BATCH, MAX_LENGTH, LEARNING_RATE, WARMUP, BETA2 = 8, 256, 1e-3, 0.05, 0.98
RECIPE = {
    "global_batch_size": BATCH,
    "learning_rate": LEARNING_RATE,
    "warmup": WARMUP,
    "beta2": BETA2,
    "max_length": MAX_LENGTH,
}
MACHINE = {"micro_batch_size": BATCH, "packing": False, "save_steps": 10**6, "gpus": 0, "workers": 0}
THEIRS = {
    "stage": "sft",
    "do_train": True,
    "finetuning_type": "full",
    "freeze_vision_tower": True,
    "freeze_multi_modal_projector": False,
    "dataset": "mixture",
    "template": "llava",
    "default_system": "",
    "cutoff_len": MAX_LENGTH,
    "per_device_train_batch_size": BATCH,
    "num_train_epochs": 1,
    "learning_rate": LEARNING_RATE,
    "warmup_ratio": WARMUP,
    "lr_scheduler_type": "cosine",
    "weight_decay": 0,
    "adam_beta1": 0.9,
    "adam_beta2": BETA2,
    "max_grad_norm": 1,
    "seed": 0,
    "use_cpu": True,
    "disable_gradient_checkpointing": True,
    "logging_steps": 10,
    "logging_first_step": True,
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
}
FLASH_ATTENTION = {"eager": "disabled", "sdpa": "sdpa"}
PACKAGES = ("llamafactory", "transformers", "torch", "accelerate", "peft", "trl", "datasets")
STEP_PARTS = str(Path(__file__).parent / "step_parts.py")
POLL = 0.02
"""Seconds between looks at a training's log."""


@dataclass(frozen=True)
class Amount:
    """What is trained on in an epoch."""

    samples: int
    tokens: int
    supervised: int


@dataclass(frozen=True)
class Training:
    """What one training took, and the losses that it logged."""

    wall: float
    """Seconds of the whole process."""
    seconds: float
    """Seconds an epoch takes at the speed between the first and the last line of the log."""
    processor_seconds: float
    """The same in seconds of the processor."""
    steps: int
    losses: list[float]
    parts: dict[str, float]
    """Milliseconds of the processor a step, by `step_parts`."""


def shuffled(mixture: str, samples: int | None) -> pa.Table:
    """Return a mixture's rows, or so many of them, in random order, with absolute paths of pictures."""
    table = read_mixture(mixture)
    table = table.take(np.random.default_rng(0).permutation(len(table))[:samples])
    images = [None if image is None else str(Path(image).absolute()) for image in table["image"].to_pylist()]
    return table.set_column(table.schema.get_field_index("image"), "image", pa.array(images, pa.string()))


def amount(table: pa.Table, base: str) -> Amount:
    """Count an epoch's samples and tokens, with the processor of the training."""
    counted = TokenCounter(load_processor(base), MAX_LENGTH).count(table.to_pylist())
    return Amount(len(table), int(counted["tokens"].sum()), int(counted["supervised"].sum()))


def write_data(table: pa.Table, folder: Path) -> None:
    """Write the samples for both: a mixture, and LLaMA-Factory's data set."""
    pq.write_table(table, folder / "mixture.parquet")
    with (folder / "mixture.jsonl").open("w") as stream:
        for row in table.select(["image", "conversations"]).to_pylist():
            for turn in row["conversations"]:
                turn["value"] = " " * (turn["from"] == "gpt") + turn["value"].strip()
            images = [row["image"]] if row["image"] else []
            stream.write(json.dumps({"conversations": row["conversations"], "images": images}) + "\n")
    columns = {"messages": "conversations", "images": "images"}
    entry = {"file_name": "mixture.jsonl", "formatting": "sharegpt", "columns": columns}
    (folder / "dataset_info.json").write_text(json.dumps({"mixture": entry}))


def log_of(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a log that say a loss."""
    text = path.read_text() if path.exists() else ""
    entries = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    return [entry for entry in entries if entry.get("loss") is not None]


def processor_seconds(process: psutil.Process) -> float:
    """Return what a process and those that it started have used so far, in seconds."""
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def watched(python: str, command: list[str], log: Path, step: str, steps: str) -> Training:
    """Run a training and take the time at the first and the last line of its log."""
    environment = {
        key: value for key, value in os.environ.items() if key != "PYTHONPATH" or command[0] == sys.executable
    }
    environment |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(log.parent / "cache")}
    moments: list[tuple[float, float]] = []
    entries: list[dict[str, Any]] = []
    said, parts = log.parent / "said.txt", log.parent / "parts.json"
    started, size = time.perf_counter(), 0
    with said.open("wb") as stream:
        child = psutil.Popen([python, STEP_PARTS, str(parts), *command], stdout=stream, stderr=stream, env=environment)
        while child.poll() is None:
            time.sleep(POLL)
            if log.exists() and (grown := log.stat().st_size) != size:
                size, entries = grown, log_of(log)
                moments = [*moments[:1], (time.perf_counter(), processor_seconds(child))] if entries else []
        wall = time.perf_counter() - started
    if child.returncode or len(moments) != 2:
        sys.exit(f"error: a training failed or was not logged; it ended with\n{said.read_text()[-3000:]}")
    total = entries[-1][steps]
    share = (entries[-1][step] - entries[0][step]) / total
    seconds, busy = ((end - begin) / share for begin, end in zip(*moments, strict=True))
    losses = [float(entry["loss"]) for entry in entries]
    return Training(wall, seconds, busy, total, losses, json.loads(parts.read_text()))


def train_ours(args: argparse.Namespace, data: Path) -> Training:
    """Train with this project."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recipe = RECIPE | {"precision": args.precision}
        job = {"run": "peer", "base": args.base, "freeze": ["vision_tower"], "seed": 0, "recipe": recipe}
        machine = MACHINE | {"attention": args.attention} | json.loads(args.train_options)
        command = [str(ROOT / "workflow_scripts" / "training.py"), "train", "--job", json.dumps(job)]
        command += ["--machine", json.dumps(machine), "--mixture", str(data / "mixture.parquet")]
        command += ["--folder", str(folder), "--output", str(folder / "model")]
        return watched(sys.executable, command, folder / "training.jsonl", "step", "steps")


def train_theirs(args: argparse.Namespace, data: Path, options: dict[str, Any]) -> Training:
    """Train with LLaMA-Factory."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        places = {"model_name_or_path": str(Path(args.base).absolute()), "dataset_dir": str(data)}
        machine = {"bf16": args.precision == "bfloat16", "flash_attn": FLASH_ATTENTION[args.attention]}
        values = THEIRS | places | machine | {"output_dir": str(folder)} | options
        (folder / "train.yaml").write_text(yaml.safe_dump(values))
        command = ["llamafactory.cli", "train", str(folder / "train.yaml")]
        return watched(args.peer, command, folder / "trainer_log.jsonl", "current_steps", "total_steps")


def versions(python: str) -> dict[str, str]:
    """Return the versions of the packages of an environment, those that are there."""
    code = (
        "import importlib.metadata as m, json; found = {d.metadata['Name']: d.version for d in m.distributions()};"
        f"print(json.dumps({{name: found[name] for name in {PACKAGES} if name in found}}))"
    )
    return dict(json.loads(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout))


def figures(trainings: dict[str, list[Training]], epoch: Amount) -> dict[str, Any]:
    """Return medians of every way, and this project's speed by that of the others."""
    found: dict[str, Any] = {}
    for name in ("wall", "seconds", "processor_seconds"):
        values = {way: [getattr(one, name) for one in rounds] for way, rounds in trainings.items()}
        found[name] = {
            "rounds": {way: [round(one, 2) for one in rounds] for way, rounds in values.items()},
            "median": medians(values, 2),
            "others_by_visatb": {way: ratio(values, way, "visatb") for way in values if way != "visatb"},
        }
    for name, number in (("samples", epoch.samples), ("tokens", epoch.tokens), ("supervised", epoch.supervised)):
        median = found["seconds"]["median"]
        found[f"{name}_per_second"] = {way: round(number / value, 1) for way, value in median.items()}
        busy = found["processor_seconds"]["median"]
        found[f"{name}_per_processor_second"] = {way: round(number / value, 1) for way, value in busy.items()}
    found["processor_ms_of_a_step"] = {
        way: medians({part: [one.parts[part] for one in rounds] for part in rounds[0].parts}, 2)
        for way, rounds in trainings.items()
    }
    last = {way: rounds[-1] for way, rounds in trainings.items()}
    found["steps"] = {way: one.steps for way, one in last.items()}
    found["loss_of_first_step"] = {way: round(one.losses[0], 4) for way, one in last.items()}
    found["mean_loss_of_last_logs"] = {way: round(float(np.mean(one.losses[-5:])), 4) for way, one in last.items()}
    return found


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="the Python of LLaMA-Factory's environment")
    parser.add_argument("--mixture", required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--samples", type=int, help="so many of the mixture alone")
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--attention", choices=tuple(FLASH_ATTENTION), default="eager", help="on CPUs eager is faster")
    parser.add_argument(
        "--train-options", default="{}", metavar="JSON", help="machine settings of this project's training"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", help="JSON file for the figures")
    return parser.parse_args()


def main() -> None:
    """Let all ways take turns; print medians and ratios."""
    args = arguments()
    packages = {"visatb": versions(sys.executable), "peer": versions(args.peer)}
    if "llamafactory" not in packages["peer"]:
        sys.exit(f"error: the environment of {args.peer} has no LLaMA-Factory; how one is made is said by --help")
    table = shuffled(args.mixture, args.samples)
    epoch = amount(table, args.base)
    packing = {"packing": True, "neat_packing": True, "per_device_train_batch_size": 1}
    packing["cutoff_len"] = round(epoch.tokens * BATCH / epoch.samples / 8) * 8  # of others its position ids fall short
    trainings: dict[str, list[Training]] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        write_data(table, data)
        ways = {
            "visatb": partial(train_ours, args, data),
            "padded": partial(train_theirs, args, data, {}),
            "packed": partial(train_theirs, args, data, packing),
            "checkpointing": partial(train_theirs, args, data, {"disable_gradient_checkpointing": False}),
        }

        def seconds(way: str) -> float:
            trainings.setdefault(way, []).append(ways[way]())
            return trainings[way][-1].seconds

        taking_turns({way: partial(seconds, way) for way in ways}, args.rounds)
    result = {
        "precision": args.precision,
        "attention": args.attention,
        "train_options": args.train_options,
        "epoch": vars(epoch),
        "tokens_of_a_pack": packing["cutoff_len"],
        "versions": packages,
        **figures(trainings, epoch),
    }
    print(json.dumps(result, indent=2))
    if args.output:
        write_figures(args.output, result)


if __name__ == "__main__":
    main()
