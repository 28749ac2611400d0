"""The paper's experiments with small data in the real layouts: their dry runs, and the data part for real."""

import json
import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

from tests.helpers import paper_data
from tests.helpers.paper_experiments import config, place
from tests.helpers.running import run_workflow

FINAL = 6  # ew, tla, rlw, dwa, igbv1 and visatb


def jobs(output: str) -> Counter[str]:
    """Return rule -> number of its jobs, from a dry run."""
    return Counter(re.findall(r"^  ([a-z_]+)(?: [^\s:]+)*: ", output, re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "tasks", "fixed", "measuring", "single", "final", "sources"),
    [
        ("academic", 7, 1, 1 + 7, 7, FINAL, 0),
        ("academic-from-sources", 7, 1, 1 + 7, 7, FINAL, 8),
        ("academic-ablation", 7, 1, 1 + 7 + 2 * 7, 7, FINAL + 8, 0),
        ("m3it", 17, 0, 1 + 5, 17, FINAL, 17),
        ("chat", 3, 0, 3 + 3, 0, FINAL, 0),  # single-task runs measure in the simple form
    ],
)
def test_the_dry_run_of_an_experiment_of_the_paper(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    tasks: int,
    fixed: int,
    measuring: int,
    single: int,
    final: int,
    sources: int,
):
    monkeypatch.setenv("OPENAI_API_KEY", "nobody is asked in a dry run")
    found = jobs(run_workflow(place(tmp_path, name), "-n", configfile=config(name)))
    assert found["check_data"] == 3 * tasks + fixed
    assert found["prepare_source"] + found["prepare_fixed_source"] == sources
    assert found["build_mixture"] == measuring + single + final
    assert found["train_preparation"] == measuring
    assert found["train_single"] == single
    assert found["train"] == final


def mixture(folder: Path, name: str, run: str) -> pa.Table:
    return pa.ipc.open_file(folder / "results" / name / "mixtures" / f"{run}.arrow").read_all()


def make(folder: Path, name: str, runs: list[str], more: str = "") -> str:
    """Run the data part: the plan and the mixtures of some runs."""
    changed = folder / "changed.yaml"
    changed.write_text(f"extends: {config(name)}\nexperiment: {name}\n{more}")
    targets = [f"results/{name}/plan.tsv", *(f"results/{name}/mixtures/{run}.arrow" for run in runs)]
    return run_workflow(folder, "--keep-going", *targets, configfile=str(changed))


def test_the_released_annotations_with_their_own_mini_subset(tmp_path: Path):
    place(tmp_path, "academic")
    mini = "academic-mini_train-*.json"
    tasks = ["ShareGPT4V", "Ref-caption", "VQAv2", "GQA", "ChartQA", "OCRVQA", "Ref-bbox"]
    more = "tasks:\n" + "".join(f"  {task}: {{data: {{mini: {mini}}}}}\n" for task in tasks)
    more += f"fixed_tasks:\n  ShareGPT: {{mini: {mini}}}\n"
    output = make(tmp_path, "academic", ["mini", "plus-GQA"], more=more)
    assert "The plan of the experiment 'academic'" in output
    rows = mixture(tmp_path, "academic", "mini").to_pylist()
    assert len(rows) == 2 * 8
    released = json.loads((tmp_path / "data" / "academic" / "academic-mini_train-16.json").read_text())
    assert [row["conversations"][1]["value"] for row in rows if row["task"] == "GQA"] == ["yes", "no"]
    assert [row["conversations"] for row in rows] == [one["conversations"] for one in released]
    plus = mixture(tmp_path, "academic", "plus-GQA").to_pylist()
    assert len(plus) == 64 + 2 * 7
    plan = (tmp_path / "results" / "academic" / "plan.tsv").read_text().splitlines()
    assert plan[1].split("\t")[3] == "16"
    # ids are numbered: the release's are those of images
    ids = pq.read_table(tmp_path / "results" / "academic" / "records" / "GQA" / "train.parquet")["id"].to_pylist()
    assert len(set(ids)) == 64


def test_a_mini_subset_that_is_not_of_the_release_is_refused(tmp_path: Path):
    folder = place(tmp_path, "academic") / "data" / "academic"
    other = paper_data.record(1, None, "never asked", "x", task="ShareGPT")
    paper_data.write(folder / "other.json", [other])
    more = "fixed_tasks:\n  ShareGPT: {mini: other.json}\n"
    with pytest.raises(pytest.fail.Exception, match="1 of 1 ready-made records are not in train"):
        make(tmp_path, "academic", ["mini"], more=more)


def words_tokenizer(folder: Path) -> None:
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]").save_pretrained(folder)


@pytest.mark.slow
def test_the_public_data_sets_become_the_academic_benchmark(tmp_path: Path):
    place(tmp_path, "academic-from-sources")
    words_tokenizer(tmp_path / "words")
    more = """
sampling: {mini: 0.125}
tasks:
  ShareGPT4V: {source: {hold_out: {val: 6, test: 5}}}
  VQAv2: {source: {samples: {val: 4}}}
  GQA: {source: {samples: {val: 4}}}
  OCRVQA: {source: {samples: {train: 12, val: 4}}}
fixed_tasks:
  ShareGPT: {source: {tokenizer: words, max_tokens: 9}}
"""
    make(tmp_path, "academic-from-sources", ["mini", "ew"], more=more)
    prepared = tmp_path / "data" / "academic" / "prepared"

    def records(task: str, split: str) -> list[dict]:
        return [json.loads(line) for line in (prepared / task / f"{split}.jsonl").read_text().splitlines()]

    counts = {(task, s): len(records(task, s)) for task in ("ShareGPT4V", "VQAv2", "OCRVQA") for s in ("train", "val")}
    assert counts == {
        ("ShareGPT4V", "train"): 79,
        ("ShareGPT4V", "val"): 6,
        ("VQAv2", "train"): 20,
        ("VQAv2", "val"): 4,
        ("OCRVQA", "train"): 12,
        ("OCRVQA", "val"): 4,
    }
    for task in ("Ref-caption", "Ref-bbox"):
        train = records(task, "train")
        turns = [len(one["conversations"]) // 2 for one in train]
        assert sum(turns) == 3 * 40
        assert max(turns) < 10
        assert len(records(task, "test")) == (5 if task == "Ref-caption" else 15)
    first = records("Ref-bbox", "val")[0]["conversations"]
    assert first[0]["value"].endswith("\nProvide the bounding box coordinate of the region this sentence describes.")
    chats = records("ShareGPT", "train")
    assert len(chats) == 40 - 6  # every seventh is filtered
    assert {len(one["conversations"]) for one in chats} == {2}  # of 2 + 5 and 3 + 2 words the first exchange fits
    rows = mixture(tmp_path, "academic-from-sources", "ew")
    assert rows["task"].unique().to_pylist()[-1] == "ShareGPT"
    assert len(mixture(tmp_path, "academic-from-sources", "mini")) < len(rows) / 7


@pytest.mark.slow
def test_m3it_from_parquet_to_mixtures(tmp_path: Path):
    place(tmp_path, "m3it")
    make(tmp_path, "m3it", ["mini", "plus-Captioning"])
    prepared = tmp_path / "data" / "m3it" / "prepared"
    assert len((prepared / "GOI" / "val.jsonl").read_text().splitlines()) == 3, "half of val"
    assert len((prepared / "GOI" / "test.jsonl").read_text().splitlines()) == 3
    assert len((prepared / "SQA" / "val.jsonl").read_text().splitlines()) == 6
    rows = mixture(tmp_path, "m3it", "plus-Captioning").to_pylist()
    assert {(row["task"], row["subset"]) for row in rows if row["subset"] == "large"} == {
        (task, "large") for task in ("COCO", "TCap", "PCap")
    }
    assert len(rows) == 3 * 16 + 14 * 2
    assert all((tmp_path / row["image"]).is_file() for row in rows)
