"""Weights that are measured with a smaller model: which run is of which, and what cannot be."""

from pathlib import Path

import pytest

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values
from visatb.errors import VisatbError
from visatb.experiment.experiment import Experiment

PROXY = "name: small\nfamily: qwen2_vl\ncheckpoint: models/small\nfreeze: []\n"


@pytest.fixture(autouse=True)
def in_a_folder_with_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL_FILE).write_text(MODEL_TEXT)
    (tmp_path / "small.yaml").write_text(PROXY)


def measured_with(file: str = "small.yaml", **changes: object) -> Experiment:
    return Experiment.from_values(config_values(measure_with=file, **changes))


def test_runs_that_measure_are_of_the_small_model_and_the_others_of_the_model():
    one = measured_with(balancing={"difficulty": "precise"})
    assert {run.name for run in one.runs.values() if one.model_of(run.name).name == "small"} == {
        *("mini", "plus-vqa", "plus-caption", "plus-bbox"),
        *(f"{size}-only-{task}" for size in ("mini", "large") for task in ("vqa", "caption", "bbox")),
    }
    assert [model.source for model in one.models] == ["models/tiny", "models/small"]
    assert one.notes == ["Weights measured with small, final runs are of tiny."]


def test_without_a_small_model_all_runs_are_of_the_model():
    one = Experiment.from_values(config_values())
    assert {one.model_of(run).name for run in one.runs} == {"tiny"}
    assert one.notes == []


def test_mistakes():
    with pytest.raises(VisatbError, match=r"measure_with: smal.yaml: no such file; did you mean 'small.yaml'"):
        measured_with("smal.yaml")
    with pytest.raises(VisatbError, match="measure_with: has the checkpoint of the model itself"):
        measured_with(MODEL_FILE)
    Path("small.yaml").write_text(PROXY.replace("small\n", "tiny\n", 1))
    with pytest.raises(VisatbError, match="is called 'tiny' as the model is"):
        measured_with()
    Path("small.yaml").write_text(PROXY + "colour: red\n")
    with pytest.raises(VisatbError, match=r"small.yaml: colour: unknown key"):
        measured_with()


def test_a_run_cannot_be_of_two_models():
    simple = {"balancing": {"form": "simple"}}
    with pytest.raises(VisatbError, match="single-vqa, single-caption, single-bbox would measure and be compared"):
        measured_with(**simple)
    one = measured_with(**simple, methods=["ew", "visatb"])
    assert one.model_of("single-vqa").name == one.model_of("base").name == "small"
