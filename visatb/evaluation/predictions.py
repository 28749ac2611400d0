"""Answers to the samples of a split, saved in shards: each sample is asked once, whoever answers."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypedDict

import pyarrow as pa

from visatb.data.order import answering_order
from visatb.errors import VisatbError
from visatb.evaluation.jobs import PredictionJob
from visatb.runtime.digests import file_digest, fingerprint
from visatb.runtime.files import read_parquet, read_table, write_parquet
from visatb.runtime.locking import alone_in
from visatb.runtime.progress import Progress, say

PREDICTION_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("prompt", pa.string()),
        ("prediction", pa.string()),
        ("truths", pa.list_(pa.string())),
        ("new_tokens", pa.int32()),
        ("finish_reason", pa.string()),
    ]
)


@dataclass(frozen=True)
class Questions:
    """The samples of one task.

    Attributes:
        task: its name.
        records: its records file.
        max_new_tokens: the longest answer to generate, in tokens.
        order_seed: of the random order in which samples are answered (`visatb.data.order`); None: as they come.
        first: so many samples of this order are answered; None: all.
    """

    task: str
    records: str | Path
    max_new_tokens: int
    order_seed: int | None = None
    first: int | None = None

    def read(self) -> pa.Table:
        """Return the records to answer, in the order in which they are."""
        records = read_parquet(self.records)
        if self.order_seed is not None:
            records = records.take(answering_order(records["image"].to_pylist(), self.task, self.order_seed))
        return records.slice(0, self.first)


def questions_of(job: PredictionJob, records: Path, sizes: Path | None = None) -> list[Questions]:
    """Return what a job asks of each task.

    Args:
        job: the tasks.
        records: the folder that holds ``<task>/<split>.parquet``.
        sizes: ``evaluation_sizes.tsv``, how many samples of each task to answer; ``job.first`` of each, if None.
    """
    planned = read_table(sizes).set_index("task")["samples"].to_dict() if sizes else {}
    return [
        Questions(
            task=task,
            records=records / task / f"{job.split}.parquet",
            max_new_tokens=tokens,
            order_seed=job.order_seed,
            first=int(planned[task]) if sizes else job.first,
        )
        for task, tokens in job.max_new_tokens.items()
    ]


@dataclass(frozen=True)
class SamplePrompt:
    """One sample to answer.

    Attributes:
        id: of the record.
        turns: LLaVA-format turns up to the answer that is wanted.
        image: path of its image, or None.
        max_new_tokens: the longest answer, in tokens.
        kept_in: stands for the task, split and fingerprint that its answer is saved under.
    """

    id: str
    turns: list[dict[str, str]]
    image: str | None
    max_new_tokens: int
    kept_in: str


class Answer(TypedDict):
    """What a model says: its text, its length in tokens, and ``stop``, or ``length`` where it was cut."""

    prediction: str
    new_tokens: int
    finish_reason: str


class Answering(Protocol):
    """A model that answers."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the answers depend on, beside the records and the limit: JSON values."""

    @property
    def at_a_time(self) -> int:
        """Samples that it is best asked together."""

    def answer(self, prompts: Sequence[SamplePrompt], at: Callable[[int], None]) -> list[Answer]:
        """Return the answers in the order of the samples; ``at`` is told how many there are."""

    def saved(self) -> None:
        """Hear that all answers so far are saved."""


@dataclass(frozen=True)
class _Shard:
    task: Questions
    path: Path
    records: pa.Table

    def prompts(self) -> list[SamplePrompt]:
        return [
            SamplePrompt(
                id=row["id"],
                turns=row["conversations"][:-1],
                image=row["image"],
                max_new_tokens=self.task.max_new_tokens,
                kept_in=f"{self.task.task}/{self.path.parent.parent.name}/{self.path.parent.name}",
            )
            for row in self.records.select(["id", "conversations", "image"]).to_pylist()
        ]

    def write(self, answers: Iterable[Answer]) -> None:
        rows = [
            {
                "id": row["id"],
                "image": row["image"],
                "prompt": row["conversations"][-2]["value"],
                "truths": row["truths"],
                **answer,
            }
            for row, answer in zip(self.records.to_pylist(), answers, strict=True)
        ]
        write_parquet(self.path, pa.Table.from_pylist(rows, schema=PREDICTION_SCHEMA))

    def is_saved(self) -> bool:
        """Tell whether its answers are there, and whole."""
        if not self.path.is_file():
            return False
        try:
            return len(read_parquet(self.path)) == len(self.records)
        except VisatbError as error:
            say(f"answered again: {error}")
            return False


def answer_all(
    run: str,
    questions: Sequence[Questions],
    outputs: Mapping[str, str | Path],
    answering: Answering,
    shard_size: int,
    shard_folder: str | Path,
) -> None:
    """Answer the questions of every task and write one Parquet file a task (`PREDICTION_SCHEMA`).

    Answers are saved in shards of ``shard_size`` samples in ``shard_folder/<task>/<split>/``, the split being the
    records file's name, under a fingerprint of the records and of what else answers depend on. So a killed prediction
    goes on with the shards that are missing, and a task that is added has nothing of the others answered again. Shards
    of all tasks that are missing are answered together, in windows of ``answering.at_a_time`` samples or a little more.
    Shards of other fingerprints are removed once the answers are complete.

    Raises:
        VisatbError: naming an image that is missing or broken.
    """
    folders = {task.task: _folder(task, answering, shard_size, shard_folder) for task in questions}
    with ExitStack() as held:
        for folder in sorted(folders.values()):  # all processes in one order, so that none waits for another for ever
            held.enter_context(alone_in(folder.parent, run))
        shards = [shard for task in questions for shard in _shards(task, folders[task.task], shard_size)]
        _answer_missing(run, shards, answering, shard_size)
        for task in questions:
            parts = [read_parquet(shard.path) for shard in shards if shard.task is task]
            write_parquet(outputs[task.task], pa.concat_tables(parts).cast(PREDICTION_SCHEMA))
            _remove_older_answers(folders[task.task])


def _answer_missing(run: str, shards: Sequence[_Shard], answering: Answering, shard_size: int) -> None:
    missing = [shard for shard in shards if not shard.is_saved()]
    total, left = (sum(len(shard.records) for shard in some) for some in (shards, missing))
    done = total - left
    progress = Progress(run, "answers", total, done)
    # The rests of tasks come last, to be answered together.
    for window in _windows(sorted(missing, key=lambda shard: len(shard.records) < shard_size), answering.at_a_time):
        prompts = [prompt for shard in window for prompt in shard.prompts()]
        answers = iter(answering.answer(prompts, _within(progress, done, done + len(prompts))))
        for shard in window:
            shard.write([next(answers) for _ in range(len(shard.records))])
            done += len(shard.records)
        answering.saved()
        progress.at(done)


def _within(progress: Progress, before: int, after: int) -> Callable[[int], None]:
    """Return what tells of answers until the window ends, when they are saved."""
    return lambda answered: progress.at(before + answered) if before + answered < after else None


def _windows(shards: Iterable[_Shard], least: int) -> Iterator[list[_Shard]]:
    window: list[_Shard] = []
    for shard in shards:
        window.append(shard)
        if sum(len(member.records) for member in window) >= least:
            yield window
            window = []
    if window:
        yield window


def _shards(task: Questions, folder: Path, size: int) -> Iterator[_Shard]:
    records = task.read()
    for start in range(0, len(records), size):
        yield _Shard(task, folder / f"{start:08d}.parquet", records.slice(start, size))


def _folder(task: Questions, answering: Answering, shard_size: int, shard_folder: str | Path) -> Path:
    settings = {
        **answering.settings,
        "records": file_digest(task.records),
        "max_new_tokens": task.max_new_tokens,
        "shard_size": shard_size,
    }
    if task.order_seed is not None:
        settings["order_seed"] = task.order_seed
    return Path(shard_folder) / task.task / Path(task.records).stem / fingerprint(settings)


def _remove_older_answers(folder: Path) -> None:
    for other in folder.parent.glob("*/"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
