"""A training that is killed ends as one that is not; checkpoints are never torn, and never another training's."""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from tests.helpers import warm
from tests.helpers.methods import method_of
from tests.helpers.training_examples import (
    LAMBDAS,
    TASKS,
    machine,
    mixture,
    sample,
    save_tiny,
    start_training,
    train,
    train_here,
    training_job,
    turns,
    weights_in,
)
from visatb.errors import VisatbError
from visatb.runtime.digests import folder_digest
from visatb.training.checkpoints import Checkpoints, deepspeed_layout, is_intact, mark_complete
from visatb.training.fit import described
from visatb.training.history import History


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a mixture of 30 samples: 8 steps an epoch, the last one ragged."""
    return mixture(tmp_path_factory.mktemp("data"), [sample(TASKS[number % 4], number) for number in range(30)])


SETTINGS: dict[str, Any] = {"micro_batch_size": 2, "epochs": 3, "save_steps": 3}


@pytest.fixture(scope="module")
def undisturbed(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    folder = tmp_path_factory.mktemp("undisturbed")
    train(folder, base, data, **SETTINGS)
    return weights_in(folder / "model")


def kill_after(step: int, folder: Path, base: Path, data: Path, **changes: Any) -> Path:
    """Start a training, kill it as soon as the checkpoint of ``step`` is whole, and return the checkpoints' folder."""
    process = start_training(folder, base, data, **SETTINGS | changes)
    deadline = time.monotonic() + 120
    while not (found := [p for p in folder.glob(f"checkpoints/*/whole/checkpoint-{step}") if is_intact(p)]):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    warm.kill(process)
    process.communicate()
    assert not (folder / "model").exists()
    return found[0].parent


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_killed_again_and_again_it_ends_as_if_undisturbed(
    tmp_path: Path, base: Path, data: Path, undisturbed: dict[str, torch.Tensor]
) -> None:
    # Step 3 lies within the first epoch, 15 within the second; the checkpoints after them are torn in two ways.
    steps = kill_after(3, tmp_path, base, data)
    half_written = shutil.copytree(steps / "checkpoint-3", steps / "checkpoint-100")
    (half_written / "complete.json").unlink()
    with (tmp_path / "training.jsonl").open("a") as history:
        history.write('{"step": 10, "attempt": 1, "loss": 1.2')
    steps = kill_after(15, tmp_path, base, data)
    torn = shutil.copytree(steps / "checkpoint-15", steps / "checkpoint-101")
    os.truncate(torn / "optimizer.pt", 1000)
    said = train(tmp_path, base, data, **SETTINGS)
    assert f"[mini] {torn}: not whole, skipped and removed" in said
    assert "[mini] goes on from" in said
    assert same(weights_in(tmp_path / "model"), undisturbed)
    records = [json.loads(line) for line in (tmp_path / "training.jsonl").read_text().splitlines() if line[-1:] == "}"]
    assert (records[-1]["step"], records[-1]["steps"], records[-1]["attempt"]) == (24, 24, 3)
    assert records[-1]["weights"] == LAMBDAS


@pytest.mark.slow
def test_at_an_epochs_end_and_with_other_micro_batches_it_goes_on_as_well(
    tmp_path: Path, base: Path, data: Path, undisturbed: dict[str, torch.Tensor]
) -> None:
    steps = kill_after(8, tmp_path, base, data, save_steps=8)
    for late in steps.glob("checkpoint-[12]*"):
        shutil.rmtree(late)
    shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-4")
    assert "checkpoint-8" in train(tmp_path, base, data, **SETTINGS)
    assert same(weights_in(tmp_path / "model"), undisturbed)
    other = tmp_path.parent / f"{tmp_path.name}-4"
    assert "checkpoint-8" in train(other, base, data, **SETTINGS | {"micro_batch_size": 4})
    found = weights_in(other / "model")
    assert max(float((found[name] - undisturbed[name]).abs().max()) for name in found) < 1e-3


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("llava", tmp_path_factory.mktemp("llava") / "base")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tla", "rlw", "dwa", "igbv1"])
def test_weights_that_move_go_on_where_a_kill_left_them(tmp_path: Path, llava: Path, data: Path, name: str) -> None:
    # The checkpoint of step 6 lies in the midst of DWA's two windows, and of IGBv1's base.
    numbers = {"dwa_window": 5, "igbv1_first_step": 3, "igbv1_last_step": 8}
    method = method_of(name, {"seen": ("caption", "vqa"), "ocr": ("ocr",)}, **numbers)
    train_here(tmp_path / "undisturbed", llava, data, method=method, epochs=2)
    options = {"method": method, "epochs": 2, "micro_batch_size": 4}
    kill_after(6, tmp_path / "killed", llava, data, **options)
    said = train(tmp_path / "killed", llava, data, **options)
    assert "[mini] goes on from" in said
    assert same(weights_in(tmp_path / "killed/model"), weights_in(tmp_path / "undisturbed/model"))
    histories = [(tmp_path / place / "training.jsonl").read_text() for place in ("killed", "undisturbed")]
    killed, undisturbed = ([json.loads(line) for line in history.splitlines()][-1] for history in histories)
    assert killed["weights"] == undisturbed["weights"]
    assert (killed["weights"]["ocr"] == 1) == (name == "tla")


def test_another_training_starts_afresh_and_a_finished_one_is_not_repeated(
    tmp_path: Path, llava: Path, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train_here(tmp_path, llava, data)
    first = weights_in(tmp_path / "model")
    assert "not used" not in capfd.readouterr().err
    shutil.rmtree(tmp_path / "model")
    train_here(tmp_path, llava, data)
    assert "[mini] was trained before with the same inputs: nothing to train" in capfd.readouterr().err
    assert same(weights_in(tmp_path / "model"), first)
    assert not (tmp_path / "model/complete.json").exists()
    train_here(tmp_path, llava, data, learning_rate=2e-3)
    said = capfd.readouterr().err
    assert "not used, it is of another training: learning_rate was 0.001, is 0.002" in said
    assert "goes on from" not in said
    assert not same(weights_in(tmp_path / "model"), first)
    lines = [json.loads(line) for line in (tmp_path / "training.jsonl").read_text().splitlines()]
    assert [(line["step"], line["attempt"]) for line in lines] == [(1, 1), (8, 1), (1, 2), (8, 2)]
    # The same again ends the same, to the bit.
    train_here(tmp_path / "again", llava, data)
    assert same(weights_in(tmp_path / "again/model"), first)


def test_samples_that_teach_nothing_are_told(tmp_path: Path, llava: Path, capfd: pytest.CaptureFixture[str]) -> None:
    silent = sample("text", 1) | {"conversations": turns("Too long " * 40, "never seen")}
    samples = [sample(TASKS[number % 4], number) for number in range(6)]
    train_here(tmp_path, llava, mixture(tmp_path, [*samples, silent, silent]), epochs=2, max_length=60)
    assert (
        capfd.readouterr().err.count(
            "[mini] 4 samples had no token to learn from in this attempt: their answers begin after"
        )
        == 1
    )


@pytest.mark.parametrize("change", ["weight", "mixture", "base", "seed"])
def test_what_a_training_depends_on_is_in_its_folders_name(tmp_path: Path, change: str) -> None:
    before = {"weight": {"vqa": 1.0}, "mixture": "abc", "base": "def", "seed": 1}
    after = before | {change: {"weight": {"vqa": 1.1}}.get(change, "other")}
    old, new = Checkpoints(tmp_path, before), Checkpoints(tmp_path, after)
    old.open()
    new.open()
    assert old.folder != new.folder
    assert [
        f"{old.folder}: not used" in line and f"{change} was {before[change]!r}, is" in line for line in new.others()
    ]
    assert Checkpoints(tmp_path, dict(reversed(before.items()))).folder == old.folder


def model_folder(path: Path, content: bytes = b"weights") -> Path:
    path.mkdir(parents=True)
    (path / "model.safetensors").write_bytes(content)
    return path


def test_only_whole_checkpoints_count_and_the_newest_is_whole_before_others_go(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, {"seed": 1})
    checkpoints.open()
    folders = {step: model_folder(checkpoints.steps / f"checkpoint-{step}") for step in (9, 20, 100)}
    assert checkpoints.newest_intact() is None
    mark_complete(folders[9])
    mark_complete(folders[20])
    assert checkpoints.newest_intact() == folders[20]
    checkpoints.keep_newest(2)
    assert checkpoints.newest_intact() == folders[100]
    assert checkpoints.all() == [folders[100], folders[20]]
    (folders[100] / "model.safetensors").write_bytes(b"weigh")
    assert checkpoints.remove_broken() == {folders[100]: "not whole"}
    (folders[20] / "model.safetensors").unlink()
    assert checkpoints.newest_intact() is None


def test_checkpoints_cut_up_for_other_processes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "zero2.json").write_text("{}")
    two, four, whole = (
        Checkpoints(tmp_path, {"seed": 1}, layout)
        for layout in (*(deepspeed_layout(tmp_path / "zero2.json", number) for number in (2, 4)), "whole")
    )
    two.open()
    torn = model_folder(two.steps / "checkpoint-3")
    four.refuse_other_layouts()
    mark_complete(torn)
    two.refuse_other_layouts()
    assert four.newest_intact() is None
    with pytest.raises(VisatbError, match=rf"(?s)by 4 process.*{torn}: made by 2 process\(es\) with .* zero2.json"):
        four.refuse_other_layouts()
    with pytest.raises(VisatbError, match=rf"(?s)without DeepSpeed:.*{torn}.*same GPUs and DeepSpeed config again"):
        whole.refuse_other_layouts()
    mark_complete(model_folder(four.steps / "checkpoint-1"))
    four.refuse_other_layouts()
    with pytest.raises(VisatbError, match=r"(?s)checkpoint-3: made by 2.*checkpoint-1: made by 4"):
        whole.refuse_other_layouts()
    model_folder(two.last)
    two.finish()
    assert four.is_finished()


def test_a_finished_model_that_was_torn_is_not_published(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", {"seed": 1})
    checkpoints.open()
    assert not checkpoints.is_finished()
    model_folder(checkpoints.last)
    checkpoints.finish()
    checkpoints.publish(tmp_path / "model")
    assert checkpoints.is_finished()
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["model.safetensors"]
    os.truncate(checkpoints.finished_model / "model.safetensors", 3)
    assert not checkpoints.is_finished()
    model_folder(checkpoints.last, b"new")
    checkpoints.finish()
    checkpoints.publish(tmp_path / "model")
    assert (tmp_path / "model/model.safetensors").read_bytes() == b"new"


def test_models_of_one_size_are_told_apart(tmp_path: Path) -> None:
    content = bytearray(120_000_000)
    one = folder_digest(model_folder(tmp_path / "one", content))
    assert folder_digest(model_folder(tmp_path / "same", content)) == one
    content[60_000_000] = 1
    assert folder_digest(model_folder(tmp_path / "other", content)) != one
    (tmp_path / "none").mkdir()
    with pytest.raises(VisatbError, match="none: expected a model folder"):
        folder_digest(tmp_path / "none")


LOG = {
    "loss": 1.0,
    "tokens": 10.0,
    "input_tokens": 90,
    "learning_rate": 0.1,
    "task_loss": {"vqa": 1.0},
    "weights": {"vqa": 1.0},
}


def log_once(path: Path, step: int) -> None:
    history = History(path, "mini")
    state = TrainerState(global_step=step, max_steps=100, is_world_process_zero=True)
    arguments = TrainingArguments(output_dir=str(path.parent), report_to=[], use_cpu=True)
    history.on_train_begin(arguments, state, TrainerControl())
    history.on_log(arguments, state, TrainerControl(), logs=dict(LOG))


@pytest.mark.parametrize("torn", ["", '{"step": 2, "atte', '{"step": 2, "attempt": 1}', '"attempt', "7", "\xff\xfe\n"])
def test_a_line_torn_by_a_kill_harms_no_other(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "runs/mini/training.jsonl"
    log_once(path, 1)
    with path.open("ab") as stream:
        stream.write(torn.encode("latin-1"))
    log_once(path, 2)
    log_once(path, 3)
    lines = path.read_bytes().splitlines()
    whole = [json.loads(line) for line in lines if line.startswith(b'{"step"') and b'"loss"' in line]
    assert [(line["step"], line["attempt"]) for line in whole] == [(1, 1), (2, 2), (3, 3)]
    assert len(lines) == 3 + bool(torn)


def test_how_a_step_is_split_is_described_only_where_it_matters(data: Path, llava: Path) -> None:
    def told(normalization: str, size: int) -> dict[str, Any]:
        job = training_job(llava, normalization=normalization)
        return described(job, machine(micro_batch_size=size), data, {"vqa": 1.0})

    assert told("step", 2) == told("step", 4)
    assert told("micro_batch", 2) != told("micro_batch", 4)
