"""Sentences, what is kept of them, and spans of characters as tokens, against references that go by characters."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.training_examples import processor_of
from visatb.training.l2t.sentences import kept_spans, plain, sentence_spans, tokens_within

SHORT = "Answer the question using a single word or phrase."
BOX = "Provide the bounding box coordinate of the region this sentence describes."
PROSE = "Please provide the bounding box coordinate of the region this sentence describes:"


def kept(text: str, *templates: str) -> list[str]:
    return [text[slice(*span)] for span in kept_spans(text, set(templates))]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("What is it?\n" + SHORT, ["What is it?", SHORT]),
        (f"{PROSE} man in red.", [PROSE, "man in red."]),
        ("Region: [0.1, 0.25, 0.3, 0.48].", ["Region:", "[0.1, 0.25, 0.3, 0.48]."]),
        ("At 2:30 a.m., what?! Now.", ["At 2:30 a.m., what?!", "Now."]),
        ('He said "Go." Why?', ['He said "Go."', "Why?"]),
        ("Which?\nA. A ring.\nB. A box.", ["Which?", "A. A ring.", "B. A box."]),
        ("How many in row 1? In 2? Say 3.", ["How many in row 1?", "In 2?", "Say 3."]),
        ("no mark at all", ["no mark at all"]),
        (" \n\n  A.\tB.  \n", ["A.", "B."]),
        ("", []),
        ("...", ["..."]),
        ("これは何？", ["これは何？"]),
    ],
)
def test_sentences(text: str, sentences: list[str]):
    assert [text[slice(*span)] for span in sentence_spans(text)] == sentences


@pytest.mark.parametrize(
    ("text", "templates", "left"),
    [
        (f"What is it?\n{SHORT}", [SHORT], ["What is it?"]),
        (f"{SHORT}\nWhat is it?", [SHORT], ["What is it?"]),
        (f"{PROSE} man in red.", [PROSE], ["man in red."]),
        (f"The ring in B2. {BOX}", [BOX], ["The ring in B2."]),
        (SHORT, [SHORT], []),
        (f"One.  Two.\n{SHORT} Three.", [SHORT], ["One.  Two.", "Three."]),
        ("Answer the question  using\ta single word or phrase. Why?", [SHORT], ["Why?"]),
        (f"He wrote: {SHORT.lower()}", [SHORT], [f"He wrote: {SHORT.lower()}"]),
        ("Unlike templates, this stays.", [], ["Unlike templates, this stays."]),
        (f"{SHORT}{SHORT}", [SHORT], [f"{SHORT}{SHORT}"]),
    ],
)
def test_what_is_kept(text: str, templates: list[str], left: list[str]):
    assert kept(text, *templates) == left


TEXTS = st.text(st.sampled_from("ab é猫.?!:\n\t 1"), max_size=40)


@given(TEXTS)
def test_sentences_hold_every_character_but_white_space_once(text: str):
    spans = sentence_spans(text)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    assert "".join("".join(text[slice(*span)] for span in spans).split()) == "".join(text.split())
    assert all(text[slice(*span)] == text[slice(*span)].strip() != "" for span in spans)


@given(TEXTS, st.sets(st.integers(0, 9)))
def test_kept_are_the_sentences_that_are_no_templates(text: str, numbers: set[int]):
    sentences = [text[slice(*span)] for span in sentence_spans(text)]
    templates = {plain(one) for number, one in enumerate(sentences) if number in numbers}
    left = "".join("".join(kept(text, *templates)).split())
    assert left == "".join("".join(s.split()) for s in sentences if plain(s) not in templates)
    assert all(one == one.strip() != "" for one in kept(text, *templates))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["llava", "qwen2_vl"]), st.data())
def test_tokens_within_spans_are_those_all_of_whose_characters_are(family: str, data: Any):
    text = data.draw(st.text(st.sampled_from("What color é猫 is B2 [0.31, 0.25].\n"), min_size=1, max_size=60))
    edges = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    spans = [(a, b) for number, (a, b) in enumerate(spans) if number == 0 or a > spans[number - 1][1]]
    encoded = processor_of(family).tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    found = tokens_within(text, encoded["offset_mapping"], spans)
    marked = {place for a, b in spans for place in range(a, b)}
    for (start, end), within in zip(encoded["offset_mapping"], found, strict=True):
        places = [place for place in range(start, end) if not text[place].isspace()] or list(range(start, end))
        inner = range(places[0], places[-1] + 1)
        assert within == all(place in marked for place in inner)
