"""Zero-shot benchmarks: a run's answers through lmms-eval, a judge's grades of those to MM-Vet, and one table."""

import signal
import sys
from pathlib import Path

from visatb.evaluation.jobs import GradingJob, ZeroShotJob, ZeroShotTableJob
from visatb.runtime.cli import run_program


def zero_shot(job: ZeroShotJob, model: Path, output: Path, threads: int = 1) -> None:
    """Have one model answer benchmarks that nothing was trained for, all of them in one start of lmms-eval.

    Args:
        job: what is asked, and how.
        model: model folder.
        output: folder that gets <benchmark>.json.
        threads: CPU threads.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # lets lmms-eval be ended first
    from visatb.evaluation.zero_shot.benchmarks import Benchmark
    from visatb.evaluation.zero_shot.lmms_eval import asking_of
    from visatb.evaluation.zero_shot.run import ask_benchmarks

    benchmarks = [
        Benchmark.of(benchmark.name, benchmark.task, benchmark.metric, benchmark.data, benchmark.image_folder)
        for benchmark in job.benchmarks
    ]
    ask_benchmarks(f"zero-shot {job.run}", benchmarks, asking_of(job, model, _device(job), threads), output)


def _device(job: ZeroShotJob) -> str:
    """Take a GPU where lmms-eval is to compute on one."""
    from visatb.runtime.devices import computes_on_cpu

    if job.loaded is None or computes_on_cpu(job.loaded.gpus):
        return "cpu"
    from visatb.runtime.gpus import claim_gpus

    claim_gpus(job.loaded.gpus, job.run)
    return "cuda:0"


def judge_zero_shot(job: GradingJob, samples: Path, replies: Path, output: Path) -> None:
    """Have a judge grade one run's answers to MM-Vet. What it was asked before is not asked again.

    Args:
        job: the judge.
        samples: lmms-eval's samples, JSON lines.
        replies: folder where the judge's replies are kept.
        output: the score, JSON.
    """
    from visatb.evaluation.judge.judge import judge_endpoint
    from visatb.evaluation.zero_shot.grading import grade
    from visatb.runtime.files import write_json

    prices = job.prices.pair if job.prices else None
    write_json(output, grade(f"judge {job.run} {job.benchmark}", samples, judge_endpoint(job), replies, prices))


def collect_zero_shot(job: ZeroShotTableJob, scores: Path, table: Path, markdown: Path, tidy: Path) -> None:
    """Gather the scores of the zero-shot benchmarks into their table with dI_zero (Eq. 9 against EW).

    Args:
        job: rows and columns.
        scores: folder that holds <run>/<benchmark>.json.
        table: zero_shot.tsv.
        markdown: zero_shot.md.
        tidy: zero_shot_scores.tsv.
    """
    from visatb.evaluation.zero_shot.tables import zero_shot_scores, zero_shot_table
    from visatb.reporting.tables.paper_table import markdown_table
    from visatb.reporting.tables.result_tables import methods_table
    from visatb.runtime.files import write_table, write_text
    from visatb.scores.columns import Column

    columns = [Column(name, "score", is_better) for name, is_better in job.higher_is_better.items()]
    gathered = zero_shot_scores(scores, job.methods, list(job.higher_is_better))
    rows = zero_shot_table(gathered, job.methods, columns)
    write_table(tidy, gathered)
    write_table(table, rows)
    lower = [column for column in columns if not column.higher_is_better]
    write_text(markdown, markdown_table(methods_table(rows, lower)))


if __name__ == "__main__":
    run_program(zero_shot, judge_zero_shot, collect_zero_shot)
