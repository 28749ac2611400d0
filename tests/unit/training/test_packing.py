"""Packed samples: each is read and learned from as if it stood alone."""

from pathlib import Path

import pytest
import torch
from transformers import PretrainedConfig, PreTrainedModel

from tests.helpers.reference_training import SILENT, token_losses
from tests.helpers.training_examples import TASKS, model_of, packing, processor_of, sample, turns
from visatb.models.families import FAMILIES, load_model
from visatb.training.batches.attention import attend_by_sample
from visatb.training.batches.collator import IGNORED, NO_TASK, Collator, Sample
from visatb.training.l2t.instructions import Instructions

LONG: Sample = {"conversations": turns("Go", "one two " * 70), "image": None, "task": "text"}
MIXED = [sample(TASKS[number % 4], number) for number in range(9)]
CASES = {"mixed": MIXED, "texts first": [sample("text", 1), SILENT, LONG, *MIXED[:6]], "one": MIXED[:1]}


def forward(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    names = ("input_ids", "position_ids", "attention_mask", "pixel_values", "image_grid_thw", "mm_token_type_ids")
    inputs = {name: batch[name] for name in names if name in batch}
    if "pixel_values" in inputs:
        inputs["pixel_values"] = inputs["pixel_values"].double()
    return model(**inputs, use_cache=False).logits


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("by_sample", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_every_token_is_predicted_as_if_its_sample_stood_alone(family: str, attention: str, case: str, by_sample: bool):
    model, samples = model_of(family).double(), CASES[case]
    model.set_attn_implementation(attention)
    if by_sample:  # else transformers' own mask over the row, as flash attention tells samples apart too
        attend_by_sample(model, attention)
    batch = packing(family)(samples)
    assert len(batch["input_ids"]) == 1
    with torch.no_grad():
        logits = forward(model, batch)
        model.set_attn_implementation("eager")
        for number, one in enumerate(samples):
            own = batch["sample_ids"] == number
            alone = Collator(processor_of(family), TASKS, 512)([one])
            assert torch.equal(batch["input_ids"][own], alone["input_ids"][0])
            assert torch.equal(batch["labels"][own][1:], alone["labels"][0, 1:])
            assert (batch["task_ids"][own] == TASKS.index(one["task"])).all()
            # RMSNorm, softmax and rotations are in 32 bits whatever the model's format
            assert torch.allclose(logits[own], forward(model, alone)[0], rtol=0, atol=5e-6)
            supervised = own[:, 1:] & (batch["labels"][:, 1:] != IGNORED)
            found = -logits[:, :-1].log_softmax(-1)[supervised].gather(1, batch["labels"][:, 1:][supervised][:, None])
            expected = token_losses(model, family, one)
            assert found.flatten().tolist() == pytest.approx([nll.item() for nll in expected], abs=5e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_holds_nothing_but_samples_and_no_sample_begins_with_a_label(family: str):
    batch, padded = packing(family)(MIXED), Collator(processor_of(family), TASKS, 512)(MIXED)
    assert batch["input_ids"].numel() == padded["attention_mask"].sum()
    assert "attention_mask" not in batch
    assert torch.equal(batch["pixel_values"], padded["pixel_values"]), "images in the order of the samples"
    text = (batch["position_ids"] if family == "llava" else batch["position_ids"][0])[0]
    ids, begins = batch["sample_ids"][0], text == 0
    assert ids[begins].tolist() == list(range(len(MIXED)))
    assert torch.equal(ids[1:] != ids[:-1], begins[1:])
    assert (batch["labels"][0, begins] == IGNORED).all()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_model_does_not_know_how_it_attended(family: str, attention: str, tmp_path: Path):
    model = model_of(family)
    model.save_pretrained(tmp_path / "before")
    attend_by_sample(model, attention)
    model.save_pretrained(tmp_path / "after")
    assert (tmp_path / "after/config.json").read_text() == (tmp_path / "before/config.json").read_text()
    loaded = load_model(tmp_path / "after", torch.float32)
    assert "by_sample" not in str({name: one._attn_implementation for name, one in configs(loaded).items()})


def configs(model: PreTrainedModel) -> dict[str, PretrainedConfig]:
    return {"": model.config, **{name: getattr(model.config, name) for name in model.config.sub_configs}}


def test_weights_of_tokens_and_the_blank_picture_are_packed_as_well():
    collator = packing("llava", always_an_image=True, instructions=Instructions(0.5, frozenset(), True))
    texts = [sample("text", number) for number in range(5)]
    batch, padded = collator(texts), collator.collator(texts)
    assert set(batch["token_weights"].unique().tolist()) == {0.0, 0.5, 1.0}
    for number in range(6):
        own, length = batch["sample_ids"] == number, int(padded["attention_mask"][number].sum())
        assert torch.equal(batch["token_weights"][own], padded["token_weights"][number, :length])
    assert (batch["task_ids"][batch["sample_ids"] == 5] == NO_TASK).all()
    assert len(batch["pixel_values"]) == 1
