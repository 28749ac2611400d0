"""The tiny models: whole after a round trip, the same answers batched or alone, and the right tokens supervised."""

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer, ProcessorMixin
from transformers.utils import is_torchvision_available

from visatb.data.chat import chat_messages
from visatb.data.demo.exchanges import DEMO_TASKS, demo_sample
from visatb.errors import VisatbError
from visatb.models.families import (
    FAMILIES,
    freeze,
    load_model,
    load_processor,
    model_family,
    read_template,
    skip_unused_layers,
)
from visatb.models.tiny import build_tiny
from visatb.training.batches.collator import IGNORED, Collator

SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
CHAT = [
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is this?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "A square."}]},
    {"role": "user", "content": [{"type": "text", "text": "Which color?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "red"}]},
]
VICUNA = "USER: <image>\nWhat is this? ASSISTANT: A square.</s>USER: Which color? ASSISTANT: red</s>"
QWEN = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>What is this?<|im_end|>\n"
    "<|im_start|>assistant\nA square.<|im_end|>\n"
    "<|im_start|>user\nWhich color?<|im_end|>\n<|im_start|>assistant\nred<|im_end|>\n"
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tiny")
    for family in FAMILIES:
        model, processor = build_tiny(family, 1)
        model.save_pretrained(folder / family)
        processor.save_pretrained(folder / family)
    return {family: folder / family for family in FAMILIES}


def prompts(processor: ProcessorMixin, numbers: range) -> dict[str, torch.Tensor]:
    """Return the questions of one sample of each of the tasks ``numbers``, padded as the processor pads."""
    messages = []
    for number in numbers:
        image, record = demo_sample(0, DEMO_TASKS[number], "test", number)
        messages.append(chat_messages(record["conversations"][:1], image))
    return processor.apply_chat_template(
        messages,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        add_generation_prompt=True,
        processor_kwargs={"padding": True},
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_round_trip_through_the_auto_classes(folders: dict[str, Path], family: str) -> None:
    built, processor = build_tiny(family, 1)
    loaded = AutoModelForImageTextToText.from_pretrained(folders[family], dtype=torch.float32)
    assert type(loaded) is type(built)
    assert loaded.state_dict().keys() == built.state_dict().keys()
    for name, value in built.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    assert AutoConfig.from_pretrained(folders[family]).model_type == model_family(folders[family]) == family
    tokenizer = AutoTokenizer.from_pretrained(folders[family])
    assert tokenizer.padding_side == load_processor(folders[family]).tokenizer.padding_side == "left"
    assert tokenizer.get_vocab() == processor.tokenizer.get_vocab()
    assert loaded.generation_config.eos_token_id == tokenizer.eos_token_id
    again = load_processor(folders[family])
    expected, found = prompts(processor, range(3)), prompts(again, range(3))
    assert all(torch.equal(expected[key], found[key]) for key in expected)


@pytest.mark.parametrize(
    "family",
    [
        "llava",
        pytest.param("qwen2_vl", marks=pytest.mark.skipif(not is_torchvision_available(), reason="no torchvision")),
    ],
)
def test_processor_loads_with_the_auto_class(folders: dict[str, Path], family: str) -> None:
    assert (
        type(AutoProcessor.from_pretrained(folders[family])).__name__ == type(load_processor(folders[family])).__name__
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_batched_answers_equal_those_one_by_one(folders: dict[str, Path], family: str) -> None:
    processor = load_processor(folders[family])
    model = load_model(folders[family], torch.float32, "eager").eval()
    together = prompts(processor, range(len(DEMO_TASKS)))
    assert (together["attention_mask"][:, 0] == 0).any()
    options = {"max_new_tokens": 6, "do_sample": False}
    start = together["input_ids"].shape[1]
    answers = model.generate(**together, **options)[:, start:]
    for number in range(len(DEMO_TASKS)):
        alone = prompts(processor, range(number, number + 1))
        answer = model.generate(**alone, **options)[0, alone["input_ids"].shape[1] :]
        assert answer.tolist() == answers[number, : len(answer)].tolist()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("vicuna_v1", f"{SYSTEM} {VICUNA}".replace("<image>", "<image> ")),
        ("vicuna_v1_short", VICUNA),
        ("qwen2_vl", QWEN),
    ],
)
def test_conversation_is_written_as_the_model_knows_it(template: str, expected: str) -> None:
    _, processor = build_tiny("qwen2_vl" if template == "qwen2_vl" else "llava", 0)
    processor.chat_template = read_template(template)
    assert processor.apply_chat_template(CHAT, tokenize=False) == expected
    plain = [message | {"content": "".join(part.get("text", "") for part in message["content"])} for message in CHAT]
    without_image = (
        expected.replace("<image>\n", "")
        .replace("<image> \n", "")
        .replace("<|vision_start|><|image_pad|><|vision_end|>", "")
    )
    assert processor.apply_chat_template(plain, tokenize=False) == without_image


def test_a_system_message_of_the_data_replaces_the_default_one() -> None:
    _, processor = build_tiny("llava", 0)
    processor.chat_template = read_template("vicuna_v1")
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    written = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert written == "Be brief. USER: Hello ASSISTANT:"


@pytest.mark.parametrize(
    ("family", "template", "answers"),
    [
        ("llava", "vicuna_v1", [" A square.</s>", " red</s>"]),
        ("llava", "vicuna_v1_short", [" A square.</s>", " red</s>"]),
        ("qwen2_vl", "qwen2_vl", ["A square.<|im_end|>", "red<|im_end|>"]),
    ],
)
def test_supervised_are_the_answers_and_their_end_tokens(family: str, template: str, answers: list[str]) -> None:
    _, processor = build_tiny(family, 0)
    processor.chat_template = read_template(template)
    image, _ = demo_sample(0, "vqa", "train", 0)
    turns = [("human", "<image>\nWhat is this?"), ("gpt", "A square."), ("human", "Which color?"), ("gpt", "red")]
    conversations = [{"from": speaker, "value": value} for speaker, value in turns]
    batch = Collator(processor, ["vqa"], 256)([{"conversations": conversations, "image": image, "task": "vqa"}])
    labels = batch["labels"][0]
    assert processor.decode(labels[labels != IGNORED]) == "".join(answers)
    assert torch.equal(labels[labels != IGNORED], batch["input_ids"][0][labels != IGNORED])
    # What is generated from the prompt is the same sequence of tokens as what was trained on.
    first = processor.apply_chat_template(
        chat_messages(conversations[:1], image), tokenize=True, return_dict=True, add_generation_prompt=True
    )["input_ids"][0]
    start = int((labels != IGNORED).nonzero()[0])
    assert batch["input_ids"][0, :start].tolist() == list(first)


@pytest.mark.parametrize("family", FAMILIES)
def test_tokenizer_gives_every_text_back(family: str) -> None:
    tokenizer = build_tiny(family, 0)[1].tokenizer
    texts = ["[0.25, 0.50, 0.44, 1.00]", "a large red circle in cell B3", "Größe 7 — ok?\n 42", "  two  spaces "]
    assert [tokenizer.decode(tokenizer(text)["input_ids"]) for text in texts] == texts
    assert len(tokenizer("[0.25, 0.50, 0.44, 1.00]")["input_ids"]) == 9


@pytest.mark.parametrize("family", FAMILIES)
def test_freezing_stops_the_gradients_of_the_named_parts_alone(family: str) -> None:
    model, processor = build_tiny(family, 0)
    inputs = prompts(processor, range(2))
    trained = {}
    for frozen in (["vision_tower"], ["projector"], ["language_model"], ["vision_tower", "projector"], []):
        freeze(model, frozen)
        model.zero_grad()
        model(**inputs).logits.sum().backward()
        trained[tuple(frozen)] = {name for name, value in model.named_parameters() if value.grad is not None}
    everything = trained[()]
    parts = [everything - trained[(part,)] for part in ("vision_tower", "projector", "language_model")]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(everything)
    assert everything - trained[("vision_tower", "projector")] == parts[0] | parts[1]


def test_what_is_unknown_is_named(tmp_path: Path) -> None:
    with pytest.raises(VisatbError, match=r"'bert'.*llava or qwen2_vl"):
        build_tiny("bert", 0)
    with pytest.raises(VisatbError, match=r"'chatml'.*vicuna_v1"):
        read_template("chatml")
    with pytest.raises(VisatbError, match="no model configuration"):
        load_model(tmp_path, torch.float32)
    model, _ = build_tiny("llava", 0)
    with pytest.raises(VisatbError, match="head is no part"):
        freeze(model, ["head"])
    with pytest.raises(VisatbError, match="nothing of the model is left"):
        freeze(model, ["vision_tower", "projector", "language_model"])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_template_without_marked_answers_is_replaced_by_one_with(family: str, tmp_path: Path):
    model, processor = build_tiny(family, 0)
    processor.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    model.config.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    template = load_processor(tmp_path).chat_template
    assert template == read_template({"llava": "vicuna_v1", "qwen2_vl": "qwen2_vl"}[family])


@pytest.mark.parametrize("layer", [-2, -3, [1, -2], -1, 2])
def test_layers_that_the_picture_is_not_taken_from_are_skipped(layer: int | list[int]) -> None:
    model, pixels = build_tiny("llava", 1)[0], torch.rand(2, 3, 64, 64)
    model.config.vision_feature_layer = layer
    called: list[int] = []
    for number, one in enumerate(model.model.vision_tower.encoder.layers):
        one.self_attn.register_forward_pre_hook(lambda *_, number=number: called.append(number))
    names = list(model.state_dict())

    def taken() -> torch.Tensor:
        # As the model's own code has it: of several layers, their states side by side.
        states = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states
        return torch.cat([states[one][:, 1:] for one in ([layer] if isinstance(layer, int) else layer)], dim=-1)

    before, all_called = taken(), len(called)
    skip_unused_layers(model)
    called.clear()
    assert torch.equal(taken(), before)
    assert all_called == 3
    assert called == list(range({-2: 2, -3: 1, -1: 3, 2: 2}[layer] if isinstance(layer, int) else 2))
    assert list(model.state_dict()) == names
