"""What is there already is not made again: imports for real, tasks that are added and a smaller model in dry runs."""

import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.running import SMALL, TINY, dry_run, run_workflow

IMPORTED = ("plus-questions", "plus-bbox", "mine")


def table(path: Path, index: str) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t").set_index(index)


def config(folder: Path, text: str) -> str:
    path = folder / "reuse.yaml"
    path.write_text(text)
    return str(path)


@pytest.fixture(scope="module")
def importing(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment that imports two models and most scores of the smallest one, and makes the rest for real."""
    folder = tmp_path_factory.mktemp("importing") / "copy"
    subprocess.run(["cp", "-a", str(tiny), str(folder)], check=True)
    scores = pd.concat(
        [pd.read_csv(folder / f"results/tiny/{on}_scores.tsv", sep="\t") for on in ("validation", "test")]
    )
    scores = scores[scores["run"].isin(IMPORTED) | scores["run"].str.startswith("single-")]
    scores[["run", "task", "metric", "value", "n", "split"]].to_csv(folder / "scores.csv", index=False)
    runs = {run: f"results/tiny/runs/{run}/model" for run in ("mini", "ew")}
    imports = json.dumps({"runs": runs, "scores": "scores.csv"})
    file = config(folder, f"extends: {TINY}\nexperiment: importing\nimports: {imports}\n")
    jobs = dry_run(folder, configfile=file)
    assert {job for job in jobs if job.startswith("train")} == {"train visatb"}
    assert {job for job in jobs if job.startswith("predict")} == {
        "predict mini val",
        "predict ew test",
        "predict visatb test",
    }
    (folder / "output.txt").write_text(run_workflow(folder, configfile=file))
    assert dry_run(folder, configfile=file) == set()
    return folder


def test_imported_scores_are_those_of_the_experiment_they_come_from(importing: Path):
    found, expected = (
        table(importing / f"results/{name}/validation_matrix.tsv", "run") for name in ("importing", "tiny")
    )
    assert found.drop(columns="origin").to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-5)
    assert found.loc["mini", "origin"].startswith("imported model: ")
    assert found.loc["plus-bbox", "origin"].startswith("imported value: ")


def test_tables_and_texts_tell_what_was_imported_and_what_is_not_known(importing: Path):
    results = importing / "results" / "importing"
    scores = pd.read_csv(results / "validation_scores.tsv", sep="\t")
    values = scores[scores["origin"] == "imported value"]
    assert set(values["run"]) == {"plus-questions", "plus-bbox"}
    assert (values["stderr"].isna() == (values["metric"] == "mean_IoU")).all()
    weights = table(results / "weights.tsv", "task")
    assert weights.loc[weights["group"].notna(), "weight_low"].isna().all(), "bbox has no known spread"
    assert "imported value" in weights.loc["vqa", "note"]
    summary = (results / "summary.txt").read_text()
    assert "Imported models: mini, ew." in summary
    assert "imported value: plus-questions (vqa, chart, bbox)" in summary
    assert "Imported scores" in (results / "figures" / "weights.svg").read_text()
    assert "its model is there" in (results / "plan.tsv").read_text()


def test_a_model_of_another_kind_is_refused_before_anything_is_trained(tiny: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    file = config(tmp_path, f"extends: {TINY}\nimports: {{runs: {{mini: {tmp_path}/empty, minni: nowhere}}}}\n")
    with pytest.raises(pytest.fail.Exception) as caught:
        dry_run(tiny, configfile=file)
    for words in ("has no config.json", "has no *.safetensors", "did you mean 'mini'", "nowhere: no such folder"):
        assert words in str(caught.value)


OLD = ("caption", "vqa", "gqa", "region")
CHART = "tasks: {chart: {data: 'chart/{split}.json', image_folder: chart, metrics: EM, max_new_tokens: 8}}\n"


@pytest.mark.parametrize(
    ("mode", "preparation", "asked"),
    [
        ("strict", {"mini", *(f"plus-{task}" for task in (*OLD, "chart"))}, set()),
        ("frozen", {"mini", "plus-chart"}, {"before-mini", *(f"before-plus-{task}" for task in OLD)}),
    ],
)
def test_an_added_task(finished: Path, tmp_path: Path, mode: str, preparation: set[str], asked: set[str]):
    adding = f"adding: {{tasks: [chart], to: results/demo-small, mode: {mode}}}\n"
    extends = f"extends: {SMALL}\nexperiment: added\n"
    jobs = dry_run(finished, configfile=config(tmp_path, extends + CHART + adding))
    trained = {job for job in jobs if job.startswith("train")}
    assert trained == {
        *(f"train_preparation {run}" for run in preparation),
        *("train_single single-chart", "train ew", "train visatb"),
    }
    assert {job.split()[1] for job in jobs if job.startswith("predict_alone before-")} == asked
    assert {f"import_model single-{task}" for task in OLD} <= jobs
    completed = {job for job in jobs if job.startswith("complete_scores")}
    assert len(completed) == (4 * 5 if mode == "frozen" else 0)


def test_a_smaller_model_measures_and_the_model_itself_is_trained_as_before(tiny: Path, tmp_path: Path):
    small = "config/models/tiny-llava-small.yaml"
    jobs = dry_run(tiny, configfile=config(tmp_path, f"extends: {TINY}\nmeasure_with: {small}\n"))
    made = {job for job in jobs if job.startswith(("pretrain", "train"))}
    assert made == {
        *("pretrain_vision data/models/tiny-llava-small", "pretrain_alignment data/models/tiny-llava-small"),
        *(f"train_preparation {run}" for run in ("mini", "plus-questions", "plus-bbox")),
        "train visatb",
    }
    assert not any(job.startswith("build_mixture") for job in jobs), "mixtures are of the data alone"


@pytest.mark.parametrize("by", ["contributions", "instructions"])
def test_groups_are_proposed_on_request_and_only_then(finished: Path, tmp_path: Path, by: str):
    file = config(tmp_path, f"extends: {SMALL}\ngrouping: {{by: {by}}}\n")
    assert dry_run(finished, configfile=file) == set()
    target = ["results/demo-small/groups.yaml"]
    assert dry_run(finished, "--", *target, configfile=file) == {"propose_groups"}
