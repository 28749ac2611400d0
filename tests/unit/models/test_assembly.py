"""A LLaVA assembled from its components computes what the components say, and components that do not fit are told."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from torch.nn.functional import conv2d, gelu, layer_norm, linear, silu
from transformers import AutoProcessor, GenerationConfig

from tests.helpers.llava_components import (
    IMAGE_SIDE,
    IMAGE_TOKENS,
    PATCH,
    TEXT_WIDTH,
    VOCABULARY,
    projector_tensors,
    put_on_hub,
    tiny_clip,
    tiny_vicuna,
    write_clip,
    write_projector,
    write_shards,
    write_vicuna,
)
from tests.helpers.training_examples import ROOT, mixture, sample, train_here, turns
from visatb.errors import VisatbError
from visatb.models.assembly import Components, assemble
from visatb.models.families import PART_NAMES, freeze, load_model, load_processor
from visatb.training.batches.collator import Collator

Tensors = Mapping[str, torch.Tensor]
HEADS = {"vision": 2, "text": 4}
ENLARGED = 960  # 900 tokens, the image and the padding, to a multiple of 64


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> Components:
    folder = tmp_path_factory.mktemp("components")
    vicuna, clip = write_vicuna(folder / "vicuna"), write_clip(folder / "clip")
    return Components(str(vicuna), str(clip), str(write_projector(folder / "stage1" / "mm_projector.bin")))


@pytest.fixture(scope="module")
def assembled(components: Components, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("assembled") / "llava"
    assemble(components, output, shard_size=40_000)
    return output


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int, causal: bool) -> torch.Tensor:
    """Return softmax attention of [tokens, width] inputs."""
    q, k, v = (x.view(len(x), heads, -1).transpose(0, 1) for x in (q, k, v))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if causal:
        scores = scores.masked_fill(torch.ones_like(scores[0]).triu(1).bool(), -torch.inf)
    return (scores.softmax(-1) @ v).transpose(0, 1).flatten(1)


def clip_patches(w: Tensors, pixels: torch.Tensor) -> torch.Tensor:
    """Return CLIP's features of one image's patches after its last layer but one, without the class token."""
    w = {name.removeprefix("vision_model."): value.double() for name, value in w.items()}
    patches = conv2d(pixels[None].double(), w["embeddings.patch_embedding.weight"], stride=PATCH)[0].flatten(1).T
    states = torch.cat([w["embeddings.class_embedding"][None], patches]) + w["embeddings.position_embedding.weight"]

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])

    def dense(x: torch.Tensor, name: str) -> torch.Tensor:
        return linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    states = norm(states, "pre_layrnorm")
    for layer in (0, 1):
        here = f"encoder.layers.{layer}"
        x = norm(states, f"{here}.layer_norm1")
        q, k, v = (dense(x, f"{here}.self_attn.{name}_proj") for name in "qkv")
        states = states + dense(attention(q, k, v, HEADS["vision"], causal=False), f"{here}.self_attn.out_proj")
        x = dense(norm(states, f"{here}.layer_norm2"), f"{here}.mlp.fc1")
        states = states + dense(x * torch.sigmoid(1.702 * x), f"{here}.mlp.fc2")
    return states[1:]


def rotated(x: torch.Tensor) -> torch.Tensor:
    """Return [tokens, width] with LLaMA's rotary positions."""
    x = x.view(len(x), HEADS["text"], -1)
    half = x.shape[-1] // 2
    angles = torch.arange(len(x))[:, None] * 10_000.0 ** (-torch.arange(half).double() / half)
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    first, second = x.split(half, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).flatten(1)


def llama_logits(w: Tensors, states: torch.Tensor) -> torch.Tensor:
    """Return the logits of LLaMA for the embeddings [tokens, width]."""
    w = {name: value.double() for name, value in w.items()}

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * w[f"{name}.weight"]

    for layer in (0, 1):
        here = f"model.layers.{layer}"
        x = norm(states, f"{here}.input_layernorm")
        q, k, v = (x @ w[f"{here}.self_attn.{name}_proj.weight"].T for name in "qkv")
        x = attention(rotated(q), rotated(k), v, HEADS["text"], causal=True)
        states = states + x @ w[f"{here}.self_attn.o_proj.weight"].T
        x = norm(states, f"{here}.post_attention_layernorm")
        gate, up = (x @ w[f"{here}.mlp.{name}_proj.weight"].T for name in ("gate", "up"))
        states = states + (silu(gate) * up) @ w[f"{here}.mlp.down_proj.weight"].T
    return norm(states, "model.norm") @ w["lm_head.weight"].T


def picture(seed: int) -> Image.Image:
    torch.manual_seed(seed)
    return Image.fromarray(torch.randint(0, 256, (20, 45, 3), dtype=torch.uint8).numpy())


def test_logits_are_those_of_the_pieces_put_together_by_hand(assembled: Path) -> None:
    vicuna = tiny_vicuna().half().state_dict()
    clip = tiny_clip().vision_model.state_dict()
    projector = {name: value.double() for name, value in projector_tensors().items()}
    processor = load_processor(assembled)
    sample = {"conversations": turns("<image>\nWhat?", "a square", "Sure?", "yes"), "image": picture(0), "task": "a"}
    batch = Collator(processor, ["a"], 512)([sample])
    tokens, image = batch["input_ids"][0], processor.image_token_id
    assert (tokens == image).sum() == IMAGE_TOKENS
    x = clip_patches(clip, batch["pixel_values"][0])
    x = gelu(linear(x, projector["model.mm_projector.0.weight"], projector["model.mm_projector.0.bias"]))
    x = linear(x, projector["model.mm_projector.2.weight"], projector["model.mm_projector.2.bias"])
    embedded = vicuna["model.embed_tokens.weight"].double()[tokens.masked_fill(tokens == image, 0)]
    embedded[tokens == image] = x
    expected = llama_logits(vicuna, embedded)
    model = load_model(assembled, torch.float32, "eager").eval()
    with torch.inference_mode():
        found = model(**{name: batch[name] for name in ("input_ids", "attention_mask", "pixel_values")}).logits[0]
    assert found.shape == (len(tokens), ENLARGED)
    torch.testing.assert_close(found[:, :VOCABULARY].double(), expected, rtol=2e-5, atol=2e-5)


def test_the_checkpoint_has_the_hubs_layout(assembled: Path) -> None:
    config = json.loads((assembled / "config.json").read_text())
    assert config["model_type"] == "llava"
    assert config["architectures"] == ["LlavaForConditionalGeneration"]
    assert (config["image_token_index"], config["vision_feature_layer"]) == (VOCABULARY, -2)
    assert config["vision_feature_select_strategy"] == "default"
    assert config["text_config"]["vocab_size"] == ENLARGED
    assert config["text_config"]["pad_token_id"] == VOCABULARY + 1
    index = json.loads((assembled / "model.safetensors.index.json").read_text())
    names = set(index["weight_map"])
    assert len(set(index["weight_map"].values())) > 2
    assert {
        "language_model.model.embed_tokens.weight",
        "language_model.model.layers.1.self_attn.q_proj.weight",
        "language_model.lm_head.weight",
        "multi_modal_projector.linear_1.bias",
        "multi_modal_projector.linear_2.weight",
        "vision_tower.vision_model.embeddings.class_embedding",
        "vision_tower.vision_model.encoder.layers.2.mlp.fc1.weight",
    } < names
    assert not [name for name in names if "inv_freq" in name or "position_ids" in name or "text_model" in name]
    assert not list(assembled.glob("*.bin"))
    generation = GenerationConfig.from_pretrained(assembled)
    assert (generation.eos_token_id, generation.pad_token_id, generation.do_sample) == (2, VOCABULARY + 1, False)


def test_every_tensor_is_a_copy_in_its_own_format(assembled: Path) -> None:
    written: dict[str, torch.Tensor] = {}
    for file in assembled.glob("*.safetensors"):
        written |= load_file(file)
    vicuna = tiny_vicuna().half().state_dict()
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        matrix = written[f"language_model.{name}"]
        assert torch.equal(matrix[:VOCABULARY], vicuna[name])
        mean = vicuna[name].double().mean(0)
        assert (matrix[VOCABULARY:].double() - mean).abs().max() < 2**-11 * mean.abs().max()
    assert torch.equal(
        written["language_model.model.layers.0.mlp.up_proj.weight"], vicuna["model.layers.0.mlp.up_proj.weight"]
    )
    projector = projector_tensors()
    assert torch.equal(written["multi_modal_projector.linear_1.weight"], projector["model.mm_projector.0.weight"])
    assert torch.equal(written["multi_modal_projector.linear_2.bias"], projector["model.mm_projector.2.bias"])
    assert {value.dtype for value in written.values()} == {torch.float16, torch.float32, torch.bfloat16}


@pytest.mark.parametrize(("pickled", "fast"), [(True, True), (False, False), (False, True)])
def test_other_layouts_of_the_same_pieces_give_the_same_checkpoint(
    assembled: Path, components: Components, tmp_path: Path, pickled: bool, fast: bool
) -> None:
    vicuna = write_vicuna(tmp_path / "vicuna", pickled=pickled, fast=fast)
    tower = tmp_path / "tower"
    tiny_clip().vision_model.save_pretrained(tower)
    assemble(Components(str(vicuna), str(tower), str(Path(components.projector).parent)), tmp_path / "llava")
    expected = load_model(assembled, torch.float32).state_dict()
    found = load_model(tmp_path / "llava", torch.float32).state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    sample = {"conversations": turns("<image> Größe?", "ja"), "image": picture(1), "task": "a"}
    first, second = (Collator(load_processor(path), ["a"], 512)([sample]) for path in (assembled, tmp_path / "llava"))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_processor_is_whole_after_a_round_trip(assembled: Path, tmp_path: Path) -> None:
    processor = AutoProcessor.from_pretrained(assembled)
    assert processor.tokenizer.padding_side == "left"
    assert (processor.tokenizer.pad_token_id, processor.image_token_id) == (VOCABULARY + 1, VOCABULARY)
    assert (processor.patch_size, processor.num_additional_image_tokens) == (PATCH, 1)
    assert processor.image_processor.do_pad
    assert not processor.image_processor.do_center_crop
    processor.save_pretrained(tmp_path)
    shutil.copy(assembled / "config.json", tmp_path)
    sample = {"conversations": turns("<image> Größe?", "ja", "so", "  42 "), "image": picture(1), "task": "a"}
    loaded = [processor, AutoProcessor.from_pretrained(tmp_path), load_processor(tmp_path)]
    first, *others = (Collator(each, ["a"], 512)([sample]) for each in loaded)
    assert all(torch.equal(first[key], other[key]) for other in others for key in first)
    assert first["pixel_values"].shape == (1, 3, IMAGE_SIDE, IMAGE_SIDE)


def test_parts_are_frozen_as_named(assembled: Path) -> None:
    model = load_model(assembled, torch.float32)
    starts = {"vision_tower": "model.vision_tower.", "projector": "model.multi_modal_projector."}
    for part in PART_NAMES:
        freeze(model, [part])
        frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
        start = starts.get(part, ("model.language_model.", "lm_head."))
        assert frozen == {name for name, _ in model.named_parameters() if name.startswith(start)}


def test_a_training_goes_from_an_assembled_checkpoint(assembled: Path, tmp_path: Path) -> None:
    samples = [sample(task, number) for number in range(3) for task in ("caption", "vqa", "ocr", "text")]
    train_here(tmp_path, assembled, mixture(tmp_path, samples), freeze=("vision_tower",), max_length=400)
    before, after = (load_model(path, torch.float32).state_dict() for path in (assembled, tmp_path / "model"))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert not [name for name in moved if "vision_tower" in name]
    assert {"lm_head.weight", "model.multi_modal_projector.linear_1.weight"} < moved
    images = AutoProcessor.from_pretrained(tmp_path / "model").image_processor
    assert (images.do_pad, images.do_center_crop) == (True, False)
    with safe_open(tmp_path / "model" / "model.safetensors", "pt") as saved_model:
        assert "vision_tower.vision_model.embeddings.class_embedding" in saved_model.keys()  # noqa: SIM118


def test_pieces_may_be_hub_names(
    components: Components, assembled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = tmp_path / "hub"
    put_on_hub(hub, "lmsys/vicuna", {"v1.5": Path(components.language_model)})
    put_on_hub(hub, "openai/clip", {"v1.5": Path(components.vision_tower)})
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assemble(
        Components("lmsys/vicuna@v1.5", "openai/clip@v1.5", components.projector), tmp_path / "llava", shard_size=40_000
    )
    expected, found = (load_model(path, torch.float32).state_dict() for path in (assembled, tmp_path / "llava"))
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    with pytest.raises(VisatbError, match=r"lmsys/vicuna@v2: there is no such folder, and the hub"):
        assemble(Components("lmsys/vicuna@v2", "openai/clip@v1.5", components.projector), tmp_path / "other")


def damaged(components: Components, folder: Path, damage: Callable[[Path], None]) -> Components:
    """Return copies of the components in ``folder`` after ``damage``."""
    for name, source in (("vicuna", components.language_model), ("clip", components.vision_tower)):
        shutil.copytree(source, folder / name)
    (folder / "stage1").mkdir()
    shutil.copy(components.projector, folder / "stage1")
    damage(folder)
    return Components(*(str(folder / name) for name in ("vicuna", "clip", "stage1/mm_projector.bin")))


class Harmful:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch harmed",)


def another_width(folder: Path) -> None:
    shutil.rmtree(folder / "clip")
    write_clip(folder / "clip", hidden_size=64)


def another_tokenizer(folder: Path) -> None:
    shutil.rmtree(folder / "vicuna")
    write_vicuna(folder / "vicuna", vocab_size=800)


def another_head(folder: Path) -> None:
    tensors = {name: value.clone() for name, value in tiny_vicuna().state_dict().items()}
    write_shards(folder / "vicuna", tensors | {"lm_head.weight": torch.zeros(896, TEXT_WIDTH)}, pickled=True)


def no_head(folder: Path) -> None:
    tensors = {name: value.clone() for name, value in tiny_vicuna().state_dict().items() if name != "lm_head.weight"}
    write_shards(folder / "vicuna", tensors, pickled=True)


def escaping_index(folder: Path) -> None:
    index = folder / "vicuna" / "pytorch_model.bin.index.json"
    index.write_text(index.read_text().replace("pytorch_model-00001", "../clip/pytorch_model-00001"))


def cut(file: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / file).write_bytes((folder / file).read_bytes()[:2000])

    return damage


def removed(*files: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        for file in files:
            (folder / file).unlink()

    return damage


def saved(value: object) -> Callable[[Path], None]:
    return lambda folder: torch.save(value, folder / "stage1" / "mm_projector.bin")


SHARD = "vicuna/pytorch_model-00001-of-00002.bin"
TALL = projector_tensors() | {"model.mm_projector.0.weight": torch.zeros(TEXT_WIDTH, 32, 1)}
PLUS = projector_tensors() | {"model.mm_projector.4.bias": torch.zeros(2)}


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: shutil.rmtree(folder / "clip"), r"clip: there is no such folder, and the hub does not give"),
        (removed("vicuna/config.json"), r"vicuna: no model configuration can be read there"),
        (removed("vicuna/tokenizer.model"), r"vicuna: no tokenizer found there; expected tokenizer.model or"),
        (removed(SHARD), r"00001-of-00002.bin: no such file, but pytorch_model.bin.index.json names it"),
        (removed("clip/pytorch_model.bin"), r"clip: no weights found there; expected model.safetensors or"),
        (removed("stage1/mm_projector.bin"), r"mm_projector.bin: there is no such folder"),
        (cut(SHARD), r"00001-of-00002.bin: (cannot be read as PyTorch weights|is a pickle)"),
        (cut("stage1/mm_projector.bin"), r"mm_projector.bin: (cannot be read as PyTorch weights|is a pickle)"),
        (escaping_index, r"names the file '../clip/pytorch_model-00001.*is not in its folder"),
        (saved(Harmful()), r"mm_projector.bin: is a pickle that holds more than plain tensors, which could run code"),
        (saved({"state_dict": projector_tensors()}), r"expected tensors by name and nothing else, found 'state_dict'"),
        (saved([1]), r"expected tensors by name and nothing else, found a list"),
        (saved(projector_tensors(outputs=40)), r"0.weight has the shape \[40, 32\], expected \[48, 32\]; the vision"),
        (saved(projector_tensors(inputs=64)), r"0.weight has the shape \[48, 64\], expected \[48, 32\]"),
        (saved(TALL), r"0.weight has the shape \[48, 32, 1\], expected \[48, 32\]"),
        (saved(PLUS), r"mm_projector.bin: holds model.mm_projector.4.bias, which has no place"),
        (saved({"model.mm_projector.0.bias": torch.zeros(48)}), r"mm_projector.bin: no weights for model.multi_modal"),
        (another_width, r"mm_projector.0.weight has the shape \[48, 32\], expected \[48, 64\]; .* have 64 numbers"),
        (another_tokenizer, r"vicuna: its tokenizer has 900 tokens, but its config.json says vocab_size 800"),
        (another_head, r"lm_head.weight has the shape \[896, 48\], expected \[900, 48\]"),
        (no_head, r"vicuna: no weights for lm_head.weight, of shape \[900, 48\]"),
        (lambda folder: write_clip_config_as_vicuna(folder), r"vicuna: expected a language model of type llama.*found"),
    ],
)
def test_what_does_not_fit_is_told(
    components: Components, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    broken = damaged(components, tmp_path, damage)
    with pytest.raises(VisatbError, match=told):
        assemble(broken, tmp_path / "llava")
    assert not [path for path in tmp_path.iterdir() if "llava" in path.name or path.name == "harmed"]


def write_clip_config_as_vicuna(folder: Path) -> None:
    shutil.copy(folder / "clip" / "config.json", folder / "vicuna" / "config.json")


def test_a_disk_too_small_is_told(components: Components, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6 - 1000, 1000))
    with pytest.raises(VisatbError, match=r"the checkpoint needs 0\.0 GB of disk, but .* has 0\.0 GB left; make room"):
        assemble(components, tmp_path / "deep" / "llava")
    assert not (tmp_path / "deep").exists()


def test_a_file_that_cannot_be_written_is_told_and_nothing_is_left(components: Components, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "workflow_scripts/models.py", "assemble_model"),
            *("--components", json.dumps(vars(components), default=str), "--output", tmp_path / "llava"),
        ],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"error: {tmp_path}: the checkpoint cannot be written there" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
