"""Command lines made of functions: what flags become, and what is said of wrong ones."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field

from tests.helpers.paths import REPOSITORY
from visatb.config.types import PositiveFloat, Section
from visatb.errors import VisatbError
from visatb.runtime.cli import arguments_of, as_json


class Inner(Section):
    """Numbers."""

    rate: PositiveFloat = Field(0.5, description="share of it")
    names: tuple[str, ...] = ()


class Job(Section):
    """What a subcommand depends on."""

    run: str
    numbers: Inner = Inner()


def subcommand(
    job: Job,
    files: list[Path],
    output: Path,
    named: dict[str, list[str]] | None = None,
    rates: dict[str, float] | None = None,
    mini: Path | None = None,
    kind: Literal["a", "b"] = "a",
    number: int = 1,
    quick: bool = False,
) -> None:
    """Do something.

    Args:
        job: what it depends on.
        output: where it goes,
            in two lines.
    """


GIVEN: dict[str, Any] = {"job": '{"run": "mini"}', "files": ["x", "y z"], "output": "out"}


def test_flags_become_what_the_parameters_are():
    words = {"named": ["t=1", "t=a=b", "u=2"], "rates": ["large=0.5"], "number": "3", "quick": True}
    found = arguments_of(subcommand, GIVEN | words)
    assert found["job"] == Job(run="mini")
    assert found["files"] == [Path("x"), Path("y z")]
    assert (found["output"], found["mini"], found["kind"]) == (Path("out"), None, "a")
    assert found["named"] == {"t": ["1", "a=b"], "u": ["2"]}
    assert (found["rates"], found["number"], found["quick"]) == ({"large": 0.5}, 3, True)


def test_what_is_left_out_has_the_functions_defaults():
    found = arguments_of(subcommand, GIVEN)
    assert (found["named"], found["rates"], found["number"], found["quick"]) == (None, None, 1, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"job": None}, "--job: missing; needed: what it depends on."),
        ({"output": None}, "--output: missing; needed: where it goes, in two lines."),
        ({"job": '{"run": "mini", "numbrs": {}}'}, "--job, numbrs: unknown key; did you mean 'numbers'?"),
        ({"job": '{"run": "mini", "numbers": {"rate": 0}}'}, "--job, numbers.rate: must be above 0; found 0"),
        ({"job": "{"}, "--job: expected JSON, found '{'"),
        ({"kind": "c"}, "--kind: expected 'a' or 'b'; found 'c'"),
        ({"number": "many"}, "--number: expected a whole number; found 'many'"),
        ({"named": ["t"]}, "--named: expected name=value, found 't'"),
        ({"rates": ["t=1", "t=2"]}, "--rates: 't' is given twice; keep one"),
    ],
)
def test_a_wrong_flag_is_told_like_a_wrong_key(words: dict[str, Any], said: str):
    given = {name: value for name, value in (GIVEN | words).items() if value is not None}
    with pytest.raises(VisatbError) as error:
        arguments_of(subcommand, given)
    assert said in str(error.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(VisatbError) as error:
        arguments_of(subcommand, {"job": '{"run": 7}', "kind": "c"})
    assert str(error.value).count("\n  - ") == 4


def test_json_leaves_out_what_has_its_default():
    assert json.loads(as_json(Job(run="a"))) == {"run": "a"}
    assert json.loads(as_json(Job(run="a", numbers=Inner(rate=1)))) == {"run": "a", "numbers": {"rate": 1.0}}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "workflow_scripts/data.py", *words]
    return subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_a_program_says_what_it_can_and_what_is_wrong():
    helped = run("build_mixture", "--help")
    assert helped.returncode == 0
    assert "--rows [NAME=VALUE ...]" in helped.stdout
    assert "the subsets, their rates and the seed." in helped.stdout
    wrong = run("build_mixture", "--job", "{}", "--records", "x", "--sampling", "--output", "y")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("error: build_mixture:\n  - --job, subsets: missing")
    assert "Traceback" not in wrong.stderr
    assert run("build_mixtures").returncode == 2
