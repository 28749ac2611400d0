"""One training from its mixture to its model: set up, go on from the last checkpoint, train, publish."""

import copy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch.utils.data import Dataset
from transformers import PrinterCallback
from transformers.utils.logging import disable_progress_bar

from visatb.config.training import Recipe
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
from visatb.training.jobs import L2T, MachineJob, TrainingJob
from visatb.training.l2t.instructions import Instructions
from visatb.training.loss.weighting import Weighting, weights_of
from visatb.training.tracking import TensorBoard, Tracker, WeightsAndBiases, wandb_project
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


def fit(job: TrainingJob, machine: MachineJob, mixture: str | Path, folder: str | Path, output: str | Path) -> None:
    """Train a run on a mixture and put the model at ``output``.

    Checkpoints and the history lie in ``folder``. A training that was interrupted goes on from its last whole
    checkpoint; one that had ended, for the very same inputs, is published again without any training.

    Args:
        job: what the result depends on beside the mixture.
        machine: how it is computed here.
        mixture: file made by `visatb.data.mixtures.write_mixture`.
        folder: the run's own folder.
        output: where the finished model goes.

    Raises:
        VisatbError: a task of the mixture has no weight, the batch does not split evenly over the devices, the devices
            are not there, or a checkpoint cannot be written.
        SystemExit: with status `TRY_AGAIN`, after a checkpoint, when a signal asked to leave.
    """
    check_devices(machine.gpus)
    table = read_mixture(mixture)
    tasks = sorted(table["task"].unique().to_pylist())
    lambdas = weights_of(tasks, job.weights or dict.fromkeys(tasks, 1.0), "weights")
    weighting = job.method.weighting(tasks, lambdas, job.seed)
    description = described(job, machine, mixture, dict(zip(tasks, lambdas.tolist(), strict=True)))
    checkpoints = Checkpoints(Path(folder) / "checkpoints", description, _layout(machine))
    with alone_together(folder, job.run):
        if checkpoints.is_finished():
            _publish_again(job.run, checkpoints, output)
            return
        checkpoints.refuse_other_layouts()
        checkpoints.open()
        take_gpus(machine.gpus, job.run)
        disable_progress_bar()
        if machine.deepspeed:
            prepare_deepspeed(machine.deepspeed, machine.gpus)
        trainer = _trainer(job, machine, table, weighting, checkpoints)
        trainer.add_callback(_history(job.run, Path(folder), checkpoints))
        _train(job.run, trainer, checkpoints)
        _say_what_was_silent(job.run, trainer, job.recipe)
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
            where = f"saved at step {state.global_step} of {state.max_steps}"
            say(f"[{run}] {leaving.reason}: {where} and stopped; the same command goes on from there")
        sys.exit(TRY_AGAIN)


def described(
    job: TrainingJob, machine: MachineJob, mixture: str | Path, weights: Mapping[str, float]
) -> dict[str, Any]:
    """Return all that the result of a training depends on, as JSON values: what its checkpoints are kept under.

    Args:
        job: the training.
        machine: how it is computed, which matters where each part of a step is normalised by itself.
        mixture: file of the mixture.
        weights: task -> lambda, of every task of the mixture.
    """
    split = {"micro_batch_size": machine.micro_batch_size, "processes": world_size()}
    instructions = _instructions(job)
    return {
        "mixture": file_digest(mixture),
        "base": folder_digest(job.base) if Path(job.base).is_dir() else job.base,
        "weights": dict(weights),
        "seed": job.seed,
        **job.recipe.described(),
        "freeze": list(job.freeze),
        **(split if job.recipe.normalization == "micro_batch" else {}),
        **job.method.description(),
        **(instructions.description() if instructions else {}),
    }


def _instructions(job: TrainingJob) -> Instructions | None:
    learned = job.objective
    if not isinstance(learned, L2T):
        return None
    return Instructions(learned.instruction_weight, learned.templates, learned.text_only)


def _layout(machine: MachineJob) -> str:
    return WHOLE if machine.deepspeed is None else deepspeed_layout(machine.deepspeed, world_size())


def _say_what_was_silent(run: str, trainer: VitwTrainer, recipe: Recipe) -> None:
    silent = trainer.accelerator.reduce(torch.tensor(trainer.unsupervised_samples, device=trainer.args.device))
    if int(silent) and trainer.is_world_process_zero():
        say(
            f"[{run}] {int(silent)} samples had no token to learn from in this attempt: their answers begin after "
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
    job: TrainingJob, machine: MachineJob, table: pa.Table, weighting: Weighting, checkpoints: Checkpoints
) -> VitwTrainer:
    recipe, tasks = job.recipe, list(checkpoints.description["weights"])
    arguments = training_arguments(recipe, job.seed, machine, checkpoints.steps)
    processor = load_processor(job.base)
    model = load_model(job.base, dtype=torch.float32, attention=machine.attention)
    freeze(model, job.freeze)
    skip_unused_layers(model)
    if machine.packing:
        attend_by_sample(model, machine.attention)
    # A copy: a tokenizer notes how it last padded, and what is saved must not depend on the steps of this attempt.
    has_images = table["image"].null_count < len(table)
    collator = Collator(copy.deepcopy(processor), tasks, recipe.max_length, has_images, _instructions(job))
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


def _history(run: str, folder: Path, checkpoints: Checkpoints) -> History:
    trackers: list[Tracker] = [TensorBoard(folder / "tensorboard", run)]
    if project := wandb_project():
        trackers.append(WeightsAndBiases(project, run, checkpoints.folder.name, folder))
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
