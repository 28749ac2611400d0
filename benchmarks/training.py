"""Tokens a second in training: this trainer against transformers' plain Trainer and against the authors' scheme.

python benchmarks/training.py --mixture results/demo/mixtures/mini.arrow --base data/models/tiny-llava \\
    --output benchmarks/results/training.json

All ways train the same model on the same samples in the same order, with the same micro-batches, precision, frozen
parts, optimiser and number of threads:

plain               transformers' Trainer: padded to the longest, no grouping, by the call that transformers documents;
                    the model's own loss over all logits, its default attention
plain eager         the same with the attention that the demo's model file names
authors             the weighted loss normalised by the micro-batch, padded, over all logits, eager attention
ours padded         the weighted loss over the step, padded, logits of supervised positions alone
ours                the same on packed samples: what the workflow runs, unless the config says packing: false
ours unweighted     the same without any weighting: a mean over the supervised tokens, by transformers' Trainer

The first steps of each training are left out. Tokens are samples' own: padding does not count. They are told
by wall-clock time and, which other programs on the machine disturb less, by CPU time.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
import torch.nn.functional as F
from side_by_side import medians, ratio, taking_turns, write_figures
from torch import nn
from transformers import PreTrainedModel, PrinterCallback, ProcessorMixin, Trainer, TrainerCallback, TrainingArguments
from transformers.utils.logging import disable_progress_bar

from visatb.config.training import Recipe
from visatb.data.chat import chat_messages, open_image
from visatb.data.mixtures import read_mixture
from visatb.models.families import freeze, load_model, load_processor, rope_index, skip_unused_layers
from visatb.training.arguments import training_arguments
from visatb.training.batches.attention import attend_by_sample
from visatb.training.batches.collator import IGNORED, Collator, Sample
from visatb.training.batches.packing import PackingCollator
from visatb.training.fit import MixtureDataset
from visatb.training.jobs import MachineJob
from visatb.training.loss.head import head_sees_only
from visatb.training.loss.methods import Given
from visatb.training.loss.weighting import weights_of
from visatb.training.trainer import VitwTrainer

OWN = ("labels", "task_ids", "sample_ids")
PLAIN = "plain"


class Stopwatch(TrainerCallback):
    """Wall-clock and CPU seconds from the end of a step to the end of the training."""

    def __init__(self, first: int) -> None:
        self._first = first
        self.wall = self.cpu = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start when the last step is over that is left out, and stop at every later one."""
        if state.global_step == self._first:
            self._started = time.perf_counter(), time.process_time()
        elif state.global_step > self._first:
            self.wall, self.cpu = time.perf_counter() - self._started[0], time.process_time() - self._started[1]


class PlainCollator:
    """Padded batches by the call that transformers documents, with labels on what the template marks as answers."""

    def __init__(self, processor: ProcessorMixin) -> None:
        self._processor = processor

    def __call__(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Return the padded batch of ``samples``."""
        pictures = [one["image"] and open_image(one["image"]) for one in samples]
        batch = self._processor.apply_chat_template(
            [chat_messages(one["conversations"], image) for one, image in zip(samples, pictures, strict=True)],
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
            return_tensors="pt",
            processor_kwargs={"padding": True, "padding_side": "right"},
        )
        supervised = torch.as_tensor(batch.pop("assistant_masks")).bool() & batch["attention_mask"].bool()
        return {**batch, "labels": batch["input_ids"].masked_fill(~supervised, IGNORED)}


class UnweightedTrainer(Trainer):
    """A mean over supervised tokens, the head on these alone: the step of this project without its weights."""

    floating_point_ops = VitwTrainer.floating_point_ops

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *_: Any, **__: Any) -> Any:
        """Return the mean loss of the supervised tokens."""
        supervised = inputs["labels"][:, 1:] != IGNORED
        with head_sees_only(model, F.pad(supervised, (0, 1))):
            outputs = model(**{key: value for key, value in inputs.items() if key not in OWN}, use_cache=False)
        return F.cross_entropy(outputs.logits.float(), inputs["labels"][:, 1:][supervised])


class WholeLogitsTrainer(VitwTrainer):
    """The weighted loss from logits of all positions, as the authors' code takes it."""

    def _token_losses(
        self, model: nn.Module, inputs: dict[str, Any], logits_wanted: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, Any]:
        outputs = model(**{key: value for key, value in inputs.items() if key not in OWN}, use_cache=False)
        logits, labels = outputs.logits[:, :-1].float(), inputs["labels"][:, 1:]
        nll = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none", ignore_index=IGNORED)
        supervised = labels != IGNORED
        return nll[supervised.flatten()], self._task_ids(inputs, supervised), outputs


class Trainings:
    """The ways, on the first samples of a mixture in an order of their own."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._given = arguments
        table = read_mixture(arguments.mixture)
        wanted = (arguments.steps + arguments.skipped) * arguments.batch
        rows = torch.randperm(len(table), generator=torch.Generator().manual_seed(arguments.seed))[:wanted].tolist()
        if len(rows) < wanted:
            raise SystemExit(f"{arguments.mixture} has {len(table)} samples; expected {wanted}: take fewer steps")
        self.mixture = MixtureDataset(table.take(rows))
        self._tasks = sorted(table["task"].unique().to_pylist())
        self._processor = load_processor(arguments.base)
        self._padding = Collator(self._processor, self._tasks, arguments.max_length)
        measured = [self.mixture[row] for row in range(arguments.skipped * arguments.batch, wanted)]
        self.samples = len(measured)
        self.tokens = sum(int(self._padding([one])["attention_mask"].sum()) for one in measured)

    def arguments(self, folder: str) -> TrainingArguments:
        """Return the Trainer's arguments, as the workflow makes them of the demo's config."""
        given = self._given
        recipe = Recipe(
            global_batch_size=given.batch,
            learning_rate=1e-3,
            warmup=0.05,
            beta2=0.98,
            max_length=given.max_length,
        )
        machine = MachineJob(
            micro_batch_size=given.batch, save_steps=10**6, gpus=0, workers=0, attention=given.attention
        )
        arguments = training_arguments(recipe, given.seed, machine, folder)
        arguments.train_sampling_strategy = "sequential"
        return arguments

    def train(self, attention: str, make: Callable[[dict[str, Any], PreTrainedModel], Trainer]) -> dict[str, float]:
        """Train once and return tokens a second, by wall-clock and by CPU time."""
        model = load_model(self._given.base, torch.float32, attention)
        freeze(model, self._given.freeze)
        with TemporaryDirectory() as folder:
            given = {"model": model, "args": self.arguments(folder), "train_dataset": self.mixture}
            watch = Stopwatch(self._given.skipped)
            trainer = make(given, model)
            trainer.remove_callback(PrinterCallback)
            trainer.add_callback(watch)
            trainer.train()
        return {"wall": self.tokens / watch.wall, "cpu": self.tokens / watch.cpu}

    def weighted(
        self, kind: type[VitwTrainer], normalization: Literal["step", "micro_batch"], packs: bool
    ) -> Callable[..., Trainer]:
        """Return how a weighted trainer is made; the weights are unequal and have no further meaning."""
        lambdas = {task: 0.5 + number / len(self._tasks) for number, task in enumerate(self._tasks)}

        def make(given: dict[str, Any], model: PreTrainedModel) -> Trainer:
            if kind is not WholeLogitsTrainer:
                skip_unused_layers(model)
            return kind(
                **given,
                data_collator=self._packing(model) if packs else self._padding,
                tasks=self._tasks,
                weighting=Given().weighting(self._tasks, weights_of(self._tasks, lambdas, "weights"), 0),
                normalization=normalization,
            )

        return make

    def _packing(self, model: PreTrainedModel) -> PackingCollator:
        attend_by_sample(model, self._given.attention)
        return PackingCollator(self._padding, rope_index(model))

    def ways(self) -> dict[str, Callable[[], dict[str, float]]]:
        """Return each way under its name."""
        own = self._given.attention

        def plain(given: dict[str, Any], model: PreTrainedModel) -> Trainer:
            return Trainer(**given, data_collator=PlainCollator(self._processor))

        def unweighted(given: dict[str, Any], model: PreTrainedModel) -> Trainer:
            skip_unused_layers(model)
            return UnweightedTrainer(**given, data_collator=self._packing(model))

        return {
            PLAIN: lambda: self.train("sdpa", plain),
            f"plain {own}": lambda: self.train(own, plain),
            "authors": lambda: self.train(own, self.weighted(WholeLogitsTrainer, "micro_batch", packs=False)),
            "ours padded": lambda: self.train(own, self.weighted(VitwTrainer, "step", packs=False)),
            "ours": lambda: self.train(own, self.weighted(VitwTrainer, "step", packs=True)),
            "ours unweighted": lambda: self.train(own, unweighted),
        }


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """Let the ways take turns and return the figures."""
    trainings = Trainings(arguments)
    clocks: dict[str, list[dict[str, float]]] = {}

    def measured(name: str, way: Callable[[], dict[str, float]]) -> Callable[[], float]:
        def once() -> float:
            clocks.setdefault(name, []).append(way())
            return clocks[name][-1]["wall"]

        return once

    ways = {name: measured(name, way) for name, way in trainings.ways().items()}
    wall = taking_turns(ways, arguments.rounds)
    cpu = {name: [one["cpu"] for one in found] for name, found in clocks.items()}
    figures: dict[str, Any] = {"samples": trainings.samples, "tokens": trainings.tokens, "rounds": arguments.rounds}
    figures |= {"batch": arguments.batch, "threads": torch.get_num_threads()}
    for clock, found in (("wall", wall), ("cpu", cpu)):
        figures[clock] = {
            "tokens_per_second": medians(found, 0),
            "samples_per_second": {
                name: round(value * trainings.samples / trainings.tokens, 1)
                for name, value in medians(found, 2).items()
            },
            "to_plain": {name: ratio(found, name, PLAIN) for name in found},
            "ours_to": {name: ratio(found, "ours", name, 3) for name in found},
            "all": {name: [round(value) for value in values] for name, values in found.items()},
        }
    return figures


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add what is trained, how, and how long."""
    parser.add_argument("--mixture", required=True, help="file of a run, its paths relative to the current folder")
    parser.add_argument("--base", required=True, help="checkpoint folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="optimiser steps that are measured")
    parser.add_argument("--skipped", type=int, default=10, help="steps before them")
    parser.add_argument("--batch", type=int, default=8, help="samples of a step")
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--attention", default="eager", help="of this project's model file")
    parser.add_argument("--freeze", nargs="*", default=["vision_tower"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="JSON file for the figures")


def main() -> None:
    """Measure, print, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_settings(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    disable_progress_bar()
    figures = compare(arguments)
    for clock in ("wall", "cpu"):
        print(f"by {clock} time:")
        for name, value in figures[clock]["tokens_per_second"].items():
            print(f"  {name:16} {value:8.0f} tokens/s, {figures[clock]['to_plain'][name]:5.2f} x {PLAIN}")
    if arguments.output:
        write_figures(arguments.output, figures)


if __name__ == "__main__":
    main()
