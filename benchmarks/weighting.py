"""What does weighting cost: a step with the loss of Eq. 2 against the same step without?

python benchmarks/weighting.py --rounds 7 --output benchmarks/results/weighting.json

Without: transformers' own Trainer, whose loss is the mean over the step's supervised tokens (Eq. 1), with the head at
these tokens alone. With: the workflow's trainer with equal weights, which gives the same losses; that it does is
checked. Both train a copy of the same model on the same batches, made before, so that nothing else is in a step. Once
with the demo's model, once with one of 44 million parameters. Processor time of this process (one thread) stands
beside wall time, which other processes on the machine disturb.
"""

import argparse
import copy
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from side_by_side import medians, ratio, taking_turns, write_figures
from torch import nn
from torch.utils.data import Dataset
from transformers import LlavaForConditionalGeneration, PreTrainedModel, PrinterCallback, Trainer, TrainerCallback
from transformers.trainer_utils import SaveStrategy

from visatb.config.training import Recipe
from visatb.data.demo.exchanges import DEMO_TASKS, demo_sample
from visatb.models.families import freeze
from visatb.models.tiny import build_tiny
from visatb.training.arguments import training_arguments
from visatb.training.batches.collator import IGNORED, Collator, Sample
from visatb.training.jobs import MachineJob
from visatb.training.loss.head import head_sees_only
from visatb.training.loss.methods import Given
from visatb.training.loss.weighting import weights_of
from visatb.training.trainer import VitwTrainer

TASKS = sorted(DEMO_TASKS)
BATCH = 8
WARM = 5
LARGER = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 8, "vocab_size": 16000}
Batch = dict[str, torch.Tensor]


class PlainTrainer(Trainer):
    """The mean over the step's supervised tokens, as transformers counts them."""

    model_accepts_loss_kwargs = True

    def compute_loss(
        self, model: nn.Module, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Return the sum of token losses over the number of the step's tokens."""
        labels = inputs.pop("labels")[:, 1:]
        inputs.pop("task_ids")
        supervised = labels != IGNORED
        with head_sees_only(self.model, F.pad(supervised, (0, 1))):
            logits = model(**inputs, use_cache=False).logits
        return F.cross_entropy(logits.float(), labels[supervised], reduction="sum") / num_items_in_batch


class Clock(TrainerCallback):
    """Takes the time of the steps that come after the first `WARM` ones."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start after the warm steps."""
        if state.global_step == WARM:
            self.started = time.process_time(), time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the last end, with its logging still to come in both ways alike."""
        self.ended = time.process_time(), time.perf_counter()


class Batches(Dataset[Batch]):
    """Batches that were made before; a "sample" is one of them."""

    def __init__(self, collator: Collator, steps: int) -> None:
        self._made = [collator(_samples(step)) for step in range(steps)]

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, index: int) -> Batch:
        return dict(self._made[index])


def _samples(step: int) -> list[Sample]:
    drawn = [(TASKS[number % len(TASKS)], number) for number in range(step * BATCH, step * BATCH + BATCH)]
    samples: list[Sample] = []
    for task, number in drawn:
        image, record = demo_sample(0, task, "train", number)
        samples.append({"conversations": record["conversations"], "image": image, "task": task})
    return samples


def _the_one(batches: Sequence[Batch]) -> Batch:
    return batches[0]


def larger(model: PreTrainedModel) -> PreTrainedModel:
    """Return a model of the demo's kind with a larger language model, of random weights."""
    config = copy.deepcopy(model.config)
    config.text_config.update(LARGER)
    torch.manual_seed(0)
    return LlavaForConditionalGeneration(config)


def step_time(model: PreTrainedModel, batches: Batches, way: str, losses: dict[str, float], folder: str) -> list[float]:
    """Return processor and wall time of a step [ms], the mean over all but the first ones."""
    recipe = Recipe(global_batch_size=1, learning_rate=1e-3, warmup=0.05, beta2=0.98, max_length=4096)
    machine = MachineJob(micro_batch_size=1, gpus=0, workers=0, attention="eager")
    clock, args = Clock(), training_arguments(recipe, 1, machine, folder)
    args.save_strategy = SaveStrategy.NO
    given: dict[str, Any] = {
        "model": copy.deepcopy(model),
        "args": args,
        "train_dataset": batches,
        "data_collator": _the_one,
        "callbacks": [clock],
    }
    if way == "with":
        weighting = Given().weighting(TASKS, weights_of(TASKS, dict.fromkeys(TASKS, 1.0), way), seed=1)
        trainer: Trainer = VitwTrainer(tasks=TASKS, weighting=weighting, **given)
    else:
        trainer = PlainTrainer(**given)
    trainer.remove_callback(PrinterCallback)
    losses[way] = trainer.train().training_loss
    steps = len(batches) - WARM
    return [1000 * (end - start) / steps for start, end in zip(clock.started, clock.ended, strict=True)]


def compared(model: PreTrainedModel, batches: Batches, rounds: int) -> dict[str, Any]:
    """Return both ways' medians and ratios."""
    losses: dict[str, float] = {}
    wall: dict[str, list[float]] = {"with": [], "without": []}
    model.set_attn_implementation("eager")
    freeze(model, ("vision_tower",))
    with tempfile.TemporaryDirectory() as folder:

        def measured(way: str) -> Callable[[], float]:
            def measure() -> float:
                processor, clock = step_time(model, batches, way, losses, folder)
                wall[way].append(clock)
                return processor

            return measure

        processor = taking_turns({way: measured(way) for way in wall}, rounds)
    torch.testing.assert_close(losses["with"], losses["without"], rtol=1e-4, atol=0.0)
    return {
        "parameters": model.num_parameters(),
        "steps": len(batches) - WARM,
        "processor_ms": medians(processor, 2),
        "processor_ratio": ratio(processor, "with", "without", 4),
        "processor_rounds": {way: [round(value, 2) for value in values] for way, values in processor.items()},
        "wall_ms": medians(wall, 2),
        "wall_ratio": ratio(wall, "with", "without", 4),
    }


def main() -> None:
    """Compare on both models and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=100, help="of the demo's model in a round; a tenth of the larger")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    tiny, processor = build_tiny("llava", 0)
    batches = Batches(Collator(processor, TASKS, 512), args.steps + WARM)
    figures = {"rounds": args.rounds, "samples_in_a_batch": BATCH, "demo": compared(tiny, batches, args.rounds)}
    some = Batches(Collator(processor, TASKS, 512), args.steps // 10 + WARM)
    figures["larger"] = compared(larger(tiny), some, args.rounds)
    write_figures(args.output, figures)


if __name__ == "__main__":
    main()
