"""LLaVA-1.5 as stage 2 starts it: a Vicuna, a CLIP vision tower and a stage-1 projector become one checkpoint.

The checkpoint has the hub's layout of LLaVA-1.5. Its tensors are copied shard by shard, bit for bit, in the number
format that they had; no model is built, so that memory is needed for about one shard.
"""

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import AddedToken
from transformers import (
    AutoConfig,
    AutoTokenizer,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PretrainedConfig,
    PreTrainedTokenizerBase,
)

from visatb.errors import VisatbError
from visatb.models.assembled_weights import TOKEN_MATRICES, write_weights
from visatb.models.families import clip_colours, leave_beginning_to_template, padding_image_processor, read_template
from visatb.models.hub import local_folder
from visatb.models.weight_files import StoredTensor, stored_tensors, weight_files
from visatb.runtime.files import atomic_path
from visatb.runtime.progress import say

IMAGE_TOKEN, PAD_TOKEN = "<image>", "<pad>"
VOCABULARY_MULTIPLE = 64
FEATURE_LAYER = -2
SHARD_SIZE = 2_000_000_000
DESCRIPTIONS = ("*.json", "tokenizer.model")
WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
PROJECTOR_FILES = ("mm_projector.safetensors", "mm_projector.bin")
# Positions and frequencies that old checkpoints hold and that are computed today, and CLIP's text half.
NOT_WEIGHTS = re.compile(r"(\.inv_freq|\.position_ids)$|^(text_model|text_projection|visual_projection|logit_scale)\b")
# From names in the components to the hub's names for LLaVA.
LANGUAGE_NAMES = ((r"^(model|lm_head)\.", r"language_model.\1."),)
VISION_NAMES = ((r"^(vision_model\.)?", "vision_tower.vision_model."),)
PROJECTOR_NAMES = (
    (r"^(model\.)?mm_projector\.0\.", "multi_modal_projector.linear_1."),
    (r"^(model\.)?mm_projector\.2\.", "multi_modal_projector.linear_2."),
)
# From the hub's names to those of the modules.
MODULE_NAMES = (
    (r"^language_model\.model\.", "model.language_model."),
    (r"^language_model\.lm_head\.", "lm_head."),
    (r"^vision_tower\.vision_model\.", "model.vision_tower."),
    (r"^multi_modal_projector\.", "model.multi_modal_projector."),
)


@dataclass(frozen=True)
class Components:
    """What a LLaVA is assembled from: folders, or hub names with ``@revision``; the projector may be a file."""

    language_model: str
    vision_tower: str
    projector: str


def assemble(components: Components, output: str | Path, shard_size: int = SHARD_SIZE) -> None:
    """Write the LLaVA checkpoint made of ``components``, with its processor, at ``output``.

    The vocabulary grows by an image and a padding token, and to a multiple of 64; the new rows of the embedding and
    of the head are the mean of the old ones. ``shard_size`` is that of the written files in bytes.

    Raises:
        VisatbError: a component is missing or of no LLaVA-1.5, two do not fit each other, or the disk is too small.
    """
    config, processor, vocabulary = _described(components)
    tensors = {
        **_renamed(stored_tensors(_weights(components.language_model)), LANGUAGE_NAMES),
        **_renamed(stored_tensors(_weights(components.vision_tower)), VISION_NAMES),
        **_renamed(stored_tensors([_projector_file(components.projector)]), PROJECTOR_NAMES),
    }
    _check_tensors(tensors, config, vocabulary, components)
    _check_disk(sum(tensor.size for tensor in tensors.values()), Path(output))
    with atomic_path(output) as folder:
        folder.mkdir()
        write_weights(tensors, config.text_config.vocab_size, folder, shard_size)
        config.save_pretrained(folder)
        _generation_config(config).save_pretrained(folder)
        processor.save_pretrained(folder)
    say(f"[assemble_model] {output}: {len(tensors)} tensors, vocabulary of {config.text_config.vocab_size}")


def described(components: Components) -> tuple[LlavaConfig, LlavaProcessor]:
    """Return configuration and processor of the checkpoint that ``components`` would make; no weights are read.

    Raises:
        VisatbError: as `assemble` does, of what describes the language model and the vision tower.
    """
    return _described(components)[:2]


def _described(components: Components) -> tuple[LlavaConfig, LlavaProcessor, int]:
    """Return configuration, processor, and the vocabulary of the language model before it grows."""
    language = local_folder(components.language_model, DESCRIPTIONS)
    vision = local_folder(components.vision_tower, DESCRIPTIONS)
    text, tower = _component_config(language, "llama"), _component_config(vision, "clip_vision_model")
    vocabulary = text.vocab_size
    tokenizer = _tokenizer(language, vocabulary)
    config = _config(text, tower, tokenizer)
    return config, _processor(tokenizer, vision, config), vocabulary


def _weights(source: str) -> list[Path]:
    """Return the weights files of a component; of a hub name safetensors are taken if it has them."""
    if Path(source).is_dir():
        return weight_files(Path(source))
    folder = local_folder(source, [*DESCRIPTIONS, WEIGHTS[0]])
    if not any(folder.glob(WEIGHTS[0])):
        folder = local_folder(source, [*DESCRIPTIONS, WEIGHTS[1]])
    return weight_files(folder)


def _projector_file(source: str) -> Path:
    if Path(source).is_file():
        return Path(source)
    folder = local_folder(source, PROJECTOR_FILES)
    for name in PROJECTOR_FILES:
        if (folder / name).is_file():
            return folder / name
    raise VisatbError(f"{folder}: expected {' or '.join(PROJECTOR_FILES)}, the projector of stage 1; found neither")


def _renamed(tensors: Mapping[str, StoredTensor], names: Iterable[tuple[str, str]]) -> dict[str, StoredTensor]:
    return {_rename(name, names): tensor for name, tensor in tensors.items() if not NOT_WEIGHTS.search(name)}


def _rename(name: str, names: Iterable[tuple[str, str]]) -> str:
    for pattern, replacement in names:
        renamed, count = re.subn(pattern, replacement, name, count=1)
        if count:
            return renamed
    return name


def _tokenizer(folder: Path, vocabulary: int) -> PreTrainedTokenizerBase:
    """Return the language model's tokenizer with the image and the padding token added."""
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        raise VisatbError(f"{folder}: no tokenizer found there; expected tokenizer.model or tokenizer.json")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, ImportError) as error:
        raise VisatbError(f"{folder}: its tokenizer cannot be loaded ({error})") from error
    if len(tokenizer) > vocabulary:
        raise VisatbError(
            f"{folder}: its tokenizer has {len(tokenizer)} tokens, but its config.json says vocab_size {vocabulary}; "
            "tokenizer and model do not belong together"
        )
    added = [AddedToken(token, special=True, normalized=False) for token in (IMAGE_TOKEN, PAD_TOKEN)]
    tokenizer.add_tokens(added, special_tokens=True)
    tokenizer.pad_token = PAD_TOKEN
    tokenizer.padding_side = "left"
    return tokenizer


def _component_config(folder: Path, kind: str) -> PretrainedConfig:
    """Return the configuration in ``folder``, of ``kind`` llama or clip_vision_model (also within a whole CLIP)."""
    try:
        loaded = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise VisatbError(f"{folder}: no model configuration can be read there ({error})") from error
    config = loaded.vision_config if loaded.model_type == "clip" else loaded
    if config.model_type != kind:
        wanted = {"llama": "a language model of type llama, as Vicuna", "clip_vision_model": "a CLIP vision tower"}
        raise VisatbError(f"{folder}: expected {wanted[kind]}, found a model of type {loaded.model_type}")
    return config


def _config(text: LlamaConfig, tower: CLIPVisionConfig, tokenizer: PreTrainedTokenizerBase) -> LlavaConfig:
    """Return LLaVA's configuration; the vocabulary in ``text`` grows by the added tokens."""
    image, pad = tokenizer.convert_tokens_to_ids([IMAGE_TOKEN, PAD_TOKEN])
    needed = max(text.vocab_size, image + 1, pad + 1)
    text.vocab_size = -(-needed // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
    text.pad_token_id = pad
    text.bos_token_id, text.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    config = LlavaConfig(
        vision_config=tower,
        text_config=text,
        image_token_index=image,
        image_seq_length=(tower.image_size // tower.patch_size) ** 2,
        projector_hidden_act="gelu",
        vision_feature_layer=FEATURE_LAYER,
        vision_feature_select_strategy="default",
        pad_token_id=pad,
        tie_word_embeddings=False,
    )
    config.architectures = ["LlavaForConditionalGeneration"]
    config.dtype = text.dtype
    return config


def _check_tensors(
    tensors: Mapping[str, StoredTensor], config: LlavaConfig, vocabulary: int, components: Components
) -> None:
    """Hold the tensors' names and shapes to those of a LLaVA of this configuration with the old ``vocabulary``."""
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    for name in (_rename(name, MODULE_NAMES) for name in TOKEN_MATRICES):
        expected[name] = (vocabulary, *expected[name][1:])
    renamed = {_rename(name, MODULE_NAMES): tensor for name, tensor in tensors.items()}
    for name, tensor in renamed.items():
        if name not in expected:
            raise VisatbError(
                f"{tensor.file}: holds {tensor.name}, which has no place in a LLaVA-1.5 of these components"
            )
    for name, shape in expected.items():
        if name not in renamed:
            raise VisatbError(
                f"{_component_of(name, components)}: no weights for {name}, of shape {list(shape)}; "
                "take a whole component"
            )
        if renamed[name].shape != shape:
            raise VisatbError(
                f"{renamed[name].file}: {renamed[name].name} has the shape {list(renamed[name].shape)}, expected "
                f"{list(shape)}; {_sizes(config)}. Take components that belong together"
            )


def _component_of(name: str, components: Components) -> str:
    if "multi_modal_projector" in name:
        return components.projector
    return components.vision_tower if "vision_tower" in name else components.language_model


def _sizes(config: LlavaConfig) -> str:
    return (
        f"the vision tower's features have {config.vision_config.hidden_size} numbers and the language model's "
        f"{config.text_config.hidden_size}, by their config.json"
    )


def _check_disk(needed: int, output: Path) -> None:
    parent = next(folder for folder in output.absolute().parents if folder.exists())
    free = shutil.disk_usage(parent).free
    if free < 1.02 * needed:
        raise VisatbError(
            f"{output}: the checkpoint needs {needed / 1e9:.1f} GB of disk, but {parent} has {free / 1e9:.1f} GB left; "
            "make room, or put it elsewhere (checkpoint in the model file)"
        )


def _generation_config(config: LlavaConfig) -> GenerationConfig:
    text = config.text_config
    return GenerationConfig(
        bos_token_id=text.bos_token_id, eos_token_id=text.eos_token_id, pad_token_id=text.pad_token_id, do_sample=False
    )


def _processor(tokenizer: PreTrainedTokenizerBase, vision: Path, config: LlavaConfig) -> LlavaProcessor:
    processor = LlavaProcessor(
        image_processor=padding_image_processor(clip_colours(vision), config.vision_config.image_size),
        tokenizer=tokenizer,
        patch_size=config.vision_config.patch_size,
        vision_feature_select_strategy=config.vision_feature_select_strategy,
        num_additional_image_tokens=1,
        chat_template=read_template("vicuna_v1"),
    )
    leave_beginning_to_template(processor)
    return processor
