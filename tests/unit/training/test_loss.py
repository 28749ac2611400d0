"""Eq. 2 against a literal triple loop in float64: the same loss and gradient however the step is split."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PrinterCallback

from tests.helpers.gradients import Gradients, Recorder, Samples, distance, gradients_of, one_epoch
from tests.helpers.methods import method_of
from tests.helpers.reference_training import SILENT, equation_2, token_losses
from tests.helpers.training_examples import LAMBDAS, TASKS, model_of, packing, processor_of, sample
from visatb.errors import VisatbError
from visatb.training.batches.attention import attend_by_sample
from visatb.training.batches.collator import IGNORED, Collator, Sample
from visatb.training.loss import head
from visatb.training.loss.methods import Given, Method
from visatb.training.loss.weighting import weights_of
from visatb.training.trainer import VitwTrainer

MIXED = [sample(TASKS[number % 4], number) for number in range(8)]
BY_TASK = sorted(MIXED, key=lambda one: one["task"])


@pytest.fixture(params=["whole", "in parts"])
def logits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the output head make logits at once, or a few positions' at a time."""
    if request.param == "in parts":
        monkeypatch.setattr(head, "LOGITS_AT_ONCE", 2000)
    return request.param


def expected_of(
    family: str, micro_batches: Sequence[Sequence[Sample]], lambdas: dict[str, float]
) -> tuple[float, Gradients]:
    """Return the loss of Eq. 2 and its gradient, in float64."""
    model = model_of(family).double()
    loss, _ = equation_2(model, family, [one for micro_batch in micro_batches for one in micro_batch], lambdas)
    loss.backward()
    return loss.item(), gradients_of(model)


def split(samples: Sequence[Sample], size: int) -> list[Sequence[Sample]]:
    return [samples[start : start + size] for start in range(0, len(samples), size)]


def trained(
    folder: Path,
    family: str,
    samples: Sequence[Sample],
    size: int,
    accumulation: int,
    lambdas: dict[str, float] = LAMBDAS,
    normalization: str = "step",
    method: Method | None = None,
    packs: bool = True,
    **options: Any,
) -> tuple[Recorder, VitwTrainer]:
    """Train for one epoch, in the samples' order, and return what each step's gradient and loss were."""
    recorder = Recorder()
    arguments = one_epoch(folder, size, accumulation, **options)
    model = model_of(family)
    if packs:
        attend_by_sample(model, "eager")
    trainer = VitwTrainer(
        model=model,
        args=arguments,
        train_dataset=Samples(samples),
        data_collator=packing(family) if packs else packing(family).collator,
        callbacks=[recorder],
        tasks=TASKS,
        weighting=(method or Given()).weighting(TASKS, weights_of(TASKS, lambdas, "test"), seed=5),
        normalization=normalization,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return recorder, trainer


@pytest.mark.parametrize(
    ("family", "samples", "size", "accumulation"),
    [
        pytest.param("llava", MIXED, 8, 1, id="one micro-batch of 8"),
        pytest.param("llava", MIXED, 2, 4, id="four of 2"),
        pytest.param("llava", MIXED, 3, 3, id="three of 3, the last ragged"),
        pytest.param("llava", BY_TASK, 2, 4, id="one task in each"),
        pytest.param("llava", [*MIXED[:2], SILENT, SILENT, *MIXED[2:4]], 2, 3, id="one without a supervised token"),
        pytest.param("qwen2_vl", MIXED, 8, 1, id="qwen2_vl, one of 8"),
        pytest.param("qwen2_vl", BY_TASK, 3, 3, id="qwen2_vl, three of 3"),
    ],
)
@pytest.mark.parametrize("packs", [True, False])
def test_loss_and_gradient_are_those_of_expected_of(
    tmp_path: Path, logits: str, family: str, samples: list[Sample], size: int, accumulation: int, packs: bool
) -> None:
    recorder, _ = trained(tmp_path, family, samples, size, accumulation, packs=packs)
    loss, gradients = expected_of(family, split(samples, size), LAMBDAS)
    assert len(recorder.gradients) == 1
    assert recorder.logs[0]["loss"] == pytest.approx(loss, rel=1e-6)
    assert distance(recorder.gradients[0], gradients) < 3e-6


@pytest.mark.parametrize("packs", [True, False])
def test_label_smoothing_keeps_the_weights_of_tasks_and_what_is_normalised_over(
    tmp_path: Path, logits: str, packs: bool
) -> None:
    recorder, _ = trained(tmp_path, "llava", BY_TASK, 2, 4, packs=packs, label_smoothing_factor=0.2)
    model = model_of("llava").double()
    loss, _ = equation_2(model, "llava", BY_TASK, LAMBDAS, smoothing=0.2)
    loss.backward()
    assert recorder.logs[0]["loss"] == pytest.approx(loss.item(), rel=1e-6)
    assert distance(recorder.gradients[0], gradients_of(model)) < 3e-6


def test_each_step_is_normalised_by_its_own_tokens(tmp_path: Path) -> None:
    recorder, _ = trained(tmp_path, "llava", MIXED[:5], 2, 2, learning_rate=0.0)
    for gradient, log, step in zip(recorder.gradients, recorder.logs, (MIXED[:4], MIXED[4:5]), strict=True):
        loss, expected = expected_of("llava", [step], LAMBDAS)
        assert log["loss"] == pytest.approx(loss, rel=1e-6)
        assert distance(gradient, expected) < 3e-6


def test_the_scale_of_lambda_does_not_matter_and_equal_lambdas_give_equation_1(tmp_path: Path) -> None:
    plain, _ = trained(tmp_path, "llava", MIXED, 4, 2)
    scaled, _ = trained(tmp_path, "llava", MIXED, 4, 2, {task: 1000 * value for task, value in LAMBDAS.items()})
    assert scaled.logs[0]["loss"] == pytest.approx(plain.logs[0]["loss"], rel=1e-6)
    assert distance(scaled.gradients[0], plain.gradients[0]) < 3e-6
    equal, _ = trained(tmp_path, "llava", MIXED, 4, 2, dict.fromkeys(TASKS, 7.0))
    model = model_of("llava").double()
    mean = torch.stack([nll for one in MIXED for nll in token_losses(model, "llava", one)]).mean()
    assert equal.logs[0]["loss"] == pytest.approx(mean.item(), rel=1e-6)
    mean.backward()
    assert distance(equal.gradients[0], gradients_of(model)) < 3e-6


def test_normalised_by_micro_batch_as_in_the_authors_code(tmp_path: Path) -> None:
    mixed, _ = trained(tmp_path, "llava", MIXED, 2, 4, normalization="micro_batch")
    parts = [expected_of("llava", [part], LAMBDAS) for part in split(MIXED, 2)]
    assert mixed.logs[0]["loss"] == pytest.approx(np.mean([loss for loss, _ in parts]), rel=1e-6)
    names = {name for _, gradient in parts for name in gradient}
    zero = torch.zeros(())
    mean = {name: sum(gradient.get(name, zero) for _, gradient in parts) / 4 for name in names}
    assert distance(mixed.gradients[0], mean) < 3e-6
    # Where each micro-batch holds one task, lambda has no effect at all; Eq. 2 is not so blind.
    equal = dict.fromkeys(TASKS, 1.0)
    for normalization, apart in (("micro_batch", False), ("step", True)):
        weighted, _ = trained(tmp_path, "llava", BY_TASK, 2, 4, LAMBDAS, normalization)
        unweighted, _ = trained(tmp_path, "llava", BY_TASK, 2, 4, equal, normalization)
        assert (distance(weighted.gradients[0], unweighted.gradients[0]) > 0.05) == apart


def test_a_step_without_supervised_tokens_leaves_the_model_as_it_is(tmp_path: Path) -> None:
    options = {"learning_rate": 1e-3, "weight_decay": 0.1, "lr_scheduler_type": "constant"}
    _, before = trained(tmp_path, "llava", MIXED[:2], 2, 1, **options)
    recorder, after = trained(tmp_path, "llava", [*MIXED[:2], SILENT, SILENT], 2, 1, **options)
    assert recorder.logs[1]["loss"] == 0.0
    assert recorder.logs[1]["task_loss"] == {}
    assert after.unsupervised_samples == 2
    moved = dict(before.model.named_parameters())
    assert all(torch.equal(value, moved[name]) for name, value in after.model.named_parameters())
    assert not torch.equal(moved["lm_head.weight"], model_of("llava").lm_head.weight)


def test_the_log_tells_each_tasks_mean_loss(tmp_path: Path) -> None:
    recorder, _ = trained(tmp_path, "llava", MIXED, 2, 4)
    model = model_of("llava").double()
    for task in TASKS:
        values = [nll.item() for one in MIXED if one["task"] == task for nll in token_losses(model, "llava", one)]
        assert recorder.logs[0]["task_loss"][task] == pytest.approx(np.mean(values), rel=1e-6)
    assert recorder.logs[0]["weights"] == LAMBDAS
    model = model_of("llava")
    assert recorder.logs[0]["tokens"] == sum(len(token_losses(model.double(), "llava", one)) for one in MIXED)


def test_a_diverged_training_is_told(tmp_path: Path) -> None:
    with pytest.raises(VisatbError, match=r"step \d: the training has diverged.*lower the learning rate"):
        trained(tmp_path, "llava", MIXED, 1, 1, learning_rate=1e30)


BALANCED = {"seen": ("caption", "vqa"), "ocr": ("ocr",)}  # and text stays at its given weight
STEPS = [sample(TASKS[(number * 7) % 4], number) for number in range(48)]  # 6 steps of 8, with every task in each


@pytest.mark.parametrize("name", ["rlw", "dwa", "igbv1"])
def test_weights_that_move_are_those_of_the_very_step_however_it_is_split(
    tmp_path: Path, logits: str, name: str
) -> None:
    method = method_of(name, BALANCED, dwa_window=2, igbv1_first_step=1, igbv1_last_step=2)
    options = {"method": method, "learning_rate": 1e-2, "lr_scheduler_type": "constant"}
    whole, _ = trained(tmp_path, "llava", STEPS, 8, 1, **options)
    parts, _ = trained(tmp_path, "llava", STEPS, 2, 4, **options)
    still, _ = trained(
        tmp_path, "llava", STEPS, 8, 1, lambdas=LAMBDAS | dict.fromkeys(TASKS[:3], 1.0), **options | {"method": None}
    )
    first = {"rlw": 0, "dwa": 4, "igbv1": 3}[name]
    for step, (one, other) in enumerate(zip(whole.logs, parts.logs, strict=True)):
        assert one["weights"] == pytest.approx(other["weights"], rel=1e-4)
        assert one["weights"]["text"] == LAMBDAS["text"]
        assert (one["weights"] == still.logs[step]["weights"]) == (step < first)
        losses, lambdas = one["task_loss"], one["weights"]
        counts = tokens_of(STEPS[8 * step : 8 * step + 8])
        mean = sum(lambdas[t] * counts[t] * losses[t] for t in TASKS) / sum(lambdas[t] * counts[t] for t in TASKS)
        assert one["loss"] == pytest.approx(mean, rel=1e-6)
        assert other["loss"] == pytest.approx(mean, rel=1e-3)
        assert distance(parts.gradients[step], whole.gradients[step]) < 1e-3
    if name == "igbv1":
        assert weights_now(whole.logs, 3) == pytest.approx(
            [whole.logs[3]["weights"][t] for t in ("vqa", "ocr")], rel=1e-6
        )


def tokens_of(samples: Sequence[Sample]) -> dict[str, int]:
    """Return each task's number of supervised tokens."""
    batch = Collator(processor_of("llava"), TASKS, 512)(list(samples))
    ids = batch["task_ids"][batch["labels"] != IGNORED]
    return {task: int((ids == place).sum()) for place, task in enumerate(TASKS)}


def weights_now(logs: Sequence[dict[str, Any]], step: int) -> list[float]:
    """Return IGBv1's weights of both groups in a step, from the task losses of this step and of steps 1 and 2."""

    def of_groups(number: int) -> list[float]:
        loss, count = logs[number]["task_loss"], tokens_of(STEPS[8 * number : 8 * number + 8])
        seen = (loss["caption"] * count["caption"] + loss["vqa"] * count["vqa"]) / (count["caption"] + count["vqa"])
        return [seen, loss["ocr"]]

    base = np.mean([of_groups(1), of_groups(2)], axis=0)
    exponentials = np.exp(np.array(of_groups(step)) / base)
    return list(2 * exponentials / exponentials.sum())


def test_tla_is_the_mean_of_task_means_by_the_step_or_by_the_micro_batch(tmp_path: Path) -> None:
    method = method_of("tla", {task: (task,) for task in TASKS})
    model = model_of("llava").double()

    def task_means(samples: Sequence[Sample]) -> torch.Tensor:
        by_task: dict[str, list[torch.Tensor]] = {}
        for one in samples:
            by_task.setdefault(one["task"], []).extend(token_losses(model, "llava", one))
        return torch.stack([torch.stack(losses).mean() for losses in by_task.values()]).mean()

    for normalization, batches in (("step", [MIXED]), ("micro_batch", split(MIXED, 2))):
        model.zero_grad()
        expected = torch.stack([task_means(batch) for batch in batches]).mean()
        expected.backward()
        recorder, _ = trained(tmp_path, "llava", MIXED, 2, 4, normalization=normalization, method=method)
        assert recorder.logs[0]["loss"] == pytest.approx(expected.item(), rel=1e-6)
        assert distance(recorder.gradients[0], gradients_of(model)) < 3e-6
