"""Packed samples: each is read and learned from as if it stood alone, in however few rows."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image
from reference_training import SILENT, token_losses
from training_examples import TASKS, model_of, packing, processor_of, sample, turns
from transformers import PreTrainedModel

from visatb.layouts import layout_of
from visatb.row_packing import REAL, deal_into_rows
from visatb.training.collator import IGNORED, NO_TASK, Collator, Sample
from visatb.training.instructions import Instructions
from visatb.training.models import FAMILIES
from visatb.training.packing import NO_SAMPLE

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
@pytest.mark.parametrize(("case", "one_row"), list(product(CASES, (True, False))))
def test_every_token_is_predicted_as_if_its_sample_stood_alone(family: str, attention: str, case: str, one_row: bool):
    model, samples = model_of(family).double(), CASES[case]
    model.set_attn_implementation(attention)
    batch = replace(packing(family), one_row=one_row)(samples)
    assert (len(batch["input_ids"]) > 1) == (len(samples) > 1 and not one_row)
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
def test_what_fills_rows_up_teaches_nothing_and_is_of_no_sample(family: str):
    batch = packing(family)(MIXED)
    filler = batch["sample_ids"] == NO_SAMPLE
    assert 0 < filler.sum() <= (1 - REAL) * filler.numel()
    assert (batch["labels"][filler] == IGNORED).all()
    assert (batch["task_ids"][filler] == NO_TASK).all()
    assert (batch["input_ids"][filler] != processor_of(family).image_token_id).all()
    text = batch["position_ids"] if family == "llava" else batch["position_ids"][0]
    starts = (text == 0).nonzero().tolist()
    assert len(starts) == len(MIXED) + int(filler.any(dim=1).sum())
    assert all(batch["labels"][row, column] == IGNORED for row, column in starts)
    # Behind a sample a new one begins, the filler among them: nothing may follow it in its own attention.
    ids, begins = batch["sample_ids"], text == 0
    assert torch.equal(ids[:, 1:] != ids[:, :-1], begins[:, 1:])


def test_images_come_in_the_order_of_the_rows():
    sides = (64, 96, 32, 200, 80, 64, 128, 40)
    samples: list[Sample] = [
        {
            "conversations": turns("<image>", "one " * (1 + 5 * (number % 3)) + str(number)),
            "image": Image.new("RGB", (64, side), (20 * number, 0, 0)),
            "task": "vqa",
        }
        for number, side in enumerate(sides)
    ]
    samples.insert(3, sample("text", 2))
    for family in FAMILIES:
        collator = packing(family)
        batch, padded = collator(samples), Collator(processor_of(family), TASKS, 512)(samples)
        of_image = batch["input_ids"] == processor_of(family).image_token_id
        order = list(dict.fromkeys(batch["sample_ids"][of_image].tolist()))
        assert order != sorted(order), "or it tells nothing"
        images = [number - (number > 3) for number in order]
        if family == "llava":
            assert torch.equal(batch["pixel_values"], padded["pixel_values"][images])
        else:
            assert torch.equal(batch["image_grid_thw"], padded["image_grid_thw"][images])
            patches = padded["pixel_values"].split(padded["image_grid_thw"].prod(1).tolist())
            assert torch.equal(batch["pixel_values"], torch.cat([patches[image] for image in images]))


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


@pytest.mark.parametrize("samples", [1, 2, 8, 16])
def test_rows_are_short_and_nearly_all_of_them_is_real(samples: int):
    rng = np.random.default_rng(samples)
    lengths = rng.lognormal(4, 0.7, (300, samples)).astype(int) + 10
    rows, fillers = deal_into_rows(lengths)
    for own, row, filler in zip(lengths, rows, fillers, strict=True):
        loads = np.bincount(row, weights=own)
        assert loads.min() > 0
        assert filler == len(loads) * loads.max() - own.sum()
        assert own.sum() >= REAL * (own.sum() + filler)
    assert (rows.max(axis=1) > 0).any() == (samples > 1)
    assert deal_into_rows(lengths, one_row=True)[0].max() == 0
    assert deal_into_rows(lengths, one_row=True)[1].max() == 0


def test_rows_by_hand():
    # Four of the longest fill two rows; with three there is one left over, and one row is all that wastes little.
    assert deal_into_rows(np.array([[50, 50, 50, 50]]))[0].tolist() == [[0, 1, 2, 3]]
    assert deal_into_rows(np.array([[60, 20, 40, 0]]))[0].tolist() == [[0, 1, 1, 0]]
    assert deal_into_rows(np.array([[60, 10, 40, 0]]))[0].tolist() == [[0, 0, 0, 0]]
    assert [layout_of(True, name) for name in ("eager", "sdpa", "flash_attention_2")] == ["rows", "rows", "one_row"]
    assert layout_of(False, "flash_attention_2") == "padded"
