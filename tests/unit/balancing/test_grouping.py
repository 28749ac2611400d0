"""Proposed groups: planted ones are found, unmeasured tasks stay alone, and a config takes the file."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values
from tests.helpers.paths import SCRIPTS
from visatb.balancing.grouping import contribution_distances, group_name, instruction_distances, propose, saved_cost
from visatb.balancing.jobs import GroupingJob
from visatb.data.questions import sampled_questions
from visatb.data.records import RECORD_SCHEMA
from visatb.errors import VisatbError
from visatb.experiment.experiment import Experiment
from visatb.runtime.cli import as_json
from visatb.runtime.files import write_parquet, write_table, write_text

SCRIPT = SCRIPTS / "balancing.py"
TASKS = ("vqa", "gqa", "caption", "region", "bbox")
PLANTED = {"vqa": 0, "gqa": 0, "caption": 1, "region": 1, "bbox": 2}


def planted(noise: float = 0.05) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    C = pd.DataFrame(generator.normal(0, noise, (5, 5)), index=list(TASKS), columns=list(TASKS))
    for i in TASKS:
        for j in TASKS:
            C.loc[i, j] += 0.8 * (PLANTED[i] == PLANTED[j])
        C.loc[i, i] = 1.0
    return C


def test_planted_groups_are_found_and_measured():
    grouping = propose(contribution_distances(planted()))
    assert sorted(map(sorted, grouping.groups.values())) == [["bbox"], ["caption", "region"], ["gqa", "vqa"]]
    assert max(grouping.silhouettes, key=lambda count: grouping.silhouettes[count]) == 3
    C = planted()
    table = grouping.table().set_index("group")
    assert table.loc["vqa+gqa", "spread"] == pytest.approx(1 - (C.loc["vqa", "gqa"] + C.loc["gqa", "vqa"]) / 2)
    assert (table["spread"] < table["nearest_distance"]).all()
    assert table.loc["bbox", "spread"] == 0


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_a_number_can_be_chosen(number: int):
    grouping = propose(contribution_distances(planted()), number)
    assert len(grouping.groups) == number
    assert sorted(task for tasks in grouping.groups.values() for task in tasks) == sorted(TASKS)
    merged = (grouping.tree[:, 2] < grouping.cut).sum()
    assert len(TASKS) - merged == number, "the line of the figure cuts the tree into as many"


def test_tasks_that_do_not_fall_into_groups_stay_alone():
    even = pd.DataFrame(1.0 - np.eye(4), index=list("abcd"), columns=list("abcd"))
    assert [list(tasks) for tasks in propose(even).groups.values()] == [["a"], ["b"], ["c"], ["d"]]


def test_a_column_that_was_not_measured_counts_in_one_direction():
    C = planted(noise=0)
    C["vqa"] = 0.3  # the mean of others stands in
    distances = contribution_distances(C, ["vqa"])
    assert distances.loc["vqa", "gqa"] == pytest.approx(1 - C.loc["vqa", "gqa"])
    assert distances.equals(distances.T)
    C["gqa"] = 0.3
    both = contribution_distances(C, ["vqa", "gqa"])
    assert both.loc["vqa", "gqa"] == both.to_numpy().max()
    assert (np.diag(both) == 0).all()


@pytest.mark.parametrize(("tasks", "number"), [(2, None), (4, 1), (4, 5)])
def test_what_cannot_be_grouped_is_told(tasks: int, number: int | None):
    distances = pd.DataFrame(1.0 - np.eye(tasks), index=list("abcd")[:tasks], columns=list("abcd")[:tasks])
    with pytest.raises(VisatbError, match=r"expected 2 to|at least 3"):
        propose(distances, number)


def test_questions_in_the_same_words_are_near():
    questions = {
        "vqa": ["What colour is the ball? Answer with one word."] * 3,
        "gqa": ["What shape is left of the ball? Answer with one word."],
        "caption": ["Describe the picture in a sentence."],
        "region": ["Describe the object in the frame."],
    }
    distances = instruction_distances(questions)
    assert distances.loc["vqa", "gqa"] < distances.loc["vqa", "caption"]
    assert sorted(map(sorted, propose(distances).groups.values())) == [["caption", "region"], ["gqa", "vqa"]]
    with pytest.raises(VisatbError, match="region have no questions"):
        instruction_distances(questions | {"region": [" "]})


def test_names_and_cost():
    assert group_name(["a", "b"]) == "a+b"
    assert group_name(["x" * 40, "y" * 40]) == "x" * 40 + "+1-more"
    assert len(group_name(["x" * 60, "y"])) <= 60
    assert saved_cost(17, 5, 1 / 32) == pytest.approx(12 / 32)


def test_first_questions_are_drawn(tmp_path: Path):
    rows = [
        {"id": str(n), "image": None, "truths": ["a"], "conversations": [
            {"from": "human", "value": f"<image>\nWhat is {n}?"}, {"from": "gpt", "value": "a"},
            {"from": "human", "value": "And then?"}, {"from": "gpt", "value": "b"}]}
        for n in range(9)
    ]  # fmt: skip
    import pyarrow as pa

    write_parquet(tmp_path / "train.parquet", pa.Table.from_pylist(rows, RECORD_SCHEMA))
    all_of_them = sampled_questions([tmp_path / "train.parquet"], 100, 0)
    assert all_of_them == [f"What is {n}?" for n in range(9)]
    some = sampled_questions([tmp_path / "train.parquet"], 4, 0)
    assert len(some) == 4
    assert set(some) < set(all_of_them)


def test_the_program_writes_what_a_config_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path(MODEL_FILE).write_text(MODEL_TEXT)
    tasks = ["vqa", "caption", "bbox"]
    C = pd.DataFrame([[1, 0.9, 0.1], [0.8, 1, 0.0], [0.1, 0.0, 1]], index=tasks, columns=tasks)
    write_table("contributions.tsv", C.rename_axis("from").reset_index())
    write_text("balancing.json", '{"not_measured": []}')
    job = GroupingJob(groups={task: [task] for task in tasks}, rate_mini=0.125)
    line = ["propose_groups", "--job", as_json(job), "--groups", "groups.yaml", "--table", "groups.tsv"]
    line += ["--contributions", "contributions.tsv", "--balancing", "balancing.json"]
    monkeypatch.setattr(sys, "argv", ["balancing.py", *line, "--figure", "groups.svg", "groups.png"])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert yaml.safe_load(Path("groups.yaml").read_text()) == {"groups": {"vqa+caption": ["vqa", "caption"]}}
    assert all(task in Path("groups.svg").read_text() for task in tasks)
    taken = Experiment.from_values(config_values(groups="groups.yaml"))
    assert taken.groups == {"vqa+caption": ("vqa", "caption"), "bbox": ("bbox",)}
    with pytest.raises(VisatbError, match=r"groups: group.yaml: no such file; did you mean 'groups.yaml'"):
        Experiment.from_values(config_values(groups="group.yaml"))
    Path("other.yaml").write_text("tasks: {}\n")
    with pytest.raises(VisatbError, match="has no key `groups`"):
        Experiment.from_values(config_values(groups="other.yaml"))
