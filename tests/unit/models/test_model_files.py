"""Model files: those that come along are valid, mistakes are told, a revision reaches the loader."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.helpers.config_examples import config_values
from tests.helpers.llava_components import put_on_hub
from tests.helpers.training_examples import ROOT, mixture, model_of, sample, save_tiny, train_here
from visatb.config.model import ModelConfig
from visatb.errors import VisatbError
from visatb.experiment.checks.experiment import checked_configs
from visatb.models.families import PART_NAMES, load_model, load_processor, read_template

PIECES = "assemble: {language_model: lmsys/v, vision_tower: {checkpoint: openai/c, revision: abc}, projector: p.bin}\n"
TEXT = "name: a\nfamily: llava\ncheckpoint: data/a\n"
PRETRAINING = "pretraining: {vision: {images: 1}, alignment: {samples: 1}}\n"


def model_of_text(text: str) -> ModelConfig:
    Path("model.yaml").write_text(text)
    return checked_configs(config_values(model="model.yaml"))[1]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("file", sorted((ROOT / "config/models").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_models_that_come_along_are_valid(file: Path) -> None:
    model = model_of_text(file.read_text())
    assert model.name == file.stem
    assert sum(made is not None for made in (model.pretraining, model.assemble)) == model.checkpoint.startswith("data/")


def test_a_piece_is_a_name_or_a_name_with_its_revision() -> None:
    model = model_of_text(TEXT + PIECES)
    assert {name: component.source for name, component in model.assemble or ()} == {
        "language_model": "lmsys/v",
        "vision_tower": "openai/c@abc",
        "projector": "p.bin",
    }
    assert model.source == "data/a"
    assert model_of_text(TEXT.replace("data/a", "owner/name") + "revision: v2\n").source == "owner/name@v2"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TEXT + PIECES + PRETRAINING, r"assemble: the checkpoint is also made by pretraining; take one of them away"),
        (TEXT.replace("llava", "qwen2_vl") + PIECES, r"assemble: only a llava is assembled, but family is qwen2_vl"),
        (TEXT + PIECES + "revision: v\n", r"revision: the workflow makes this checkpoint \(by assemble\)"),
        (TEXT.replace("data/a", "here") + "revision: v\n", r"revision: here lies here, and only hub names have"),
        (TEXT + PIECES.replace("openai/c", "here"), r"assemble.vision_tower.revision: here lies here"),
        (TEXT + "assemble: {language_model: a, vision_tower: b}\n", r"assemble.projector: missing"),
        (TEXT + PIECES.replace("projector", "projecter"), r"projecter.*did you mean 'projector'"),
        (TEXT + "freeze: [projector, projector]\n", r"freeze: 'projector' is named 2 times"),
        (TEXT + f"freeze: [{', '.join(PART_NAMES)}]\n", r"freeze: with .* frozen nothing is left to train"),
    ],
)
def test_a_mistake_is_told(text: str, told: str) -> None:
    Path("here").mkdir()
    with pytest.raises(VisatbError, match=told) as error:
        model_of_text(text)
    assert "model.yaml: " in str(error.value)


def test_the_revision_is_what_gets_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = save_tiny("llava", tmp_path / "first"), save_tiny("llava", tmp_path / "second")
    other = model_of("llava")
    other.lm_head.weight.data += 1
    other.save_pretrained(second)
    (second / "chat_template.jinja").write_text(read_template("vicuna_v1"))
    put_on_hub(tmp_path / "hub", "owner/tiny", {"main": first, "v2": second})
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for source, folder in (("owner/tiny", first), ("owner/tiny@v2", second), ("owner/tiny@" + "1" * 40, first)):
        model, expected = load_model(source, torch.float32), load_model(folder, torch.float32)
        assert torch.equal(model.lm_head.weight, expected.lm_head.weight)
        assert load_processor(source).chat_template == load_processor(folder).chat_template
    for source in ("owner/tiny@v3", "owner/other", "nowhere"):
        with pytest.raises(VisatbError, match=f"{source}: there is no such folder, and the hub does not give a model"):
            load_model(source, torch.float32)


def test_the_revision_identifies_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_hub(tmp_path / "hub", "owner/tiny", {"v1": save_tiny("llava", tmp_path / "tiny")})
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    train_here(tmp_path / "run", "owner/tiny@v1", mixture(tmp_path, [sample("vqa", number) for number in range(4)]))
    descriptions = [json.loads(file.read_text()) for file in tmp_path.glob("run/checkpoints/*/training.json")]
    assert [description["base"] for description in descriptions] == ["owner/tiny@v1"]


def test_weights_that_are_not_whole_are_told(tmp_path: Path) -> None:
    folder = save_tiny("llava", tmp_path / "tiny")
    weights = load_file(folder / "model.safetensors")
    pruned = {name: value for name, value in weights.items() if "multi_modal_projector" not in name}
    save_file(pruned, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(VisatbError, match=r"no weights for model.multi_modal_projector.linear_1.bias, .* \(4 in all\)"):
        load_model(folder, torch.float32)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VisatbError, match=r"tiny: its weights cannot be loaded"):
        load_model(folder, torch.float32)


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    folder = save_tiny("llava", tmp_path / "tiny")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(VisatbError, match=r"tiny: its weights cannot be loaded .*safetensors"):
        load_model(folder, torch.float32)


def test_weights_of_another_shape_are_told(tmp_path: Path) -> None:
    folder = save_tiny("llava", tmp_path / "tiny")
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("linear_1.weight"))
    save_file(weights | {name: torch.zeros(128, 64)}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(VisatbError, match=r"tiny: its weights have other shapes than its config.json says"):
        load_model(folder, torch.float32)


def test_the_layout_of_llavas_own_code_is_told(tmp_path: Path) -> None:
    config = {"model_type": "llava", "architectures": ["LlavaLlamaForCausalLM"], "mm_vision_tower": "openai/clip"}
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "config.json").write_text(json.dumps(config))
    with pytest.raises(VisatbError, match=r"own: is in the layout of LLaVA's own code, expected that of transformers"):
        load_processor(tmp_path / "own")


def test_a_missing_tokenizer_is_told(tmp_path: Path) -> None:
    folder = save_tiny("llava", tmp_path / "tiny")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(VisatbError, match=r"tiny: its processor \(tokenizer, image processor\) cannot be loaded"):
        load_processor(folder)
