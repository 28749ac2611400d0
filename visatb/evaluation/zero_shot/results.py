"""What lmms-eval wrote about one run, checked and put into one table of scores."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from visatb.errors import VisatbError, bullet_list
from visatb.evaluation.zero_shot.benchmarks import Benchmark
from visatb.runtime.files import read_json

GAVE_UP = "[LMMS_EVAL_"
"""What an answer begins with that is none: lmms-eval's note that an endpoint failed."""

Score = dict[str, Any]
"""``benchmark``, ``metric``, ``value``, ``stderr``, ``n``, ``empty`` and ``truncated``; None where not known."""


def read_results(folder: Path, tasks: Mapping[str, str], benchmarks: Sequence[Benchmark]) -> list[Score]:
    """Return the score of each benchmark from lmms-eval's results file and files of samples in ``folder``.

    Args:
        folder: holds one ``*_results.json`` and a ``*_samples_<task>.jsonl`` a task.
        tasks: benchmark -> lmms-eval's name of its task.
        benchmarks: what was asked.

    Raises:
        VisatbError: naming every benchmark of which a score, or the answer to a question, is missing.
    """
    files = sorted(folder.glob("*_results.json"))
    if not files:
        raise VisatbError(f"{folder}: lmms-eval has left no results here")
    values = read_json(files[-1])
    scores, problems = [], []
    for benchmark in benchmarks:
        try:
            scores.append(_score(benchmark, tasks[benchmark.name], values, folder))
        except VisatbError as error:
            problems.append(f"{benchmark.name}: {error}")
    if problems:
        raise VisatbError(f"{files[-1]}: not every benchmark has a score:\n{bullet_list(problems)}")
    return scores


def samples_file(folder: Path, task: str) -> Path:
    """Return the file of a task's samples."""
    files = sorted(folder.glob(f"*_samples_{task}.jsonl"))
    if not files:
        raise VisatbError(f"there is no file of samples (*_samples_{task}.jsonl) in {folder}")
    return files[-1]


def read_samples(path: str | Path) -> list[dict[str, Any]]:
    """Return the samples of a file, one JSON object a line; line separators within answers are no ends of lines."""
    with Path(path).open(encoding="utf-8", newline="\n") as stream:
        return [json.loads(line) for line in stream]


def answer_of(sample: Mapping[str, Any]) -> str:
    """Return what the model answered."""
    answer = sample["filtered_resps"]
    return str(answer[0] if isinstance(answer, list) and answer else answer or "")


def _score(benchmark: Benchmark, task: str, values: Mapping[str, Any], folder: Path) -> Score:
    scores = values.get("results", {}).get(task)
    if scores is None:
        raise VisatbError(f"the task {task} has no results; there are {', '.join(values.get('results', {})) or 'none'}")
    key = next((key for key in scores if key.split(",")[0] == benchmark.reported), None)
    if key is None:
        known = sorted({key.split(",")[0] for key in scores if "," in key and "_stderr" not in key})
        raise VisatbError(f"there is no metric '{benchmark.reported}'; the task has {', '.join(known)}")
    value, filtering = scores[key], key.split(",")[1]
    if not _is_number(value):
        raise VisatbError(f"its {benchmark.reported} is {value!r}, no number")
    samples = read_samples(samples_file(folder, task))
    answers = [answer_of(sample) for sample in samples]
    expected = values.get("n-samples", {}).get(task, {}).get("effective")
    if not answers or (expected is not None and len(answers) != expected):
        raise VisatbError(f"{len(answers)} answers to {expected} questions are kept")
    if failed := [answer for answer in answers if answer.startswith(GAVE_UP)]:
        raise VisatbError(f"{len(failed)} of {len(answers)} questions found no answer; the first: {failed[0][:200]}")
    stderr = scores.get(f"{benchmark.reported}_stderr,{filtering}")
    return {
        "benchmark": benchmark.name,
        "metric": benchmark.reported,
        "value": float(value),
        "stderr": float(stderr) if _is_number(stderr) else None,
        "n": len(answers),
        "empty": sum(not answer.strip() for answer in answers),
        "truncated": _truncated(samples, values.get("configs", {}).get(task, {})),
    }


def _truncated(samples: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> int | None:
    """Return how many answers are as long as they may be; None where lmms-eval does not tell their lengths."""
    longest = (config.get("generation_kwargs") or {}).get("max_new_tokens")
    lengths = [(sample.get("token_counts") or [None])[0] for sample in samples]
    if longest is None or None in lengths:
        return None
    return sum(length["output_tokens"] >= longest for length in lengths if length)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
