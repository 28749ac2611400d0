"""Answers: the same batched, alone or by hand; kept over a kill; never those of another model, task or split."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from tests.helpers.training_examples import turns
from visatb.data.chat import chat_messages, open_image
from visatb.data.demo.exchanges import DEMO_TASKS, demo_sample
from visatb.data.records import RECORD_SCHEMA
from visatb.errors import VisatbError
from visatb.evaluation.generate import Generation, LoadedModel, _Predictor, predict
from visatb.evaluation.predictions import Answer, Questions, SamplePrompt
from visatb.models.families import load_model, load_processor

HERE = Generation(batch_size=4, shard_size=5, precision="float32", attention="eager", device="cpu")
Row = dict[str, Any]


def records(path: Path, numbers: Sequence[int], split: str = "val") -> list[Row]:
    """Write questions of mixed tasks, every fourth without an image, as the records of one task."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in numbers:
        image, record = demo_sample(0, DEMO_TASKS[number % len(DEMO_TASKS)], split, number)
        file = path.parent / f"{split}-{number}.png"
        image.save(file)
        conversations = record["conversations"][:2]
        if number % 4 == 3:
            conversations = turns("Say one. " * number, "one", "And two?", "two")
        truth = conversations[-1]["value"]
        rows.append({"id": str(number), "image": None if number % 4 == 3 else str(file)})
        rows[-1] |= {"conversations": conversations, "truths": [truth]}
    pq.write_table(pa.Table.from_pylist(rows, schema=RECORD_SCHEMA), path)
    return rows


def answers(model: Path, records: Path, folder: Path, how: Generation = HERE, new_tokens: int = 6) -> list[Row]:
    output = folder / "answers.parquet"
    predict("run", model, [Questions("vqa", records, new_tokens)], {"vqa": output}, how, folder / "shards")
    return pq.read_table(output).to_pylist()


def greedy_by_hand(model: Path, row: Row, new_tokens: int) -> tuple[str, int, str]:
    """Answer one question: the likeliest token again and again, from the whole logits, without any cache."""
    processor, network = load_processor(model), load_model(model, torch.float32, "eager").eval()
    image = open_image(row["image"]) if row["image"] else None
    inputs = processor.apply_chat_template(
        [chat_messages(row["conversations"][:-1], image)],
        tokenize=True,
        return_dict=True,
        add_generation_prompt=True,
        return_tensors="pt",
    )
    images = {key: inputs[key] for key in inputs if key in ("pixel_values", "image_grid_thw")}
    tokens, start = inputs["input_ids"], inputs["input_ids"].shape[1]
    for _ in range(new_tokens):
        types = {}
        if "mm_token_type_ids" in inputs:
            types["mm_token_type_ids"] = (tokens == processor.image_token_id).to(inputs["mm_token_type_ids"].dtype)
        with torch.no_grad():
            logits = network(input_ids=tokens, attention_mask=torch.ones_like(tokens), **images, **types).logits
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], dim=1)
        if tokens[0, -1] == processor.tokenizer.eos_token_id:
            break
    text = processor.tokenizer.decode(tokens[0, start:], skip_special_tokens=True).strip()
    stopped = tokens[0, -1] == processor.tokenizer.eos_token_id
    return text, tokens.shape[1] - start, "stop" if stopped else "length"


def test_answers_are_the_same_batched_alone_and_by_hand(model: Path, tmp_path: Path) -> None:
    rows = records(tmp_path / "records/vqa/val.parquet", range(9))
    found = answers(model, tmp_path / "records/vqa/val.parquet", tmp_path)
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    assert [row["image"] for row in found] == [row["image"] for row in rows]
    assert [row["prompt"] for row in found] == [row["conversations"][-2]["value"] for row in rows]
    assert [row["truths"] for row in found] == [row["truths"] for row in rows]
    alone = replace(HERE, batch_size=1, shard_size=100)
    assert answers(model, tmp_path / "records/vqa/val.parquet", tmp_path / "alone", alone) == found
    for row, answer in list(zip(rows, found, strict=True))[:4]:
        expected = greedy_by_hand(model, row, 6)
        assert (answer["prediction"], answer["new_tokens"], answer["finish_reason"]) == expected


def test_the_models_own_generation_settings_do_not_bend_greedy_answers(llava: Path, tmp_path: Path) -> None:
    records(tmp_path / "val.parquet", range(4))
    plain = answers(llava, tmp_path / "val.parquet", tmp_path)
    bent = load_model(llava, torch.float32)
    bent.generation_config.update(do_sample=True, temperature=5.0, top_k=3, repetition_penalty=9.0, min_new_tokens=20)
    bent.save_pretrained(tmp_path / "bent")
    load_processor(llava).save_pretrained(tmp_path / "bent")
    assert answers(tmp_path / "bent", tmp_path / "val.parquet", tmp_path / "b") == plain


def test_an_answer_that_ends_is_told_from_one_that_is_cut(llava: Path, tmp_path: Path) -> None:
    records(tmp_path / "val.parquet", range(3))
    cut = answers(llava, tmp_path / "val.parquet", tmp_path, new_tokens=3)
    assert {(row["new_tokens"], row["finish_reason"]) for row in cut} == {(3, "length")}
    tokenizer = load_processor(llava).tokenizer
    first_tokens = {tokenizer(space + cut[0]["prediction"])["input_ids"][0] for space in ("", " ")}
    ending = load_model(llava, torch.float32)
    ending.generation_config.eos_token_id = [*first_tokens, ending.generation_config.eos_token_id]
    ending.save_pretrained(tmp_path / "ending")
    load_processor(llava).save_pretrained(tmp_path / "ending")
    stopped = answers(tmp_path / "ending", tmp_path / "val.parquet", tmp_path / "e", new_tokens=3)
    assert stopped[0] | {"prediction": "", "new_tokens": 1, "finish_reason": "stop"} == stopped[0]


LIMITS = {"vqa": 2, "caption": 9, "chart": 5}


@contextmanager
def seeing_batches(see: Callable[[Sequence[SamplePrompt], Any], None]) -> Iterator[None]:
    """Show each batch, and what the model reads of it, before it is answered."""
    original = _Predictor._answers

    def answers_of(self: _Predictor, batch: Sequence[SamplePrompt], inputs: Any) -> list[Answer]:
        see(batch, inputs)
        return original(self, batch, inputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Predictor, "_answers", answers_of)
        yield


def answers_together(
    model: Path, places: dict[str, Path], folder: Path, how: Generation = HERE
) -> dict[str, list[Row]]:
    outputs = {task: folder / "out" / f"{task}.parquet" for task in places}
    questions = [Questions(task, path, LIMITS[task]) for task, path in places.items()]
    predict("run", model, questions, outputs, how, folder / "shards")
    return {task: pq.read_table(path).to_pylist() for task, path in outputs.items()}


def test_tasks_of_different_limits_share_batches_and_answer_as_if_alone(model: Path, tmp_path: Path) -> None:
    places = {task: tmp_path / "records" / task / "val.parquet" for task in LIMITS}
    rows = {task: records(path, range(n, n + 3)) for n, (task, path) in enumerate(places.items())}
    asked: list[list[int]] = []
    with seeing_batches(lambda batch, _: asked.append([one.max_new_tokens for one in batch])):
        together = answers_together(model, places, tmp_path / "together")
    # Three rests of three samples fill windows of six or more, whose batches are of four.
    assert asked == [[2, 2, 2, 9], [9, 9], [5, 5, 5]]
    alone = replace(HERE, batch_size=1)
    for task, path in places.items():
        assert together[task] == answers_together(model, {task: path}, tmp_path / task, alone)[task]
        assert {row["new_tokens"] for row in together[task]} == {LIMITS[task]}
    for task in LIMITS:
        answer = together[task][0]
        expected = greedy_by_hand(model, rows[task][0], LIMITS[task])
        assert (answer["prediction"], answer["new_tokens"], answer["finish_reason"]) == expected


def test_pictures_of_like_size_share_a_batch_where_size_makes_length(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "val.parquet"
    rows = records(path, [0, 1, 2, 4, 5, 6])
    for number, row in enumerate(rows):
        with Image.open(row["image"]) as image:
            image.resize((60 + 120 * (number % 2), 60)).save(row["image"])
    padded: list[int] = []
    with seeing_batches(lambda _, inputs: padded.append(int((inputs["attention_mask"] == 0).sum(1).max()))):
        found = answers(model, path, tmp_path, replace(HERE, batch_size=3, shard_size=6))
    longest = max(len(load_processor(model).tokenizer(row["conversations"][0]["value"])["input_ids"]) for row in rows)
    assert max(padded) < longest
    assert found == answers(model, path, tmp_path / "alone", replace(HERE, batch_size=1, shard_size=6))


def test_a_task_that_is_added_and_one_that_was_cut_short_answer_nothing_twice(
    llava: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {task: tmp_path / "records" / task / "val.parquet" for task in LIMITS}
    for path in places.values():
        records(path, range(8))
    whole = answers_together(llava, places, tmp_path / "whole")
    with monkeypatch.context() as patch:
        first = counting(patch, fail_after=2)
        with pytest.raises(KeyboardInterrupt):
            answers_together(llava, {task: places[task] for task in ("vqa", "caption")}, tmp_path)
    with monkeypatch.context() as patch:
        second = counting(patch)
        assert answers_together(llava, places, tmp_path) == whole
    # One shard of five of each of both tasks was saved; the window of their rests was not.
    assert len(first) == 10
    assert len(second) == 24 - 10


def counting(monkeypatch: pytest.MonkeyPatch, fail_after: int | None = None) -> list[str]:
    """Keep the ids of the samples that the model answers; fail when it was asked ``fail_after`` times."""
    answered: list[str] = []
    original = LoadedModel.answer
    times = 0

    def answer(self: LoadedModel, prompts: Sequence[SamplePrompt], at: Callable[[int], None]) -> list[Answer]:
        nonlocal times
        if times == fail_after:
            raise KeyboardInterrupt
        times += 1
        answered.extend(one.id for one in prompts)
        return original(self, prompts, at)

    monkeypatch.setattr(LoadedModel, "answer", answer)
    return answered


def test_each_sample_is_answered_once_over_an_interruption(
    llava: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records(tmp_path / "val.parquet", range(12))
    whole = answers(llava, tmp_path / "val.parquet", tmp_path / "whole")
    with monkeypatch.context() as patch:
        first = counting(patch, fail_after=2)
        with pytest.raises(KeyboardInterrupt):
            answers(llava, tmp_path / "val.parquet", tmp_path)
    assert not (tmp_path / "answers.parquet").exists()
    with monkeypatch.context() as patch:
        second = counting(patch)
        assert answers(llava, tmp_path / "val.parquet", tmp_path) == whole
    assert [*first, *second] == [str(number) for number in range(12)]
    with monkeypatch.context() as patch:
        third = counting(patch)
        assert answers(llava, tmp_path / "val.parquet", tmp_path) == whole
    assert third == []


def test_a_pilots_answers_serve_again_and_all_runs_answer_the_same_first_samples(
    llava: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, path = records(tmp_path / "val.parquet", range(12)), tmp_path / "val.parquet"
    asked = counting(monkeypatch)
    how = replace(HERE, shard_size=4)
    found = {}
    for first in (4, 8, None):
        question = Questions("vqa", path, 3, order_seed=5, first=first)
        predict("run", llava, [question], {"vqa": tmp_path / "answers.parquet"}, how, tmp_path / "shards")
        found[first] = pq.read_table(tmp_path / "answers.parquet")["id"].to_pylist()
    assert found[4] == found[None][:4]
    assert found[8] == found[None][:8]
    assert sorted(found[None]) == sorted(row["id"] for row in rows)
    assert found[None] != [row["id"] for row in rows]
    assert len(asked) == len(rows), "no sample is answered twice"


def test_answers_of_something_else_are_not_used_again(
    llava: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records(tmp_path / "val.parquet", range(3))
    answers(llava, tmp_path / "val.parquet", tmp_path)
    answered = counting(monkeypatch)
    answers(llava, tmp_path / "val.parquet", tmp_path, new_tokens=7)
    assert len(answered) == 3
    other = load_model(llava, torch.float32)
    with torch.no_grad():
        other.lm_head.weight[7, 7] += 0.001
    other.save_pretrained(tmp_path / "other")
    load_processor(llava).save_pretrained(tmp_path / "other")
    answers(tmp_path / "other", tmp_path / "val.parquet", tmp_path)
    assert len(answered) == 6
    # Older answers are gone by now, the newest are kept.
    assert len(list((tmp_path / "shards/vqa/val").iterdir())) == 1
    answers(tmp_path / "other", tmp_path / "val.parquet", tmp_path)
    assert len(answered) == 6


def test_splits_and_tasks_of_a_run_keep_their_own_answers(
    llava: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split, numbers in (("val", range(3)), ("test", range(5))):
        records(tmp_path / f"vqa/{split}.parquet", numbers, split)
        records(tmp_path / f"vqa-val/{split}.parquet", numbers, split)
    answered = counting(monkeypatch)
    for _ in range(2):
        for split in ("val", "test"):
            questions = [Questions(task, tmp_path / task / f"{split}.parquet", 3) for task in ("vqa", "vqa-val")]
            outputs = {task: tmp_path / "out" / split / f"{task}.parquet" for task in ("vqa", "vqa-val")}
            predict("run", llava, questions, outputs, HERE, tmp_path / "shards")
            assert {len(pq.read_table(path)) for path in outputs.values()} == {3 if split == "val" else 5}
    assert len(answered) == 2 * (3 + 5)


def test_an_image_that_cannot_be_opened_is_named(model: Path, tmp_path: Path) -> None:
    rows = records(tmp_path / "val.parquet", range(3))
    content = Path(rows[1]["image"]).read_bytes()
    Path(rows[1]["image"]).write_bytes(content[: len(content) // 2])
    with pytest.raises(VisatbError, match=r"val-1\.png: cannot be opened as an image"):
        answers(model, tmp_path / "val.parquet", tmp_path)
    Path(rows[1]["image"]).unlink()
    with pytest.raises(VisatbError, match=r"val-1\.png: cannot be opened as an image .*No such file"):
        answers(model, tmp_path / "val.parquet", tmp_path)
