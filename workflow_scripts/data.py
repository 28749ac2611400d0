"""Data: splits of published data sets, checked records, subsets, and the training set of every run."""

from pathlib import Path

import pandas as pd

from visatb.config.schema import CorpusConfig
from visatb.data.jobs import MixtureJob, SourceJob, SplitJob
from visatb.runtime.cli import run_program
from visatb.runtime.files import read_json, read_parquet, write_json, write_parquet, write_table


def draw_corpus(corpus: CorpusConfig, folder: Path, processes: int = 2) -> None:
    """Draw the demo corpus: seven small visual instruction tasks with train, val and test splits.

    Args:
        corpus: the seed, and samples a task and split.
        folder: where <task>/<split>.json and <task>/images/ are written.
        processes: tasks drawn at the same time.
    """
    from visatb.data.demo.corpus import draw_corpus as draw

    draw(folder, corpus.seed, corpus.samples.model_dump(), processes)


def prepare_source(job: SourceJob, files: dict[str, list[str]], images: Path, output: Path) -> None:
    """Make a task's splits of a published data set.

    Args:
        job: the task and its source.
        files: split=file, raw files.
        images: folder where images from inside the files go.
        output: folder that gets <split>.jsonl and report.json.
    """
    from visatb.data.sources.prepare import Origin, write_sources

    origin = Origin(job.task, files, images, job.task_field, job.other_fields)
    write_sources(job.source, origin, output, job.tolerated)


def check_data(job: SplitJob, files: list[str], output: Path, report: Path, processes: int = 1) -> None:
    """Read one split of a task, check every record and write the good ones down.

    Args:
        job: the task and split, and what is expected of its records.
        files: LLaVA-format JSON or JSON lines.
        output: records, Parquet.
        report: what was found, JSON.
        processes: processes that look at images.
    """
    from visatb.data.records import write_split

    write_json(report, write_split(output, job, files, processes).as_json())


def match_subset(
    job: SplitJob, subset: str, files: list[str], train: Path, output: Path, mini: Path | None = None
) -> None:
    """Find the records of a ready-made subset in their task's train split.

    Args:
        job: the task, and what is expected of its records.
        subset: mini or large, for messages.
        files: LLaVA-format JSON or JSON lines of the subset.
        train: checked records of train, Parquet.
        output: rows of train, Parquet.
        mini: rows of the mini subset, which must lie within this one.
    """
    from visatb.data.records import read_split
    from visatb.data.subsets import check_nested, rows_of_subset, subset_table

    records, _ = read_split(job, files)
    train_records = read_parquet(train, ["id", "image", "conversations"])
    rows = rows_of_subset(records, train_records, f"task '{job.task}', {subset}")
    if mini:
        check_nested(read_parquet(mini)["row"].to_numpy(), rows, train_records, job.task)
    write_parquet(output, subset_table(rows))


def collect_data_report(reports: list[Path], output: Path) -> None:
    """Gather what was found in the data files of every task and split into one table.

    Args:
        reports: reports of check_data, JSON.
        output: data_report.tsv.
    """
    from visatb.data.bad_records import report_row

    write_table(output, pd.DataFrame([report_row(read_json(path)) for path in reports]))


def build_mixture(
    job: MixtureJob,
    records: Path,
    output: Path,
    sampling: Path | None = None,
    rows: dict[str, Path] | None = None,
) -> None:
    """Draw the training set of one run: nested random subsets of its tasks.

    Args:
        job: the subsets, their rates and the seed.
        records: folder that holds <task>/train.parquet.
        output: mixture, an Arrow file.
        sampling: sampling.json, rates that go before the others.
        rows: task:subset=file, rows of ready-made subsets, Parquet.
    """
    from visatb.data.mixtures import write_mixture
    from visatb.data.subsets import read_rows

    chosen = read_json(sampling) if sampling else {}
    rates = {**job.rates, **{subset: chosen[subset] for subset in ("large", "mini") if subset in chosen}}
    write_mixture(output, records, job.subsets, rates, job.seed, read_rows(rows or {}))


if __name__ == "__main__":
    run_program(draw_corpus, prepare_source, check_data, match_subset, collect_data_report, build_mixture)
