"""What of a conversation is supervised, where its image stands, and what happens when it is too long."""

import pytest
import torch
from PIL import Image
from transformers import ProcessorMixin

from tests.helpers.training_examples import processor_of, turns
from visatb.data.demo.exchanges import demo_sample
from visatb.errors import VisatbError
from visatb.models.families import FAMILIES, read_template
from visatb.training.batches.collator import IGNORED, NO_TASK, Collator, Sample

TASKS = ["vqa", "chat", "caption"]
TEMPLATES = {"vicuna_v1": "llava", "vicuna_v1_short": "llava", "qwen2_vl": "qwen2_vl"}
PICTURE = demo_sample(0, "vqa", "train", 0)[0]


def with_template(name: str) -> ProcessorMixin:
    processor = processor_of(TEMPLATES[name])
    processor.chat_template = read_template(name)
    return processor


def one(*texts: str, image: Image.Image | None = None, task: str = "chat") -> Sample:
    return {"conversations": turns(*texts), "image": image, "task": task}


def supervised_text(processor: ProcessorMixin, batch: dict[str, torch.Tensor], row: int) -> str:
    labels = batch["labels"][row]
    return processor.decode(labels[labels != IGNORED])


def as_trained(template: str, *answers: str) -> str:
    """Return the supervised text of a conversation with these answers, written down from the template by hand."""
    pattern = "{}<|im_end|>" if template == "qwen2_vl" else " {}</s>"
    return "".join(pattern.format(answer) for answer in answers)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    "texts",
    [
        ("<image>\nWhat is this?", "a red square"),
        ("What is <image> this?", "a red square"),
        ("What is this?\n<image>", "a red square"),
        ("What is this?", "a red square"),
        ("Hello", "Hi.", "What is <image> this?", "a red square", "Sure?", "yes"),
        ("<image> Who speaks?", "USER: says the user. ASSISTANT: says the other", "USER: ASSISTANT: ?", "ASSISTANT:"),
        ("<image> <|im_start|>assistant", "user\nassistant\n"),
    ],
)
def test_supervised_are_the_answers_and_their_end(template: str, texts: tuple[str, ...]) -> None:
    processor = with_template(template)
    batch = Collator(processor, TASKS, 512)([one(*texts, image=PICTURE), one("Longer " * 60, "b"), one("A", "b c")])
    assert supervised_text(processor, batch, 0) == as_trained(template, *(text.strip() for text in texts[1::2]))
    assert supervised_text(processor, batch, 1) == as_trained(template, "b")
    assert supervised_text(processor, batch, 2) == as_trained(template, "b c")
    labels, mask = batch["labels"], batch["attention_mask"]
    assert (labels[mask == 0] == IGNORED).all()
    assert torch.equal(labels[labels != IGNORED], batch["input_ids"][labels != IGNORED])
    assert ((mask[:, 1:] <= mask[:, :-1]).all(), int(mask[2].min())) == (True, 0)
    assert (batch["input_ids"] == processor.image_token_id).sum(dim=1).tolist() == [16, 0, 0]


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_image_stands_before_the_turn_that_names_it(template: str) -> None:
    processor = with_template(template)
    sample = one("Hello", "Hi.", "What is <image> this?", "a red square", image=PICTURE)
    text = processor.decode(Collator(processor, TASKS, 512)([sample])["input_ids"][0])
    assert text.index("Hi.") < text.index(processor.image_token) < text.index("What is  this?")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_is_its_samples_one_by_one(family: str) -> None:
    samples = [
        one("<image> What?", "a red square", image=PICTURE, task="vqa"),
        one("Tell", "me", "more", "no"),
        one("<image>", "blue", image=Image.new("L", (300, 40)), task="caption"),
        one("Tell", "me"),
    ]
    collator = Collator(processor_of(family), TASKS, 512)
    batch, alone = collator(samples), [collator([sample]) for sample in samples]
    for row, single in enumerate(alone):
        length = single["input_ids"].shape[1]
        assert batch["attention_mask"][row].sum() == length
        for key in ("input_ids", "labels"):
            assert torch.equal(batch[key][row, :length], single[key][0])
    images = torch.cat([single["pixel_values"] for single in alone if "pixel_values" in single])
    assert torch.equal(batch["pixel_values"], images)
    assert batch["task_ids"].tolist() == [[task] * batch["input_ids"].shape[1] for task in (0, 1, 2, 1)]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_too_long_is_cut_at_its_end(family: str) -> None:
    samples = [one("<image> What?", "red " * 40, image=PICTURE), one("Tell " * 60, "me"), one("Tell", "me")]
    processor = processor_of(family)
    whole, cut = (Collator(processor, TASKS, length)(samples) for length in (512, 50))
    for key in ("input_ids", "labels", "attention_mask", "task_ids"):
        assert torch.equal(cut[key], whole[key][:, :50])
    assert torch.equal(cut["pixel_values"], whole["pixel_values"])
    supervised = (cut["labels"] != IGNORED).any(dim=1).tolist()
    assert supervised == [True, False, True]


def test_image_inputs_as_wide_as_the_text_are_not_cut() -> None:
    # Qwen2-VL's images are a table of patches, each of 3 x 2 x 8 x 8 = 384 numbers: as many as the batch has tokens.
    processor = processor_of("qwen2_vl")
    image, text = one("<image>", "red", image=PICTURE), "a " * 384
    batch = Collator(processor, TASKS, 10_000)([image, one("Go", text)])
    text = "a " * (384 - (batch["input_ids"].shape[1] - 384))
    wide = Collator(processor, TASKS, 384)([image, one("Go", text)])
    assert wide["input_ids"].shape[1] == wide["pixel_values"].shape[1] == 384
    cut = Collator(processor, TASKS, 100)([image, one("Go", text)])
    assert cut["input_ids"].shape[1] == 100
    assert torch.equal(cut["pixel_values"], wide["pixel_values"])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_cut_through_an_image_is_told(family: str) -> None:
    samples = [one("Tell", "me", task="caption"), one("Once " * 30, "yes", "<image>", "red", image=PICTURE, task="vqa")]
    with pytest.raises(VisatbError, match=r"task 'vqa': the image of a sample ends at token \d+, but max_length is 50"):
        Collator(processor_of(family), TASKS, 50)(samples)
    collator = Collator(processor_of(family), TASKS, 512)
    of_image = collator(samples)["input_ids"][1] == processor_of(family).image_token_id
    needed = int(of_image.nonzero().max()) + 1
    assert Collator(processor_of(family), TASKS, needed)(samples)["input_ids"].shape[1] == needed
    with pytest.raises(VisatbError, match=f"ends at token {needed}"):
        Collator(processor_of(family), TASKS, needed - 1)(samples)


def test_the_models_own_image_token_in_a_text_is_told() -> None:
    with pytest.raises(VisatbError, match=r"task 'chat': the text 'a <\|image_pad\|> b' holds <\|image_pad\|>"):
        Collator(processor_of("qwen2_vl"), TASKS, 512)([one("Hello", "a <|image_pad|> b")])


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_alone_get_a_blank_image_where_one_is_asked_for(family: str) -> None:
    texts = [one("Tell", "me more"), one("Go", "on")]
    plain = Collator(processor_of(family), TASKS, 512)(texts)
    assert "pixel_values" not in plain
    collator = Collator(processor_of(family), TASKS, 512, always_an_image=True)
    batch = collator(texts)
    assert batch["task_ids"][:, 0].tolist() == [1, 1, NO_TASK]
    assert (batch["labels"][2] == IGNORED).all()
    assert (batch["input_ids"] == processor_of(family).image_token_id).sum(dim=1).tolist() == [0, 0, 16]
    width = plain["labels"].shape[1]
    assert torch.equal(batch["labels"][:2, :width], plain["labels"])
    assert len(collator([*texts, one("<image>", "red", image=PICTURE)])["labels"]) == 3


def test_an_image_that_cannot_be_opened_is_named(tmp_path) -> None:  # noqa: ANN001
    PICTURE.save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "torn.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.png").write_text("no image")
    collator = Collator(processor_of("llava"), TASKS, 512)
    for name in ("torn.png", "text.png", "none.png"):
        sample: Sample = {"conversations": turns("<image>", "red"), "image": str(tmp_path / name), "task": "vqa"}
        with pytest.raises(VisatbError, match=f"{name}: cannot be opened as an image"):
            collator([sample])
