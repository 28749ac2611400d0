"""The one place that knows LLaVA from Qwen2-VL: loading models and processors, and naming their parts."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    PreTrainedModel,
    ProcessorMixin,
)
from transformers.utils import is_torchvision_available

from visatb.errors import VisatbError

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
        known = ", ".join(sorted(found.stem for found in TEMPLATES.glob("*.jinja")))
        raise VisatbError(f"chat template {name!r} is not known; expected one of {known}")
    return path.read_text(encoding="utf-8")


def model_family(path: str | Path) -> str:
    """Return the family (`FAMILIES`) of a model folder or hub name, read from its config."""
    try:
        found = AutoConfig.from_pretrained(path, trust_remote_code=False).model_type
    except (OSError, ValueError) as error:
        raise VisatbError(f"{path}: no model configuration can be read there ({error})") from error
    return known_family(found, str(path))


def known_family(family: str, where: str) -> str:
    """Return ``family`` if it is one of `FAMILIES`, else raise `VisatbError` that names ``where``."""
    if family not in FAMILIES:
        raise VisatbError(f"{where}: model family {family!r} is not supported; expected {' or '.join(FAMILIES)}")
    return family


def load_processor(path: str | Path) -> ProcessorMixin:
    """Load the processor (tokenizer and image processor) of a model folder or hub name.

    A chat template that does not mark the answers, as those on the hub, is replaced by the family's own here, which
    is saved with every checkpoint: without the marks no token would be supervised.
    """
    family = model_family(path)
    without_video = family == "qwen2_vl" and not is_torchvision_available()
    kind = Qwen2VLProcessor if without_video else AutoProcessor
    processor = kind.from_pretrained(path, trust_remote_code=False)
    if not re.search(r"{%-?\s*generation", processor.chat_template or ""):
        processor.chat_template = read_template(FAMILY_TEMPLATES[family])
    return processor


def load_model(path: str | Path, dtype: torch.dtype, attention: str | None = None) -> PreTrainedModel:
    """Load a model for image and text to text in ``dtype`` with the attention implementation ``attention``.

    ``attention`` is ``eager``, ``sdpa``, ``flash_attention_2`` or None for the library's choice.
    """
    model_family(path)
    return AutoModelForImageTextToText.from_pretrained(
        path, dtype=dtype, attn_implementation=attention, trust_remote_code=False
    )


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
