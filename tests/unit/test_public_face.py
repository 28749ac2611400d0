"""What scripts import from visatb, and its version, said alike wherever it stands."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

import visatb
from tests.helpers.paths import REPOSITORY

WITHOUT_TORCH = """
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers"):
            raise ImportError(f"imports {name}")

sys.meta_path.insert(0, Refusing())
import visatb
from visatb import VisatbError, read_task_weights

assert issubclass(VisatbError, Exception)
assert read_task_weights(sys.argv[1]) == {"vqa": 1.2}
try:
    from visatb import WeightedLossMixin
except ImportError as mistake:
    assert "torch" in str(mistake)
else:
    raise SystemExit("the loss needs torch")
print(visatb.__version__)
"""


def test_it_is_imported_without_torch(tmp_path: Path):
    weights = tmp_path / "weights.json"
    weights.write_text('{"tasks": {"vqa": {"weight": 1.2}}}')
    command = [sys.executable, "-c", WITHOUT_TORCH, str(weights)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, visatb.__version__), done.stderr


def test_every_public_name_is_there_and_documented():
    page = (REPOSITORY / "docs" / "library.md").read_text(encoding="utf-8")
    assert dir(visatb) == sorted(visatb.__all__)
    for name in visatb.__all__:
        assert getattr(visatb, name)
        assert f"| `{name}` |" in page, name


def test_names_are_those_of_their_modules():
    mixin = import_module("visatb.training.loss.mixin")
    assert visatb.WeightedLossMixin is mixin.WeightedLossMixin


def test_another_name_is_refused_with_those_that_there_are():
    with pytest.raises(AttributeError, match="public are VisatbError, WeightedLossMixin"):
        visatb.WeightedLoss  # noqa: B018


def test_the_version_is_said_alike():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    changes = re.findall(r"^## (\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    assert str(citation["version"]) == changes[0] == visatb.__version__
