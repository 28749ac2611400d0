"""The page docs/your_data.md, followed with small data: its config and its commands work as they are printed."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.running import REPOSITORY, with_warm_jobs, workplace
from visatb.data.demo.exchanges import demo_sample

PAGE = (REPOSITORY / "docs" / "your_data.md").read_text(encoding="utf-8")
DEMO_TASKS = {"captions": "caption", "questions": "vqa", "boxes": "bbox"}
SIZES = {"train": 160, "val": 6, "test": 6}


def blocks(language: str) -> list[str]:
    """Return the page's blocks of code in a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def commands() -> list[str]:
    """Return the page's snakemake commands, each on one line."""
    lines = "".join(blocks("")).replace("\\\n", " ").splitlines()
    return [line.split("#")[0].strip() for line in lines if line.startswith("snakemake")]


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """Return a folder with data in the page's layout and the page's config."""
    folder = workplace(tmp_path_factory.mktemp("mine"), tiny_base)
    data = folder / "data" / "mine"
    (data / "images").mkdir(parents=True)
    for task, drawn in DEMO_TASKS.items():
        for split, size in SIZES.items():
            records = []
            for number in range(size):
                image, record = demo_sample(0, drawn, split, number)
                image.save(data / "images" / f"{task}-{split}-{number}.png")
                del record["task"]  # the page's files hold one task each
                records.append(record | {"image": f"{task}-{split}-{number}.png"})
            path = data / task / f"{split}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(records))
    config, rehearsal = blocks("yaml")
    (folder / "mine.yaml").write_text(config.replace("/data/mine", "data/mine"))
    smaller = rehearsal.replace("config/models/tiny-llava.yaml", "tests/workflow/tiny-model.yaml")
    (folder / "rehearsal.yaml").write_text(smaller)
    for name in ("Snakefile", "rules", "workflow_scripts", "visatb", "profiles", "envs", "report"):
        (folder / name).symlink_to(REPOSITORY / name)
    return folder


def run(folder: Path, command: str) -> str:
    """Run a command of the page, its jobs as forks of a warm process."""
    words = shlex.split(command)
    line = with_warm_jobs(words) if words[0] == "snakemake" else words
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_what_the_page_says_of_the_plan_is_so(mine: Path) -> None:
    dry, plan = commands()[:2]
    assert "train_preparation plus-boxes" in run(mine, dry)
    run(mine, plan)
    table = pd.read_csv(mine / "results" / "mine" / "plan.tsv", sep="\t").set_index("run")
    assert list(table.index[:4]) == ["mini", "plus-captions", "plus-questions", "plus-boxes"]
    preparation = table["samples"].iloc[:4].sum() / table.loc["visatb", "samples"]
    (told,) = re.findall(r"with these numbers ([\d.]+)\.", PAGE)
    assert preparation == pytest.approx(float(told), abs=0.005)


def test_a_broken_record_is_told_as_the_page_says(mine: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(mine, broken, symlinks=True, ignore=shutil.ignore_patterns("results", ".snakemake"))
    path = broken / "data" / "mine" / "boxes" / "val.json"
    records = json.loads(path.read_text())
    records[3]["image"] = "nowhere.png"
    path.write_text(json.dumps(records))
    done = subprocess.run(shlex.split(commands()[1]), cwd=broken, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "data/mine/boxes/val.json" in done.stderr
    assert "nowhere.png" in done.stderr


@pytest.mark.slow
def test_the_rehearsal_runs_up_to_the_weights(mine: Path) -> None:
    (rehearsal,) = (line for line in commands() if "rehearsal" in line)
    run(mine, rehearsal.replace("snakemake ", "snakemake weights ", 1))
    weights = pd.read_csv(mine / "results" / "rehearsal" / "weights.tsv", sep="\t")
    assert list(weights["task"]) == list(DEMO_TASKS)
    assert weights["weight"].sum() == pytest.approx(3, abs=1e-3)
