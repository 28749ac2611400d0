import json
from pathlib import Path

import pytest

from tests.helpers.judge_examples import PROMPT
from tests.helpers.paths import REPOSITORY
from visatb.errors import VisatbError
from visatb.evaluation.judge.prompt import NO_CONTEXT, context_of, read_contexts, read_prompt

CONFIG = REPOSITORY / "config"


def test_the_prompt_in_the_repository_asks_for_what_is_read():
    prompt = read_prompt(CONFIG / "judge.yaml")
    parts = {"context": "a red ball", "question": "What is it?", "reference": "A ball.", "answer": "A cube."}
    text = prompt.filled(**parts)
    places = [text.index(part) for part in parts.values()]
    assert places == sorted(places), "the reference comes before the answer, as its number does"
    assert "first line" in text
    assert "{" not in text
    assert prompt.system


def test_braces_and_places_within_a_text_mean_nothing():
    filled = PROMPT.filled(context="{answer}", question="{x} {{", reference=r"\1 {question}", answer="%s $answer")
    assert filled == "C: {answer}\nQ: {x} {{\nA: \\1 {question}\nB: %s $answer"


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("system: x\n", ["user: missing"]),
        ("user: 3\n", ["user: expected text"]),
        ("user: '{question} {reference}'\n", ["{answer} is missing"]),
        (
            "user: '{question} {refrence} {answer}'",
            ["{reference} is missing", "{refrence} with; did you mean 'reference'?"],
        ),
        ("user: '{question} {reference} {answer}'\nsytem: x\n", ["sytem: unknown key"]),
        ("- a\n", ["expected 'key: value' lines"]),
    ],
)
def test_a_prompt_that_cannot_be_filled_is_refused(text: str, messages: list[str], tmp_path: Path):
    (tmp_path / "judge.yaml").write_text(text)
    with pytest.raises(VisatbError) as error:
        read_prompt(tmp_path / "judge.yaml")
    assert str(tmp_path / "judge.yaml") in str(error.value)
    for message in messages:
        assert message in str(error.value)


def test_pictures_are_described_as_in_llava_bench(tmp_path: Path):
    boxes = [{"category": "cup", "bbox": [0.1, 0.2, 0.3, 0.4]}]
    entries = [
        {"id": "1", "image": "1.jpg", "captions": ["a cup", "a blue cup"], "instances": boxes},
        {"id": "2", "image": "sub/../2.jpg", "caption": "a street"},
    ]
    file = tmp_path / "context.jsonl"
    file.write_text("\n".join(map(json.dumps, entries)))
    contexts = read_contexts([file], "data/chat")
    assert context_of("data/chat/1.jpg", contexts, [file]) == "a cup\na blue cup\ncup: [0.1, 0.2, 0.3, 0.4]"
    assert context_of("data/chat/2.jpg", contexts, [file]) == "a street"
    assert context_of(None, contexts, [file]) == NO_CONTEXT
    assert context_of("data/chat/3.jpg", {}, []) == NO_CONTEXT
    with pytest.raises(VisatbError, match=r"context\.jsonl: nothing is said of the picture data/chat/3\.jpg"):
        context_of("data/chat/3.jpg", contexts, [file])


@pytest.mark.parametrize(
    "entry", ["1", '{"image": "a"}', '{"caption": "a"}', '{"image": "a", "instances": [1]}', "[2]"]
)
def test_an_entry_without_a_description_is_told_with_its_line(entry: str, tmp_path: Path):
    file = tmp_path / "context.jsonl"
    file.write_text('{"image": "b", "caption": "c"}\n' + entry)
    with pytest.raises(VisatbError, match=r"context\.jsonl, line 2: expected an object with 'image' and"):
        read_contexts([file], ".")
