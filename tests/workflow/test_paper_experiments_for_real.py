"""The paper's three experiments to their end: the real configs and layouts, a tiny model, few records."""

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.helpers.judge_server import judge_server
from tests.helpers.paper_experiments import config, place
from tests.helpers.running import run_workflow
from tests.helpers.word_judge import grade, grades

SMALL = """
model: tests/workflow/tiny-model.yaml
training: {global_batch_size: 8, micro_batch_size: 4, learning_rate: 1.0e-3, precision: float32, deepspeed: null}
balancing: {on_unlearned: clip, bootstrap: 200}
resources:
"""
ON_CPU = "{gpus: 0, cpus: 1, mem_mb: 3000, runtime: 30}"


def run(folder: Path, name: str, methods: str, *arguments: str, more: str = "") -> Path:
    """Run an experiment of the paper with what makes it small, and return the folder of its results."""
    kinds = "".join(f"  {kind}: {ON_CPU}\n" for kind in ("mini", "plus", "single", "final", "predict"))
    changed = f"extends: {config(name)}\nexperiment: {name}\nmethods: {methods}\n{SMALL}{kinds}{more}"
    (folder / "small.yaml").write_text(changed)
    run_workflow(folder, *arguments, configfile=str(folder / "small.yaml"))
    return folder / "results" / name


@pytest.fixture
def folder(tmp_path: Path, tiny_base: Path) -> Path:
    """Return a folder with a base model, which the workflow need not make again."""
    shutil.copytree(tiny_base, tmp_path / "data" / "models" / tiny_base.name)
    return tmp_path


def short(tasks: list[str]) -> str:
    """Return the config of answers that end soon, also those of a model that does not know when."""
    return "tasks:\n" + "".join(f"  {task}: {{max_new_tokens: 16}}\n" for task in tasks)


def table(path: Path, index: str) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t").set_index(index)


def exact_matches(results: Path, run: str, split: str, task: str) -> float:
    rows = pq.read_table(results / "predictions" / run / split / f"{task}.parquet").to_pylist()
    return 100 * sum(row["prediction"].strip().lower() in map(str.lower, row["truths"]) for row in rows) / len(rows)


@pytest.mark.slow
def test_academic_to_its_table(folder: Path):
    results = run(place(folder, "academic"), "academic", "[stl, ew, visatb]", more=short(["ShareGPT4V", "Ref-caption"]))
    weights = table(results / "weights.tsv", "task")
    balanced = weights["weight"].drop("ShareGPT")
    assert len(balanced) == 7
    assert balanced.sum() == pytest.approx(7, abs=1e-4)
    assert balanced.std() > 0.05
    assert (weights.loc["ShareGPT", "weight"], weights.loc["ShareGPT", "note"]) == (1, "fixed")
    benchmark = table(results / "benchmark.tsv", "method")
    assert list(benchmark.index) == ["stl", "ew", "visatb"]
    for task in ("VQAv2", "GQA", "ChartQA", "OCRVQA"):
        for method, by in (("stl", f"single-{task}"), ("ew", "ew"), ("visatb", "visatb")):
            assert benchmark.loc[method, task] == pytest.approx(exact_matches(results, by, "test", task), rel=1e-5)
    V = table(results / "validation_matrix.tsv", "run")
    assert V.loc["mini", "VQAv2"] == pytest.approx(exact_matches(results, "mini", "val", "VQAv2"), rel=1e-5)
    assert V.loc["plus-VQAv2", "VQAv2"] > V.loc["mini", "VQAv2"], "a tiny model learns to say yes"


@pytest.mark.slow
def test_m3it_to_its_table(folder: Path):
    results = run(place(folder, "m3it"), "m3it", "[ew, visatb]")
    weights = table(results / "weights.tsv", "task")
    groups = weights.groupby("group")["weight"]
    assert (groups.max() == groups.min()).all()
    assert groups.first().sum() == pytest.approx(5, abs=1e-4)
    assert groups.first().std() > 0.01
    contributions = table(results / "contributions.tsv", "from")
    assert contributions.shape == (5, 5)
    benchmark = table(results / "benchmark.tsv", "method")
    assert benchmark.shape[1] >= 17
    for task in ("GOI", "CLE", "VisD"):
        assert benchmark.loc["ew", task] == pytest.approx(exact_matches(results, "ew", "test", task), rel=1e-5)
    answers = pq.read_table(results / "predictions" / "visatb" / "test" / "GOI.parquet")
    with Image.open(folder / answers["image"][0].as_py()) as image:
        assert image.format == "JPEG"


@pytest.mark.slow
def test_chat_in_the_simple_form_with_a_judge_at_hand(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "of nobody")
    place(folder, "chat")
    tasks = ["conversation", "detail", "complex"]
    with judge_server(grade) as server:
        told = f"evaluation={{judge: {{url: '{server.url}', concurrency: 4, timeout: 20}}}}"
        more = "sampling: {mini: 0.125}\n" + short(tasks)
        results = run(folder, "chat", "[stl, ew, visatb]", "--config", told, more=more)
    V = table(results / "validation_matrix.tsv", "run")
    assert set(V.index) == {"base", *(f"{kind}-{task}" for kind in ("single", "mini-only") for task in tasks)}
    rows = pq.read_table(results / "predictions" / "base" / "val" / "detail.parquet").to_pylist()
    found = [grades(row["truths"][0].strip(), row["prediction"].strip()) for row in rows]
    reference, answer = map(sum, zip(*(numbers for numbers in found if numbers), strict=True))
    assert V.loc["base", "detail"] == pytest.approx(100 * answer / reference, rel=1e-5)
    weights = table(results / "weights.tsv", "task")["weight"]
    assert weights[tasks].sum() == pytest.approx(3, abs=1e-4)
    assert not table(results / "benchmark.tsv", "method")[tasks].isna().any(axis=None)
