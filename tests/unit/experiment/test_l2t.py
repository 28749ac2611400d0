"""The config of L2T, of its comparison, and the ledger of tokens."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values
from tests.helpers.training_examples import processor_of, turns
from visatb.data.records import RECORD_SCHEMA
from visatb.errors import VisatbError
from visatb.experiment.experiment import Experiment
from visatb.models.families import read_template
from visatb.runtime.files import write_parquet
from visatb.training.l2t.instructions import Instructions
from visatb.training.l2t.ledger import instruction_ledger

SHORT = "Answer the question using a single word or phrase."


@pytest.fixture(autouse=True)
def in_a_folder_with_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL_FILE).write_text(MODEL_TEXT)


def test_answers_alone_are_learned_by_default():
    config = Experiment.from_values(config_values()).config
    assert (config.objective, config.l2t, config.evaluation.visual_contribution) == ("response", None, False)


def test_a_section_of_l2t(tmp_path: Path):
    (tmp_path / "mine.tsv").write_text(f"sentence\tdecision\n{SHORT}\tkept\n")
    section = {"keep": SHORT, "instruction_weight": 0.5, "templates": "mine.tsv"}
    config = Experiment.from_values(config_values(objective="l2t", l2t=section, compare_with="other")).config
    assert config.l2t is not None
    assert (config.l2t.keep, config.l2t.instruction_weight, config.l2t.template_share) == ([SHORT], 0.5, 0.05)
    assert config.compare_with == ["other"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"l2t": {}}, "l2t: goes with objective: l2t; set it, or take l2t away"),
        ({"objective": "l2p"}, "objective: .*'l2p'"),
        ({"objective": "l2t", "l2t": {"keep": f"A dog. {SHORT}"}}, "l2t.keep: 'A dog. .*' is not one sentence"),
        ({"objective": "l2t", "l2t": {"keep": [SHORT], "remove": [f" {SHORT}"]}}, "l2t.keep: .* is also under remove"),
        ({"objective": "l2t", "l2t": {"templates": "mine.tsv"}}, "l2t.templates: .*mine.tsv"),
        ({"objective": "l2t", "l2t": {"templates": "bad.tsv"}}, "l2t.templates: bad.tsv: row 1: decision is 'no'"),
        ({"objective": "l2t", "l2t": {"instruction_weight": -1}}, "l2t.instruction_weight"),
        ({"compare_with": ["small"]}, "compare_with: 'small' is this experiment itself"),
        ({"variants": {"mine": {"objective": "l2t"}}, "methods": ["mine"]}, "variants.mine.*objective"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, changes: dict[str, Any], message: str):
    (tmp_path / "bad.tsv").write_text("sentence\tdecision\nA.\tno\n")
    with pytest.raises(VisatbError, match=message):
        Experiment.from_values(config_values(**changes))


def test_the_ledger_counts_every_token_but_the_images_once(tmp_path: Path):
    processor = processor_of("llava")
    processor.chat_template = read_template("vicuna_v1_short")
    rows = [
        {
            "id": "0",
            "image": "a.png",
            "conversations": turns(f"<image>\nWho is it?\n{SHORT}", "him"),
            "truths": ["him"],
        },
        {"id": "1", "image": None, "conversations": turns(f"Who? {SHORT}", "me"), "truths": ["me"]},
    ]
    write_parquet(tmp_path / "vqa.parquet", pa.Table.from_pylist(rows, schema=RECORD_SCHEMA))
    table = instruction_ledger(processor, {"vqa": tmp_path / "vqa.parquet"}, Instructions(0.5, frozenset({SHORT})))

    def tokens(text: str) -> int:
        return len(processor.tokenizer(text, add_special_tokens=False)["input_ids"])

    found = table.set_index("tokens_are")
    assert found["tokens"].to_dict() == {
        "response": tokens(" him</s>") + tokens(" me</s>"),
        "instruction": tokens(" Who is it?"),
        "template": tokens(f"\n{SHORT}") + tokens(f" {SHORT}"),
        "text_only": tokens(" Who?"),
        "system_and_roles": found["tokens"].sum() - found["tokens"].drop("system_and_roles").sum(),
    }
    whole = f"USER: <image>\nWho is it?\n{SHORT} ASSISTANT: him</s>", f"USER: Who? {SHORT} ASSISTANT: me</s>"
    assert found["tokens"].sum() == tokens(whole[0]) - 1 + tokens(whole[1])
    assert found["weight"].to_dict() == {
        "response": 1,
        "instruction": 0.5,
        "template": 0,
        "text_only": 0,
        "system_and_roles": 0,
    }
    assert found["learned"].tolist() == ["yes", "yes", "no", "no", "no"]
    assert found["share"].sum() == pytest.approx(1)
