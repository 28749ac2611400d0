"""What trainings and answers are kept under: a fingerprint that changes trains, or answers, all of it again.

``python tests/golden/test_fingerprints.py`` writes the fixtures anew.
"""

import sys
from pathlib import Path

import pytest

from tests.golden.adapters import answers, trainings
from tests.golden.stored import read, write

TRAINED = {
    "demo": "config/config.yaml",
    "demo-qwen2-vl": "config/experiments/demo-qwen2-vl.yaml",
    "demo-l2t": "config/experiments/demo-l2t.yaml",
    "academic": "config/experiments/academic.yaml",
    "academic-ablation": "config/experiments/academic-ablation.yaml",
    "chat": "config/experiments/chat.yaml",
    "m3it": "config/experiments/m3it.yaml",
    "tiny": "tests/golden/tiny.yaml",
    "methods": "tests/golden/methods.yaml",
    "seeds": "tests/golden/seeds.yaml",
}
ANSWERED = {
    "demo-small": "config/experiments/demo-small.yaml",
    "academic": "config/experiments/academic.yaml",
    "seeds": "tests/golden/seeds.yaml",
    "served": "tests/golden/served.yaml",
}


@pytest.mark.parametrize("name", TRAINED)
def test_trainings_are_described_as_they_were(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert trainings(TRAINED[name], tmp_path / "place", monkeypatch) == read(f"trainings/{name}.json")


@pytest.mark.parametrize("name", ANSWERED)
def test_answers_are_kept_where_they_were(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert answers(ANSWERED[name], tmp_path / "place", monkeypatch) == read(f"answers/{name}.json")


def record() -> None:
    import tempfile

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        for name, config in TRAINED.items():
            write(f"trainings/{name}.json", trainings(config, Path(folder) / f"trainings-{name}", patch))
        for name, config in ANSWERED.items():
            write(f"answers/{name}.json", answers(config, Path(folder) / f"answers-{name}", patch))


if __name__ == "__main__":
    sys.exit(record())
