"""L2T: which tokens are learned, against a reference that goes by characters; and the loss, against one in float64."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import PrinterCallback, ProcessorMixin

from tests.helpers.gradients import Recorder, Samples, distance, gradients_of, one_epoch
from tests.helpers.reference_training import equation_2
from tests.helpers.training_examples import (
    LAMBDAS,
    TASKS,
    mixture,
    model_of,
    packing,
    processor_of,
    sample,
    save_tiny,
    train,
    turns,
)
from visatb.data.demo.exchanges import BOX, CAPTION, REGION, SHORT_ANSWER, demo_sample
from visatb.errors import VisatbError
from visatb.models.families import read_template
from visatb.runtime.files import read_json, write_text
from visatb.training.batches.collator import IGNORED, Collator, Sample
from visatb.training.l2t.instructions import CATEGORIES, Instructions, categories, render
from visatb.training.loss.methods import Given
from visatb.training.loss.weighting import weights_of
from visatb.training.trainer import VitwTrainer

TEMPLATES = {"vicuna_v1": "llava", "vicuna_v1_short": "llava", "qwen2_vl": "qwen2_vl"}
SENTENCES = frozenset({SHORT_ANSWER, REGION, BOX, CAPTION, "Look at the white frame."})
PICTURE = demo_sample(0, "vqa", "train", 0)[0]
DEMO = ("caption", "vqa", "gqa", "chart", "ocr", "region", "bbox")


def with_template(name: str) -> ProcessorMixin:
    processor = copy.deepcopy(processor_of(TEMPLATES[name]))
    processor.chat_template = read_template(name)
    return processor


def one(*texts: str, image: Image.Image | None = PICTURE) -> Sample:
    return {"conversations": turns(*texts), "image": image, "task": "vqa"}


def learned(processor: ProcessorMixin, instructions: Instructions, *samples: Sample) -> list[tuple[str, str]]:
    """Return each sample's learned text: of the instructions and of the answers."""
    batch = Collator(processor, DEMO, 1024, instructions=instructions)(list(samples))
    labels, weights = batch["labels"], batch["token_weights"]
    assert torch.equal(labels != IGNORED, weights > 0)
    assert torch.equal(labels[labels != IGNORED], batch["input_ids"][labels != IGNORED])
    own, full = instructions.weight, 1.0
    return [
        (processor.decode(row[weight == own]), processor.decode(row[weight == full]))
        for row, weight in zip(labels, weights, strict=True)
    ]


def squeezed(text: str) -> str:
    return "".join(text.split())


HARD = [
    (("<image>\nWhat is in A1?\n" + SHORT_ANSWER, "a ring"), "What is in A1?"),
    ((SHORT_ANSWER + "\n<image>\nWhat is in A1?", "a ring"), "What is in A1?"),
    (("What is <image> in A1?", "a ring"), "What is  in A1?"),
    ((f"Hello. {SHORT_ANSWER} Who is it?", "him"), "Hello. Who is it?"),
    (("A", "b", "A chat between a curious user", "d"), "A A chat between a curious user"),
    (("USER: ASSISTANT: who? ASSISTANT:", "USER: no"), "USER: ASSISTANT: who? ASSISTANT:"),
    (("system\nYou are a helpful assistant.", "user"), "system You are a helpful assistant."),
    (("<|im_start|>assistant\n猫 é?", "é"), "<|im_start|>assistant 猫 é?"),
    (("\ue0000\ue001 \ue0001\ue001", "\ue0000\ue001"), "\ue0000\ue001 \ue0001\ue001"),
    ((SHORT_ANSWER, "yes", "Sure?", "no", f"{REGION} [0.1, 0.25, 0.3, 0.48]", "a"), "Sure? [0.1, 0.25, 0.3, 0.48]"),
    ((f"a box.{SHORT_ANSWER}", "yes"), f"a box.{SHORT_ANSWER}"),
    (("<image>", "a ring"), ""),
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_learned_are_the_instructions_own_characters_without_templates(template: str) -> None:
    """The expected text was written down by hand, with no tokenizer; padding and images stand around it."""
    processor = with_template(template)
    found = learned(
        processor, Instructions(0.5, SENTENCES), *(one(*texts) for texts, _ in HARD), one("Long " * 50, "a")
    )
    plain = Collator(processor, DEMO, 1024)([one(*texts) for texts, _ in HARD])["labels"]
    for (texts, expected), (instruction, answer), labels in zip(HARD, found, plain, strict=False):
        assert squeezed(instruction) == squeezed(expected), texts
        assert answer == processor.decode(labels[labels != IGNORED])


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("task", DEMO)
def test_in_the_demo_what_varies_is_learned_and_the_response_format_is_not(template: str, task: str) -> None:
    processor = with_template(template)
    for number in range(5):
        image, record = demo_sample(0, task, "train", number)
        question = record["conversations"][0]["value"].removeprefix("<image>\n")
        rest = question
        for sentence in SENTENCES:
            rest = rest.replace(sentence, "")
        sample_ = {"conversations": record["conversations"], "image": image, "task": task}
        ((instruction, _),) = learned(processor, Instructions(0.5, SENTENCES), sample_)
        assert squeezed(instruction) == squeezed(rest)
        assert bool(rest.strip()) == (task not in ("caption", "region"))


def test_texts_without_an_image_are_learned_only_if_it_is_asked_for() -> None:
    processor = with_template("vicuna_v1")
    text = one("Who is it?", "him", image=None)
    assert learned(processor, Instructions(0.5), text)[0] == ("", " him</s>")
    assert squeezed(learned(processor, Instructions(0.5, text_only=True), text)[0][0]) == "Whoisit?"


def test_without_weight_the_batch_is_that_of_the_objective_response() -> None:
    samples = [sample(TASKS[number % 4], number) for number in range(4)]
    plain = Collator(processor_of("llava"), TASKS, 512)(samples)
    l2t = Collator(processor_of("llava"), TASKS, 512, instructions=Instructions(0.0, SENTENCES))(samples)
    assert torch.equal(l2t.pop("token_weights") > 0, plain["labels"] != IGNORED)
    assert all(torch.equal(l2t[key], value) for key, value in plain.items())


def test_a_cut_sample_keeps_weights_beside_its_tokens() -> None:
    batch = Collator(processor_of("llava"), DEMO, 40, instructions=Instructions(0.5))([one("word " * 60, "a")])
    assert batch["token_weights"].shape == batch["labels"].shape == (1, 40)
    assert torch.equal(batch["labels"] != IGNORED, batch["token_weights"] == 0.5)
    assert (batch["labels"] != IGNORED).sum() > 10


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_token_has_one_category(template: str) -> None:
    processor = with_template(template)
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": f"What is in A1?\n{SHORT_ANSWER}"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "a ring"}]},
    ]
    rendered = render(processor, messages)
    found = categories(rendered, Instructions(1.0, SENTENCES), processor.image_token_id)
    texts = {
        kind: squeezed(processor.decode([t for t, c in zip(rendered.tokens, found, strict=True) if c == number]))
        for number, kind in enumerate(CATEGORIES)
    }
    end = "<|im_end|>" if template == "qwen2_vl" else "</s>"
    assert texts["response"] == f"aring{end}"
    assert (texts["instruction"], texts["template"]) == ("WhatisinA1?", squeezed(SHORT_ANSWER))
    assert texts["image"] == processor.image_token
    assert texts["text_only"] == ""
    assert ("user" if template == "qwen2_vl" else "USER:ASSISTANT:") in texts["system_and_roles"]


def test_a_chat_template_that_changes_texts_is_refused() -> None:
    processor = with_template("vicuna_v1_short")
    processor.chat_template = processor.chat_template.replace(
        "'USER: ' + text", "'USER: ' + text | replace('Who', 'What')"
    )
    with pytest.raises(VisatbError, match="the chat template changes the texts that it is given"):
        Collator(processor, DEMO, 512, instructions=Instructions())([one("Who is it?", "him")])


MIXED = [sample(TASKS[number % 4], number) for number in range(8)]
BY_TASK = sorted(MIXED, key=lambda sample: sample["task"])


def reference(family: str, samples: list[Sample], weight: float) -> tuple[torch.Tensor, Any]:
    """Return Eq. 2 with lambda x (1 on responses, ``weight`` on kept instruction tokens), token by token in float64.

    What is kept of a question is what `HARD`'s test has established; here it is found by its text alone.
    """
    model = model_of(family).double()
    numerator, denominator = torch.zeros((), dtype=torch.float64), 0.0
    for each in samples:
        batch = Collator(processor_of(family), TASKS, 512, instructions=Instructions(7.0, SENTENCES))([each])
        labels, shares = batch.pop("labels")[0], batch.pop("token_weights")[0]
        batch = {key: value.double() if value.is_floating_point() else value for key, value in batch.items()}
        del batch["task_ids"]
        logits = model(**batch, use_cache=False).logits[0]
        for place in range(1, len(labels)):
            if labels[place] != IGNORED:
                own = LAMBDAS[each["task"]] * (weight if shares[place] == 7.0 else 1.0)
                numerator = numerator - own * torch.log_softmax(logits[place - 1], dim=-1)[labels[place]]
                denominator += own
    return numerator / denominator, model


@pytest.mark.parametrize(
    ("family", "samples", "size", "accumulation", "weight"),
    [
        pytest.param("llava", MIXED, 8, 1, 1.0, id="one micro-batch"),
        pytest.param("llava", BY_TASK, 2, 4, 0.3, id="one task in each of four"),
        pytest.param("qwen2_vl", MIXED, 3, 3, 2.0, id="qwen2_vl, three of 3"),
    ],
)
def test_loss_and_gradient_are_those_of_equation_2_with_shares(
    tmp_path: Path, family: str, samples: list[Sample], size: int, accumulation: int, weight: float
) -> None:
    recorder = Recorder()
    arguments = one_epoch(tmp_path, size, accumulation)
    trainer = VitwTrainer(
        model=model_of(family),
        args=arguments,
        train_dataset=Samples(samples),
        data_collator=packing(family, instructions=Instructions(weight, SENTENCES)),
        callbacks=[recorder],
        tasks=TASKS,
        weighting=Given().weighting(TASKS, weights_of(TASKS, LAMBDAS, "test"), seed=5),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    loss, model = reference(family, samples, weight)
    loss.backward()
    assert recorder.logs[0]["loss"] == pytest.approx(loss.item(), rel=1e-6)
    assert distance(recorder.gradients[0], gradients_of(model)) < 3e-6
    alone, _ = equation_2(model_of(family).double(), family, samples, LAMBDAS)
    assert abs(alone.item() - loss.item()) > 0.01


def test_another_objective_is_another_training(tmp_path: Path) -> None:
    """The objective is part of what a checkpoint is kept under: none serves the other one."""
    base, data = save_tiny("llava", tmp_path / "base"), mixture(tmp_path, MIXED)
    write_text(tmp_path / "templates.tsv", f"sentence\tdecision\n{SHORT_ANSWER}\tremoved\n")
    said = train(tmp_path / "run", base, data)
    assert "was trained before" in train(tmp_path / "run", base, data)
    objective = {"kind": "l2t", "instruction_weight": 1.0, "text_only": False}
    l2t = {"objective": objective, "templates": tmp_path / "templates.tsv"}
    said = train(tmp_path / "run", base, data, **l2t)
    assert "was trained before" not in said
    kept = [read_json(path) for path in (tmp_path / "run/checkpoints").glob("*/training.json")]
    assert [one["templates"] for one in kept if one.get("objective") == "l2t"] == [[SHORT_ANSWER]]
    assert "was trained before" not in train(
        tmp_path / "run", base, data, **l2t | {"objective": objective | {"instruction_weight": 0.5}}
    )
