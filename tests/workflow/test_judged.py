"""A judged task through the whole workflow, with a judge over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.helpers.judge_server import SERVED_MODEL, JudgeServer, judge_server
from tests.helpers.running import dry_run, run_workflow, workplace
from tests.helpers.word_judge import grade, grades

JUDGED = "tests/workflow/judged.yaml"


def by_hand(results: Path, run: str, split: str) -> tuple[float, int]:
    rows = pq.read_table(results / "predictions" / run / split / "caption.parquet").to_pylist()
    found = [grades(row["truths"][0].strip(), row["prediction"].strip()) for row in rows]
    reference, answer = np.array([numbers for numbers in found if numbers]).T
    return 100 * answer.mean() / reference.mean(), found.count(None)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Iterator[tuple[Path, JudgeServer, str]]:
    folder = workplace(tmp_path_factory.mktemp("judged"), tiny_base)
    with judge_server(grade) as server:
        printed = run_workflow(folder, "--config", told(server), configfile=JUDGED)
        yield folder, server, printed


def told(server: JudgeServer) -> str:
    return f"evaluation={{judge: {{url: '{server.url}'}}}}"


def test_a_judged_task_from_answers_to_the_table(place: tuple[Path, JudgeServer, str]):
    """One test, for the server and its experiment live in one test process."""
    the_benchmark_holds_what_the_judge_said(*place)
    what_was_told_is_not_asked_again(*place)
    another_address_of_the_judge_makes_nothing_again(place[0])


def the_benchmark_holds_what_the_judge_said(folder: Path, server: JudgeServer, printed: str) -> None:
    results = folder / "results" / "judged"
    benchmark = pd.read_csv(results / "benchmark.tsv", sep="\t").set_index("method")
    for method, run in (("stl", "single-caption"), ("ew", "ew"), ("visatb", "visatb")):
        assert benchmark.loc[method, "caption:judge"] == pytest.approx(by_hand(results, run, "test")[0], rel=1e-5)
    assert "caption<br>judge ↑" in (results / "benchmark.md").read_text().replace("\\", "")
    scores = pd.read_csv(results / "validation_scores.tsv", sep="\t")
    judged = scores[scores["metric"] == "judge"].set_index("run")
    assert set(judged.index) == {"mini", "plus-caption", "plus-vqa"}
    for run, row in judged.iterrows():
        assert (row["value"], row["invalid"]) == pytest.approx(by_hand(results, str(run), "val"), rel=1e-5)
    assert (judged["judge"] == SERVED_MODEL).all()
    assert (judged["judge_tokens"] == 12 * 120).all()
    assert judged["judge_cost"].to_list() == pytest.approx([12 * (100 * 2 + 20 * 8) / 1e6] * 3)
    assert scores.loc[scores["metric"] != "judge", "judge"].isna().all()
    assert f"  {SERVED_MODEL}: 72 verdicts, 8640 tokens" in printed
    assert 0 < len(server.times()) <= 72


def what_was_told_is_not_asked_again(folder: Path, server: JudgeServer, _: str) -> None:
    asked = len(server.asked)
    scores = folder / "results" / "judged" / "scores" / "ew" / "test" / "caption.parquet"
    before = pq.read_table(scores)
    more = ["--forcerun", "judge", "--until", "score", "--config"]
    again = run_workflow(folder, *more, told(server), configfile=JUDGED)
    assert "judge ew test caption" in again
    assert pq.read_table(scores).equals(before)
    assert len(server.asked) == asked


def another_address_of_the_judge_makes_nothing_again(folder: Path) -> None:
    moved = "evaluation={judge: {url: 'http://127.0.0.1:1/v1', retries: 1}}"
    assert dry_run(folder, "--config", moved, configfile=JUDGED) == set()
