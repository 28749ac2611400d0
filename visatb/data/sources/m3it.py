"""M3IT: one question a record with its image inside, as JSON lines or Parquet."""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from visatb.data.bad_records import BadRecordError, kind_of
from visatb.data.json_records import located_records
from visatb.data.records import encodable
from visatb.data.sources.conversations import Conversation
from visatb.errors import VisatbError
from visatb.runtime.files import atomic_path

COLUMNS = ("instruction", "inputs", "outputs", "image_base64_str")
ROWS_AT_A_TIME = 256


def m3it_records(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield (location, record) of a file of M3IT; raise `VisatbError` if it cannot be read or lacks a column."""
    if path.suffix != ".parquet":
        yield from ((location, record) for location, _, record in located_records(path))
        return
    try:
        with pq.ParquetFile(path) as file:
            if missing := set(COLUMNS).difference(file.schema_arrow.names):
                raise VisatbError(f"{path}: has no column {', '.join(sorted(missing))}; M3IT has {', '.join(COLUMNS)}")
            batches = file.iter_batches(ROWS_AT_A_TIME, columns=list(COLUMNS))
            rows = (row for batch in batches for row in batch.to_pylist())
            yield from ((f"{path}, row {number}", row) for number, row in enumerate(rows, start=1))
    except (OSError, pa.ArrowInvalid) as error:
        raise VisatbError(f"{path}: cannot be read as a Parquet file ({error})") from error


def m3it_conversation(record: Any, name: str, images: Path) -> Conversation:
    """Return a record of M3IT as a conversation, its image written below ``images``; or raise `BadRecordError`.

    The question is the instruction and, on the next line, the inputs if there are any.
    """
    if not isinstance(record, dict):
        raise BadRecordError("no record", f"expected an object with {', '.join(COLUMNS)}, found {kind_of(record)}")
    texts = {key: "" if (value := record.get(key)) is None else value for key in COLUMNS[:3]}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise BadRecordError("turn value", f"'{key}' is {kind_of(text)}, expected text")
        encodable(text)
    question = "\n".join(filter(None, (texts["instruction"].strip(), texts["inputs"].strip())))
    answer = texts["outputs"].strip()
    if not question or not answer:
        raise BadRecordError("empty turn", "'outputs' is empty" if question else "'instruction' and 'inputs' are empty")
    image = stored_image(_image_bytes(record.get("image_base64_str")), images)
    return Conversation(name, image, ((question, answer),), (answer,))


def _image_bytes(encoded: Any) -> bytes:
    if isinstance(encoded, list):
        if len(encoded) != 1:
            raise BadRecordError("image", f"holds {len(encoded)} images, expected one")
        encoded = encoded[0]
    if not isinstance(encoded, str) or not encoded:
        raise BadRecordError("image", f"'image_base64_str' is {kind_of(encoded or None)}, expected an image in base64")
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRecordError("unreadable image", f"'image_base64_str' is no base64 ({error})") from error


def stored_image(data: bytes, folder: Path) -> str:
    """Write an image under a name made from its content, unless it is there, and return its path from ``folder``."""
    try:
        with Image.open(BytesIO(data)) as image:
            ending = (image.format or "image").lower()
    except Exception as error:  # Pillow's decoders raise what they like
        raise BadRecordError("unreadable image", f"'image_base64_str' holds no image ({error})") from error
    digest = hashlib.sha256(data).hexdigest()[:32]
    name = f"{digest[:2]}/{digest}.{ending}"
    if not (folder / name).is_file():
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(data)
    return name
