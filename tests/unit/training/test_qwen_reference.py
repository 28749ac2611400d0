"""Qwen2-VL's conversation and its mask, held to ChatML written down by hand and tokenised part by part."""

import itertools
import json
from collections.abc import Sequence

import pytest
from PIL import Image
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import ProcessorMixin, Qwen2Tokenizer

from tests.helpers.conversation_examples import CONVERSATIONS
from tests.helpers.training_examples import processor_of, turns
from visatb.models.families import Qwen2VLProcessor, read_template
from visatb.training.batches.collator import IGNORED, Collator

# Qwen's way to cut a text before its byte pairs are merged.
CUTS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
PICTURE = Image.new("RGB", (64, 64), (200, 30, 30))
IMAGE_TOKENS = 16
Part = tuple[str, bool]


@pytest.fixture(scope="module")
def plain() -> Tokenizer:
    """A tokenizer with Qwen's cuts that knows no marks."""
    tokenizer = Tokenizer(models.BPE())
    cut = pre_tokenizers.Split(Regex(CUTS), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    texts = ["system\nYou are a helpful assistant.", "user\nuser\nassistant\nassistant\n"] * 30
    tokenizer.train_from_iterator([*texts, *itertools.chain(*CONVERSATIONS.values())], trainer)
    return tokenizer


@pytest.fixture(scope="module")
def processor(plain: Tokenizer) -> ProcessorMixin:
    """Qwen2-VL's processor with a Qwen2Tokenizer of the same byte pairs, to which the marks are added."""
    trained = json.loads(plain.to_str())["model"]
    merges = [tuple(pair) for pair in trained["merges"]]
    tokenizer = Qwen2Tokenizer(vocab=trained["vocab"], merges=merges, extra_special_tokens=list(MARKS))
    tokenizer.eos_token = "<|im_end|>"
    images = processor_of("qwen2_vl").image_processor
    return Qwen2VLProcessor(images, tokenizer, chat_template=read_template("qwen2_vl"))


def chatml(texts: Sequence[str]) -> list[Part]:
    """Return the conversation in parts, marks on their own, each with whether it is supervised."""
    parts: list[Part] = [("<|im_start|>", False), ("system\nYou are a helpful assistant.", False)]
    parts += [("<|im_end|>", False), ("\n", False)]
    for question, answer in zip(texts[::2], texts[1::2], strict=True):
        parts += [("<|im_start|>", False), ("user\n", False)]
        if "<image>" in question:
            image = [("<|vision_start|>", False), *[("<|image_pad|>", False)] * IMAGE_TOKENS, ("<|vision_end|>", False)]
            parts += [*image, (question.replace("<image>", "").strip(), False)]
        else:
            parts[-1] = (f"user\n{question}", False)
        parts += [("<|im_end|>", False), ("\n", False), ("<|im_start|>", False)]
        parts += [("assistant\n", False), (answer, True), ("<|im_end|>", True), ("\n", False)]
    return parts


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("max_length", [10_000, 70])
def test_tokens_and_labels_are_those_of_chatml(
    processor: ProcessorMixin, plain: Tokenizer, name: str, max_length: int
) -> None:
    texts = CONVERSATIONS[name]
    tokens, labels = [], []
    for text, is_supervised in chatml(texts):
        ids = [processor.tokenizer.convert_tokens_to_ids(text)] if text in MARKS else plain.encode(text).ids
        tokens += ids
        labels += ids if is_supervised else [IGNORED] * len(ids)
    image = PICTURE if any("<image>" in text for text in texts) else None
    sample = {"conversations": turns(*texts), "image": image, "task": "a"}
    if name == "image in a later turn" and max_length == 70:
        max_length = 90  # the image must not be cut
    batch = Collator(processor, ["a"], max_length)([sample])
    assert batch["input_ids"][0].tolist() == tokens[:max_length]
    assert batch["labels"][0].tolist() == labels[:max_length]
