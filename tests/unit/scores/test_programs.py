"""The programs that take scores in write what the library makes of the same files."""

import runpy
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from tests.helpers.paths import SCRIPTS
from visatb.runtime.cli import as_json
from visatb.runtime.files import read_parquet, read_table, write_parquet, write_table, write_text
from visatb.scores.columns import Column
from visatb.scores.comparison import comparison_table
from visatb.scores.extrapolated import extrapolated_table
from visatb.scores.imported import ImportedScore, imported_table, kept_table
from visatb.scores.jobs import ComparisonJob, ImportJob, KeptJob, KnownScore
from visatb.scores.scoring import score_predictions

RECORDS = pa.table({"id": [f"s{n}" for n in range(4)], "image": [f"{n}.png" for n in range(4)]})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_parquet("records.parquet", RECORDS)
    for name, right in {"mini": 2, "before_mini": 1, "before_plus": 3}.items():
        answers = {"prediction": ["yes"] * right + ["no"] * (4 - right), "truths": [["yes"]] * 4}
        about = {name: RECORDS[name].to_pylist() for name in ("id", "image")} | {"finish_reason": ["stop"] * 4}
        write_parquet(f"{name}.parquet", score_predictions(pa.table(about | answers), ["EM"]))


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["scores.py", *words])
    runpy.run_path(str(SCRIPTS / "scores.py"), run_name="__main__")


def test_imported_scores_with_and_without_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    write_text("samples.tsv", "id\tvalue\n" + "".join(f"s{n}\t{100 * (n < 2)}\n" for n in range(4)))
    job = ImportJob(run="mini", split="val", task="vqa", scores={"EM": KnownScore(value=50, n=4)})
    for samples in ([], ["EM=samples.tsv"]):
        files = ["--records", "records.parquet", "--output", "scores.parquet"]
        run(monkeypatch, "import_scores", "--job", as_json(job), "--samples", *samples, *files)
        score = ImportedScore("mini", "val", "vqa", "EM", 50.0, 4, "samples.tsv" if samples else None)
        assert read_parquet("scores.parquet").equals(imported_table([score], RECORDS), check_metadata=True)


def test_kept_and_completed_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = ["--job", as_json(KeptJob(metrics=["EM"])), "--scores", "mini.parquet", "--records", "records.parquet"]
    run(monkeypatch, "keep_scores", *kept, "--output", "kept.parquet")
    scores = read_parquet("mini.parquet")
    assert read_parquet("kept.parquet").equals(kept_table("mini.parquet", scores, ["EM"], RECORDS), check_metadata=True)
    parts = ["--mini", "mini.parquet", "--before-mini", "before_mini.parquet", "--before-plus", "before_plus.parquet"]
    run(monkeypatch, "complete_scores", "--task", "vqa", *parts, "--output", "completed.parquet")
    tables = {
        name.replace("_", "-"): read_parquet(f"{name}.parquet") for name in ("mini", "before_mini", "before_plus")
    }
    assert read_parquet("completed.parquet").equals(extrapolated_table("vqa", tables), check_metadata=True)


def test_experiments_in_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"one": 40.0, "two": 50.0}.items():
        write_table(f"{name}/benchmark.tsv", pd.DataFrame({"method": ["stl", "ew"], "vqa": [40.0, value]}))
        write_table(f"{name}/test_scores.tsv", pd.DataFrame({"task": ["vqa"], "metric": ["EM"], "n": [4]}))
    job = ComparisonJob(experiments=["one", "two"], metrics={"vqa": ["EM"]})
    files = ["--results", ".", "--table", "comparison.tsv", "--markdown", "comparison.md"]
    run(monkeypatch, "compare_experiments", "--job", as_json(job), *files)
    expected = comparison_table(".", ["one", "two"], [Column("vqa", "EM")])
    pd.testing.assert_frame_equal(read_table("comparison.tsv"), expected, check_dtype=False)
    assert "EW (two)" in Path("comparison.md").read_text()
