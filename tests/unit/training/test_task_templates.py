"""Task templates: mined by frequency, kept and removed by lists, edited by hand."""

from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from visatb.config.training import MiningConfig
from visatb.data.demo.exchanges import demo_sample
from visatb.data.records import RECORD_SCHEMA
from visatb.errors import VisatbError
from visatb.runtime.files import write_parquet, write_table
from visatb.training.l2t.task_templates import mine_templates, read_templates

# Tables 9 and 10 of the paper: what the formats of answers are asked for with.
SHORT = "Answer the question using a single word or phrase."
LETTER = "Answer with the option's letter from the given choices directly."
REGION = "Provide a short description for this region."
BOX = "Provide the bounding box coordinate of the region this sentence describes."
FORMATS = {"vqa": SHORT, "choice": LETTER, "region": REGION, "bbox": BOX}


def records(folder: Path, **tasks: list[tuple[str, ...]]) -> dict[str, Path]:
    """Write records with pictures, whose questions are given."""
    paths = {}
    for task, conversations in tasks.items():
        rows = []
        for number, questions in enumerate(conversations):
            turns = [turn for q in questions for turn in ({"from": "human", "value": q}, {"from": "gpt", "value": "a"})]
            image = None if task.startswith("text") else "a.png"
            rows.append({"id": str(number), "image": image, "conversations": turns, "truths": ["a"]})
        paths[task] = folder / f"{task}.parquet"
        write_parquet(paths[task], pa.Table.from_pylist(rows, schema=RECORD_SCHEMA))
    return paths


def asked(task: str, number: int) -> str:
    varying = {
        "vqa": f"<image>\nWhat is in row {number}?",
        "choice": f"Which is {number}?\nA. {number}\nB. {number + 1}",
        "region": f"[0.{number:03d}, 0.25, 0.31, 0.48]",
        "bbox": f"The man with {number} dogs.",
    }[task]
    return f"{varying}\n{FORMATS[task]}" if task != "region" else f"{FORMATS[task]} {varying}"


def removed(table: pd.DataFrame) -> set[str]:
    return set(table.loc[table["decision"] == "removed", "sentence"])


def test_the_papers_four_response_formats_are_found_and_nothing_that_varies(tmp_path: Path):
    paths = records(tmp_path, **{task: [(asked(task, n),) for n in range(200)] for task in FORMATS})
    table = mine_templates(paths, MiningConfig())
    assert removed(table) == set(FORMATS.values())
    assert set(table["reason"]) == {"frequent"}
    assert dict(zip(table["sentence"], table["count"], strict=True)) == dict.fromkeys(FORMATS.values(), 200)


def test_in_the_demo_too(tmp_path: Path):
    questions = {
        task: [(demo_sample(0, task, "train", n)[1]["conversations"][0]["value"],) for n in range(300)]
        for task in ("vqa", "gqa", "region", "bbox", "caption")
    }
    table = mine_templates(records(tmp_path, **questions), MiningConfig())
    asked_for_a_caption = "Provide a one-sentence caption for the provided image."
    assert removed(table) == {SHORT, REGION, BOX, asked_for_a_caption, "Look at the white frame."}
    counts = Counter(
        q for q in (one.split("\n")[1] for (one,) in questions["gqa"]) if q == "How many objects are there?"
    )
    row = table.set_index("sentence").loc["How many objects are there?"]
    assert (row["count"], row["decision"], row["reason"]) == (counts.total(), "kept", "question")


def test_a_format_asked_for_once_a_conversation_counts_among_all_its_questions(tmp_path: Path):
    one = (asked("vqa", 1), "And in row 2?", "And in row 3?", "And in 4?")
    paths = records(tmp_path, vqa=[one] * 50)
    row = mine_templates(paths, MiningConfig()).set_index("sentence").loc[SHORT]
    assert (row["count"], row["share"]) == (50, 0.25)
    assert (
        mine_templates(paths, MiningConfig(template_share=0.3)).set_index("sentence").loc[SHORT, "decision"] == "kept"
    )


def test_the_share_is_that_in_the_task_where_it_is_highest(tmp_path: Path):
    paths = records(tmp_path, big=[(f"Look at {n}.",) for n in range(900)] + [(SHORT,)], small=[(SHORT,)] * 12)
    row = mine_templates(paths, MiningConfig()).set_index("sentence").loc[SHORT]
    assert (row["task"], row["count"], row["share"], row["decision"]) == ("small", 12, 1.0, "removed")


def test_rare_sentences_are_none_however_high_their_share(tmp_path: Path):
    assert removed(mine_templates(records(tmp_path, small=[(SHORT,)] * 9), MiningConfig())) == set()


def test_lists_stand_above_frequency_and_the_edited_table_above_both(tmp_path: Path):
    paths = records(tmp_path, vqa=[(asked("vqa", n),) for n in range(100)])
    mining = MiningConfig(keep=[SHORT], remove=["What is  in row 7?", "Be brief."])
    table = mine_templates(paths, mining)
    assert removed(table) == {"What is in row 7?", "Be brief."}
    assert table.set_index("sentence").loc["Be brief.", ["count", "reason"]].tolist() == [0, "l2t.remove"]
    table.loc[table["sentence"] == SHORT, "decision"] = "removed"
    table.loc[table["sentence"] == "Be brief.", "decision"] = "kept"
    write_table(tmp_path / "mine.tsv", table)
    again = mine_templates(paths, mining, edited=tmp_path / "mine.tsv")
    assert removed(again) == {"What is in row 7?", SHORT}
    assert set(again["reason"]) == {"edited"}
    write_table(tmp_path / "templates.tsv", again)
    assert read_templates(tmp_path / "templates.tsv") == removed(again)


def test_texts_without_an_image_count_if_they_are_learned(tmp_path: Path):
    paths = records(tmp_path, text=[(SHORT,)] * 20, vqa=[("What?",)] * 20)
    assert removed(mine_templates(paths, MiningConfig())) == set()
    assert removed(mine_templates(paths, MiningConfig(), text_only=True)) == {SHORT}


def test_no_template_at_all_is_a_table_without_rows(tmp_path: Path):
    write_table(tmp_path / "templates.tsv", mine_templates(records(tmp_path, vqa=[("A 1.",)]), MiningConfig()))
    assert read_templates(tmp_path / "templates.tsv") == frozenset()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sentence\tdecision\nA.\tremove\n", r"row 1: decision is 'remove', expected 'removed' or 'kept'"),
        ("sentence\tcount\nA.\t3\n", "has no column 'decision'"),
    ],
)
def test_a_badly_edited_table_is_told(tmp_path: Path, text: str, message: str):
    (tmp_path / "mine.tsv").write_text(text)
    with pytest.raises(VisatbError, match=message):
        mine_templates(records(tmp_path, vqa=[("A.",)]), MiningConfig(), edited=tmp_path / "mine.tsv")
