"""The pictures of a folder: their content's digest and size, and which of them cannot be used, with the reason."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from PIL import Image

from visatb.data.images import CHUNK, MANY, mistake_in
from visatb.errors import VisatbError
from visatb.runtime.progress import Progress
from visatb.taskgalaxy.tables import Row, kept, rejected

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def picture_names(folder: str | Path) -> list[str]:
    """Return the pictures below a folder by their endings, as paths relative to it, in the order of their names.

    Raises:
        VisatbError: there is no such folder, or no picture in it.
    """
    folder = Path(folder)
    names = sorted(_names(folder))
    if not names:
        what = "there is no picture below it" if folder.is_dir() else "there is no such folder"
        raise VisatbError(f"{folder}: {what}; expected files ending in {', '.join(ENDINGS)} (taskgalaxy.images)")
    return names


def _names(folder: Path) -> Iterator[str]:
    for directory, _, files in os.walk(folder):
        for name in files:
            if name.lower().endswith(ENDINGS):
                yield os.path.relpath(os.path.join(directory, name), folder)


def list_pictures(folder: str | Path, processes: int = 1) -> list[Row]:
    """Return a row of `PICTURE_SCHEMA` for each picture. Of several with the same content, the first one is kept."""
    names = picture_names(folder)
    look = partial(_looked_at, str(folder))
    progress = Progress("list_images", "pictures", len(names))
    rows: list[Row] = []
    first: dict[str, str] = {}
    for row in _mapped(look, names, processes):
        if row["status"] == "kept" and (before := first.setdefault(row["digest"], row["image"])) != row["image"]:
            row |= rejected("same content as another picture", before)
        rows.append(row)
        progress.at(len(rows))
    if not any(row["status"] == "kept" for row in rows):
        raise VisatbError(f"{folder}: none of the {len(rows)} pictures can be used; the first one: {rows[0]['detail']}")
    return rows


def _mapped(look: "partial[Row]", names: list[str], processes: int) -> Iterator[Row]:
    if processes == 1 or len(names) < MANY:
        yield from map(look, names)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(look, names, chunksize=CHUNK)


def _looked_at(folder: str, name: str) -> Row:
    row: Row = {"image": name, "digest": None, "width": None, "height": None, **kept()}
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = name.encode(errors="replace").decode()
        return row | {"image": shown, **rejected("name that is no UTF-8", repr(name))}
    if mistake := mistake_in(folder, name):
        return row | rejected(*mistake)
    path = Path(folder) / name
    with Image.open(path) as image:
        width, height = image.size
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return row | {"digest": digest, "width": width, "height": height}
