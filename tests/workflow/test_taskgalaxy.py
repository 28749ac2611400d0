"""From seed types and pictures to a trained model, with models over HTTP that misbehave."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.helpers.galaxy_examples import draw_pictures, save_tiny_clip, section
from tests.helpers.galaxy_server import answer, reply, votes
from tests.helpers.judge_server import Answer, JudgeServer, judge_server, question_of, verdict
from tests.helpers.running import run_workflow, workplace
from visatb.runtime.files import read_parquet

DATA, EXPERIMENT = "galaxy-data.yaml", "galaxy.yaml"


@pytest.mark.slow
def test_from_seed_types_to_a_model_with_measured_weights(tmp_path: Path, tiny_base: Path):
    folder = workplace(tmp_path / "galaxy", tiny_base)
    shutil.copy(folder / "tests" / "workflow" / "galaxy.yaml", folder)
    draw_pictures(folder / "data" / "pictures", 120)
    save_tiny_clip(folder / "data" / "clip")
    with judge_server(answer) as server:
        write_config(folder, server)
        plan_comes_first_and_asks_nothing(folder, server)
        printed = run_workflow(folder, configfile=EXPERIMENT)
        assert printed.index("The plan of data/galaxy") < printed.index("[expand_types] replies")
        tables_account_for_every_row(folder / "data" / "galaxy")
        the_experiment_is_of_these_data(folder)
        another_address_price_and_budget_make_nothing_again(folder, server)
        another_prompt_asks_its_own_stage_alone(folder, server)


def write_config(folder: Path, server: JudgeServer, **more: object) -> None:
    (folder / DATA).write_text(yaml.safe_dump({"taskgalaxy": section(server.url, **more)}), encoding="utf-8")


def plan_comes_first_and_asks_nothing(folder: Path, server: JudgeServer) -> None:
    printed = run_workflow(folder, "--cores", "1", "taskgalaxy_plan", configfile=DATA)
    assert "The plan of data/galaxy" in printed
    plan = pd.read_csv(folder / "data" / "galaxy" / "plan.tsv", sep="\t")
    assert plan["stage"].tolist() == ["expand_types", "filter_types", "write_questions", "vote", "vote", "vote"]
    assert (plan["price"] <= plan["price_at_most"]).all()
    assert not server.asked


def tables_account_for_every_row(galaxy: Path) -> None:
    funnel = pd.read_csv(galaxy / "funnel.tsv", sep="\t").set_index("stage")
    reasons = pd.read_csv(galaxy / "rejections.tsv", sep="\t")
    plan = pd.read_csv(galaxy / "plan.tsv", sep="\t").groupby("stage")[["requests_at_most", "price_at_most"]].sum()
    assert (funnel["given"] == funnel["kept"] + funnel["rejected"]).all()
    counted = reasons.groupby("stage")["count"].sum().reindex(funnel.index, fill_value=0)
    assert (counted == funnel["rejected"]).all()
    for stage in plan.index:
        assert funnel.loc[stage, "requests"] <= plan.loc[stage, "requests_at_most"]
        assert funnel.loc[stage, "cost"] <= plan.loc[stage, "price_at_most"]
    pictures = read_parquet(galaxy / "stages" / "pictures.parquet").to_pandas().set_index("image")
    assert pictures.loc["zz copy.png", "detail"] == "0000 é.png"
    assert set(pictures[pictures["status"] == "rejected"].index) == {"zz copy.png", "cut.png", "words.jpg"}
    records = [
        json.loads(line) | {"split": split}
        for split in ("train", "val", "test")
        for line in (galaxy / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert len({record["id"] for record in records}) == len(records) == funnel.loc["export_taskgalaxy", "kept"]
    splits: dict[str, set[str]] = {}
    for record in records:
        splits.setdefault(record["image"], set()).add(record["split"])
    assert all(len(found) == 1 for found in splits.values()), "a picture is in one split"
    the_votes_are_those_of_the_judges(galaxy, records)
    page = (galaxy / "browse.html").read_text(encoding="utf-8")
    assert "\\u003cb\\u003emodel-judge" in page
    assert "<b>" not in page
    assert "://" not in page
    assert page.count("data:image/jpeg;base64,") > 20


def the_votes_are_those_of_the_judges(galaxy: Path, records: list[dict]) -> None:
    """Ask the well-behaved model by hand what it thinks of every exported sample."""
    told = read_parquet(galaxy / "stages" / "votes.parquet").to_pylist()
    given = Counter(row["id"] for row in told if row["vote"])
    assert set(Counter(row["id"] for row in told).values()) == {3}
    for record in records:
        question, answered = (turn["value"].removeprefix("<image>\n") for turn in record["conversations"])
        assert record["votes"] == given[record["id"]] >= 2
        text = f"Task: {' > '.join(record['type'])}\n\nQuestion: {question}\n\nAnswer: {answered}\n"
        said = [ballot(text, f"model-judge-{judge}") for judge in "abc"]
        usable = sum(row["question_vote"] is not None for row in told if row["id"] == record["id"])
        assert record["votes"] <= sum(said)
        assert record["votes"] == sum(said) or usable < 3


def ballot(text: str, model: str) -> int:
    found = votes(text, model)
    return found["question"] * found["answer"]


def the_experiment_is_of_these_data(folder: Path) -> None:
    results = folder / "results" / "galaxy"
    weights = pd.read_csv(results / "weights.tsv", sep="\t").set_index("task")
    assert set(weights.index) == {"cluster-1", "cluster-2"}
    assert weights["weight"].mean() == pytest.approx(1, abs=1e-4)
    assert (results / "runs" / "visatb" / "model" / "model.safetensors").is_file()
    tasks = pd.read_csv(folder / "data" / "galaxy" / "tasks.tsv", sep="\t").set_index("task")
    for task in tasks.index:
        for split in ("train", "val", "test"):
            records = read_parquet(results / "records" / task / f"{split}.parquet")
            assert len(records) == tasks.loc[task, split]
    run_workflow(folder, "--report", "report.html", configfile=EXPERIMENT)
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "provenance.md" in report
    assert "funnel.svg" in report


def another_address_price_and_budget_make_nothing_again(folder: Path, server: JudgeServer) -> None:
    asked = len(server.asked)
    write_config(folder, server, budget=1000.0)
    printed = run_workflow(folder, "--dry-run", "export_taskgalaxy", configfile=DATA)
    assert "vote" not in printed.replace("votes", "")
    assert len(server.asked) == asked


def another_prompt_asks_its_own_stage_alone(folder: Path, server: JudgeServer) -> None:
    prompt = yaml.safe_load((folder / "config" / "taskgalaxy" / "vote.yaml").read_text(encoding="utf-8"))
    prompt["user"] = "Be quick.\n" + prompt["user"]
    (folder / "vote.yaml").write_text(yaml.safe_dump(prompt), encoding="utf-8")
    voting = {"endpoints": ["judge-a", "judge-b", "judge-c"], "min_votes": 2, "prompt": "vote.yaml"}
    write_config(folder, server, voting=voting)
    server.asked.clear()
    server.behave = lambda body, times: well_behaved(body)
    run_workflow(folder, "--keep-going", "taskgalaxy", configfile=DATA)
    assert server.asked
    assert all(question_of(body).startswith("Be quick.") for _, _, body in server.asked)


def well_behaved(body: dict) -> Answer:
    return verdict(json.dumps(reply(body)))
