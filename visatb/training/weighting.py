"""How much the loss of one token counts, given the tasks of its optimiser step (section Eq. 2 of docs/method.md)."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visatb.errors import VisatbError, bullet_list

Vector = NDArray[np.float64]


class Weighting(Protocol):
    """A weighting method: per optimiser step, from token counts to the coefficient of every token's loss."""

    def weights(self) -> Vector:
        """Return the current lambda of every task, shape [tasks]."""

    def coefficients(self, tokens: Vector) -> Vector:
        """Return what one token's loss is multiplied by, shape [tasks].

        Args:
            tokens: supervised tokens of each task in the whole normalised batch, shape [tasks].
        """


class FixedWeights:
    """Eq. 2: lambda_i / sum_j lambda_j T_j for a token of task i. With lambda = 1 it is Eq. 1."""

    def __init__(self, weights: Vector) -> None:
        self._weights = np.asarray(weights, dtype=np.float64)
        if not np.all(np.isfinite(self._weights) & (self._weights > 0)):
            raise VisatbError(f"task weights must be positive numbers, found {self._weights.tolist()}")

    def weights(self) -> Vector:
        """Return lambda, shape [tasks]."""
        return self._weights

    def coefficients(self, tokens: Vector) -> Vector:
        """Return lambda divided by the weighted token count; zeros for a batch without supervised tokens."""
        total = float(self._weights @ tokens)
        return self._weights / total if total > 0 else np.zeros_like(self._weights)


def weights_of(tasks: Sequence[str], weights: Mapping[str, float], origin: str) -> Vector:
    """Return the weights in the order of ``tasks``; a task without one is an error, extra ones are ignored.

    Raises:
        VisatbError: naming ``origin`` and the tasks that have no weight.
    """
    missing = [f"no weight for the task '{task}'" for task in tasks if task not in weights]
    if missing:
        raise VisatbError(f"{origin}:\n{bullet_list(missing)}")
    return np.array([weights[task] for task in tasks], dtype=np.float64)
