"""Token losses from a model's output head: at labelled positions alone, and in parts where these are many."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable
from transformers import TrainingArguments

from visatb.training.batches.collator import IGNORED

LOGITS_AT_ONCE = 2**27
"""More logits than these, half a GiB in 32 bits, are made in parts (docs/performance.md, The output head)."""
_WORDS_AT_ONCE = 2**13


def _head_of(model: nn.Module) -> Any:
    """Return the output head, as models of transformers name it."""
    return cast(Any, model).get_output_embeddings()


@contextmanager
def head_sees_only(model: nn.Module, positions: torch.Tensor) -> Iterator[None]:
    """Let the output head work on ``positions`` [samples, tokens] (bool) alone: logits are [positions, vocabulary]."""
    head = _head_of(model)
    handle = head.register_forward_pre_hook(lambda _, arguments: (arguments[0][positions], *arguments[1:]))
    try:
        yield
    finally:
        handle.remove()


class Head:
    """Computes the token losses of one training; after a try it knows whether its model's may be made in parts.

    Args:
        unwrap: gives the model that has the head from what wraps it for several devices.
        arguments: the training's.
    """

    def __init__(self, unwrap: Callable[[nn.Module], nn.Module], arguments: TrainingArguments) -> None:
        self._unwrap, self._smoothing = unwrap, arguments.label_smoothing_factor
        self._unwrapped: tuple[nn.Module, nn.Module] | None = None
        self._in_parts: bool | None = None

    def losses_of(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss of each token [positions] from ``logits`` [positions, vocabulary], in 32 bits or more.

        With label smoothing it is (1 - epsilon) nll + epsilon times the mean of -log p over the vocabulary.
        """
        wide = logits.to(_wide(logits.dtype))
        return F.cross_entropy(wide, targets, reduction="none", label_smoothing=self._smoothing)

    def token_losses(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        labels: torch.Tensor,
        step_tokens: float,
        logits_wanted: bool = False,
    ) -> tuple[torch.Tensor, Any]:
        """Return the loss of each labelled token of a batch, in the order of the rows, and the model's outputs.

        The logits among the outputs are those of the labelled positions [positions, vocabulary]; where they were made
        in parts, the losses stand in their place.

        Args:
            model: the model, or what wraps it.
            inputs: what it is called with.
            labels: [samples, tokens], shifted here; `IGNORED` where nothing is supervised.
            step_tokens: the count of labelled tokens in the whole optimiser step, the same on all ranks.
            logits_wanted: never make them in parts.
        """
        supervised = labels[:, 1:] != IGNORED
        targets, positions = labels[:, 1:][supervised], F.pad(supervised, (0, 1))
        base = self._base(model)
        head = _head_of(base)
        if _is_a_matrix(head):
            # All ranks must try at the same time, since they may share parameters: a count decides that all know.
            if self._in_parts is None and step_tokens * head.out_features > LOGITS_AT_ONCE:
                self._in_parts = _returns_its_heads_logits(model, base, inputs, positions)
            if self._in_parts and not logits_wanted and len(targets) * head.out_features > LOGITS_AT_ONCE:
                with _head_gives_losses(head, positions, targets, self._smoothing):
                    outputs = model(**inputs, use_cache=False)
                return outputs.logits, outputs
        with head_sees_only(base, positions):
            outputs = model(**inputs, use_cache=False)
        return self.losses_of(outputs.logits, targets), outputs

    def _base(self, model: nn.Module) -> nn.Module:
        # Accelerate looks through all submodules, which takes 2 % of the demo's step.
        if self._unwrapped is None or self._unwrapped[0] is not model:
            self._unwrapped = model, self._unwrap(model)
        return self._unwrapped[1]


def _is_a_matrix(head: nn.Module) -> bool:
    """Tell an adapter's layer, or one that accelerate moves between devices by a forward of its own, from a matrix."""
    return type(head) is nn.Linear and "forward" not in vars(head)


@torch.no_grad()
def _returns_its_heads_logits(
    model: nn.Module, base: nn.Module, inputs: dict[str, Any], positions: torch.Tensor
) -> bool:
    """Try out whether the model returns its head's logits as they are, which some scale or cap.

    The forward pass, with the logits of the first of ``positions``, leaves the random state as it was.
    """
    first = torch.zeros_like(positions)
    first.view(-1)[positions.flatten().int().argmax()] = True
    own: list[torch.Tensor] = []
    hook = _head_of(base).register_forward_hook(lambda *given: own.append(given[2].clone()))
    on_cpu = positions.device.type == "cpu"
    undone = torch.random.fork_rng(
        [] if on_cpu else [positions.device], device_type="cuda" if on_cpu else positions.device.type
    )
    try:
        with undone, head_sees_only(base, first):
            logits = model(**inputs, use_cache=False).logits
    finally:
        hook.remove()
    return bool(own[0].any()) and torch.equal(logits.float(), own[0].float())


@contextmanager
def _head_gives_losses(
    head: nn.Linear, positions: torch.Tensor, targets: torch.Tensor, smoothing: float
) -> Iterator[None]:
    """Let the head return the loss of ``targets`` [positions] instead of logits.

    It is called as ever, so that what gathers its parameters or waits for their gradients does so.
    """

    def losses(hidden: torch.Tensor) -> torch.Tensor:
        kind = hidden.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else head.weight.dtype
        return _LossesInParts.apply(hidden[positions], head.weight, head.bias, targets, dtype, smoothing)

    head.forward = losses  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        del head.forward


class _LossesInParts(torch.autograd.Function):
    """The (smoothed) cross-entropy of ``hidden @ weight.T + bias`` with at most `LOGITS_AT_ONCE` logits at a time.

    They are made once more in the backward pass. As under autocast, products are computed in ``dtype``; losses and the
    gradient of the logits in 32 bits or more, and so are sums over parts, which torch's own `linear_cross_entropy`
    rounds to ``dtype``, as well as the losses and the gradient with which it is called.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        dtype: torch.dtype,
        smoothing: float = 0.0,
    ) -> torch.Tensor:
        """Return the losses [positions] of ``hidden`` [positions, features]."""
        narrow, offset = weight.to(dtype), None if bias is None else bias.to(dtype)
        maxima, sums, own = [], [], []
        for rows in _parts(len(hidden), len(weight)):
            logits = F.linear(hidden[rows].to(dtype), narrow, offset).to(_wide(dtype))
            own.append(_smoothed(logits.gather(1, targets[rows, None])[:, 0], logits, smoothing))
            maxima.append(logits.amax(dim=1))
            sums.append(logits.sub_(maxima[-1][:, None]).exp_().sum(dim=1))
            del logits
        log_sums = torch.cat(sums).log_().add_(torch.cat(maxima))
        ctx.save_for_backward(hidden, weight, bias, targets, log_sums)
        ctx.dtype, ctx.smoothing = dtype, smoothing
        return log_sums - torch.cat(own)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients of hidden, weight and bias from that of the losses [positions]."""
        hidden, weight, bias, targets, log_sums = ctx.saved_tensors
        narrow, offset = weight.to(ctx.dtype), None if bias is None else bias.to(ctx.dtype)
        wanted = ctx.needs_input_grad
        of_hidden = torch.empty_like(hidden) if wanted[0] else None
        of_weight = torch.zeros_like(weight, dtype=_wide(weight.dtype)) if wanted[1] else None
        of_bias = torch.zeros_like(bias, dtype=_wide(bias.dtype)) if bias is not None and wanted[2] else None
        for rows in _parts(len(hidden), len(weight)):
            part = hidden[rows].to(ctx.dtype)
            logits = F.linear(part, narrow, offset).to(_wide(ctx.dtype))
            by_logits = _by_logits(logits, log_sums[rows], targets[rows], gradients[0][rows], ctx.smoothing)
            if of_bias is not None:
                of_bias += by_logits.sum(dim=0)
            rounded = by_logits.to(ctx.dtype)
            del logits, by_logits
            if of_hidden is not None:
                of_hidden[rows] = rounded @ narrow
            if of_weight is not None:
                _add_product(of_weight, rounded, part)
        return of_hidden, _as(of_weight, weight), _as(of_bias, bias), None, None, None


def _parts(positions: int, words: int) -> list[slice]:
    """Return the rows of each part, all of about the same size and one at least."""
    parts = max(1, -(-positions * words // LOGITS_AT_ONCE))
    size = max(1, -(-positions // parts))
    return [slice(start, start + size) for start in range(0, max(1, positions), size)]


def _smoothed(own: torch.Tensor, logits: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Return the targets' logits ``own`` [positions], smoothed by the mean of all [positions, vocabulary]."""
    return (1 - smoothing) * own + smoothing * logits.mean(dim=1) if smoothing else own


def _by_logits(
    logits: torch.Tensor, log_sums: torch.Tensor, targets: torch.Tensor, gradients: torch.Tensor, smoothing: float
) -> torch.Tensor:
    """Return (softmax - smoothed one-hot) times the gradient of the loss, in the place of the logits."""
    logits.sub_(log_sums[:, None]).exp_()
    logits.scatter_add_(1, targets[:, None], logits.new_full((len(logits), 1), smoothing - 1.0))
    if smoothing:
        logits.sub_(smoothing / logits.shape[1])
    return logits.mul_(gradients[:, None])


def _add_product(total: torch.Tensor, by_logits: torch.Tensor, hidden: torch.Tensor) -> None:
    """Add ``by_logits.T @ hidden`` [vocabulary, features] to ``total``, which may be of more bits."""
    if total.dtype == hidden.dtype:
        total.addmm_(by_logits.T, hidden)
        return
    # Of the product, and of its copy in the sum's bits, there is never more than a slice.
    for words, columns in zip(total.split(_WORDS_AT_ONCE), by_logits.split(_WORDS_AT_ONCE, dim=1), strict=True):
        words.add_(columns.T @ hidden)


def _as(gradient: torch.Tensor | None, parameter: torch.Tensor) -> torch.Tensor | None:
    return None if gradient is None else gradient.to(parameter.dtype)


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)
