"""Which benchmarks there are, what their data must hold, and the task files that lmms-eval is given."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from visatb.errors import VisatbError, bullet_list

TASK_FOLDER = Path(__file__).parents[3] / "config" / "zero_shot"
BUILDERS = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".tsv": "csv"}
"""Ending of a data file -> the reader of `datasets`."""


@dataclass(frozen=True)
class Known:
    """A benchmark of the papers.

    Attributes:
        task_file: its file in config/zero_shot.
        metric: the score.
        split: the split of its data.
        fields: what each question must have.
        is_judged: a judge grades the answers afterwards; lmms-eval gives no score.
    """

    task_file: str
    metric: str
    split: str
    fields: tuple[str, ...]
    is_judged: bool = False


_SEED = ("image", "question", "choice_a", "choice_b", "choice_c", "choice_d", "answer", "data_type", "question_id")
KNOWN = {
    "TextVQA": Known(
        "textvqa", "accuracy", "validation", ("image", "question", "question_id", "answers", "ocr_tokens")
    ),
    "POPE": Known("pope", "f1", "test", ("image", "question", "answer", "category")),
    "MME": Known("mme", "perception", "test", ("image", "question", "question_id", "answer", "category")),
    "SQA-IMG": Known("scienceqa", "accuracy", "test", ("image", "question", "choices", "hint", "answer")),
    "MMBench": Known("mmbench", "accuracy", "dev", ("image", "index", "question", "A", "B", "answer", "category")),
    "SEED-IMG": Known("seed", "accuracy", "test", _SEED),
    "MM-Vet": Known("mmvet", "score", "test", ("image", "question", "question_id", "answer"), is_judged=True),
}


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as it is asked.

    Attributes:
        name: its heading in tables.
        task: lmms-eval's name of the task, or a task file (``.yaml``).
        metric: lmms-eval's name of the score.
        data: patterns of local files instead of those that the task names.
        image_folder: what the pictures' names in them are relative to; None where they are base64.
        higher_is_better: whether large scores are good.
    """

    name: str
    task: str
    metric: str
    data: tuple[str, ...] = ()
    image_folder: str | None = None
    higher_is_better: bool = True

    @classmethod
    def of(
        cls,
        name: str,
        task: str | None,
        metric: str | None,
        data: Iterable[str] = (),
        image_folder: str | None = None,
        higher_is_better: bool = True,
    ) -> "Benchmark":
        """Return a benchmark whose task and metric need not be told if it is one of the papers'."""
        known = KNOWN.get(name)
        task = task or (str(TASK_FOLDER / f"{known.task_file}.yaml") if known else "")
        return cls(name, task, metric or (known.metric if known else ""), tuple(data), image_folder, higher_is_better)

    @property
    def known(self) -> Known | None:
        """What is known of it, if it is one of the papers'."""
        known = KNOWN.get(self.name)
        return known if known and self.task == str(TASK_FOLDER / f"{known.task_file}.yaml") else None

    @property
    def is_judged(self) -> bool:
        """Whether a judge grades the answers afterwards."""
        return self.known is not None and self.known.is_judged

    @property
    def reported(self) -> str:
        """The metric under which lmms-eval reports it; of judged answers, their number."""
        return "to_judge" if self.is_judged else self.metric


def write_task_files(benchmarks: Sequence[Benchmark], folder: Path) -> dict[str, str]:
    """Write a task file a benchmark that has data of its own or is a file, and return benchmark -> lmms-eval's name.

    Raises:
        VisatbError: with every data file or task file that is missing or cannot be used.
    """
    if problems := data_problems(benchmarks):
        raise VisatbError(f"zero-shot benchmarks cannot be asked:\n{bullet_list(problems)}")
    folder.mkdir(parents=True, exist_ok=True)
    names = {}
    for number, benchmark in enumerate(benchmarks):
        names[benchmark.name] = (
            f"visatb_{number}_{Path(benchmark.task).stem}" if benchmark.task.endswith(".yaml") else benchmark.task
        )
        if benchmark.task.endswith(".yaml"):
            text = yaml.safe_dump(_task(benchmark, names[benchmark.name]), allow_unicode=True)
            (folder / f"{names[benchmark.name]}.yaml").write_text(text, encoding="utf-8")
    return names


def data_problems(benchmarks: Sequence[Benchmark]) -> list[str]:
    """Return a line for every local file that is missing or does not hold what the benchmark needs."""
    return [f"{benchmark.name}: {problem}" for benchmark in benchmarks for problem in _problems(benchmark)]


def _task(benchmark: Benchmark, name: str) -> dict[str, Any]:
    values: dict[str, Any] = {"include": str(Path(benchmark.task).resolve()), "task": name}
    folder = str(Path(benchmark.image_folder).resolve()) if benchmark.image_folder else None
    if benchmark.data:
        files = [str(Path(file).resolve()) for file in found_files(benchmark.data)]
        builder = BUILDERS[Path(files[0]).suffix]
        split = benchmark.known.split if benchmark.known else "test"
        arguments: dict[str, Any] = {"data_files": {split: files}} | ({"sep": "\t"} if builder == "csv" else {})
        values |= {"dataset_path": builder, "dataset_name": None, "dataset_kwargs": arguments, "test_split": split}
        values |= {"lmms_eval_specific_kwargs": {"default": {"image_folder": folder}}}
    return values


def found_files(patterns: Sequence[str]) -> list[str]:
    """Return the files that exist of ``patterns``, in order; a pattern (``*``) stands for those that match."""
    return [file for pattern in patterns for file in sorted(glob(pattern)) if Path(file).is_file()]


def _problems(benchmark: Benchmark) -> Iterator[str]:
    if benchmark.task.endswith(".yaml") and not Path(benchmark.task).is_file():
        yield f"{benchmark.task}: no such task file"
    for pattern in benchmark.data:
        if not found_files([pattern]):
            yield f"{pattern}: no such data file"
    if benchmark.image_folder and not Path(benchmark.image_folder).is_dir():
        yield f"{benchmark.image_folder}: no such image folder"
    files = found_files(benchmark.data)
    endings = {Path(file).suffix for file in files}
    if unknown := sorted(endings - set(BUILDERS)):
        yield f"data files end in {', '.join(unknown)}; known are {', '.join(BUILDERS)}"
    elif len({BUILDERS[ending] for ending in endings}) > 1:
        yield f"data files of several kinds ({', '.join(sorted(endings))}); give it one kind"
    elif benchmark.known:
        for file in files:
            yield from _missing_fields(file, benchmark.known.fields)


def _missing_fields(file: str, wanted: Sequence[str]) -> Iterator[str]:
    try:
        fields = list(_fields(Path(file)))
    except (OSError, ValueError, pa.ArrowInvalid, StopIteration, IndexError) as error:
        yield f"{file}: cannot be read as {Path(file).suffix} ({' '.join(str(error).split())[:200] or 'it is empty'})"
        return
    if missing := [name for name in wanted if name not in fields]:
        yield f"{file}: has no {', '.join(missing)}; it has {', '.join(fields)}"


def _fields(path: Path) -> Sequence[str]:
    """Return the names of the columns, or of the first record's keys."""
    if path.suffix == ".parquet":
        return list(pq.read_schema(path).names)
    with path.open(encoding="utf-8", newline="") as stream:
        if path.suffix == ".tsv":
            return next(csv.reader([stream.readline()], delimiter="\t"))
        record = json.load(stream)[0] if path.suffix == ".json" else json.loads(next(stream))
    if not isinstance(record, Mapping):
        raise ValueError("expected records with named fields")
    return list(record)
