"""A model that stands for a training must be one of the same kind: real tiny models, and what may differ."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.helpers.training_examples import model_of, processor_of
from visatb.errors import VisatbError
from visatb.models.families import load_model
from visatb.runtime.digests import file_digest, folder_digest
from visatb.training.imported import AsHere, import_model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "base"
    model_of("llava").save_pretrained(folder)
    processor_of("llava").save_pretrained(folder)
    return folder


@pytest.fixture
def mine(base: Path, tmp_path: Path) -> Path:
    """A trained model: other weights, and files beside them that must not come along."""
    folder = tmp_path / "run" / "model"
    shutil.copytree(base, folder)
    tensors = {name: tensor + 1 for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "modeling_llava.py").write_text("raise SystemExit\n")
    (folder / "optimizer.pt").write_bytes(b"pickle")
    return folder


def refused(folder: Path, base: Path, as_here: AsHere | None = None) -> str:
    with pytest.raises(VisatbError) as caught:
        import_model("mini", folder, str(base), folder.parent / "out", as_here)
    assert not (folder.parent / "out").exists()
    return str(caught.value)


def test_a_model_of_the_same_kind_is_taken_without_programs_and_pickles(mine: Path, base: Path, tmp_path: Path):
    import_model("mini", mine, str(base), tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {path.name for path in base.iterdir()}
    found = dict(load_model(tmp_path / "out", torch.float32).named_parameters())
    started = dict(load_model(base, torch.float32).named_parameters())
    assert all(torch.equal(found[name], started[name] + 1) for name in started)


def test_another_family_is_refused(base: Path, tmp_path: Path):
    other = tmp_path / "qwen"
    model_of("qwen2_vl").save_pretrained(other)
    processor_of("qwen2_vl").save_pretrained(other)
    assert "it is a qwen2_vl, but the experiment's model" in refused(other, base)


def test_another_size_is_refused(mine: Path, base: Path):
    config = json.loads((mine / "config.json").read_text())
    config["text_config"]["intermediate_size"] *= 2
    (mine / "config.json").write_text(json.dumps(config))
    told = refused(mine, base)
    assert "gate_proj.weight: shape" in told or "down_proj.weight: shape" in told
    assert "more weights have other shapes" in told


def test_another_tokenizer_or_template_is_refused(mine: Path, base: Path):
    tokens = json.loads((mine / "tokenizer.json").read_text())
    first = next(iter(tokens["model"]["vocab"]))
    tokens["model"]["vocab"]["unheard-of"] = tokens["model"]["vocab"].pop(first)
    (mine / "tokenizer.json").write_text(json.dumps(tokens))
    template = mine / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    told = refused(mine, base)
    assert "its tokenizer has other tokens" in told
    assert "its chat template is another" in told


def test_weights_that_are_cut_or_lacking_are_refused(mine: Path, base: Path):
    whole = (mine / "model.safetensors").read_bytes()
    (mine / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "model.safetensors cannot be read" in refused(mine, base)
    tensors = load_file(base / "model.safetensors")
    name = next(name for name in tensors if name.endswith("down_proj.weight"))
    del tensors[name]
    save_file(tensors, mine / "model.safetensors", metadata={"format": "pt"})
    assert "its files lack 1 weight(s) of shape" in refused(mine, base)


def test_a_model_of_an_earlier_experiment_must_have_been_trained_as_here(mine: Path, base: Path, tmp_path: Path):
    mixture = tmp_path / "mini.arrow"
    mixture.write_text("samples")
    told = mine.parent / "checkpoints" / "0" / "training.json"
    told.parent.mkdir(parents=True)
    description = {"mixture": file_digest(mixture), "base": folder_digest(base), "freeze": ["vision_tower"]}
    told.write_text(json.dumps(description))
    as_here = AsHere(str(mixture), ["vision_tower"])
    import_model("mini", mine, str(base), tmp_path / "same", as_here)
    assert (tmp_path / "same" / "config.json").is_file()
    told.write_text(json.dumps(description | {"mixture": "0" * 64, "freeze": []}))
    words = refused(mine, base, as_here)
    assert "trained with another mixture" in words
    assert "trained with another freeze" in words
    assert "another base" not in words
