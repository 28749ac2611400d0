from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from tests.helpers.paths import REPOSITORY
from visatb.config.loading import merge
from visatb.config.model import ModelConfig
from visatb.config.reference import reference
from visatb.config.schema import Config
from visatb.experiment.experiment import Experiment

README = REPOSITORY / "config" / "README.md"
MAKE = "python -m visatb.config.reference > config/README.md"


def keys(schema: Any) -> Iterator[tuple[str, str | None]]:
    """Yield (key, description) of every key of a schema and of what it holds."""
    for name, field in schema.model_fields.items():
        yield field.alias or name, field.description
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from keys(part)


ALL_KEYS = [*keys(Config), *keys(ModelConfig)]


def test_the_reference_in_the_repository_is_in_step_with_the_schema():
    assert README.read_text(encoding="utf-8") == reference(), f"make it again: {MAKE}"


def test_every_key_is_in_the_reference_with_its_meaning():
    lines = reference().splitlines()
    for key, description in ALL_KEYS:
        assert description, f"{key} has no description"
        assert any(line.startswith(f"| `{key}` |") and line.endswith(f"| {description} |") for line in lines), key
    assert len(ALL_KEYS) > 70


def test_no_description_breaks_its_table():
    rows = [line for line in reference().splitlines() if line.startswith("|")]
    assert [row for row in rows if row.count("|") != 5] == []


@pytest.mark.parametrize(
    "row",
    [
        "| `mini` | number or `auto` | `0.03125` |",
        "| `temperature` | number or `auto` | `auto` |",
        "| `schedule` | `cosine` or `linear` or `constant_with_warmup` | `cosine` |",
        "| `in` | number, >= 0 and <= 1 | `0.25` |",
        "| `deepspeed` | text |  |",
        "| `experiment` | text | **needed** |",
    ],
)
def test_rows_by_hand(row: str):
    assert row in reference()


def test_the_examples_of_the_reference_are_good_configs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for part in ("config.yaml", "judge.yaml", "models"):
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "config" / part).symlink_to(README.parent / part)
    (tmp_path / "llava.yaml").write_text("name: llava\nfamily: llava\ncheckpoint: models/llava\n")
    monkeypatch.chdir(tmp_path)
    extending, own, published, judged = (block.split("```")[0] for block in reference().split("```yaml\n")[1:])
    experiment = Experiment.from_values(yaml.safe_load(extending))
    assert "chart" not in experiment.tasks
    assert experiment.config.training.epochs == 2
    experiment = Experiment.from_values(yaml.safe_load(own) | {"model": "llava.yaml"})
    assert experiment.files("GQA", "val") == ["/data/mine/gqa/val.json"]
    values = merge(yaml.safe_load(own), yaml.safe_load(judged)) | {"model": "llava.yaml"}
    assert Experiment.from_values(values).judged_tasks == ["chat"]
    values = yaml.safe_load(own) | {"model": "llava.yaml"}
    values["tasks"] |= yaml.safe_load(published)["tasks"]
    experiment = Experiment.from_values(values)
    assert experiment.files("GQA", "val") == ["/data/mine/prepared/GQA/val.jsonl"]
    assert experiment.source_files("GQA")["val"] == ["/data/mine/gqa/val.json"]
