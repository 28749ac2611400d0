"""Evaluation: answers of every run, a judge's verdicts on them, their scores, and what the image contributes."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from visatb.evaluation.jobs import ContributionJob, ContributionTableJob, JudgeJob, LoadedJob, PredictionJob, ScoringJob
from visatb.runtime.cli import run_program

if TYPE_CHECKING:
    from visatb.evaluation.generate import Generation


def predict(
    job: PredictionJob,
    model: str,
    records: Path,
    output: Path,
    shards: Path,
    sizes: Path | None = None,
    threads: int = 1,
) -> None:
    """Answer the samples of one split with one model, all tasks at once. Goes on where it was interrupted.

    Args:
        job: the tasks, and how they are answered.
        model: model folder, or a name on the hub.
        records: folder that holds <task>/<split>.parquet.
        output: folder that gets <task>.parquet.
        shards: folder of the answers so far, to go on from.
        sizes: evaluation_sizes.tsv, how many samples of each task to answer.
        threads: CPU threads, where there is no GPU.
    """
    from visatb.evaluation.predictions import Answering, answer_all, questions_of

    questions = questions_of(job, records, sizes)
    answering: Answering
    outputs = {task.task: output / f"{task.task}.parquet" for task in questions}
    if job.served:
        from visatb.evaluation.served import served_model

        answering = served_model(job.run, model, job.served, shards / "replies")
    else:
        assert job.loaded, "one of the two answers"
        generation = _generation(job.run, job.loaded, job.shard_size, threads)
        from visatb.evaluation.generate import LoadedModel

        answering = LoadedModel(model, generation)
    answer_all(job.run, questions, outputs, answering, job.shard_size, shards)


def _generation(run: str, loaded: LoadedJob, shard_size: int, threads: int) -> "Generation":
    """Set the process up for a model that is loaded here."""
    from visatb.runtime.devices import computes_on_cpu

    on_cpu = computes_on_cpu(loaded.gpus)
    if on_cpu:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # before torch is imported
    from visatb.evaluation.generate import Generation
    from visatb.runtime.gpus import claim_gpus
    from visatb.runtime.processes import check_devices

    check_devices(loaded.gpus)
    claim_gpus(loaded.gpus, run)
    device = "cpu" if on_cpu else "cuda"
    return Generation(loaded.batch_size, shard_size, loaded.precision, loaded.attention, device)


def judge(
    job: JudgeJob, predictions: Path, prompt: Path, replies: Path, output: Path, context: list[Path] | None = None
) -> None:
    """Have a judge grade the answers to one task's samples. What it was asked before is not asked again.

    Args:
        job: the judge, and what it is shown.
        predictions: Parquet.
        prompt: YAML file with the texts system and user.
        replies: folder where the judge's replies are kept.
        output: verdicts, Parquet.
        context: JSON lines that describe pictures.
    """
    from visatb.evaluation.judge.judge import Judging, judge_endpoint, judge_predictions
    from visatb.evaluation.judge.prompt import read_prompt
    from visatb.runtime.files import read_parquet, write_parquet

    judging = Judging(
        prompt=read_prompt(prompt),
        contexts=context or (),
        image_folder=job.image_folder,
        show_image=job.show_image,
        prices=job.prices.pair if job.prices else None,
    )
    label = f"judge {job.run} {job.split} {job.task}"
    verdicts = judge_predictions(label, read_parquet(predictions), judging, judge_endpoint(job), replies)
    write_parquet(output, verdicts)


def score(
    job: ScoringJob, predictions: Path, output: Path, verdicts: Path | None = None, digests: Path | None = None
) -> None:
    """Score one model's answers to the samples of a split, all tasks at once.

    Args:
        job: the metrics of each task.
        predictions: folder that holds <task>.parquet.
        output: folder that gets <task>.parquet.
        verdicts: folder that holds a judge's <task>.parquet, where a metric needs it.
        digests: JSON file that gets the SHA-256 of every task's file.
    """
    from visatb.runtime.digests import file_digest
    from visatb.runtime.files import write_json
    from visatb.scores.scoring import score_tasks

    score_tasks(predictions, {task: list(names) for task, names in job.metrics.items()}, output, verdicts, job.origin)
    if digests:
        write_json(digests, {task: file_digest(output / f"{task}.parquet") for task in job.metrics})


def measure_visual_contribution(
    job: ContributionJob, model: Path, records: Path, output: Path, threads: int = 1
) -> None:
    """Measure by how much the image makes the true answers likelier than a noise image does, with one model.

    Args:
        job: the tasks, and how it is computed.
        model: model folder.
        records: folder that holds <task>/test.parquet.
        output: folder that gets <task>.parquet.
        threads: CPU threads, where there is no GPU.
    """
    generation = _generation(job.run, job.loaded, job.loaded.batch_size, threads)
    from visatb.evaluation.visual_contribution import measure_visual_contribution as measure

    samples = {task: records / task / "test.parquet" for task in job.tasks}
    measure(job.run, model, samples, output, generation, job.max_length)


def collect_visual_contribution(job: ContributionTableJob, samples: Path, output: Path) -> None:
    """Gather the visual contribution of all runs into one table.

    Args:
        job: the runs and their tasks.
        samples: folder that holds <run>/<task>.parquet.
        output: visual_contribution.tsv.
    """
    from visatb.runtime.files import write_table
    from visatb.scores.visual_contribution import contribution_table, contributions_of

    places = [(run, task) for run, tasks in job.tasks.items() for task in tasks]
    write_table(output, contribution_table(contributions_of(samples, places)))


if __name__ == "__main__":
    run_program(predict, judge, score, measure_visual_contribution, collect_visual_contribution)
