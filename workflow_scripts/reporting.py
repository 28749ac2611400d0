"""Reporting: figures, tables, the explorer, the summary, costs, and weights for other programs."""

from pathlib import Path

from visatb.reporting.jobs import (
    BalancingFiguresJob,
    BenchmarkFiguresJob,
    BenchmarkTableJob,
    CostJob,
    DataTableJob,
    ExplorerJob,
    ExportJob,
    TrainingFiguresJob,
    VisualContributionFigureJob,
)
from visatb.runtime.cli import run_program
from visatb.runtime.files import read_json, read_table, write_table, write_text
from visatb.runtime.tables import read_columns


def plot_balancing(
    job: BalancingFiguresJob,
    contributions: Path,
    intervals: Path,
    difficulty: Path,
    weights: Path,
    balancing: Path,
    scores: Path,
    mixtures: list[Path],
    folder: Path,
    variants: list[Path] | None = None,
) -> None:
    """Draw contributions, difficulties, scores against amounts of data, and the weights, of variants too.

    Args:
        job: notes below the figures.
        contributions: contributions.tsv.
        intervals: contributions_intervals.tsv; values told from 0 become bold.
        difficulty: difficulty.tsv.
        weights: weights.tsv.
        balancing: balancing.json; says whose column was not measured.
        scores: validation_scores.tsv.
        mixtures: mixtures/<run>.arrow of each run.
        folder: to write <figure>.svg and <figure>.png to.
        variants: <variant>/weights.tsv of each variant.
    """
    from visatb.data.mixtures import subset_amounts
    from visatb.reporting import read_results
    from visatb.reporting.figures.bars import difficulty_figure, weights_figure
    from visatb.reporting.figures.contributions import contributions_figure
    from visatb.reporting.figures.data_amount import data_amount_figure, learning_curves
    from visatb.reporting.figures.style import save_figures
    from visatb.reporting.figures.variants import variants_figure

    C = read_results.read_contributions(contributions)
    margins = read_results.read_margins(weights, C.index)
    not_measured = read_json(balancing)["not_measured"]
    noted = {
        "contributions": contributions_figure(C, margins, read_results.read_intervals(intervals), not_measured),
        "difficulty": difficulty_figure(read_columns(difficulty, ["group"], ["D", "low", "high"])),
        "weights": weights_figure(read_results.read_weights(weights)),
    }
    save_figures(noted, folder, job.notes)
    curves = learning_curves(read_results.read_validation_scores(scores), subset_amounts(mixtures))
    save_figures({"data_amount": data_amount_figure(curves)}, folder)
    if variants:
        names = ["visatb", *(path.parent.name for path in variants)]
        save_figures({"variants": variants_figure(read_results.read_variants(names, [weights, *variants]))}, folder)


def plot_benchmark(job: BenchmarkFiguresJob, benchmark: Path, folder: Path) -> None:
    """Draw how much better or worse every method is than single-task training, as points and on a circle.

    Args:
        job: the tasks' metrics, and notes below the figures.
        benchmark: benchmark.tsv.
        folder: to write <figure>.svg and <figure>.png to.
    """
    from visatb.reporting.figures.benchmark import benchmark_figure
    from visatb.reporting.figures.radar import radar_figure
    from visatb.reporting.figures.style import save_figures
    from visatb.reporting.read_results import read_benchmark
    from visatb.scores.benchmark import lower_is_better

    table, lower = read_benchmark(benchmark), lower_is_better(job.columns())
    save_figures({"benchmark": benchmark_figure(table, lower), "radar": radar_figure(table, lower)}, folder, job.notes)


def plot_runs(job: TrainingFiguresJob, models: list[Path], folder: Path) -> None:
    """Draw the training of each run: the losses of its tasks, and the weights where they move.

    Args:
        job: the tasks.
        models: runs/<run>/model of each run, beside its history.
        folder: to write <run>.svg and <run>.png to.
    """
    from visatb.reporting.figures.run import run_figure
    from visatb.reporting.figures.style import save_figures
    from visatb.reporting.read_results import history_of, read_training, read_weight_history

    for run, log in history_of(models).items():
        save_figures({run: run_figure(run, read_training(log), read_weight_history(log), job.tasks)}, folder)


def plot_training(job: TrainingFiguresJob, models: list[Path], own: list[Path], folder: Path) -> None:
    """Draw the losses of all runs over their optimiser steps in one figure, and some runs in a figure of their own.

    Args:
        job: the tasks.
        models: runs/<run>/model of all runs, each beside its history.
        own: those of runs that get a figure of their own.
        folder: to write training.svg, training.png, and training/<run>.svg and .png to.
    """
    from visatb.reporting.figures.style import save_figures
    from visatb.reporting.figures.training import training_figure
    from visatb.reporting.read_results import history_of, read_histories

    save_figures({"training": training_figure(read_histories(history_of(models).values()))}, folder)
    plot_runs(job, own, folder / "training")


def plot_visual_contribution(job: VisualContributionFigureJob, samples: Path, output: list[Path]) -> None:
    """Draw how the visual contribution of answers is distributed, a panel a task.

    Args:
        job: the runs and tasks.
        samples: folder that holds <run>/<task>.parquet.
        output: files to write, .svg or .png.
    """
    from visatb.reporting.figures.style import save_figure
    from visatb.reporting.figures.visual_contribution import visual_contribution_figure
    from visatb.scores.visual_contribution import contributions_of

    save_figure(visual_contribution_figure(contributions_of(samples, job.places)), output)


def typeset_preparation(
    job: DataTableJob, data_report: Path, weights: Path, data_table: list[Path], weights_table: list[Path]
) -> None:
    """Typeset what the tasks are, and the weights and what they are made of, as papers print them.

    Args:
        job: metrics, groups and response-format instructions of the tasks.
        data_report: data_report.tsv.
        weights: weights.tsv.
        data_table: files to write, .md or .tex.
        weights_table: the same of the weights.
    """
    from visatb.reporting import read_results
    from visatb.reporting.tables.paper_files import write_paper_table
    from visatb.reporting.tables.result_tables import data_table as table_of_data
    from visatb.reporting.tables.result_tables import weights_table as table_of_weights

    report = read_columns(data_report, ["task", "split"], ["records", "left_out"])
    write_paper_table(data_table, table_of_data(report, job.columns(), job.groups, job.instructions))
    write_paper_table(weights_table, table_of_weights(read_results.read_weights(weights)))


def typeset_benchmark(job: BenchmarkTableJob, benchmark: Path, output: list[Path]) -> None:
    """Typeset the benchmark as papers print it: best bold, second best underlined, groups, variants as blocks.

    Args:
        job: metrics, groups, and blocks of variants.
        benchmark: benchmark.tsv.
        output: files to write, .md or .tex.
    """
    from visatb.reporting.read_results import read_benchmark
    from visatb.reporting.tables.paper_files import write_paper_table
    from visatb.reporting.tables.result_tables import methods_table

    table = methods_table(read_benchmark(benchmark), job.columns(), job.groups, job.blocks)
    write_paper_table(output, table)


def show_tables(tables: list[Path], folder: Path) -> None:
    """Write tables as pages that a report can show.

    Args:
        tables: tab-separated tables.
        folder: to write <name of the table>.html to.
    """
    from visatb.reporting.tables.web_table import web_table

    for path in tables:
        write_text(folder / f"{path.stem}.html", web_table(read_table(path), path.name))


def summarize(
    weights: Path,
    output: Path,
    balancing: Path | None = None,
    variants: list[Path] | None = None,
    benchmark: Path | None = None,
    comparison: Path | None = None,
    intervals: Path | None = None,
    scores: list[Path] | None = None,
    see: list[str] | None = None,
) -> None:
    """Write the short text that is printed when an experiment is finished, and print it.

    Args:
        weights: weights.tsv.
        output: the text file to write.
        balancing: balancing.json.
        variants: <variant>/weights.tsv of each variant.
        benchmark: benchmark.tsv; left out where no final model was trained.
        comparison: weights_comparison.tsv.
        intervals: benchmark_intervals.tsv.
        scores: tables of scores, for the counts of unreadable answers.
        see: files to send the reader to.
    """
    from visatb.reporting import read_results
    from visatb.reporting.text.summary import summary_text

    text = summary_text(
        read_results.read_weights(weights),
        read_results.read_benchmark(benchmark) if benchmark else None,
        read_results.read_scores(scores) if scores else None,
        see or [],
        read_json(balancing) if balancing else None,
        read_results.read_variants([path.parent.name for path in variants or []], variants or []),
        read_results.read_comparison(comparison) if comparison else None,
        read_results.read_overall_intervals(intervals) if intervals else None,
    )
    write_text(output, text)
    print(text, end="")


def build_explorer(job: ExplorerJob, scores: Path, output: Path) -> None:
    """Build the page on which other temperatures, shares and groups can be tried.

    Args:
        job: metrics, groups and settings of the balancing.
        scores: folder that holds <run>/val/<task>.parquet.
        output: explorer.html.
    """
    from visatb.reporting.explorer.data import explorer_data, measured_from
    from visatb.reporting.explorer.page import explorer_page

    point, measures = measured_from(scores, job)
    data = explorer_data(point, measures, job.experiment, job.groups, job.fixed, job.notes)
    write_text(output, explorer_page(data))


def collect_cost(
    job: CostJob, plan: Path, benchmarks: Path, models: list[Path], runs: Path, jobs: Path, figure: list[Path]
) -> None:
    """Collect and draw what trainings and other jobs really took, from their measurements and histories.

    Args:
        job: GPUs of each training.
        plan: plan.tsv.
        benchmarks: folder of Snakemake's measurements of the jobs.
        models: runs/<run>/model of each run, beside its history.
        runs: cost_runs.tsv.
        jobs: cost_jobs.tsv.
        figure: files to write, .svg or .png.
    """
    from visatb.planning.measured_costs import job_measurements, jobs_cost, runs_cost
    from visatb.reporting.figures.cost import PARTS, cost_figure
    from visatb.reporting.figures.style import save_figure
    from visatb.reporting.read_results import history_of

    measurements = job_measurements(benchmarks)
    planned = read_columns(plan, ["run", "kind"], ["steps"])
    write_table(runs, runs_cost(planned, history_of(models), measurements, job.gpus))
    write_table(jobs, jobs_cost(measurements))
    save_figure(cost_figure(read_columns(runs, ["run"], [column for column, _ in PARTS])), figure)


def export_weights(job: ExportJob, weights: Path, records: Path, output: Path) -> None:
    """Write the weights, and the data mixes that they come to, as other training programs read them.

    Args:
        job: what the files say of the trainings.
        weights: weights.tsv.
        records: folder that holds <task>/train.parquet.
        output: folder of the files.
    """
    from visatb.reporting.export.programs import export

    export(job, weights, records, output)


if __name__ == "__main__":
    run_program(
        *(plot_balancing, plot_benchmark, plot_runs, plot_training, plot_visual_contribution),
        *(typeset_preparation, typeset_benchmark, show_tables, summarize, build_explorer),
        *(collect_cost, export_weights),
    )
