"""All files for other training programs, from the weights and the records."""

from pathlib import Path

from visatb.reporting.export.data import write_conversations, write_messages
from visatb.reporting.export.trainers import write_llamafactory, write_llava_next, write_ms_swift, write_trl
from visatb.reporting.export.weights import read_weights_table, task_shares, write_weights
from visatb.reporting.jobs import ExportJob
from visatb.runtime.files import read_parquet


def export(job: ExportJob, weights: Path, records: Path, output: Path) -> None:
    """Write the weights, data and mixes into ``output``.

    Args:
        job: what the files say of the trainings.
        weights: weights.tsv.
        records: folder that holds ``<task>/train.parquet``.
        output: folder of the files.

    Raises:
        VisatbError: a weight is no positive number, or a task has no samples.
    """
    table, samples = read_weights_table(weights), {}
    for task, weight in zip(table["task"], table["weight"], strict=True):
        rows = read_parquet(records / task / "train.parquet", ["id", "image", "conversations"])
        samples[task] = len(rows)
        write_conversations(output / "data" / f"{task}.jsonl", rows, task, job.seed)
        write_messages(output / "messages" / f"{task}.jsonl", rows, task, job.seed, weight)
    shares = task_shares(table, samples)
    write_weights(output, job.experiment, job.objective, shares)
    write_llamafactory(output / "llamafactory", shares, job.epochs, job.family)
    write_trl(output / "trl.yaml", shares, job.epochs)
    write_llava_next(output / "llava_next.yaml", shares)
    write_ms_swift(output / "ms_swift", shares)
