"""DeepSpeed configs that would change what is trained, or lose it, are refused before anything starts."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.config_examples import config_values
from tests.helpers.training_examples import ROOT
from visatb.errors import VisatbError
from visatb.experiment.checks.experiment import checked_configs
from visatb.training.deepspeed_config import check_deepspeed

FILES = sorted((ROOT / "config/deepspeed").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_projects_own_are_right(path: Path) -> None:
    assert len(FILES) == 3
    assert list(check_deepspeed(path)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gradient_clipping": None}, r'gradient_clipping must be "auto", .* found nothing'),
        ({"bf16": {"enabled": False}}, r'bf16.enabled must be "auto", .* found False'),
        ({"train_batch_size": 128}, r'train_batch_size must be "auto", .* found 128'),
        ({"optimizer": {"type": "AdamW"}}, "take optimizer away"),
        ({"zero_allow_untested_optimizer": False}, "zero_allow_untested_optimizer must be true"),
        ({"zero_optimization": {"stage": 3}}, "stage3_gather_16bit_weights_on_model_save must be true"),
    ],
)
def test_what_would_change_or_lose_the_training_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    given = json.loads((ROOT / "config/deepspeed/zero3.json").read_text()) | change
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({key: value for key, value in given.items() if value is not None}))
    assert len(list(check_deepspeed(path))) == 1
    with pytest.raises(VisatbError, match=f"training.deepspeed: {path}: .*{words}"):
        checked_configs(config_values(training={"deepspeed": str(path)}))


@pytest.mark.parametrize(("text", "words"), [("{", "not valid JSON"), ("[]", "expected a JSON object, found list")])
def test_broken_files_are_told(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.json").write_text(text)
    assert [words in mistake for mistake in check_deepspeed(tmp_path / "mine.json")] == [True]
