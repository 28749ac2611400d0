"""Scores: those made elsewhere or before, the benchmark table, and the comparison of experiments."""

from pathlib import Path

from visatb.runtime.cli import run_program
from visatb.runtime.files import read_parquet, read_table, write_parquet, write_table, write_text
from visatb.scores.columns import columns_of
from visatb.scores.jobs import BenchmarkJob, ComparisonJob, ImportJob, KeptJob


def import_scores(job: ImportJob, records: Path, output: Path, samples: dict[str, str] | None = None) -> None:
    """Write imported scores of one run on one task as the workflow's own files of scores.

    Args:
        job: the evaluation, and its scores.
        records: of this split, Parquet.
        output: scores, Parquet.
        samples: metric=file, what each sample scored, where that is known.
    """
    from visatb.scores.imported import ImportedScore, imported_table

    files = samples or {}
    scores = [
        ImportedScore(job.run, job.split, job.task, metric, score.value, score.n, files.get(metric))
        for metric, score in job.scores.items()
    ]
    write_parquet(output, imported_table(scores, read_parquet(records, ["id", "image"])))


def keep_scores(job: KeptJob, scores: Path, records: Path, output: Path) -> None:
    """Take scores of a finished experiment over into the one that adds tasks to it.

    Args:
        job: the task's metrics here.
        scores: of the finished experiment, Parquet.
        records: of this split here, Parquet.
        output: scores, Parquet.
    """
    from visatb.scores.imported import kept_table

    own_records = read_parquet(records, ["id", "image"])
    write_parquet(output, kept_table(str(scores), read_parquet(scores), job.metrics, own_records))


def complete_scores(task: str, mini: Path, before_mini: Path, before_plus: Path, output: Path) -> None:
    """Complete the scores of a run on one task from those of the runs before new tasks came.

    Args:
        task: the task, for messages.
        mini: scores of mini, with the new tasks.
        before_mini: scores of mini as it was before.
        before_plus: scores of the run as it was before.
        output: scores, Parquet.
    """
    from visatb.scores.extrapolated import extrapolated_table

    files = {"mini": mini, "before-mini": before_mini, "before-plus": before_plus}
    write_parquet(output, extrapolated_table(task, {name: read_parquet(file) for name, file in files.items()}))


def collect_benchmark(
    job: BenchmarkJob, scores: Path, table: Path, tidy: Path, intervals: Path, zero_shot: Path | None = None
) -> None:
    """Gather the test scores of the final runs into the benchmark table with dI, dE and dI_zero (Eq. 9).

    Args:
        job: methods and metrics, and how intervals are drawn.
        scores: folder that holds <run>/test/<task>.parquet.
        table: benchmark.tsv.
        tidy: test_scores.tsv.
        intervals: benchmark_intervals.tsv.
        zero_shot: zero_shot.tsv, whose dI_zero goes into the table, if there is one.
    """
    from visatb.scores.benchmark import benchmark_intervals, benchmark_table, test_scores

    columns = columns_of(job.metrics)
    rows = test_scores(scores, job.runs)
    benchmark = benchmark_table(rows, job.runs, columns)
    ends = benchmark_intervals(scores, benchmark, job.runs, columns, job.bootstrap, job.seed)
    if zero_shot:
        benchmark = benchmark.merge(read_table(zero_shot)[["method", "dI_zero"]], on="method", how="left")
    write_table(tidy, rows)
    write_table(intervals, ends)
    write_table(table, benchmark)


def compare_experiments(job: ComparisonJob, results: Path, table: Path, markdown: Path) -> None:
    """Put the methods of several experiments on the same test splits into one table.

    Args:
        job: the experiments, and the metrics.
        results: folder that holds <experiment>/benchmark.tsv and test_scores.tsv.
        table: comparison.tsv.
        markdown: comparison.md.
    """
    from visatb.reporting.tables.paper_table import markdown_table
    from visatb.reporting.tables.result_tables import methods_table
    from visatb.reporting.tables.tables import method_label
    from visatb.scores.comparison import comparison_table

    columns = columns_of(job.metrics)
    compared = comparison_table(results, job.experiments, columns)
    labels = [f"{method_label(row.method)} ({row.experiment})" for row in compared.itertuples()]
    shown = compared.drop(columns="experiment").assign(method=labels)
    write_table(table, compared)
    write_text(markdown, markdown_table(methods_table(shown, columns)))


if __name__ == "__main__":
    run_program(import_scores, keep_scores, complete_scores, collect_benchmark, compare_experiments)
