"""Has one run's model answer all benchmarks, and leaves a score and a file of samples for each."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from visatb.errors import VisatbError
from visatb.evaluation.zero_shot.benchmarks import Benchmark, write_task_files
from visatb.evaluation.zero_shot.lmms_eval import Asking, check_version, run_lmms_eval
from visatb.evaluation.zero_shot.results import read_results, samples_file
from visatb.runtime.files import atomic_path, write_json
from visatb.runtime.progress import say

_WORK = ".asking-"
"""What the folder begins with that a killed job leaves behind."""


def ask_benchmarks(label: str, benchmarks: Sequence[Benchmark], asking: Asking, folder: str | Path) -> None:
    """Write ``<benchmark>.json`` (of judged ones not yet) and ``<benchmark>.samples.jsonl`` into ``folder``.

    lmms-eval's own account goes to ``lmms_eval.json`` there. All of them once every question of every benchmark is
    answered, or none.

    Raises:
        VisatbError: data are missing, lmms-eval is missing or failed, or a score is missing; it says which.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_WORK}*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_WORK, dir=folder) as work:
        tasks = write_task_files(benchmarks, Path(work) / "tasks")
        version = check_version(asking.python)
        say(f"[{label}] lmms-eval {version} asks {', '.join(tasks)}")
        try:
            results = run_lmms_eval(asking, list(tasks.values()), Path(work) / "tasks", Path(work) / "results")
            scores = read_results(results, tasks, benchmarks)
        except VisatbError as error:
            raise VisatbError(f"{label}: {error}") from error
        samples = {benchmark.name: samples_file(results, tasks[benchmark.name]) for benchmark in benchmarks}
        _copy(max(results.glob("*_results.json")), folder / "lmms_eval.json")
        _keep(benchmarks, scores, samples, folder, version)
    say(f"[{label}] " + ", ".join(f"{s['benchmark']} {s['value']:.2f}" for s in scores if s["metric"] != "to_judge"))


def _keep(
    benchmarks: Sequence[Benchmark],
    scores: Sequence[Mapping[str, object]],
    samples: Mapping[str, Path],
    folder: Path,
    version: str,
) -> None:
    for benchmark, score in zip(benchmarks, scores, strict=True):
        _copy(samples[benchmark.name], folder / f"{benchmark.name}.samples.jsonl")
        if not benchmark.is_judged:
            kept = {name: score[name] for name in ("metric", "value", "stderr", "n", "truncated")}
            write_json(folder / f"{benchmark.name}.json", kept | {"invalid": score["empty"], "lmms_eval": version})


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
