"""How much the loss of one token counts, given the tasks of its optimiser step (docs/method.md, The loss)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from visatb.errors import VisatbError, bullet_list

Vector = NDArray[np.float64]


class StepLoss(NamedTuple):
    """Sums over one optimiser step, over all its micro-batches and ranks, shape [tasks] each."""

    nll: Vector
    tokens: Vector


class Weighting(Protocol):
    """A weighting method: from what an optimiser step holds to the coefficient of every token's loss.

    A step t counts from 0. In each step `begin_step` is called first, then `weights` and `coefficients`, then
    `end_step`. All ranks make the same calls with the same numbers.
    """

    def needs_losses(self, step: int) -> bool:
        """Tell whether lambda of this step depends on the step's own losses."""

    def begin_step(self, step: int, losses: StepLoss | None = None) -> None:
        """Fix lambda of a step; ``losses`` are given where `needs_losses`."""

    def weights(self) -> Vector:
        """Return the current lambda of every task, shape [tasks]."""

    def coefficients(self, tokens: Vector) -> Vector:
        """Return what one token's loss is multiplied by, shape [tasks].

        Args:
            tokens: supervised tokens of each task in the whole normalised batch, shape [tasks].
        """

    def end_step(self, step: int, losses: StepLoss) -> None:
        """Take note of the losses of a step that has been made."""

    def state_dict(self) -> dict[str, Any]:
        """Return what later weights depend on, as JSON values."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of another object of the same kind.

        Raises:
            VisatbError: the state is of another method or other tasks.
        """


class WeightedTokens:
    """Eq. 2: lambda_i / sum_j lambda_j T_j for a token of task i. With lambda = 1 it is Eq. 1.

    The weights stay as they are given; methods that change them derive from this class.
    """

    def __init__(self, weights: Vector) -> None:
        self._weights = np.asarray(weights, dtype=np.float64)
        if not np.all(np.isfinite(self._weights) & (self._weights > 0)):
            raise VisatbError(f"task weights must be positive numbers, found {self._weights.tolist()}")

    def needs_losses(self, step: int) -> bool:
        """No weight here depends on losses."""
        return False

    def begin_step(self, step: int, losses: StepLoss | None = None) -> None:
        """Leave the weights as they are."""

    def weights(self) -> Vector:
        """Return lambda, shape [tasks]."""
        return self._weights

    def coefficients(self, tokens: Vector) -> Vector:
        """Return lambda divided by the weighted token count; zeros for a batch without supervised tokens."""
        total = float(self._weights @ tokens)
        return self._weights / total if total > 0 else np.zeros_like(self._weights)

    def end_step(self, step: int, losses: StepLoss) -> None:
        """Forget the losses."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: the weights are given anew."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Accept the empty state alone."""
        check_state(state, {})


@dataclass(frozen=True)
class Balanced:
    """Which tasks a method balances as one, and the tasks whose weight is given.

    Attributes:
        group_of: the number of each task's group, -1 for a fixed task, shape [tasks].
        fixed: the weights of fixed tasks, 1 elsewhere, shape [tasks].
    """

    group_of: NDArray[np.int64]
    fixed: Vector

    @property
    def groups(self) -> int:
        """N, the number of groups."""
        return int(self.group_of.max(initial=-1)) + 1

    def summed(self, values: Vector) -> Vector:
        """Return the sums [groups] of ``values`` [tasks] over the tasks of each group."""
        inside = self.group_of >= 0
        return np.bincount(self.group_of[inside], values[inside], self.groups).astype(np.float64)

    def losses(self, step: StepLoss) -> Vector:
        """Return the mean token loss [groups] of a step; NaN for a group without tokens in it."""
        nll, tokens = self.summed(step.nll), self.summed(step.tokens)
        return np.divide(nll, tokens, out=np.full(self.groups, np.nan), where=tokens > 0)

    def spread(self, lambdas: Vector) -> Vector:
        """Return the weight [tasks] of every task from those [groups] of the groups; fixed tasks keep theirs."""
        return np.where(self.group_of >= 0, lambdas[np.maximum(self.group_of, 0)], self.fixed)


def balanced(tasks: Sequence[str], groups: Mapping[str, Sequence[str]], weights: Vector) -> Balanced:
    """Return which of ``tasks`` belong to which group; those in none are fixed at their place in ``weights``.

    Raises:
        VisatbError: no group is left, or a group names a task that is not there.
    """
    number = {task: index for index, members in enumerate(groups.values()) for task in members}
    unknown = [f"the groups name '{task}', which is no task of this training" for task in number if task not in tasks]
    if unknown or not number:
        problems = bullet_list(unknown or ["no group was given"])
        raise VisatbError(f"the tasks {', '.join(tasks)} cannot be balanced:\n{problems}")
    group_of = np.array([number.get(task, -1) for task in tasks], dtype=np.int64)
    return Balanced(group_of, np.where(group_of >= 0, 1.0, weights))


def softmax_weights(values: Vector) -> Vector:
    """Return N softmax(``values``), shape [N]: positive, with mean 1."""
    exponentials = np.exp(values - values.max())
    return values.size * exponentials / exponentials.sum()


def weights_of(tasks: Sequence[str], weights: Mapping[str, float], origin: str) -> Vector:
    """Return the weights in the order of ``tasks``; a task without one is an error, extra ones are ignored.

    Raises:
        VisatbError: naming ``origin`` and the tasks that have no weight.
    """
    missing = [f"no weight for the task '{task}'" for task in tasks if task not in weights]
    if missing:
        raise VisatbError(f"{origin}:\n{bullet_list(missing)}")
    return np.array([weights[task] for task in tasks], dtype=np.float64)


def check_state(state: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Raise `VisatbError` unless ``state`` has the keys of ``own`` and as many groups under each."""

    def shape(values: Mapping[str, Any]) -> dict[str, Any]:
        return {key: np.shape(value)[-1:] for key, value in values.items()}

    if shape(state) != shape(own):
        raise VisatbError(
            f"the checkpoint's weighting state does not fit: found {sorted(state)}, expected {sorted(own)} of "
            "this training's groups; remove the checkpoint to start again"
        )
