"""Token losses whose logits are made in parts: the losses and gradients of the whole ones, of any model's head."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    TrainingArguments,
)
from transformers.trainer_pt_utils import LabelSmoother

from tests.helpers.equation_2 import LAMBDAS, apart, equation_2, trained_by_hand
from tests.helpers.library_example import collator, samples, training_arguments
from tests.helpers.training_examples import model_of
from visatb.training.loss import head as module
from visatb.training.loss.mixin import WeightedLossMixin
from visatb.training.loss.task_ids import with_task_ids

torch.set_num_threads(1)
POSITIONS, FEATURES, WORDS = 37, 24, 301


class Counted(list[int]):
    """How many parts there were, each time that logits were made in parts."""


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted, real = Counted(), module._parts

    def counting(positions: int, words: int) -> list[slice]:
        counted.append(len(real(positions, words)))
        return real(positions, words)

    monkeypatch.setattr(module, "_parts", counting)
    return counted


class Case:
    """Hidden states, a head and per-token weights; what comes out, whole in float64 or by the code under test."""

    def __init__(self, bias: bool = True) -> None:
        generator = torch.Generator().manual_seed(0)

        def drawn(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64)

        self.hidden, self.weight = drawn(POSITIONS, FEATURES), drawn(WORDS, FEATURES)
        self.bias = drawn(WORDS) if bias else None
        self.targets = torch.randint(WORDS, (POSITIONS,), generator=generator)
        self.weights = drawn(POSITIONS)

    def leaves(self, dtype: torch.dtype) -> list[torch.Tensor | None]:
        tensors = (self.hidden, self.weight, self.bias)
        return [None if one is None else one.to(dtype).requires_grad_() for one in tensors]

    def results(self, losses: torch.Tensor, leaves: list[torch.Tensor | None]) -> dict[str, torch.Tensor]:
        (losses * self.weights.to(losses.dtype)).sum().backward()
        found = {"losses": losses.detach()}
        names = ("hidden", "weight", "bias")
        return found | {name: one.grad for name, one in zip(names, leaves, strict=True) if one is not None}

    def whole(self, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        leaves = self.leaves(dtype)
        return self.results(F.cross_entropy(F.linear(*leaves).float(), self.targets, reduction="none"), leaves)

    def exact(self, smoothing: float = 0.0) -> dict[str, torch.Tensor]:
        leaves = self.leaves(torch.float64)
        losses = -F.linear(*leaves).log_softmax(1)
        own = losses[torch.arange(POSITIONS), self.targets]
        return self.results((1 - smoothing) * own + smoothing * losses.mean(dim=1), leaves)

    def in_parts(self, dtype: torch.dtype, products: torch.dtype, smoothing: float = 0.0) -> dict[str, torch.Tensor]:
        leaves = self.leaves(dtype)
        return self.results(module._LossesInParts.apply(*leaves, self.targets, products, smoothing), leaves)


def error(found: torch.Tensor, exact: torch.Tensor) -> float:
    return float((found.double() - exact).norm() / exact.norm())


@pytest.mark.parametrize("rows", [1, 8, 36, 37])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
@pytest.mark.parametrize(("bias", "smoothing"), [(True, 0.0), (False, 0.0), (True, 0.1), (False, 1.0)])
def test_losses_and_gradients_are_exact_in_any_parts(
    monkeypatch: pytest.MonkeyPatch,
    parts: Counted,
    rows: int,
    dtype: torch.dtype,
    tolerance: float,
    bias: bool,
    smoothing: float,
) -> None:
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", rows * WORDS)
    case = Case(bias)
    found, exact = case.in_parts(dtype, dtype, smoothing), case.exact(smoothing)
    assert set(parts) == {-(-POSITIONS // rows)}
    assert found.keys() == exact.keys()
    assert all(found[name].dtype == dtype for name in found)
    assert all(error(found[name], value) < tolerance for name, value in exact.items())


def test_label_smoothing_is_that_of_transformers(tmp_path: Path) -> None:
    logits, targets = torch.randn(POSITIONS, WORDS), torch.randint(WORDS, (POSITIONS,))
    head = module.Head(lambda model: model, TrainingArguments(str(tmp_path), label_smoothing_factor=0.3))
    theirs = LabelSmoother(epsilon=0.3)({"logits": logits[None]}, targets[None])
    assert head.losses_of(logits, targets).mean().item() == pytest.approx(theirs.item(), rel=1e-6)


def test_in_16_bits_they_are_no_further_off_than_whole_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", 4 * WORDS)
    monkeypatch.setattr(module, "_WORDS_AT_ONCE", 128)
    case, exact = Case(), Case().exact()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        whole = case.whole(torch.float32)
    autocast = case.in_parts(torch.float32, torch.bfloat16)
    pure, whole_pure = case.in_parts(torch.bfloat16, torch.bfloat16), case.whole(torch.bfloat16)
    for name, value in exact.items():
        assert 1e-4 < error(autocast[name], value) < 1.1 * error(whole[name], value), name
        assert error(pure[name], value) < 1.1 * error(whole_pure[name], value), name
    assert autocast["losses"].dtype == torch.float32
    assert (autocast["weight"].dtype, pure["weight"].dtype) == (torch.float32, torch.bfloat16)


def test_what_needs_no_gradient_gets_none_and_no_positions_give_no_losses() -> None:
    case = Case()
    hidden, weight, bias = case.leaves(torch.float32)
    frozen = module._LossesInParts.apply(hidden, weight.detach(), bias.detach(), case.targets, torch.float32)
    frozen.sum().backward()
    assert hidden.grad.abs().sum() > 0
    assert weight.grad is bias.grad is None
    nothing = module._LossesInParts.apply(hidden[:0], weight, None, case.targets[:0], torch.float32)
    assert nothing.shape == (0,)
    nothing.sum().backward()
    assert not weight.grad.any()


def sizes(**more: Any) -> dict[str, Any]:
    small = {"vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "pad_token_id": 0}
    return small | {"num_attention_heads": 2, "num_key_value_heads": 2} | more


def llama() -> PreTrainedModel:
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**sizes()))


def capped() -> PreTrainedModel:
    torch.manual_seed(0)
    config = Gemma2Config(**sizes(head_dim=8, final_logit_softcapping=0.3), attn_implementation="eager")
    return Gemma2ForCausalLM(config)


def scaled() -> PreTrainedModel:
    torch.manual_seed(0)
    return CohereForCausalLM(CohereConfig(**sizes(logit_scale=0.3)))


class Adapted(nn.Module):
    """An adapter around a head, as peft puts it there: another class, with the head inside."""

    def __init__(self, inside: nn.Linear) -> None:
        super().__init__()
        self.inside, self.down, self.up = inside, nn.Linear(16, 2, bias=False), nn.Linear(2, 32, bias=False)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.inside(hidden) + self.up(self.down(hidden))


def adapted() -> PreTrainedModel:
    model = llama()
    model.set_output_embeddings(Adapted(model.get_output_embeddings()))
    return model


def trainer_of(folder: Path, model: PreTrainedModel, size: int = 2, accumulation: int = 2, **more: Any) -> Any:
    return WeightedLossMixin(
        model=model,
        args=training_arguments(folder, size, accumulation, remove_unused_columns=False, **more),
        train_dataset=samples(),
        data_collator=with_task_ids(collator, LAMBDAS),
        task_weights=LAMBDAS,
    )


def test_a_training_in_parts_ends_where_the_one_by_hand_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: Counted
) -> None:
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", 100)
    trainer = trainer_of(tmp_path, llama(), activation_checkpointing=True)
    trainer.train()
    assert max(parts) == 3
    assert apart(trainer.model.state_dict(), trained_by_hand(LAMBDAS)[0]) < 1e-5


@pytest.mark.parametrize("make", [capped, scaled, adapted])
def test_a_model_that_changes_its_heads_logits_is_left_to_do_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: Counted, make: Any
) -> None:
    expected = equation_2(make().double(), samples()[:4], LAMBDAS).item()
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", 100)
    trainer = trainer_of(tmp_path, make())
    trainer.train()
    assert trainer.state.log_history[0]["loss"] == pytest.approx(expected, rel=1e-5)
    assert not parts


def test_the_try_leaves_the_random_state_and_logits_that_are_wanted_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: Counted
) -> None:
    model = llama()
    model.config.attention_dropout = 0.5
    trainer = trainer_of(tmp_path, model, 4, 1)
    batch = trainer.data_collator(samples()[:4])
    trainer._get_num_items_in_batch([batch], torch.device("cpu"))
    model.train()
    losses = []
    for at_once in (module.LOGITS_AT_ONCE, 100):
        monkeypatch.setattr(module, "LOGITS_AT_ONCE", at_once)
        torch.manual_seed(7)
        losses.append(trainer.compute_loss(model, batch).item())
    assert set(parts) == {5}
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    _, outputs = trainer.compute_loss(model, batch, return_outputs=True)
    assert outputs.logits.shape == (13, 32)


@pytest.mark.parametrize("family", ["llava", "qwen2_vl"])
def test_the_heads_of_both_families_are_matrices(family: str) -> None:
    assert module._is_a_matrix(model_of(family).get_output_embeddings())
