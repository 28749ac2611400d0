"""L2T in the workflow: one objective for all runs, templates that people edit, ledger, comparison and pictures."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.running import TINY, dry_run, run_workflow
from visatb.data.demo.exchanges import CAPTION, REGION, SHORT_ANSWER
from visatb.runtime.files import read_json, read_parquet

CORES = ("--cores", "2")
L2T = ("--config", "objective=l2t")


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t")


def test_another_objective_trains_everything_again_from_the_same_data(finished: Path):
    made = dry_run(finished, *L2T)
    assert sum(job.startswith("train") for job in made) == 11
    assert {"mine_templates", "count_instruction_tokens"} <= made
    assert not any(job.startswith(("check_data", "build_mixture", "pretrain", "draw", "match")) for job in made)


def test_every_run_of_an_experiment_has_the_same_objective(finished: Path):
    printed = run_workflow(finished, "--dry-run", "--printshellcmds", "--quiet", "rules", *L2T)
    trainings = [line for line in printed.splitlines() if "training.py train" in line]
    objectives = {tuple(re.findall(r'"objective":{.*?}|--templates \S+', t)) for t in trainings}
    wanted = ('"objective":{"kind":"l2t"}', "--templates results/demo-small/templates.tsv")
    assert (len(trainings), objectives) == (11, {wanted})


def test_edited_templates_are_respected_and_stay_as_they_are(copied: Path):
    table = "results/demo-small/templates.tsv"
    run_workflow(copied, *CORES, table, *L2T)
    mined = read(copied / table).set_index("sentence")["decision"]
    assert {SHORT_ANSWER, REGION, CAPTION} <= set(mined[mined == "removed"].index)
    edited = (
        (copied / table).read_text().replace(f"{REGION}\tregion\t800\t1\tremoved", f"{REGION}\tregion\t800\t1\tkept")
    )
    (copied / "mine.tsv").write_text(edited)
    run_workflow(copied, *CORES, table, *L2T, "l2t={templates: mine.tsv}")
    again = read(copied / table).set_index("sentence")
    assert again.loc[REGION, ["decision", "reason"]].tolist() == ["kept", "edited"]
    assert again.loc[SHORT_ANSWER, "decision"] == "removed"
    assert (copied / "mine.tsv").read_text() == edited


def test_the_weights_are_exported(copied: Path):
    printed = run_workflow(copied, *CORES, "export")
    assert "export_weights" in printed
    weights = read(copied / "results/demo-small/weights.tsv")
    exported = read_json(copied / "results/demo-small/export/weights.json")["tasks"]
    assert {task: share["weight"] for task, share in exported.items()} == dict(
        zip(weights["task"], weights["weight"], strict=True)
    )


@pytest.mark.slow
def test_a_whole_experiment_beside_another(tiny: Path, tmp_path: Path):
    """The smallest experiment once more, now with L2T, and one table of both."""
    folder = tmp_path / "copy"
    shutil.copytree(tiny, folder, symlinks=True)
    (folder / "l2t.yaml").write_text(
        f"extends: {TINY}\nexperiment: l2t\nobjective: l2t\ncompare_with: tiny\n"
        "evaluation: {visual_contribution: true}\nmethods: [ew, visatb]\ngiven_weights: null\n"
    )
    run_workflow(folder, *CORES, "all", "compare", configfile="l2t.yaml")
    l2t = folder / "results/l2t"
    table = read(l2t / "comparison.tsv")
    assert table[["experiment", "method"]].apply(tuple, axis=1).tolist() == [
        *(("tiny", method) for method in ("stl", "ew", "visatb", "mine")),
        *(("l2t", method) for method in ("ew", "visatb")),
    ]
    for name in ("tiny", "l2t"):
        scores = table[table["experiment"] == name].drop(columns=["experiment", "dI", "dE"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(
            scores, read(folder / f"results/{name}/benchmark.tsv")[scores.columns], check_dtype=False
        )
    first_cells = {row.split("|")[1].strip() for row in (l2t / "comparison.md").read_text().splitlines()}
    assert first_cells >= {"STL (tiny)", "EW (l2t)"}
    ledger = read(l2t / "instruction_ledger.tsv").set_index(["task", "tokens_are"])["tokens"]
    assert (ledger[:, "instruction"] > 0).all()
    contribution = read(l2t / "visual_contribution.tsv")
    assert set(contribution["run"]) == {"ew", "visatb"}
    for run, task, n, mean in contribution[["run", "task", "n", "mean"]].itertuples(index=False):
        rows = read_parquet(l2t / "visual_contribution" / run / f"{task}.parquet").to_pandas()
        assert (len(rows), rows["contribution"].mean()) == (n, pytest.approx(mean, rel=1e-5))
    assert (l2t / "figures/visual_contribution.svg").stat().st_size > 5000
