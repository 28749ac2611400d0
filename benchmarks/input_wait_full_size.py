"""Waiting for data where pictures and conversations have the size of LLaVA-1.5's, and how fast they are prepared.

python benchmarks/input_wait_full_size.py --output benchmarks/results/input_wait_full_size.json

Samples are JPEG of 640 x 480, made 336 x 336 with 576 tokens, and three exchanges of about a hundred words; the
tokenizer is the tiny model's. ``prepared`` is what one process of one thread prepares in a second of processor time,
beside the collator of plain trainings (`training.py`). ``waiting`` is of a training by the workflow's trainer, with one
thread, in which this process or workers prepare the samples: how long a step waits for them, and its share of the step.
The model is far smaller than a real one, and so is the machine: what a step waits carries over, its share does not.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import torch
from input_wait import WatchedTrainer
from PIL import Image
from side_by_side import medians, ratio, taking_turns, write_figures
from torch.utils.data import Dataset
from training import PlainCollator, Stopwatch
from transformers import LlavaForConditionalGeneration, PreTrainedModel, PrinterCallback, ProcessorMixin
from transformers.utils.logging import disable_progress_bar

from visatb.config.training import Recipe
from visatb.models.families import freeze, padding_image_processor, skip_unused_layers
from visatb.models.tiny import build_tiny
from visatb.training.arguments import training_arguments
from visatb.training.batches.attention import attend_by_sample
from visatb.training.batches.collator import Collator, Sample
from visatb.training.batches.packing import PackingCollator
from visatb.training.jobs import MachineJob
from visatb.training.loss.methods import Given
from visatb.training.loss.weighting import weights_of

WORDS = ("a", "red", "square", "left", "of", "the", "blue", "circle", "and", "two", "green", "rings", "above", "it")
TASK = "all"
SIDE, PATCH, MAX_LENGTH = 336, 14, 2048
SKIPPED = 2


class Samples(Dataset[Sample]):
    """So many samples, their pictures in a folder."""

    def __init__(self, folder: Path, number: int, seed: int) -> None:
        draw = random.Random(seed)
        self._made = [self._sample(folder / f"{one}.jpg", draw) for one in range(number)]

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, index: int) -> Sample:
        return self._made[index]

    @staticmethod
    def _sample(path: Path, draw: random.Random) -> Sample:
        Image.effect_noise((640, 480), 40).convert("RGB").save(path, quality=85)
        texts = [" ".join(draw.choices(WORDS, k=(12, 24)[turn % 2])) for turn in range(6)]
        turns = [{"from": ("human", "gpt")[turn % 2], "value": text} for turn, text in enumerate(texts)]
        return {"conversations": turns, "image": str(path), "task": TASK}


def full_size_model(seed: int) -> tuple[PreTrainedModel, ProcessorMixin]:
    """Return a tiny LLaVA that sees pictures as LLaVA-1.5 does, and its processor."""
    tiny, processor = build_tiny("llava", seed)
    tiny.config.vision_config.update({"image_size": SIDE, "patch_size": PATCH})
    tiny.config.text_config.update({"max_position_embeddings": MAX_LENGTH})
    processor.image_processor = padding_image_processor(processor.image_processor, SIDE)
    processor.patch_size = PATCH
    processor.tokenizer.model_max_length = MAX_LENGTH
    torch.manual_seed(seed)
    return LlavaForConditionalGeneration(tiny.config), processor


def prepared(samples: Samples, processor: ProcessorMixin, batch: int, rounds: int) -> dict[str, list[float]]:
    """Return the samples that one process prepares in a second of processor time, ours and plainly."""

    def speed(make: Callable[[Sequence[Sample]], Any]) -> float:
        started = process_time()
        for start in range(0, len(samples), batch):
            make([samples[number] for number in range(start, min(start + batch, len(samples)))])
        return len(samples) / (process_time() - started)

    ways = {"ours": PackingCollator(Collator(processor, [TASK], MAX_LENGTH)), "plain": PlainCollator(processor)}
    return taking_turns({name: partial(speed, make) for name, make in ways.items()}, rounds)


def waited(samples: Samples, batch: int, seed: int, workers: int) -> dict[str, float]:
    """Train once; return seconds that a step waits for its samples, and that it takes, the first ones left out."""
    model, processor = full_size_model(seed)
    model.set_attn_implementation("sdpa")
    attend_by_sample(model, "sdpa")
    freeze(model, ("vision_tower",))
    skip_unused_layers(model)
    recipe = Recipe(global_batch_size=batch, learning_rate=1e-3, warmup=0.05, beta2=0.98, max_length=MAX_LENGTH)
    machine = MachineJob(micro_batch_size=batch, save_steps=10**6, workers=workers, gpus=0, attention="sdpa")
    watch = Stopwatch(SKIPPED)
    with TemporaryDirectory() as folder:
        settings = training_arguments(recipe, seed, machine, folder)
        trainer = WatchedTrainer(
            model=model,
            args=settings,
            train_dataset=samples,
            data_collator=PackingCollator(Collator(processor, [TASK], MAX_LENGTH)),
            callbacks=[watch],
            tasks=[TASK],
            weighting=Given().weighting([TASK], weights_of([TASK], {TASK: 1.0}, "weights"), seed),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    steps = len(samples) // batch - SKIPPED
    return {"waiting": sum(trainer.waits[SKIPPED : SKIPPED + steps]) / steps, "step": watch.wall / steps}


def compared(samples: Samples, batch: int, seed: int, workers: Sequence[int], rounds: int) -> dict[str, Any]:
    """Let numbers of workers take turns; return medians of waiting, of steps and of the share of one in the other."""
    steps: dict[str, list[float]] = {str(number): [] for number in workers}

    def once(number: int) -> float:
        found = waited(samples, batch, seed, number)
        steps[str(number)].append(found["step"])
        return found["waiting"]

    waits = taking_turns({str(number): partial(once, number) for number in workers}, rounds)
    shares = {name: [wait / step for wait, step in zip(waits[name], steps[name], strict=True)] for name in waits}
    return {
        "seconds_waiting": medians(waits),
        "seconds_a_step": medians(steps, 3),
        "share": medians(shares),
        "all": {"waiting": waits, "step": steps},
    }


def main() -> None:
    """Measure in turns, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="optimiser steps that are measured")
    parser.add_argument("--batch", type=int, default=16, help="samples of a step")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    disable_progress_bar()
    batch, rounds, seed = arguments.batch, arguments.rounds, arguments.seed
    with TemporaryDirectory() as folder:
        samples = Samples(Path(folder), (arguments.steps + SKIPPED) * batch, seed)
        fast = prepared(samples, full_size_model(seed)[1], batch, rounds)
        figures: dict[str, Any] = {"batch": batch, "steps": arguments.steps, "rounds": rounds}
        speeds = {"samples_per_cpu_second": medians(fast, 1), "ratio": ratio(fast, "ours", "plain"), "all": fast}
        figures |= {"prepared": speeds, "waiting": compared(samples, batch, seed, arguments.workers, rounds)}
    print(f"samples that one core prepares a second: {speeds['samples_per_cpu_second']}")
    for name, share in figures["waiting"]["share"].items():
        wait, step = figures["waiting"]["seconds_waiting"][name], figures["waiting"]["seconds_a_step"][name]
        print(f"{name} workers: a step waits {1000 * wait:.1f} of {1000 * step:.0f} ms, {share:.2%}")
    write_figures(arguments.output, figures)


if __name__ == "__main__":
    main()
