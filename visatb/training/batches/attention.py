"""Attention within each sample of a packed row: padded for attention alone, so that no mask is as long as the row."""

from collections.abc import Callable, MutableMapping
from typing import Any

import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.models.llama.modeling_llama import eager_attention_forward

BY_SAMPLE = {"eager": "eager_by_sample", "sdpa": "sdpa_by_sample"}
"""Names of transformers' implementations -> those of here. Flash attention tells samples apart by itself."""


def attend_by_sample(model: PreTrainedModel, attention: str) -> None:
    """Let the language model attend within the samples of a row as ``attention`` attends within rows.

    A row with ``position_ids`` that begin at 0 several times holds as many samples. transformers makes no mask for
    these implementations: what is padded is padded on the right, where causal attention does not look.
    """
    if attention in BY_SAMPLE:
        model.set_attn_implementation({"text_config": BY_SAMPLE[attention]})


def _by_sample(attend: Callable[..., tuple[torch.Tensor, Any]]) -> Callable[..., tuple[torch.Tensor, None]]:
    """Return an implementation for transformers that attends within each sample as ``attend`` does within a row.

    It gives [rows, tokens, heads, features].
    """

    def attention(
        module: nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        position_ids: torch.Tensor | None = None,
        **options: Any,
    ) -> tuple[torch.Tensor, None]:
        samples = _samples(query, position_ids)
        attended, _ = attend(module, *(samples.apart(states) for states in (query, key, value)), **options)
        return samples.together(attended), None

    return attention


def _eager(
    module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **options: Any
) -> tuple[torch.Tensor, Any]:
    longest = query.shape[2]
    mask = query.new_full((longest, longest), torch.finfo(query.dtype).min).triu(1)
    return eager_attention_forward(module, query, key, value, mask, **options)


def _sdpa(
    module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **options: Any
) -> tuple[torch.Tensor, Any]:
    return sdpa_attention_forward(module, query, key, value, None, **{**options, "is_causal": True})


class _Samples:
    """Where the samples of a batch stand in its rows, and in rows of their own that are padded to the longest."""

    def __init__(self, position_ids: torch.Tensor) -> None:
        starts = (position_ids.flatten() == 0).nonzero()[:, 0]
        lengths = torch.diff(starts, append=starts.new_tensor([position_ids.numel()]))
        self._longest = int(lengths.max())
        of_each = torch.arange(len(starts), device=starts.device).repeat_interleave(lengths)
        self._places = torch.arange(len(of_each), device=starts.device) + (of_each * self._longest - starts[of_each])
        self._shape, self._rows = (len(starts), self._longest), position_ids.shape

    def apart(self, states: torch.Tensor) -> torch.Tensor:
        """Return states [rows, heads, tokens, features] as [samples, heads, longest, features]."""
        tokens = states.transpose(1, 2).flatten(0, 1)
        padded = tokens.new_zeros(self._shape[0] * self._longest, *tokens.shape[1:])
        return padded.index_copy(0, self._places, tokens).unflatten(0, self._shape).transpose(1, 2)

    def together(self, states: torch.Tensor) -> torch.Tensor:
        """Return states [samples, longest, heads, features] as [rows, tokens, heads, features]."""
        return states.flatten(0, 1).index_select(0, self._places).unflatten(0, self._rows)


_FOUND: MutableMapping[torch.Tensor, _Samples] = WeakIdKeyDictionary()
"""By the positions, which all layers are given, so that a batch is looked through once: a GPU is waited for then."""


def _samples(query: torch.Tensor, position_ids: torch.Tensor | None) -> _Samples:
    rows, _, tokens, _ = query.shape
    if position_ids is None:
        position_ids = torch.arange(tokens, device=query.device)[None]
    if position_ids not in _FOUND:
        _FOUND[position_ids] = _Samples(position_ids.expand(rows, tokens))
    return _FOUND[position_ids]


for _name, _attend in (("eager", _eager), ("sdpa", _sdpa)):
    AttentionInterface.register(BY_SAMPLE[_name], _by_sample(_attend))
