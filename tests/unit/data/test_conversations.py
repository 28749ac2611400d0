"""Merging, cutting, drawing and splitting: nothing is lost, nothing is twice, the order stays."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visatb.data.bad_records import BadRecordError
from visatb.data.sources.conversations import (
    Conversation,
    as_record,
    drawn,
    from_record,
    in_segments,
    merged_by_image,
    merged_references,
    parted,
    with_instruction,
    with_unique_ids,
    within_tokens,
)
from visatb.errors import VisatbError

words = st.text("abc xyz", min_size=1, max_size=6).filter(str.strip)
pairs = st.lists(st.tuples(words, words), min_size=1, max_size=25).map(tuple)
images = st.sampled_from([None, "1.jpg", "2.jpg", "3.jpg"])


@st.composite
def conversation(draw: st.DrawFn) -> Conversation:
    exchanges = draw(pairs)
    return Conversation(draw(st.sampled_from("abc")), draw(images), exchanges, (exchanges[-1][1],))


corpora = st.lists(conversation(), max_size=15)
seeds = st.integers(0, 2**31 - 1)


def flat(corpus: list[Conversation], image: str | None) -> list[tuple[str, str]]:
    return [pair for c in corpus if c.image == image for pair in c.exchanges]


@given(corpora, st.integers(1, 12))
def test_merging_and_cutting_lose_nothing_and_keep_the_order(corpus: list[Conversation], longest: int):
    merged = merged_by_image(corpus)
    with_images = [c.image for c in merged if c.image]
    assert len(set(with_images)) == len(with_images), "one conversation an image"
    assert [c for c in merged if c.image is None] == [c for c in corpus if c.image is None], "text stays apart"
    segments = in_segments(merged, longest)
    assert all(1 <= len(c.exchanges) <= longest for c in segments)
    for image in {c.image for c in corpus}:
        assert flat(merged, image) == flat(segments, image) == flat(corpus, image)
    assert all(c.truths == (c.exchanges[-1][1],) for c in segments)


def test_merging_by_hand():
    cat, dog = (("what?", "a cat"),), (("what?", "a dog"), ("where?", "left"))
    corpus = [Conversation("1", "a", cat, ("a cat",)), Conversation("2", "b", cat, ("a cat",))]
    merged = merged_by_image([*corpus, Conversation("3", "a", dog, ("left",))])
    assert merged == [Conversation("1", "a", cat + dog, ("left",)), corpus[1]]
    assert [len(c.exchanges) for c in in_segments(merged, 2)] == [2, 1, 1]


def test_captions_of_one_image_are_its_references():
    ask = [Conversation(str(n), "a", ((q, a),), (a,)) for n, (q, a) in enumerate([("q", "x"), ("r", "y"), ("q", "x")])]
    assert merged_references(ask) == [Conversation("0", "a", (("q", "x"),), ("x", "y"))]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=3), st.integers(0, 100), seeds, words)
def test_parts_are_disjoint_and_everything(sizes: list[int], rest: int, seed: int, name: str):
    items = list(range(sum(sizes) + rest))
    parts = parted(items, sizes, seed, name)
    assert [len(part) for part in parts] == [*sizes, rest]
    assert sorted(item for part in parts for item in part) == items
    assert all(part == sorted(part) for part in parts)
    assert parts == parted(items, sizes, seed, name)


@given(st.integers(0, 60), st.data(), seeds)
def test_a_sample_is_of_the_size_wanted_and_in_order(samples: int, data: st.DataObject, seed: int):
    size = data.draw(st.integers(0, samples))
    sample = drawn(range(samples), size, seed, "t")
    assert len(set(sample)) == size
    assert sample == sorted(sample)


def test_more_than_there_is_cannot_be_drawn_or_held_out():
    with pytest.raises(VisatbError, match="OCRVQA/train: 80000 samples are wanted, but there are 10"):
        drawn(range(10), 80000, 0, "OCRVQA/train")
    with pytest.raises(VisatbError, match="4000 samples are to be held out, but there are 10"):
        parted(range(10), [2000, 2000], 0, "t")


@given(corpora)
def test_ids_become_unique_and_unique_ones_stay(corpus: list[Conversation]):
    unique = [c.id for c in with_unique_ids(corpus)]
    assert len(set(unique)) == len(unique)
    assert all(new.startswith(old.id) for new, old in zip(unique, corpus, strict=True))
    count = Counter(c.id for c in corpus)
    assert [n for n, c in zip(unique, corpus, strict=True) if count[c.id] == 1] == [
        c.id for c in corpus if count[c.id] == 1
    ]


def test_a_numbered_id_does_not_take_that_of_another():
    pair = (("q", "a"),)
    names = [c.id for c in with_unique_ids([Conversation(n, None, pair, ("a",)) for n in ("x", "x", "x-2", "x")])]
    assert names == ["x", "x-3", "x-2", "x-4"]


@given(conversation())
def test_a_record_reads_back_as_it_was(one: Conversation):
    back = from_record(as_record(one), several=True)
    stripped = tuple((q.strip(), a) for q, a in one.exchanges)
    assert (back.id, back.image, back.exchanges, back.truths) == (one.id, one.image, stripped, one.truths)


def test_the_image_mark_goes_before_the_first_question():
    turns = [{"from": "human", "value": "What is it?\n<image>"}, {"from": "gpt", "value": ["a cup", "cup"]}]
    read = from_record({"id": 3, "image": "x.jpg", "conversations": turns}, several=True)
    assert read == Conversation("3", "x.jpg", (("What is it?", "a cup"),), ("a cup", "cup"))
    assert as_record(read)["conversations"] == [
        {"from": "human", "value": "<image>\nWhat is it?"},
        {"from": "gpt", "value": ["a cup", "cup"]},
    ]
    with pytest.raises(BadRecordError, match="ends with a human turn"):
        from_record({"id": 3, "image": "x.jpg", "conversations": turns[:1]}, several=False)
    with pytest.raises(BadRecordError, match="says <image> but names no image"):
        from_record({"id": 3, "conversations": turns}, several=True)
    with pytest.raises(BadRecordError, match="'image' is a list"):
        from_record({"id": 3, "image": ["x.jpg"], "conversations": turns}, several=True)


def test_instructions_are_put_once():
    two = Conversation("1", "a", (("q", "a"), ("r\nBe brief.", "b")), ("b",))
    assert with_instruction(two, "Be brief.", False).exchanges == (("q\nBe brief.", "a"), ("r\nBe brief.", "b"))
    three = Conversation("1", "a", (("q", "a"), ("r", "b")), ("b",))
    assert with_instruction(three, "Be brief.", True).exchanges == (("q\nBe brief.", "a"), ("r", "b"))


@given(conversation(), st.integers(1, 200))
def test_long_conversations_keep_whole_leading_exchanges(one: Conversation, longest: int):
    cut = within_tokens(one, longest, len)
    kept = len(cut.exchanges)
    assert cut.exchanges == one.exchanges[:kept]
    lengths = [len(q) + len(a) for q, a in one.exchanges]
    assert kept == 1 or sum(lengths[:kept]) <= longest
    assert kept == len(lengths) or sum(lengths[: kept + 1]) > longest
