"""The images of a folder: whether each can be read, found out once, by several processes where there are many."""

import os
from collections.abc import Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType

from PIL import Image

from visatb.data.bad_records import BadRecordError, kind_of

MANY = 256
"""New images for which it pays to start processes."""

CHUNK = 32
"""Images that a process takes at a time."""

Mistake = tuple[str, str]
"""(kind, detail) of a `BadRecordError`"""


class Images(AbstractContextManager["Images"]):
    """The images of a folder. Each file is looked at once, however many records show it."""

    def __init__(self, folder: str | Path, processes: int = 1) -> None:
        self._folder = str(folder)
        self._processes = processes
        self._looked_at: dict[str, Mistake | None] = {}
        self._pool: Executor | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def look_at(self, names: Iterable[object]) -> None:
        """Look at those images of ``names`` that were not looked at before, side by side."""
        new = [name for name in dict.fromkeys(n for n in names if isinstance(n, str)) if name not in self._looked_at]
        look = partial(mistake_in, self._folder)
        if self._pool is None and self._processes > 1 and len(new) >= MANY:
            self._pool = ProcessPoolExecutor(self._processes, mp_context=get_context("spawn"))
        mistakes = map(look, new) if self._pool is None else self._pool.map(look, new, chunksize=CHUNK)
        self._looked_at.update(zip(new, mistakes, strict=True))

    def path(self, name: object) -> str:
        """Return the path of an image from the working directory; raise `BadRecordError` if it cannot be used."""
        if not isinstance(name, str):
            raise BadRecordError("image", f"'image' is {kind_of(name)}, expected the path of one image")
        self.look_at([name])
        mistake = self._looked_at[name]
        if mistake:
            raise BadRecordError(*mistake)
        return str(Path(self._folder) / name)


def mistake_in(folder: str, name: str) -> Mistake | None:
    """Return why an image of a folder cannot be used, or None."""
    path = Path(folder) / name
    try:
        real, real_folder = os.path.realpath(path), os.path.realpath(folder)
        if os.path.commonpath([real, real_folder]) != real_folder:
            return "image outside", f"the image '{name}' lies outside of {folder}"
        if not os.path.isfile(real):
            no_folder = "" if os.path.isdir(folder) else f"; there is no folder {folder} (image_folder)"
            return "missing image", f"the image {path} is not there{no_folder}"
        decode(path)
    except Exception as error:  # Pillow's decoders raise what they like
        return "unreadable image", f"the image {path} cannot be read ({error})"
    return None


def decode(path: Path) -> None:
    """Read an image to its end, a JPEG at an eighth of its size, which is enough to find it cut off or broken."""
    with Image.open(path) as image:
        image.draft(image.mode, (1, 1))
        image.load()
