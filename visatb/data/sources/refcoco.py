"""RefCOCO, RefCOCO+ and RefCOCOg in the REFER layout: ``refs(<who>).p`` (or ``.json``) beside ``instances.json``."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from visatb.data.bad_records import BadRecordError
from visatb.data.records import encodable
from visatb.data.sources.conversations import Conversation
from visatb.errors import VisatbError
from visatb.runtime.files import read_json

Box = tuple[float, float, float, float]


class _PlainUnpickler(pickle.Unpickler):
    """Reads a pickle of numbers, texts, lists and dicts; whatever would call code is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it wants to call {module}.{name}, which plain data does not")


def padded_box(box: Box, width: int, height: int) -> Box:
    """Return a box [x, y, w, h] in pixels as [x1, y1, x2, y2] in 0-1 of the image padded to a square.

    The image lies in the middle of the square, as LLaVA's ``expand2square`` pastes it.
    """
    x, y, w, h = box
    side = max(width, height)
    left, top = (side - width) // 2, (side - height) // 2
    corners = ((x + left) / side, (y + top) / side, (x + w + left) / side, (y + h + top) / side)
    x1, y1, x2, y2 = (min(1.0, max(0.0, corner)) for corner in corners)
    return x1, y1, x2, y2


def box_text(box: Box, decimals: int) -> str:
    """Return a box as LLaVA writes it: ``[0.12, 0.30, 0.45, 0.71]``."""
    return f"[{', '.join(f'{corner:.{decimals}f}' for corner in box)}]"


def refcoco_records(path: Path, part: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (location, reference with its ``width``, ``height``, ``bbox`` and ``image``) of one part.

    Args:
        path: the file of references; ``instances.json`` lies beside it.
        part: ``train``, ``val``, ``testA``, ``testB`` or ``test``.

    Raises:
        VisatbError: a file is missing or broken, or no reference is of this part.
    """
    references = _references(path)
    instances = path.with_name("instances.json")
    try:
        contents = read_json(instances)
        images = {image["id"]: image for image in contents["images"]}
        boxes = {annotation["id"]: annotation["bbox"] for annotation in contents["annotations"]}
    except (KeyError, TypeError) as error:
        raise VisatbError(f"{instances}: expected images and annotations with ids and boxes ({error!r})") from error
    parts = sorted({str(reference.get("split")) for reference in references})
    if part not in parts:
        raise VisatbError(f"{path}: has no part '{part}'; it has {', '.join(parts)}")
    for number, reference in enumerate(references, start=1):
        if reference.get("split") == part:
            image = images.get(reference.get("image_id"), {})
            known = {"width": image.get("width"), "height": image.get("height"), "image": image.get("file_name")}
            yield f"{path}, reference {number}", reference | known | {"bbox": boxes.get(reference.get("ann_id"))}


def _references(path: Path) -> list[dict[str, Any]]:
    try:
        if path.suffix == ".json":
            references = json.loads(path.read_text(encoding="utf-8"))
        else:
            with path.open("rb") as stream:
                references = _PlainUnpickler(stream, encoding="latin1").load()
    except FileNotFoundError as error:
        raise VisatbError(f"{path}: no such file") from error
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, AttributeError) as error:
        raise VisatbError(f"{path}: cannot be read as a list of references ({error})") from error
    if not isinstance(references, list) or not all(isinstance(reference, dict) for reference in references):
        raise VisatbError(f"{path}: expected a list of references")
    return references


def refcoco_conversations(
    reference: dict[str, Any], ask: Literal["caption", "box"], decimals: int, prefix: str, together: bool
) -> list[Conversation]:
    """Return one conversation a sentence of a reference, or raise `BadRecordError`.

    Args:
        reference: from `refcoco_records`.
        ask: for a ``caption`` of a box, or for the ``box`` of a sentence.
        decimals: of the box.
        prefix: goes before the image's file name, e.g. ``coco/train2014/``.
        together: with captions, return one conversation with all sentences as true answers instead.
    """
    name = str(reference.get("ref_id"))
    box, width, height = reference["bbox"], reference["width"], reference["height"]
    if not isinstance(box, list) or len(box) != 4 or not width or not height or not reference["image"]:
        raise BadRecordError("box", f"the reference {name} has no box [x, y, w, h] or image in instances.json")
    where = box_text(padded_box(tuple(box), width, height), decimals)
    image = prefix + reference["image"]
    sentences = [encodable(str(sentence.get("sent") or "")).strip() for sentence in reference.get("sentences", ())]
    if not sentences or not all(sentences):
        raise BadRecordError("empty turn", f"the reference {name} has no sentence, or an empty one")
    if ask == "caption" and together:
        return [Conversation(name, image, ((where, sentences[0]),), tuple(dict.fromkeys(sentences)))]
    pairs = [(where, sentence) if ask == "caption" else (sentence, where) for sentence in sentences]
    return [Conversation(f"{name}-{n}", image, (pair,), (pair[1],)) for n, pair in enumerate(pairs, start=1)]
