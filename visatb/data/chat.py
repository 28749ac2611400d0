"""LLaVA-format turns and their image as the models here are shown them. Needs neither torch nor transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from visatb.errors import VisatbError

IMAGE_MARK = "<image>"
ROLES = {"human": "user", "gpt": "assistant", "system": "system"}


def open_image(image: Image.Image | str | Path) -> Image.Image:
    """Return the image in RGB as LLaVA sees it: pixels as stored, not turned by EXIF notes, without transparency.

    Raises:
        VisatbError: naming a file that is missing or no image.
    """
    if isinstance(image, Image.Image):
        return _opaque(image)
    try:
        with Image.open(image) as opened:
            return _opaque(opened)
    except Exception as error:  # Pillow's decoders raise what they like
        raise _not_opened(image, error) from error


def height_and_width(image: str | Path | None) -> tuple[int, int] | None:
    """Return an image's size in pixels, read from the head of its file; None without an image.

    Raises:
        VisatbError: naming a file that is missing or no image.
    """
    if image is None:
        return None
    try:
        with Image.open(image) as opened:
            return opened.height, opened.width
    except Exception as error:  # Pillow's decoders raise what they like
        raise _not_opened(image, error) from error


def _not_opened(image: str | Path, error: Exception) -> VisatbError:
    return VisatbError(
        f"{image}: cannot be opened as an image ({error}); put it back, or take its record out of the data, "
        "and give the same command again"
    )


def _opaque(image: Image.Image) -> Image.Image:
    plain = image.convert("RGB")
    # What is noted here of transparent colours or of the camera's position, transformers would act upon.
    plain.info.clear()
    return plain


def chat_messages(conversations: Sequence[dict[str, str]], image: Image.Image | str | None) -> list[dict[str, Any]]:
    """Return LLaVA-format turns as chat-template messages.

    The image, or the path that stands for it, comes before the text of the human turn that says ``<image>``, or of the
    first one if none does.
    """
    human = [number for number, turn in enumerate(conversations) if turn["from"] == "human"]
    marked = [number for number in human if IMAGE_MARK in conversations[number]["value"]]
    with_image = next(iter(marked or human), None) if image is not None else None
    messages = []
    for number, turn in enumerate(conversations):
        content: list[dict[str, Any]] = [{"type": "text", "text": turn["value"].replace(IMAGE_MARK, "").strip()}]
        if number == with_image:
            content.insert(0, {"type": "image", "image": image})
        messages.append({"role": ROLES[turn["from"]], "content": content})
    return messages
