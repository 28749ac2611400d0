"""The weights of an assembled checkpoint: copied shard by shard, bit for bit, in the number format that they had."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from huggingface_hub import split_state_dict_into_shards_factory
from safetensors import SafetensorError
from safetensors.torch import save_file

from visatb.errors import VisatbError
from visatb.models.weight_files import StoredTensor, open_tensors
from visatb.runtime.files import write_json

TOKEN_MATRICES = ("language_model.model.embed_tokens.weight", "language_model.lm_head.weight")
"""The matrices with a row a token."""


def write_weights(sources: Mapping[str, StoredTensor], vocabulary: int, folder: Path, shard_size: int) -> None:
    """Write tensors as shards, reading a shard's at a time.

    Args:
        sources: name in the new checkpoint -> the tensor as it is stored now.
        vocabulary: rows of the matrices of tokens (`TOKEN_MATRICES`); what they lack is the mean of their rows.
        folder: where ``model*.safetensors`` go.
        shard_size: bytes of a file at most.

    Raises:
        VisatbError: a file cannot be written.
    """
    plan = split_state_dict_into_shards_factory(
        dict(sources),
        get_storage_size=lambda tensor: tensor.size,
        filename_pattern="model{suffix}.safetensors",
        max_shard_size=shard_size,
    )
    for name, members in plan.filename_to_tensors.items():
        tensors = dict(_read(sources, members, vocabulary))
        try:
            save_file(tensors, folder / name, metadata={"format": "pt"})
        except (SafetensorError, OSError) as error:
            raise VisatbError(f"{folder.parent}: the checkpoint cannot be written there ({error})") from error
    if plan.is_sharded:
        index = {"metadata": plan.metadata, "weight_map": plan.tensor_to_filename}
        write_json(folder / "model.safetensors.index.json", index)


def _read(
    sources: Mapping[str, StoredTensor], members: Iterable[str], vocabulary: int
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the named tensors; their files are opened here and closed with the last tensor that is let go."""
    opened: dict[Path, dict[str, torch.Tensor]] = {}
    for name in members:
        stored = sources[name]
        if stored.file not in opened:
            opened[stored.file] = open_tensors(stored.file)
        tensor = opened[stored.file][stored.name]
        yield name, (_enlarged(tensor, vocabulary) if name in TOKEN_MATRICES else tensor).contiguous()


def _enlarged(matrix: torch.Tensor, rows: int) -> torch.Tensor:
    mean = matrix.mean(dim=0, keepdim=True, dtype=torch.float32).to(matrix.dtype)
    return torch.cat([matrix, mean.expand(rows - len(matrix), -1)])
