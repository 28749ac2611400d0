"""Which jobs a change starts after the small demo has run: all of them, as dry runs name them.

``python tests/golden/test_job_sets.py FOLDER``, with a folder in which the small demo has run to its end, writes the
fixture anew.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.golden.adapters import REPOSITORY, jobs, renamed
from tests.golden.stored import read, write

TASKS = ("caption", "vqa", "gqa", "region")
MINE = json.dumps({"mine": dict.fromkeys(TASKS, 1.5)})


def scores_lost(folder: Path) -> None:
    scores = folder / "results" / "demo-small" / "scores"
    (scores / "ew" / "test" / "vqa.parquet").unlink()
    (scores / "single-gqa" / "test" / "gqa.parquet").unlink()


def records_edited(folder: Path) -> None:
    path = folder / "data" / "demo-small" / "vqa" / "val.json"
    records = json.loads(path.read_text())
    records[0]["conversations"][1]["value"] = "changed"
    path.write_text(json.dumps(records))


def edited(path: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(code: Path) -> None:
        text = (code / path).read_text()
        assert old in text
        (code / path).write_text(text.replace(old, new, 1))

    return edit


@dataclass(frozen=True)
class Change:
    """What is changed: options on the command line, the finished experiment, or a copy of the code."""

    options: tuple[str, ...] = ()
    folder: Callable[[Path], None] | None = None
    code: Callable[[Path], None] | None = None


CHANGES = {
    "nothing": Change(),
    "temperature": Change(("--config", "balancing={temperature: 1.0}")),
    "alpha": Change(("--config", "balancing={alpha: {out: 0.2, in: 0.3}}")),
    "on_unlearned": Change(("--config", "balancing={on_unlearned: clip}")),
    "metric": Change(("--config", "tasks={vqa: {metrics: CIDEr}}")),
    "lost scores": Change(folder=scores_lost),
    "version of a metric": Change(
        code=edited("visatb/scores/metrics.py", 'Metric("EM", 1,', 'Metric("EM", 2,'),
    ),
    "longer answers": Change(("--config", "tasks={gqa: {max_new_tokens: 9}}")),
    "learning rate": Change(("--config", "training={learning_rate: 0.002}")),
    "epochs": Change(("--config", "training={epochs: 2}")),
    "normalization": Change(("--config", "training={normalization: micro_batch}")),
    "rate of mini": Change(("--config", "sampling={mini: 0.1}")),
    "weights of one's own": Change(("--config", "methods=[stl, ew, visatb, mine]", f"given_weights={MINE}")),
    "edited records": Change(folder=records_edited),
    "comment in a script": Change(code=edited("workflow_scripts/training.py", "\n\n", "\n\n# a note\n")),
    "comment in the library": Change(code=edited("visatb/training/fit.py", "\n\n", "\n\n# a note\n")),
    "comment in rules": Change(code=edited("rules/training.smk", "\n\n", "\n\n# a note\n")),
}


def started(change: Change, finished: Path, place: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """Return the jobs that a change starts; ``place`` is room for copies."""
    place.mkdir(exist_ok=True)
    if change.folder:
        subprocess.run(["cp", "-a", str(finished), str(place / "copy")], check=True)
        finished = place / "copy"
        change.folder(finished)
    if not change.code:
        return jobs(finished, *change.options)
    code = place / "code"
    ignored = shutil.ignore_patterns(".*", "results", "data", "tests", "__pycache__")
    shutil.copytree(REPOSITORY, code, ignore=ignored)
    shutil.copytree(REPOSITORY / "visatb" / "data", code / "visatb" / "data", dirs_exist_ok=True)
    change.code(code)
    patch.setenv("PYTHONPATH", str(code))  # before the library that is installed
    return jobs(finished, *change.options, code=code)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_starts_the_jobs_that_it_did(
    name: str, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert started(CHANGES[name], finished, tmp_path / "place", monkeypatch) == renamed(read("job_sets.json")[name])


def record(finished: Path) -> None:
    import tempfile

    found = {}
    for name, change in CHANGES.items():
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as place:
            found[name] = started(change, finished, Path(place), patch)
    write("job_sets.json", found)


if __name__ == "__main__":
    record(Path(sys.argv[1]))
