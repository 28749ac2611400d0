"""Keys by their old names: they mean what they meant, with a line; never both names; no password in any message."""

from typing import Any

import pytest

from tests.helpers.config_examples import config_values
from tests.helpers.galaxy_examples import section
from visatb.config.renamed import with_new_names
from visatb.errors import VisatbError
from visatb.experiment.checks.taskgalaxy import checked_data_set
from visatb.experiment.experiment import Experiment

URL = "http://localhost:8000/v1"
MODEL = "config/models/llava-1.5-7b.yaml"


def experiment(**changes: Any) -> Experiment:
    return Experiment.from_values(config_values(model=MODEL, **changes))


def test_a_judge_by_the_old_name_is_asked_at_the_same_address(capsys: pytest.CaptureFixture[str]):
    judge = experiment(evaluation={"judge": {"model": "local", "endpoint": URL}}).config.evaluation.judge
    assert judge is not None
    assert judge.url == URL
    line = "evaluation.judge.endpoint is called url since 0.2; the old name is understood until 0.3\n"
    assert capsys.readouterr().err == line


def test_the_new_name_is_taken_without_a_word(capsys: pytest.CaptureFixture[str]):
    values = config_values(model=MODEL, evaluation={"judge": {"model": "local", "url": URL}})
    assert with_new_names(values) == (values, [], [])
    Experiment.from_values(values)
    assert capsys.readouterr().err == ""


def test_both_names_are_refused_without_showing_either_address():
    judge = {"model": "local", "endpoint": "http://me:secret@host/v1", "url": URL}
    with pytest.raises(VisatbError) as error:
        experiment(evaluation={"judge": judge})
    expected = "evaluation.judge.endpoint: is the old name of url, and both are given; take endpoint away"
    assert str(error.value) == f"config has 1 mistake:\n  - {expected}"


def test_a_password_in_an_address_by_its_old_name_is_refused_and_not_shown(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(VisatbError, match=r"evaluation\.judge\.url: an address must hold no key") as error:
        experiment(evaluation={"judge": {"model": "local", "endpoint": "http://me:secret@host/v1"}})
    assert "secret" not in str(error.value) + capsys.readouterr().err


@pytest.mark.parametrize("key", ["url", "endpoint"])
def test_a_password_in_what_is_no_address_is_not_shown_either(key: str):
    with pytest.raises(VisatbError, match=r"evaluation\.judge\.url: expected an address that begins") as error:
        experiment(evaluation={"judge": {"model": "local", key: "me:secret@host/v1"}})
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("written", "attempts"),
    [
        ({"address": URL}, 5),
        ({"address": URL, "retries": 1}, 1),
        ({"address": URL, "retries": 7}, 7),
        ({"url": URL}, 5),
        ({"url": URL, "retries": 0}, 1),
        ({"url": URL, "retries": 7}, 8),
    ],
)
def test_attempts_of_the_zero_shot_benchmarks_stay_what_they_were(
    written: dict[str, Any], attempts: int, capsys: pytest.CaptureFixture[str]
):
    asked = {"benchmarks": ["POPE"], "endpoint": {"model": "{run}", **written}}
    zero_shot = experiment(zero_shot=asked).config.zero_shot
    assert zero_shot is not None
    assert zero_shot.endpoint is not None
    assert zero_shot.endpoint.retries + 1 == attempts
    is_told = f"zero_shot.endpoint.retries: {attempts} attempts in all, as in 0.1;" in capsys.readouterr().err
    assert is_told == ("address" in written and "retries" in written)


@pytest.mark.parametrize("retries", [-1, "many", True])
def test_retries_that_are_none_are_told_as_such(retries: object):
    asked = {"benchmarks": ["POPE"], "endpoint": {"address": "http://{run}/v1", "retries": retries}}
    with pytest.raises(VisatbError, match=r"zero_shot\.endpoint\.retries: "):
        experiment(zero_shot=asked)


def test_endpoints_of_taskgalaxy_are_told_one_by_one(capsys: pytest.CaptureFixture[str]):
    values = section(URL)
    today = checked_data_set({"taskgalaxy": values})
    old = {name: {"address": one.pop("url"), **one} for name, one in section(URL)["endpoints"].items()}
    assert checked_data_set({"taskgalaxy": values | {"endpoints": old}}) == today
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(old)
    assert "taskgalaxy.endpoints.judge-a.address is called url since 0.2; the old name is understood until 0.3" in told


def test_sections_that_are_no_sections_are_left_to_the_schema():
    for values in ({"evaluation": "judge"}, {"evaluation": {"judge": None}}, {"taskgalaxy": {"endpoints": ["a"]}}):
        assert with_new_names(values) == (values, [], [])
