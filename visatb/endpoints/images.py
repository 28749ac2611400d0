"""Pictures as requests to a model hold them: the file as it is, or a JPEG of at most so many pixels a side."""

import base64
import hashlib
import mimetypes
from io import BytesIO
from pathlib import Path

from PIL import ExifTags, Image

from visatb.data.chat import open_image
from visatb.errors import VisatbError

QUALITY = 90
PLAIN_FORMATS = ("JPEG", "PNG")


def digest_of(path: str) -> str:
    """Return the SHA-256 of a picture's file."""
    return hashlib.sha256(_content(path)).hexdigest()


def as_data_url(path: str, side: int | None = None, digest: str | None = None) -> str:
    """Return a picture as a ``data:`` address.

    Args:
        path: the file.
        side: its longest side in pixels is reduced to this, and it becomes a JPEG; None sends the file as it is.
        digest: SHA-256 that the file had when it was first looked at.

    Raises:
        VisatbError: the file cannot be read, or has changed since.
    """
    content = _content(path)
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise VisatbError(f"{path}: the picture has changed since it was listed; make the list of pictures again")
    kind = mimetypes.guess_type(path)[0] or "image/jpeg"
    if side is not None:
        kind, content = "image/jpeg", jpeg(path, content, side)
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def as_seen_url(path: str, digest: str | None = None) -> str:
    """Return a picture as a ``data:`` address with the pixels of `visatb.data.chat.open_image`, whoever opens it.

    A JPEG or PNG that every reader takes for the same colours is sent as it is. Of others, such as one with a note that
    it is to be turned or with transparency, a PNG is made.

    Args:
        path: the file.
        digest: SHA-256 that the file had when it was first looked at.

    Raises:
        VisatbError: the file cannot be opened as an image, or has changed since.
    """
    seen = open_image(path)
    with Image.open(path) as image:
        plain = image.format in PLAIN_FORMATS and image.mode == "RGB" and "transparency" not in image.info
        plain = plain and image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    if plain:
        return as_data_url(path, digest=digest)
    output = BytesIO()
    seen.save(output, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(output.getvalue()).decode()}"


def jpeg(path: str, content: bytes, side: int, quality: int = QUALITY) -> bytes:
    """Return the JPEG of a picture whose longest side is at most ``side`` pixels."""
    try:
        with Image.open(BytesIO(content)) as image:
            image.draft("RGB", (side, side))
            small = image.convert("RGB")
        small.thumbnail((side, side))
        output = BytesIO()
        small.save(output, "JPEG", quality=quality)
    except Exception as error:  # Pillow's decoders raise what they like
        raise VisatbError(f"{path}: the picture cannot be read ({error}); mend it or take it away") from error
    return output.getvalue()


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise VisatbError(f"{path}: the picture to be sent cannot be read ({error.strerror})") from error
