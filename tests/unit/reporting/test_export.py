"""Weights as other programs take them; those that are installed read them back with their own loaders."""

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from tests.helpers.paths import REPOSITORY, SCRIPTS
from visatb.data.records import RECORD_SCHEMA
from visatb.errors import VisatbError
from visatb.reporting.export.weights import read_weights_table, task_shares
from visatb.runtime.files import write_parquet
from visatb.training.loss.task_weights import read_task_weights

ROOT = REPOSITORY
SAMPLES = {"caption": 40, "vqa": 60, "chat": 10}
LAMBDAS = {"caption": 1.65, "vqa": 0.35, "chat": 1.0}
DRAWS = {"caption": 66, "vqa": 21, "chat": 10}
SHARES = {task: draws / 97 for task, draws in DRAWS.items()}
WEIGHTS = (
    "task\tgroup\tweight\tweight_low\tweight_high\n"
    "caption\tcaption\t1.65\t1.5\t1.8\nvqa\tvqa\t0.35\t0.2\t0.5\nchat\t\t1\t\t\n"
)
HOW = "is not among the requirements; docs/elsewhere.md names the version that read these files"


def turns(task: str, number: int) -> list[dict[str, str]]:
    """A caption's picture is asked for in its second question; a chat has none."""
    texts = {
        "caption": ("Hello!", "Hi.", f"What is this?\n<image>\nPicture {number}", "A ring."),
        "vqa": (f"<image>\nHow many, in {number}?", "3"),
        "chat": (f"Häufig? {number}", "Ja."),
    }[task]
    return [{"from": ("human", "gpt")[place % 2], "value": text} for place, text in enumerate(texts)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    for task, size in SAMPLES.items():
        rows = [
            {
                "id": f"{task}-{number}",
                "image": None if task == "chat" else f"pictures/{task}-{number}.png",
                "conversations": turns(task, number),
                "truths": [turns(task, number)[-1]["value"]],
            }
            for number in range(size)
        ]
        write_parquet(folder / "records" / task / "train.parquet", pa.Table.from_pylist(rows, schema=RECORD_SCHEMA))
    (folder / "weights.tsv").write_text(WEIGHTS)
    job = {"experiment": "mine", "objective": "response", "seed": 3, "epochs": 2, "family": "qwen2_vl"}
    program = [sys.executable, str(SCRIPTS / "reporting.py"), "export_weights", "--job", json.dumps(job)]
    places = ["--weights", "weights.tsv", "--records", "records", "--output", "export"]
    subprocess.run([*program, *places], cwd=folder, check=True)
    return folder / "export"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_weights_and_shares(exported: Path):
    weights = json.loads((exported / "weights.json").read_text())
    assert (weights["experiment"], weights["objective"]) == ("mine", "response")
    tasks = weights["tasks"]
    with (exported / "weights.csv").open() as stream:
        table = {row["task"]: row for row in csv.DictReader(stream)}
    for task, weight in LAMBDAS.items():
        for row in (tasks[task], table[task]):
            assert float(row["weight"]) == weight
            assert float(row["probability"]) == pytest.approx(SHARES[task], rel=1e-12)
            assert (int(row["samples"]), int(row["draws"])) == (SAMPLES[task], DRAWS[task])
    assert (tasks["vqa"]["low"], tasks["vqa"]["high"]) == (0.2, 0.5)
    assert tasks["chat"]["low"] is None
    assert table["chat"]["low"] == ""
    assert read_task_weights(exported / "weights.json") == LAMBDAS


def test_conversations_are_llava_records_with_the_mark_where_the_picture_was(exported: Path):
    for task, size in SAMPLES.items():
        rows = lines(exported / "data" / f"{task}.jsonl")
        assert len({row["id"] for row in rows}) == len(rows) == size
        assert [row["id"] for row in rows] != sorted(row["id"] for row in rows)
        for row in rows:
            number = int(row["id"].split("-")[1])
            assert row.get("image") == (
                None if task == "chat" else str((exported.parent / "pictures" / f"{row['id']}.png").absolute())
            )
            assert row["images"] == ([row["image"]] if "image" in row else [])
            expected = turns(task, number)
            if task == "caption":
                expected[2]["value"] = f"<image>\nWhat is this?\n\nPicture {number}"
            assert row["conversations"] == expected


def test_messages_carry_the_weight_on_answers_alone(exported: Path):
    for task, weight in LAMBDAS.items():
        for row in lines(exported / "messages" / f"{task}.jsonl"):
            assert row["channel"] == task
            assert not any("<image>" in message["content"] for message in row["messages"])
            roles = [message["role"] for message in row["messages"]]
            assert roles == ["user", "assistant"] * (len(roles) // 2)
            assert [message.get("loss_scale") for message in row["messages"]] == [None, weight] * (len(roles) // 2)


def read_yaml(path: Path) -> dict[str, Any]:
    text = path.read_text()
    emulated = "emulates the weighting by sampling" in text.splitlines()[0]
    assert emulated == (path.name != "loss_scale.yaml")
    return yaml.safe_load(text)


def test_llava_next_draws_as_often_as_the_weights_say(exported: Path):
    found: Counter[str] = Counter()
    for entry in read_yaml(exported / "llava_next.yaml")["datasets"]:
        path, (strategy, _, number) = Path(entry["json_path"]), entry["sampling_strategy"].partition(":")
        assert path.is_absolute()
        size = len(lines(path))
        assert strategy == "all" or (strategy == "random" and int(number) < size)
        found[path.stem] += int(number or size)
    assert found == DRAWS


def test_epochs_make_up_for_what_a_program_does_to_them(exported: Path):
    """In all 2 x 97 samples are drawn: LLaMA-Factory's epoch has 97 / 0.35, TRL's 97 / 1.65 of them."""
    assert read_yaml(exported / "llamafactory/train.yaml")["num_train_epochs"] == pytest.approx(2 * 0.35)
    assert read_yaml(exported / "trl.yaml")["num_train_epochs"] == pytest.approx(2 * 1.65)


def test_what_cannot_be_exported_is_told(tmp_path: Path):
    (tmp_path / "weights.tsv").write_text(WEIGHTS)
    with pytest.raises(VisatbError, match="no positive weight, or no samples, of vqa"):
        task_shares(read_weights_table(tmp_path / "weights.tsv"), SAMPLES | {"vqa": 0})
    (tmp_path / "weights.tsv").write_text(WEIGHTS.replace("0.35", "0"))
    with pytest.raises(VisatbError, match="no positive weight, or no samples, of vqa"):
        task_shares(read_weights_table(tmp_path / "weights.tsv"), SAMPLES)


def test_llamafactory_reads_it(exported: Path):
    pytest.importorskip("llamafactory", exc_type=ImportError, reason=f"llamafactory {HOW}")
    from llamafactory.data.parser import get_dataset_list  # type: ignore[import-not-found]
    from llamafactory.hparams import DataArguments  # type: ignore[import-not-found]

    values = read_yaml(exported / "llamafactory/train.yaml")
    values.pop("num_train_epochs")
    found = DataArguments(**values)
    assert dict(zip(found.dataset, found.interleave_probs, strict=True)) == pytest.approx(SHARES)
    for entry in get_dataset_list(found.dataset, found.dataset_dir):
        assert (entry.formatting, entry.images) == ("sharegpt", "images")
        assert (Path(found.dataset_dir) / entry.dataset_name).is_file()


def test_trl_reads_it(exported: Path):
    pytest.importorskip("trl", minversion="1.16", reason=f"trl {HOW}")
    from trl import DatasetMixtureConfig, get_dataset  # type: ignore[import-not-found]

    mix = get_dataset(DatasetMixtureConfig(datasets=read_yaml(exported / "trl.yaml")["datasets"]))["train"]
    found = Counter(images[0].split("/")[-1].split("-")[0] if images else "chat" for images in mix["images"])
    assert {task: count / len(mix) for task, count in found.items()} == pytest.approx(SHARES, abs=0.01)


def test_ms_swift_reads_it(exported: Path):
    pytest.importorskip("swift", exc_type=ImportError, reason=f"ms-swift {HOW}")
    from swift.dataset import load_dataset  # type: ignore[import-not-found]
    from swift.loss_scale import get_loss_scale  # type: ignore[import-not-found]
    from swift.template import ContextType  # type: ignore[import-not-found]
    from swift.utils import import_external_file  # type: ignore[import-not-found]

    drawn, _ = load_dataset(read_yaml(exported / "ms_swift/sampling.yaml")["dataset"], shuffle=True)
    assert len(drawn) == sum(DRAWS.values())
    config = read_yaml(exported / "ms_swift/loss_scale.yaml")
    weighted, _ = load_dataset(config["dataset"])
    for row in weighted:
        scales = [message["loss_scale"] for message in row["messages"][1::2]]
        assert scales == pytest.approx([LAMBDAS[row["channel"]]] * len(scales))
    import_external_file(config["external_plugins"][0])
    kinds = [ContextType.OTHER, ContextType.RESPONSE, ContextType.SUFFIX]
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "loss_scale": 1.65}]
    assert get_loss_scale(config["loss_scale"])(["q", "a", "</s>"], kinds, messages)[1] == [0, 1.65, 1.65]
