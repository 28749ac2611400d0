"""One training from its mixture to its model: set up, go on from the last checkpoint, train, publish."""

import copy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch.utils.data import Dataset
from transformers import PrinterCallback
from transformers.utils.logging import disable_progress_bar

from visatb.config.training import Machine, Recipe
from visatb.data.mixtures import read_mixture
from visatb.models.families import freeze, load_model, load_processor, rope_index, skip_unused_layers
from visatb.runtime.digests import file_digest, folder_digest
from visatb.runtime.gpus import take_gpus
from visatb.runtime.processes import (
    TRY_AGAIN,
    LeaveOnSignal,
    alone_together,
    check_devices,
    ignore_signals,
    is_first_process,
    world_size,
)
from visatb.runtime.progress import say
from visatb.training.arguments import training_arguments
from visatb.training.batches.attention import attend_by_sample
from visatb.training.batches.collator import Collator, Sample
from visatb.training.batches.packing import PackingCollator
from visatb.training.checkpoints import WHOLE, Checkpoints, deepspeed_layout, defect, told_if_unwritable
from visatb.training.deepspeed_setup import prepare_deepspeed
from visatb.training.history import History
from visatb.training.l2t.instructions import Instructions
from visatb.training.loss.methods import Method
from visatb.training.loss.weighting import Weighting, weights_of
from visatb.training.tracking import TensorBoard, Tracker, WandbProject, WeightsAndBiases
from visatb.training.trainer import VitwTrainer


class MixtureDataset(Dataset[Sample]):
    """The rows of a mixture, which may stay on disk; images are opened when a batch is made."""

    def __init__(self, table: pa.Table) -> None:
        self._columns = table.select(["conversations", "image", "task"])

    def __len__(self) -> int:
        return len(self._columns)

    def __getitem__(self, index: int) -> Sample:
        row: Sample = self._columns.slice(index, 1).to_pylist()[0]
        return row


class _CheckpointingTrainer(VitwTrainer):
    def __init__(self, *args: Any, checkpoints: Checkpoints, keep: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._checkpoints, self._keep = checkpoints, keep

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        path = self._checkpoints.steps / f"checkpoint-{self.state.global_step}"
        with told_if_unwritable(path):
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.is_world_process_zero():
                self._checkpoints.keep_newest(self._keep)


def fit(
    run: str,
    mixture: str | Path,
    base: str,
    weights: Mapping[str, float] | None,
    recipe: Recipe,
    machine: Machine,
    folder: str | Path,
    output: str | Path,
    method: Method | None = None,
    wandb: WandbProject | None = None,
    instructions: Instructions | None = None,
) -> None:
    """Train ``base`` on a mixture and put the model at ``output``.

    Checkpoints and the history lie in ``folder``. A training that was interrupted goes on from its last whole
    checkpoint; one that had ended, for the very same inputs, is published again without any training.

    Args:
        run: the run's name, for progress lines.
        mixture: file made by `visatb.data.mixtures.write_mixture`.
        base: checkpoint folder or hub name to start from.
        weights: task -> lambda, or None for equal weights.
        recipe: what the result depends on.
        machine: how it is computed here.
        folder: the run's own folder.
        output: where the finished model goes.
        method: what becomes of the weights during the training; by default they stay as given.
        wandb: where on Weights & Biases it is shown, if it is to be; TensorBoard files are written in any case.
        instructions: what of the instructions is learned as well (L2T); by default nothing.

    Raises:
        VisatbError: a task of the mixture has no weight, the batch does not split evenly over the devices, the devices
            are not there, or a checkpoint cannot be written.
        SystemExit: with status `TRY_AGAIN`, after a checkpoint, when a signal asked to leave.
    """
    check_devices(machine.gpus)
    table = read_mixture(mixture)
    tasks = sorted(table["task"].unique().to_pylist())
    lambdas = weights_of(tasks, weights or dict.fromkeys(tasks, 1.0), "weights")
    method = method or Method()
    weighting = method.weighting(tasks, lambdas, recipe.seed)
    description = _description(mixture, base, recipe, machine, tasks, lambdas) | method.description()
    description |= instructions.description() if instructions else {}
    checkpoints = Checkpoints(Path(folder) / "checkpoints", description, _layout(machine))
    with alone_together(folder, run):
        if checkpoints.is_finished():
            _publish_again(run, checkpoints, output)
            return
        checkpoints.refuse_other_layouts()
        checkpoints.open()
        take_gpus(machine.gpus, run)
        disable_progress_bar()
        if machine.deepspeed:
            prepare_deepspeed(machine.deepspeed, machine.gpus)
        trainer = _trainer(run, table, tasks, weighting, base, recipe, machine, checkpoints, instructions)
        trainer.add_callback(_history(run, Path(folder), checkpoints, wandb))
        _train(run, trainer, checkpoints)
        _say_what_was_silent(run, trainer, recipe)
        _finish(trainer, checkpoints, output)


def _publish_again(run: str, checkpoints: Checkpoints, output: str | Path) -> None:
    if is_first_process():
        say(f"[{run}] was trained before with the same inputs: nothing to train")
        checkpoints.tidy()
        checkpoints.publish(output)


def _train(run: str, trainer: VitwTrainer, checkpoints: Checkpoints) -> None:
    with LeaveOnSignal() as leaving:
        trainer.add_callback(leaving)
        trainer.train(resume_from_checkpoint=_resume_point(run, trainer, checkpoints))
    _leave_if_asked(run, trainer, leaving)


def _leave_if_asked(run: str, trainer: VitwTrainer, leaving: LeaveOnSignal) -> None:
    state = trainer.state
    if leaving.reason and state.global_step < state.max_steps:
        # The launcher ends all processes when one has left. By then the checkpoint is marked as whole, and each leaves
        # with its own status.
        ignore_signals()
        trainer.accelerator.wait_for_everyone()
        if trainer.is_world_process_zero():
            say(
                f"[{run}] {leaving.reason}: saved at step {state.global_step} of {state.max_steps}; left, to be gone on"
            )
        sys.exit(TRY_AGAIN)


def _description(
    mixture: str | Path, base: str, recipe: Recipe, machine: Machine, tasks: Sequence[str], weights: Any
) -> dict[str, Any]:
    split = {"micro_batch_size": machine.micro_batch_size, "processes": world_size()}
    return {
        "mixture": file_digest(mixture),
        "base": folder_digest(base) if Path(base).is_dir() else base,
        "weights": dict(zip(tasks, weights.tolist(), strict=True)),
        **{key: list(value) if isinstance(value, tuple) else value for key, value in asdict(recipe).items()},
        # How a step is split only matters to the result where each part of it is normalised by itself.
        **(split if recipe.normalization == "micro_batch" else {}),
    }


def _layout(machine: Machine) -> str:
    return WHOLE if machine.deepspeed is None else deepspeed_layout(machine.deepspeed, world_size())


def _say_what_was_silent(run: str, trainer: VitwTrainer, recipe: Recipe) -> None:
    silent = trainer.accelerator.reduce(torch.tensor(trainer.unsupervised_samples, device=trainer.args.device))
    if int(silent) and trainer.is_world_process_zero():
        say(
            f"[{run}] {int(silent)} samples taught nothing in this attempt: their answers begin after "
            f"max_length {recipe.max_length} tokens; raise it, or shorten them"
        )


def _resume_point(run: str, trainer: VitwTrainer, checkpoints: Checkpoints) -> str | None:
    with trainer.accelerator.main_process_first():
        if trainer.is_world_process_zero():
            for difference in checkpoints.others():
                say(f"[{run}] {difference}")
            if checkpoints.finished_model.exists():
                say(f"[{run}] {checkpoints.finished_model}: {defect(checkpoints.finished_model)}, trained again")
            for path, what in checkpoints.remove_broken().items():
                say(f"[{run}] {path}: {what}, skipped and removed")
        newest = checkpoints.newest_intact()
    if newest and trainer.is_world_process_zero():
        say(f"[{run}] goes on from {newest}")
    return str(newest) if newest else None


def _trainer(
    run: str,
    table: pa.Table,
    tasks: Sequence[str],
    weighting: Weighting,
    base: str,
    recipe: Recipe,
    machine: Machine,
    checkpoints: Checkpoints,
    instructions: Instructions | None,
) -> VitwTrainer:
    arguments = training_arguments(recipe, machine, checkpoints.steps)
    processor = load_processor(base)
    model = load_model(base, dtype=torch.float32, attention=machine.attention)
    freeze(model, recipe.freeze)
    skip_unused_layers(model)
    if machine.packing:
        attend_by_sample(model, machine.attention)
    # A copy: a tokenizer notes how it last padded, and what is saved must not depend on the steps of this attempt.
    has_images = table["image"].null_count < len(table)
    collator = Collator(copy.deepcopy(processor), tasks, recipe.max_length, has_images, instructions)
    trainer = _CheckpointingTrainer(
        model=model,
        args=arguments,
        train_dataset=MixtureDataset(table),
        data_collator=PackingCollator(collator, rope_index(model)) if machine.packing else collator,
        processing_class=processor,
        tasks=tasks,
        weighting=weighting,
        normalization=recipe.normalization,
        checkpoints=checkpoints,
        keep=machine.keep_checkpoints,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _history(run: str, folder: Path, checkpoints: Checkpoints, wandb: WandbProject | None) -> History:
    trackers: list[Tracker] = [TensorBoard(folder / "tensorboard", run)]
    if wandb is not None:
        trackers.append(WeightsAndBiases(wandb, run, checkpoints.folder.name, folder))
    return History(folder / "training.jsonl", run, trackers)


def _finish(trainer: VitwTrainer, checkpoints: Checkpoints, output: str | Path) -> None:
    with told_if_unwritable(checkpoints.last):
        trainer.save_model(str(checkpoints.last))
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        (checkpoints.last / "training_args.bin").unlink(missing_ok=True)
        checkpoints.finish()
        checkpoints.publish(output)
    trainer.accelerator.wait_for_everyone()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
