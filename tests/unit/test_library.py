"""The example of docs/library.md: Eq. 2 in somebody's own script, against a literal one in float64."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import Trainer

from tests.helpers.equation_2 import LAMBDAS, STEP, apart, equation_2, trained_by_hand
from tests.helpers.library_example import ROOT, collator, run, samples, tiny_model, training_arguments
from tests.helpers.paths import TESTS
from visatb import VisatbError, WeightedLossMixin, read_task_weights, with_task_ids


def weights_file(folder: Path) -> Path:
    tasks = {task: {"weight": weight} for task, weight in LAMBDAS.items()}
    (folder / "weights.json").write_text(json.dumps({"tasks": tasks}))
    return folder / "weights.json"


@pytest.mark.parametrize(("size", "accumulation"), [(4, 1), (2, 2), (1, 4)])
def test_the_example_trains_with_equation_2_however_a_step_is_split(tmp_path: Path, size: int, accumulation: int):
    weights_file(tmp_path)
    names = run(tmp_path, size, accumulation)
    expected, losses = trained_by_hand(LAMBDAS)
    assert apart(names["model"].state_dict(), expected) < 1e-5
    logged = [line["loss"] for line in names["trainer"].state.log_history if "loss" in line]
    assert logged == pytest.approx(losses, rel=1e-5)
    # Equal weights end elsewhere: the comparison can tell.
    assert apart(names["model"].state_dict(), trained_by_hand(dict.fromkeys(LAMBDAS, 1.0))[0]) > 0.05


@pytest.mark.slow
def test_on_two_processes_it_ends_where_one_does(tmp_path: Path):
    """Seven samples on two processes: the eighth is a repeat, which must not count."""
    weights_file(tmp_path)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--"]
    script = [str(TESTS / "helpers" / "library_example.py"), str(tmp_path), "1", "2"]
    said = subprocess.run([*launcher, *script], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert said.returncode == 0, said.stderr
    assert apart(load_file(tmp_path / "model.safetensors"), trained_by_hand(LAMBDAS)[0]) < 1e-5


def test_the_log_has_each_tasks_mean_loss(tmp_path: Path):
    weights_file(tmp_path)
    names = run(tmp_path, 2, 2)
    first = names["trainer"].state.log_history[0]
    model = tiny_model().double()
    for task in LAMBDAS:
        own = [one for one in samples()[:STEP] if one["task"] == task]
        assert first[f"task_loss/{task}"] == pytest.approx(equation_2(model, own, LAMBDAS).item(), rel=1e-5)


def mixed_trainer(folder: Path, data_collator: Any, rows: list[dict[str, Any]], **more: Any) -> Trainer:
    class WeightedTrainer(WeightedLossMixin, Trainer):
        pass

    arguments = training_arguments(folder, 4, 1, remove_unused_columns=False)
    given = {"model": tiny_model(), "args": arguments, "data_collator": data_collator, "task_weights": LAMBDAS}
    return WeightedTrainer(train_dataset=rows, **given | more)


def test_evaluation_gives_equation_2_and_leaves_the_training_alone(tmp_path: Path):
    trainer = mixed_trainer(tmp_path, with_task_ids(collator, LAMBDAS), samples(), eval_dataset=samples())
    found = trainer.evaluate()["eval_loss"]
    assert found == pytest.approx(equation_2(tiny_model().double(), samples(), LAMBDAS).item(), rel=1e-5)
    trainer.train()
    assert apart(trainer.model.state_dict(), trained_by_hand(LAMBDAS)[0]) < 1e-5


def test_shares_of_tokens_scale_both_sums(tmp_path: Path):
    """A token's weight is its task's times its share, as under the objective l2t."""

    def with_shares(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch = with_task_ids(collator, LAMBDAS)(rows)
        return batch | {"token_weights": torch.arange(batch["labels"].shape[1]).expand_as(batch["labels"]) / 4.0}

    trainer = mixed_trainer(tmp_path, with_shares, samples()[:3])
    model = tiny_model().double()
    numerator, denominator = 0.0, 0.0
    for one in samples()[:3]:
        log_p = model(input_ids=torch.tensor([one["input_ids"]])).logits[0].log_softmax(-1)
        for place, label in enumerate(one["labels"]):
            if label != -100:
                weight = LAMBDAS[one["task"]] * place / 4
                numerator, denominator = numerator - weight * log_p[place - 1, label].item(), denominator + weight
    trainer.train()
    assert trainer.state.log_history[0]["loss"] == pytest.approx(numerator / denominator, rel=1e-5)


def test_mistakes_are_told(tmp_path: Path):
    unknown = mixed_trainer(
        tmp_path, lambda rows: collator([{k: r[k] for k in ("input_ids", "labels")} for r in rows]), samples()
    )
    with pytest.raises(VisatbError, match="has no 'task_ids'; wrap the data collator"):
        unknown.train()
    without = [{"input_ids": [1, 2], "labels": [1, 2]}]
    with pytest.raises(VisatbError, match=r"has no 'task', only 'input_ids', 'labels'.*remove_unused_columns=False"):
        with_task_ids(collator, LAMBDAS)(without)
    with pytest.raises(VisatbError, match="task is 'ocr'; there are weights of caption, vqa"):
        with_task_ids(collator, LAMBDAS)([without[0] | {"task": "ocr"}])
    wrong = {"task_ids": torch.tensor([1, 5, 1, 1])}
    outside = mixed_trainer(
        tmp_path, lambda rows: with_task_ids(collator, LAMBDAS)(rows) | wrong, samples()[:3] + samples()[4:5]
    )
    with pytest.raises(VisatbError, match="go from 1 to 5, but there are 2 tasks"):
        outside.train()


def test_weights_are_read_from_either_file(tmp_path: Path):
    assert read_task_weights(weights_file(tmp_path)) == LAMBDAS
    (tmp_path / "weights.tsv").write_text("task\tgroup\tweight\ncaption\tcaption\t0.4\nvqa\t\t2.5\n")
    assert read_task_weights(tmp_path / "weights.tsv") == LAMBDAS
    (tmp_path / "other.json").write_text('{"caption": 0.4}')
    with pytest.raises(VisatbError, match="not the weights of an experiment; expected an object like"):
        read_task_weights(tmp_path / "other.json")
