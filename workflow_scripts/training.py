"""Training: the runs of an experiment, and what of the instructions they learn (L2T)."""

import os
from pathlib import Path

from visatb.runtime.cli import run_program
from visatb.runtime.devices import computes_on_cpu
from visatb.runtime.files import write_table
from visatb.training.jobs import LedgerJob, MachineJob, MiningJob, TrainingJob
from visatb.training.l2t.task_templates import mine_templates as mined
from visatb.training.l2t.task_templates import read_templates


def train(
    job: TrainingJob,
    machine: MachineJob,
    mixture: Path,
    folder: Path,
    output: Path,
    weights: Path | None = None,
    templates: Path | None = None,
    threads: int = 1,
) -> None:
    """Train one run, or go on where it was interrupted: a mixture and a base checkpoint in, a model out.

    Args:
        job: what the result depends on.
        machine: how it is computed.
        mixture: what to train on, Arrow or Parquet.
        folder: the run's folder: checkpoints and history.
        output: the model folder to make.
        weights: weights.tsv, if weights were measured.
        templates: templates.tsv, sentences that l2t does not learn.
        threads: CPU threads of one process.
    """
    if computes_on_cpu(machine.gpus):
        os.environ.update(OMP_NUM_THREADS=str(threads), DS_ACCELERATOR="cpu")
    from visatb.runtime.processes import leave_when_all_is_done
    from visatb.training.fit import fit

    fit(job.with_files(weights, templates), machine, mixture, folder, output)
    leave_when_all_is_done()


def mine_templates(job: MiningJob, records: Path, output: Path, edited: Path | None = None) -> None:
    """Find the sentences that are so frequent in instructions that they say nothing about an image (L2T).

    Args:
        job: the tasks, and when a sentence is a template.
        records: folder that holds <task>/train.parquet.
        output: templates.tsv.
        edited: a table as the output, whose decisions stand above all others.
    """
    write_table(output, mined(_train_splits(records, job.tasks), job, job.text_only, edited))


def count_instruction_tokens(job: LedgerJob, records: Path, templates: Path, output: Path) -> None:
    """Count the tokens of each task's train split by what they are, and by whether they are learned (L2T).

    Args:
        job: the tasks, the tokenizer, and what is learned.
        records: folder that holds <task>/train.parquet.
        templates: templates.tsv.
        output: instruction_ledger.tsv.
    """
    from visatb.models.families import load_processor
    from visatb.training.l2t.instructions import Instructions
    from visatb.training.l2t.ledger import instruction_ledger

    instructions = Instructions(job.objective.instruction_weight, read_templates(templates), job.objective.text_only)
    splits = _train_splits(records, job.tasks)
    write_table(output, instruction_ledger(load_processor(job.base), splits, instructions))


def _train_splits(records: Path, tasks: tuple[str, ...]) -> dict[str, Path]:
    return {task: records / task / "train.parquet" for task in tasks}


if __name__ == "__main__":
    run_program(train, mine_templates, count_instruction_tokens)
