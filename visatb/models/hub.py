"""Names of checkpoints: a folder, or a name on the hub with the revision after an ``@``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

from visatb.errors import VisatbError


def split_revision(source: str | Path) -> tuple[str, str | None]:
    """Return the folder or hub name, and the revision of the latter: ``owner/name@revision``, or None."""
    name, mark, revision = str(source).rpartition("@")
    if not mark or Path(source).exists():
        return str(source), None
    return name, revision


def from_hub_or_folder(source: str | Path) -> dict[str, Any]:
    """Return the arguments by which ``from_pretrained`` of transformers finds ``source``. No remote code is run."""
    name, revision = split_revision(source)
    return {"pretrained_model_name_or_path": name, "revision": revision or "main", "trust_remote_code": False}


def local_folder(source: str, patterns: Sequence[str]) -> Path:
    """Return a folder on this machine with the files of ``source`` that match ``patterns``.

    Raises:
        VisatbError: ``source`` is no folder, and the hub cannot give it.
    """
    if Path(source).is_dir():
        return Path(source)
    name, revision = split_revision(source)
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(patterns)))
    except (OSError, ValueError) as error:
        raise not_found(source, error) from error


def not_found(source: str | Path, error: Exception) -> VisatbError:
    """Return the error that ``source`` is neither a folder here nor to be had from the hub."""
    reason = " ".join(str(error).split())[:300]
    return VisatbError(
        f"{source}: there is no such folder, and the hub does not give a model of this name ({reason}). Correct the "
        "name, connect to the network (with HF_HUB_OFFLINE unset), or download it and name the folder"
    )
