"""The one place that knows LLaVA from Qwen2-VL: loading models and processors, and naming their parts.

A checkpoint is named by its folder, or by its name on the hub with the revision after an ``@``.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    PretrainedConfig,
    PreTrainedModel,
    ProcessorMixin,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.utils import is_torchvision_available

from visatb.errors import VisatbError
from visatb.models.hub import from_hub_or_folder, not_found

TEMPLATES = Path(__file__).with_name("templates")
# A part is a list of submodules; Qwen2-VL keeps its projector (the merger) inside the vision tower.
PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "llava": {
        "vision_tower": ("model.vision_tower",),
        "projector": ("model.multi_modal_projector",),
        "language_model": ("model.language_model", "lm_head"),
    },
    "qwen2_vl": {
        "vision_tower": ("model.visual.patch_embed", "model.visual.blocks"),
        "projector": ("model.visual.merger",),
        "language_model": ("model.language_model", "lm_head"),
    },
}
FAMILIES = tuple(PARTS)
FAMILY_TEMPLATES = {"llava": "vicuna_v1", "qwen2_vl": "qwen2_vl"}
PART_NAMES = ("vision_tower", "projector", "language_model")


class Qwen2VLProcessor(transformers.Qwen2VLProcessor):
    """Qwen2-VL's processor without the video half, which needs torchvision. The name is what gets saved."""

    def __init__(self, image_processor=None, tokenizer=None, chat_template=None) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        super().__init__(image_processor, tokenizer, None, chat_template=chat_template)


def read_template(name: str) -> str:
    """Return a chat template of this package, which marks answers with ``{% generation %}``.

    Raises `VisatbError` for a name other than ``vicuna_v1``, ``vicuna_v1_short`` and ``qwen2_vl``.
    """
    path = TEMPLATES / f"{name}.jinja"
    if not path.is_file():
        known = ", ".join(sorted(template.stem for template in TEMPLATES.glob("*.jinja")))
        raise VisatbError(f"chat template {name!r} is not known; expected one of {known}")
    return path.read_text(encoding="utf-8")


def model_family(path: str | Path) -> str:
    """Return the family (`FAMILIES`) of a model folder or hub name, read from its config."""
    return load_config(path).model_type


def load_config(path: str | Path) -> PretrainedConfig:
    """Return the configuration of a model folder or hub name, of a family and layout that are known here.

    Raises:
        VisatbError: there is none, or it is of another family or layout.
    """
    try:
        config = AutoConfig.from_pretrained(**from_hub_or_folder(path))
    except (OSError, ValueError) as error:
        if Path(path).is_dir():
            raise VisatbError(f"{path}: no model configuration can be read there ({error})") from error
        raise not_found(path, error) from error
    known_family(config.model_type, str(path))
    if hasattr(config, "mm_vision_tower"):
        raise VisatbError(
            f"{path}: is in the layout of LLaVA's own code, expected that of transformers, as of "
            "llava-hf/llava-1.5-7b-hf; take the converted checkpoint, or assemble one"
        )
    return config


def known_family(family: str, where: str) -> str:
    """Return ``family`` if it is one of `FAMILIES`, else raise `VisatbError` that names ``where``."""
    if family not in FAMILIES:
        raise VisatbError(f"{where}: model family {family!r} is not supported; expected {' or '.join(FAMILIES)}")
    return family


def load_processor(path: str | Path) -> ProcessorMixin:
    """Load the processor (tokenizer and image processor) of a model folder or hub name.

    A chat template that does not mark the answers, as those on the hub, is replaced by the family's own here, which
    is saved with every checkpoint: without the marks no token would be supervised. LLaVA's image processor is made to
    pad to squares, whatever the checkpoint says: the hub's crops.

    Raises:
        VisatbError: there is no processor of a known family, or a hub name cannot be had.
    """
    config = load_config(path)
    without_video = config.model_type == "qwen2_vl" and not is_torchvision_available()
    kind = Qwen2VLProcessor if without_video else AutoProcessor
    try:
        processor = kind.from_pretrained(**from_hub_or_folder(path))
    except (OSError, ValueError) as error:
        raise VisatbError(f"{path}: its processor (tokenizer, image processor) cannot be loaded ({error})") from error
    if not re.search(r"{%-?\s*generation", processor.chat_template or ""):
        processor.chat_template = read_template(FAMILY_TEMPLATES[config.model_type])
    leave_beginning_to_template(processor)
    if config.model_type == "llava":
        _see_squares(processor, config)
    return processor


def leave_beginning_to_template(processor: ProcessorMixin) -> None:
    """Stop the tokenizer from adding the token that the template writes: readers add special tokens or do not."""
    tokenizer = processor.tokenizer
    if "bos_token" in processor.chat_template and tokenizer.bos_token:
        tokenizer.add_bos_token = False


def _see_squares(processor: ProcessorMixin, config: PretrainedConfig) -> None:
    tower = config.vision_config
    processor.image_processor = padding_image_processor(processor.image_processor, tower.image_size)
    processor.patch_size = tower.patch_size
    processor.vision_feature_select_strategy = config.vision_feature_select_strategy
    if tower.model_type == "clip_vision_model":
        processor.num_additional_image_tokens = 1


def padding_image_processor(colours: object, side: int) -> LlavaImageProcessorPil:
    """Return the image processor of LLaVA-1.5: pad to a square with the mean colour, resize to ``side`` pixels.

    Mean and deviation are those of the image processor ``colours``. Pillow resizes, as in LLaVA's own code, with or
    without torchvision: so the pixels are the same on every machine.
    """
    square = {"height": side, "width": side}
    return LlavaImageProcessorPil(
        do_pad=True,
        do_center_crop=False,
        size=square,
        crop_size=square,
        image_mean=colours.image_mean,  # type: ignore[attr-defined]
        image_std=colours.image_std,  # type: ignore[attr-defined]
    )


def clip_colours(folder: Path) -> CLIPImageProcessorPil:
    """Return the image processor in a CLIP's folder, or OpenAI's if there is none."""
    if (folder / "preprocessor_config.json").is_file():
        return CLIPImageProcessorPil.from_pretrained(folder)
    return CLIPImageProcessorPil()


def load_model(path: str | Path, dtype: torch.dtype, attention: str | None = None) -> PreTrainedModel:
    """Load a model for image and text to text in ``dtype`` with the attention implementation ``attention``.

    ``attention`` is ``eager``, ``sdpa``, ``flash_attention_2`` or None for the library's choice. Only safetensors are
    read.

    Raises:
        VisatbError: there is no model of a known family, or its weights are missing, broken or incomplete.
    """
    load_config(path)
    try:
        model, loading = AutoModelForImageTextToText.from_pretrained(
            **from_hub_or_folder(path),
            dtype=dtype,
            attn_implementation=attention,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise VisatbError(f"{path}: its weights cannot be loaded ({error})") from error
    except RuntimeError as error:
        if "mismatched" not in str(error):
            raise
        raise VisatbError(
            f"{path}: its weights have other shapes than its config.json says (the lines before this one name them); "
            "take both from the same checkpoint"
        ) from error
    missing = sorted(loading["missing_keys"])
    if missing:
        raise VisatbError(
            f"{path}: has no weights for {', '.join(missing[:3])} ({len(missing)} in all), which would start at random;"
            " get the whole checkpoint"
        )
    # Undone when the model is saved. Under ZeRO-3 transformers also keeps renamings that met no tensor of this
    # checkpoint, and saving would invent names by them.
    model._weight_conversions = [
        conversion for conversion in getattr(model, "_weight_conversions", []) if conversion.was_used()
    ]
    return model


def freeze(model: PreTrainedModel, parts: Sequence[str]) -> None:
    """Stop the gradients of the named parts (`PART_NAMES`) of the model; the others are trained.

    Raises `VisatbError` for an unknown part or family, and when nothing would be left to train.
    """
    modules = PARTS[known_family(model.config.model_type, "freeze")]
    unknown = sorted(set(parts) - set(modules))
    if unknown:
        raise VisatbError(f"freeze: {', '.join(unknown)} is no part of a model; expected {', '.join(modules)}")
    model.requires_grad_(True)
    for part in parts:
        for name in modules[part]:
            model.get_submodule(name).requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise VisatbError(f"freeze: with {', '.join(parts)} frozen nothing of the model is left to train")


def skip_unused_layers(model: PreTrainedModel) -> None:
    """Let the layers of LLaVA's vision tower after the one that it takes the picture from cost nothing.

    They keep their parameters, which get no gradient either way.
    """
    if model.config.model_type != "llava":
        return
    layers, taken = model.model.vision_tower.encoder.layers, model.config.vision_feature_layer
    states = [taken] if isinstance(taken, int) else taken
    last = max(state % (len(layers) + 1) for state in states)
    for layer in layers[last:]:
        layer.forward = lambda hidden_states, *_, **__: hidden_states


def rope_index(model: PreTrainedModel) -> Callable[..., Any] | None:
    """Return Qwen2-VL's own function from a padded batch to its positions; None for models with one of a token."""
    function: Callable[..., Any] | None = getattr(model.model, "get_rope_index", None)
    return function
