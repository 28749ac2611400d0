"""Tokens are counted without pictures or model; the trainer's own collator says whether rightly."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors import safe_open
from transformers import ProcessorMixin

from tests.helpers.training_examples import model_of, packing, sample, save_tiny, turns
from visatb.models.families import FAMILIES, freeze, load_config, load_processor, read_template
from visatb.planning.token_counts import TokenCounter, model_size
from visatb.planning.token_ledger import PARTS, Counts, MicroBatches, mixture_tokens, padding, token_ledger
from visatb.training.batches.collator import IGNORED, Collator, Sample

TEMPLATES = {"vicuna_v1": "llava", "vicuna_v1_short": "llava", "qwen2_vl": "qwen2_vl"}


@cache
def processor_of(family: str) -> ProcessorMixin:
    """Return a tiny model's processor as trainings load it."""
    with TemporaryDirectory() as folder:
        return load_processor(save_tiny(family, Path(folder)))


def with_template(name: str) -> ProcessorMixin:
    processor = processor_of(TEMPLATES[name])
    processor.chat_template = read_template(name)
    return processor


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Samples of the demo, texts alone, several turns, one whose picture is no square, and one that is too long."""
    found = [sample(task, number) for number, task in enumerate(("caption", "vqa", "text", "ocr", "text", "caption"))]
    found.append({"conversations": turns("Hello", "Hi.", "What is <image> A?", "a red"), "image": None, "task": "text"})
    wide = Image.new("RGB", (300, 40), (9, 200, 30))
    chat = turns("A", "b", "What is <image> A chat?", "USER: a red", "<s> A </s>?", "é ü")
    found.append({"conversations": chat, "image": wide, "task": "caption"})
    found.append({"conversations": turns("<image> Count", "one two " * 100), "image": wide, "task": "caption"})
    for number, one in enumerate(found):
        if isinstance(one["image"], Image.Image):
            one["image"].save(tmp_path / f"{number}.png")
            one["image"] = str(tmp_path / f"{number}.png")
    found[6]["conversations"][2]["value"] = "What is A?"
    return found


@pytest.mark.parametrize("template", TEMPLATES)
def test_counts_are_those_of_the_collator(template: str, samples: list[Sample]):
    processor = with_template(template)
    counted = TokenCounter(processor, 150).count(samples)
    collator = Collator(processor, ["caption", "vqa", "text", "ocr"], 150)
    for number, one in enumerate(samples):
        batch = collator([one])
        row = counted.iloc[number]
        assert row["tokens"] == int(batch["attention_mask"].sum()) == sum(row[part] for part in PARTS)
        assert row["supervised"] == int((batch["labels"][:, 1:] != IGNORED).sum())
        assert row["image"] == int((batch["input_ids"] == processor.image_token_id).sum())
        assert row["has_image"] == (one["image"] is not None)
    assert counted["is_cut"].tolist() == [False] * 8 + [True]
    assert (counted["template"].iloc[:8] > 0).all()


@pytest.mark.parametrize("template", TEMPLATES)
def test_instructions_are_what_people_said(template: str):
    """A longer question changes the instruction by its own tokens and nothing else."""
    processor = with_template(template)
    short, long = (
        {"conversations": turns(question, "yes"), "image": None} for question in ("red", "red" + " blue circle" * 7)
    )
    counted = TokenCounter(processor, 500).count([short, long])
    more = len(processor.tokenizer(" blue circle" * 7, add_special_tokens=False)["input_ids"])
    assert counted["instruction"].diff().iloc[1] == more
    assert counted[["supervised", "template", "image"]].nunique().tolist() == [1, 1, 1]
    assert counted["instruction"].iloc[0] == len(processor.tokenizer(" red", add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_blank_picture_s_row(family: str):
    processor = processor_of(family)
    batch = Collator(processor, ["text"], 400, always_an_image=True)([sample("text", 1)])
    assert TokenCounter(processor, 400).blank_row() == int(batch["attention_mask"][1].sum())


def test_tokens_of_an_answer_are_those_that_it_is_learned_from():
    processor = with_template("qwen2_vl")
    answers = ["yes", "a red square left of a blue circle", "12"]
    counted = TokenCounter(processor, 400).count([{"conversations": turns("A", a), "image": None} for a in answers])
    assert TokenCounter(processor, 400).answer_tokens(answers).tolist() == counted["supervised"].tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_model_s_size_is_that_of_its_files(family: str, tmp_path: Path):
    save_tiny(family, tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        saved = sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118
    model = model_of(family)
    freeze(model, ["vision_tower"])
    trained = sum(one.numel() for one in model.parameters() if one.requires_grad)
    size = model_size(load_config(tmp_path), ["vision_tower"])
    assert (size.parameters, size.trained) == (saved, trained)


def test_padding_fills_each_micro_batch_to_its_longest():
    rng = np.random.default_rng(4)
    tokens, has_image = rng.integers(1, 90, 103), rng.random(103) < 0.3
    found, blanks = padding(tokens, has_image, MicroBatches(4, blank=50, seed=7))
    order = np.random.default_rng(7).permutation(103)
    expected, rows = dict.fromkeys(range(103), 0), 0
    for start in range(0, 103, 4):
        batch = order[start : start + 4]
        longest = max(tokens[one] for one in batch)
        if not any(has_image[one] for one in batch):
            longest = max(longest, 50)
            rows += longest
        for one in batch:
            expected[int(one)] = longest - tokens[one]
    assert found.tolist() == list(expected.values())
    assert blanks == rows > 0
    assert padding(tokens, has_image, MicroBatches(1))[0].sum() == 0
    texts = np.zeros(103, bool)
    assert padding(tokens, texts, MicroBatches(4, blank=50))[1] == 0, "nothing but texts needs no picture"


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_trainings_read_the_tokens_of_their_samples_and_blank_pictures(family: str, tmp_path: Path):
    samples = [sample(("caption", "vqa", "ocr", "text")[number % 4], number) for number in range(11)]
    samples += [sample("text", number) for number in range(8)]
    collator = packing(family, always_an_image=True)
    for number, one in enumerate(samples):
        if one["image"]:
            one["image"].save(tmp_path / f"{number}.png")
            one["image"] = str(tmp_path / f"{number}.png")
    counter = TokenCounter(processor_of(family), 512)
    counted = counter.count(samples)
    tokens, has_image = counted["tokens"].to_numpy(), counted["has_image"].to_numpy()
    for size in (1, 4, 8):
        order = np.random.default_rng(7).permutation(len(samples))
        groups = [order[start : start + size] for start in range(0, len(order), size)]
        batches = [collator([samples[one] for one in group]) for group in groups]
        read = sum(batch["input_ids"].numel() for batch in batches)
        micro_batches = MicroBatches(size, packing=True, blank=counter.blank_row(), seed=7)
        of_each, blanks = padding(tokens, has_image, micro_batches)
        assert read == tokens.sum() + blanks
        assert of_each.tolist() == [0] * len(samples)


def counts(supervised: list[int], samples: int | None = None) -> Counts:
    table = pd.DataFrame({"supervised": supervised, "instruction": 3, "template": 2, "image": 16})
    table = table.assign(has_image=True, is_cut=False, tokens=table.sum(axis=1))
    return Counts(len(table) if samples is None else samples, table)


def test_the_share_of_supervised_tokens_is_the_weight_before_any_lambda():
    ledger = token_ledger({"a": counts([1, 1, 1, 1]), "b": counts([6, 6])}, MicroBatches(2)).set_index("task")
    assert ledger["share"].tolist() == [0.25, 0.75]
    assert ledger.loc["b", [*PARTS]].tolist() == [12, 6, 4, 32]
    assert (ledger["tokens"] == ledger[[*PARTS, "padding"]].sum(axis=1)).all()
    assert token_ledger({}, MicroBatches(2)).empty


def test_counted_records_stand_for_those_that_were_not():
    ledger = token_ledger({"a": counts([2, 4], samples=1000), "b": counts([1])}, MicroBatches(1)).set_index("task")
    assert ledger.loc["a", ["samples", "counted", "supervised", "image"]].tolist() == [1000, 2, 3000, 16000]
    mixture = mixture_tokens({"a": counts([2, 4])}, {"a": 5}, MicroBatches(1))
    assert mixture["supervised"].tolist() == [2, 4, 2, 4, 2]
