"""A training's recipe and machine in the words of transformers."""

from pathlib import Path

from transformers import TrainingArguments

from visatb.config.training import Recipe
from visatb.errors import VisatbError
from visatb.runtime.devices import computes_on_cpu
from visatb.runtime.processes import world_size
from visatb.training.jobs import MachineJob


def training_arguments(recipe: Recipe, seed: int, machine: MachineJob, output: str | Path) -> TrainingArguments:
    """Return the Trainer's arguments.

    Args:
        recipe: the numbers that the result depends on.
        seed: of initialisation and batches.
        machine: how it is computed here.
        output: where checkpoints go.

    Raises:
        VisatbError: the global batch does not split evenly over the processes.
    """
    bfloat16, on_cpu = recipe.precision == "bfloat16", computes_on_cpu(machine.gpus)
    return TrainingArguments(
        output_dir=str(output),
        per_device_train_batch_size=machine.micro_batch_size,
        **recipe.arguments(),
        bf16=bfloat16,
        tf32=None if on_cpu else bfloat16,
        activation_checkpointing=machine.gradient_checkpointing,
        deepspeed=machine.deepspeed,
        use_cpu=on_cpu,
        # LLaVA does not use the last layer of its vision tower, whose gradients DDP would wait for.
        ddp_find_unused_parameters=True,
        ddp_backend="gloo" if on_cpu and world_size() > 1 else None,
        dataloader_num_workers=machine.workers,
        dataloader_persistent_workers=machine.workers > 0,
        dataloader_pin_memory=not on_cpu,
        save_strategy="steps",
        save_steps=machine.save_steps,
        logging_steps=10,
        seed=seed,
        data_seed=seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        gradient_accumulation_steps=_accumulation(recipe, machine),
    )


def _accumulation(recipe: Recipe, machine: MachineJob) -> int:
    steps, rest = divmod(recipe.global_batch_size, machine.micro_batch_size * world_size())
    if rest or not steps:
        raise VisatbError(
            f"global_batch_size {recipe.global_batch_size} is no multiple of micro_batch_size "
            f"{machine.micro_batch_size} x {world_size()} process(es); change one of them"
        )
    return steps
