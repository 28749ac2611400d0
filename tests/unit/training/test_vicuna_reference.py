"""The conversation and its mask, token for token those of LLaVA's own way: sentencepiece, separators and offsets.

The reference below is written from how LLaVA-1.5 prepares its training data. It shares no code with the template: it
splits at ``<image>`` and ``</s>``, tokenises the parts with sentencepiece, and counts tokens to find the answers. Where
visatb differs on purpose, a test of its own says how:

- spaces around a text are left out (LLaVA strips only turns with an image);
- an answer with " ASSISTANT: " in it, or a text with "</s>", makes LLaVA mask the whole sample, with a warning;
- of an empty answer LLaVA forgets the end-of-turn token, and of an empty question the line break after the image.
"""

import functools
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import sentencepiece
import torch
from PIL import Image
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer
from transformers import AutoTokenizer, ProcessorMixin

from tests.helpers.conversation_examples import CONVERSATIONS, SYSTEM
from tests.helpers.llava_components import IMAGE_TOKENS, sentencepiece_model, write_clip, write_projector, write_vicuna
from tests.helpers.training_examples import turns
from visatb.data.chat import chat_messages
from visatb.models.assembly import Components, assemble
from visatb.models.families import load_processor
from visatb.training.batches.collator import IGNORED, Collator
from visatb.training.l2t.instructions import Instructions

BEGIN, END = 1, 2
PICTURE = Image.new("RGB", (40, 30), (200, 30, 30))
IMAGE = -200
Rows = tuple[list[int], list[int]]


@pytest.fixture(scope="module", params=["tokenizer.model", "tokenizer.json"])
def processor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ProcessorMixin:
    """The processor of an assembled LLaVA, from either layout of the tokenizer."""
    folder = tmp_path_factory.mktemp("llava")
    vicuna = write_vicuna(folder / "vicuna", fast=request.param == "tokenizer.json")
    clip, projector = write_clip(folder / "clip"), write_projector(folder / "mm_projector.bin")
    assemble(Components(str(vicuna), str(clip), str(projector)), folder / "llava")
    return load_processor(folder / "llava")


@functools.cache
def pieces(starts_text: bool) -> sentencepiece.SentencePieceProcessor:
    """Return the tokenizer, which begins a text with a space, or the same for what goes on within a text."""
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(sentencepiece_model())
    proto.normalizer_spec.add_dummy_prefix = starts_text
    return sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())


def tokenized(text: str) -> list[int]:
    """Return <s> and the tokens of a text, ``</s>`` being one of them."""
    first, *rest = text.split("</s>")
    tokens = [BEGIN, *pieces(True).encode(first)]
    for part in rest:
        tokens += [END, *pieces(False).encode(part)]
    return tokens


def with_images(text: str) -> list[int]:
    """Tokenise what stands before and after ``<image>`` as texts of their own, with ``IMAGE`` between."""
    first, *rest = (tokenized(part) for part in text.split("<image>"))
    for part in rest:
        first += [IMAGE, *part[1:]]
    return first


def reference(texts: Sequence[str], max_length: int = 10_000) -> Rows:
    """Return tokens and labels of a conversation, image tokens as ``IMAGE``."""
    conversation, rounds = f"{SYSTEM} ", []
    for question, answer in zip(texts[::2], texts[1::2], strict=True):
        if "<image>" in question:
            question = "<image>\n" + question.replace("<image>", "").strip()
        conversation += f"USER: {question} ASSISTANT: "
        # The last token is the space alone, which in the whole conversation belongs to the answer.
        start = len(with_images(conversation)) - 1
        conversation += f"{answer}</s>"
        rounds.append((start, len(with_images(conversation))))
    tokens = with_images(conversation)
    labels = [IGNORED] * len(tokens)
    for start, end in rounds:
        labels[start:end] = tokens[start:end]
    return expanded(tokens, max_length), expanded(labels, max_length, tokens)


def expanded(values: list[int], max_length: int, tokens: list[int] | None = None) -> list[int]:
    """Repeat what stands at the image for each of its tokens, and cut at the end."""
    pairs = zip(values, tokens or values, strict=True)
    return [v for value, token in pairs for v in [value] * (IMAGE_TOKENS if token == IMAGE else 1)][:max_length]


def collated(processor: ProcessorMixin, texts: Sequence[str], max_length: int = 10_000) -> Rows:
    image = PICTURE if any("<image>" in text for text in texts) else None
    batch = Collator(processor, ["a"], max_length)([{"conversations": turns(*texts), "image": image, "task": "a"}])
    tokens = batch["input_ids"].masked_fill(batch["input_ids"] == processor.image_token_id, IMAGE)
    return tokens[0].tolist(), batch["labels"][0].tolist()


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_tokens_and_labels_are_llavas(processor: ProcessorMixin, name: str) -> None:
    tokens, labels = reference(CONVERSATIONS[name])
    assert collated(processor, CONVERSATIONS[name]) == (tokens, labels)
    assert sum(label == END for label in labels) == len(CONVERSATIONS[name]) // 2
    assert tokens[0] == BEGIN


@pytest.mark.parametrize("max_length", [64, 100, 333, 512, 1000])
def test_a_long_conversation_is_cut_as_llava_cuts_it(processor: ProcessorMixin, max_length: int) -> None:
    texts = CONVERSATIONS["very long"]
    found = collated(processor, texts, max_length)
    assert found == reference(texts, max_length)
    assert len(found[0]) == max_length


def test_random_conversations_are_llavas(processor: ProcessorMixin) -> None:
    rng = random.Random(0)
    words = ["USER:", "ASSISTANT:", "red", "Größe", "東京", "a\nb", "[0.1, 0.2]", "\n", "  ", "🙂", "x=7", "USER", "."]
    for _ in range(60):
        texts = [" ".join(rng.choices(words, k=rng.randint(1, 8))).strip() or "." for _ in range(2 * rng.randint(1, 4))]
        texts[1::2] = [answer.replace(" ASSISTANT: ", " ") for answer in texts[1::2]]
        if rng.random() < 0.5:
            texts[0] = f"<image>\n{texts[0]}"
        length = rng.choice((10_000, 90))
        assert collated(processor, texts, length) == reference(texts, length), texts


@pytest.mark.parametrize("name", ["one turn", "many turns", "text only", "image in a later turn"])
def test_a_question_alone_is_the_beginning_of_what_was_trained(processor: ProcessorMixin, name: str) -> None:
    texts = CONVERSATIONS[name]
    tokens, labels = reference(texts)
    last = len(labels) - next(i for i, label in enumerate(reversed(labels)) if label == IGNORED)
    image = PICTURE if any("<image>" in text for text in texts) else None
    prompt = processor.apply_chat_template(
        chat_messages(turns(*texts)[:-1], image), tokenize=True, return_dict=True, add_generation_prompt=True
    )["input_ids"][0]
    assert [IMAGE if token == processor.image_token_id else token for token in prompt] == tokens[:last]


def test_a_conversation_begins_once_whoever_tokenises_it(processor: ProcessorMixin, tmp_path: Path) -> None:
    messages = chat_messages(turns("Who are you?", "a model", "Sure?"), None)
    expected = tokenized(f"{SYSTEM} USER: Who are you? ASSISTANT: a model</s>USER: Sure? ASSISTANT:")
    processor.save_pretrained(tmp_path)
    for tokenizer in (processor.tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        written = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        for adding in (True, False):
            assert tokenizer(written, add_special_tokens=adding)["input_ids"] == expected
        assert tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"] == expected
    assert Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode(written).ids == expected


def test_spaces_around_a_text_are_left_out(processor: ProcessorMixin) -> None:
    assert collated(processor, ("  A? \n", " b ", "C?\t", "\nd")) == reference(("A?", "b", "C?", "d"))
    # LLaVA strips a turn with an image, and keeps the spaces of all others.
    assert reference(("<image> A? ", "b")) == reference(("<image>\nA?", "b"))
    assert reference((" A?", " b")) != reference(("A?", "b"))


def test_a_role_with_its_spaces_in_an_answer_is_no_turn(processor: ProcessorMixin) -> None:
    texts = ("Who?", "He said: ASSISTANT: me USER: you ASSISTANT: they", "Sure?", "yes")
    found = collated(processor, texts)
    assert found == reference(texts)
    # LLaVA's code splits the round there, finds three parts, and masks the whole sample.
    assert len(f"USER: {texts[0]} ASSISTANT: {texts[1]}".split(" ASSISTANT: ")) > 2
    assert supervised(processor, found) == f"{texts[1]}</s> yes</s>"


def test_an_empty_answer_ends_its_turn(processor: ProcessorMixin) -> None:
    found = collated(processor, ("What?", "", "Sure?", "yes"))
    assert found == reference(("What?", "", "Sure?", "yes"))
    assert [label for label in found[1] if label != IGNORED][1] == END


def test_an_end_mark_in_a_text_masks_no_answer(processor: ProcessorMixin) -> None:
    found = collated(processor, ("Strike <s>this</s> out", "<s>done</s> and gone", "Sure?", "yes"))
    labels = [label for label in found[1] if label != IGNORED]
    assert processor.decode(labels).endswith("and gone</s> yes</s>")
    assert labels.count(END) == 3


def supervised(processor: ProcessorMixin, rows: Rows) -> str:
    labels = torch.tensor(rows[1])
    return processor.decode(labels[labels != IGNORED])


@pytest.mark.parametrize("texts", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_under_l2t_the_questions_are_learned_and_their_templates_are_not(
    processor: ProcessorMixin, texts: tuple[str, ...]
) -> None:
    """Spans of characters become tokens of sentencepiece, too, whose spaces are characters of their own."""
    template = "Answer the question using a single word or phrase."
    asked = [f"{text}\n{template}" if number % 2 == 0 else text for number, text in enumerate(texts)]
    sample = {"conversations": turns(*asked), "image": PICTURE, "task": "chat"}
    batch = Collator(processor, ["chat"], 4096, instructions=Instructions(0.5, frozenset({template})))([sample])
    learned = processor.decode(batch["labels"][0][batch["token_weights"][0] == 0.5])
    expected = "".join(text.replace("<image>", "") for text in texts[::2])
    assert "".join(learned.split()) == "".join(expected.split())
    plain = Collator(processor, ["chat"], 4096)([sample])["labels"]
    assert torch.equal(batch["token_weights"] == 1, plain != IGNORED)
