"""The weighting methods that VisATB is compared with: TLA, RLW, DWA and IGBv1 (docs/method.md, Other methods)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from visatb.config.balancing import DwaConfig, Igbv1Config
from visatb.config.types import TaggedSection
from visatb.training.loss.weighting import (
    Balanced,
    StepLoss,
    Vector,
    WeightedTokens,
    Weighting,
    balanced,
    check_state,
    softmax_weights,
)


class TaskLevelAggregation(WeightedTokens):
    """TLA: the mean, over the groups present in the step, of the group's mean token loss.

    A fixed task enters this mean with its weight, a group with 1.
    """

    def __init__(self, among: Balanced) -> None:
        super().__init__(among.fixed)
        self._among = among

    def coefficients(self, tokens: Vector) -> Vector:
        """Return share / T of each task, where T counts its group's tokens; zeros where nothing is supervised."""
        inside = self._among.group_of >= 0
        in_group = self._among.summed(tokens)
        present = np.count_nonzero(in_group) + float(self._weights @ (~inside & (tokens > 0)))
        counts = np.where(inside, self._among.spread(in_group), tokens) * present
        return np.divide(self._weights, counts, out=np.zeros_like(counts), where=counts > 0)


class _Moving(WeightedTokens):
    """Eq. 2 with weights that change from step to step; 1 for every group at first."""

    def __init__(self, among: Balanced) -> None:
        super().__init__(among.fixed)
        self._among = among

    def _weigh(self, values: Vector) -> None:
        self._weights = self._among.spread(softmax_weights(values))


class RandomLossWeighting(_Moving):
    """RLW: lambda = N softmax(z), z ~ N(0, I), drawn anew each step from ``seed`` and the step's number alone."""

    def __init__(self, among: Balanced, seed: int) -> None:
        super().__init__(among)
        self._seed = seed

    def begin_step(self, step: int, losses: StepLoss | None = None) -> None:
        """Draw lambda."""
        self._weigh(np.random.default_rng([self._seed, step]).standard_normal(self._among.groups))


class DynamicWeightAverage(_Moving):
    """DWA: r_i = mean loss over the last W steps / over the W before; lambda = N softmax(r / temperature).

    A step without a group adds nothing to its means; a group that is absent from a whole window keeps its last r.
    lambda is 1 until 2 W steps were made and every group has an r.
    """

    def __init__(self, among: Balanced, window: int, temperature: float) -> None:
        super().__init__(among)
        self._window, self._temperature = window, temperature
        self._losses = np.empty((0, among.groups))
        self._ratios = np.full(among.groups, np.nan)

    def begin_step(self, step: int, losses: StepLoss | None = None) -> None:
        """Take lambda from the ratios."""
        if not np.isnan(self._ratios).any():
            self._weigh(self._ratios / self._temperature)

    def end_step(self, step: int, losses: StepLoss) -> None:
        """Add the step's losses, drop the oldest, and compare the two windows."""
        self._losses = np.vstack([self._losses, self._among.losses(losses)])[-2 * self._window :]
        if len(self._losses) == 2 * self._window:
            before, last = (_mean_of_seen(part) for part in np.split(self._losses, 2))
            known = (before > 0) & ~np.isnan(last)
            self._ratios = np.divide(last, before, out=self._ratios.copy(), where=known)

    def state_dict(self) -> dict[str, Any]:
        """Return the losses of the last 2 W steps and the last ratios."""
        return {"losses": _as_json(self._losses), "ratios": _as_json(self._ratios)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore losses and ratios."""
        check_state({"ratios": state.get("ratios")}, {"ratios": self._ratios})
        self._losses = np.array(state["losses"], dtype=np.float64).reshape(-1, self._among.groups)
        self._ratios = np.array(state["ratios"], dtype=np.float64)


class ImprovableGapBalancing(_Moving):
    """IGBv1: base_i = mean loss over the steps ``first`` to ``last``; then lambda = N softmax(L_i(t) / base_i).

    L_i(t) is the loss of the very step that is weighted. A group absent from it counts with the loss it had last; a
    group absent from all base steps takes the first loss after them as its base. lambda is 1 until all have one.
    """

    def __init__(self, among: Balanced, first: int, last: int) -> None:
        super().__init__(among)
        self._first, self._last = first, last
        self._sums, self._counts = np.zeros(among.groups), np.zeros(among.groups)
        self._latest = np.full(among.groups, np.nan)

    def needs_losses(self, step: int) -> bool:
        """Tell whether the base is measured."""
        return bool(step > self._last and (self._sums > 0).all())

    def begin_step(self, step: int, losses: StepLoss | None = None) -> None:
        """Take lambda from the step's own losses."""
        if losses is not None:
            own = self._among.losses(losses)
            current = np.where(np.isnan(own), self._latest, own)
            self._weigh(current * self._counts / self._sums)

    def end_step(self, step: int, losses: StepLoss) -> None:
        """Add the losses of a base step to the base."""
        own = self._among.losses(losses)
        seen = ~np.isnan(own)
        counted = seen & ((self._first <= step <= self._last) | ((step > self._last) & (self._sums == 0)))
        self._sums += np.where(counted, own, 0.0)
        self._counts += counted
        self._latest = np.where(seen, own, self._latest)

    def state_dict(self) -> dict[str, Any]:
        """Return the sums and counts behind the base, and each group's last loss."""
        return {"sums": _as_json(self._sums), "counts": _as_json(self._counts), "latest": _as_json(self._latest)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the base and the last losses."""
        check_state(state, self.state_dict())
        self._sums, self._counts, self._latest = (
            np.array(state[name], dtype=np.float64) for name in ("sums", "counts", "latest")
        )


class Given(TaggedSection):
    """Weights that stay as they were given."""

    kind: Literal["given"] = "given"

    def weighting(self, tasks: Sequence[str], weights: Vector, seed: int) -> Weighting:
        """Return Eq. 2 with ``weights`` [tasks].

        Raises:
            VisatbError: a weight is no positive number.
        """
        return WeightedTokens(weights)

    def description(self) -> dict[str, Any]:
        """Return nothing: a training's weights are described in any case."""
        return {}


class _Grouped(TaggedSection):
    """A method that balances groups of tasks; tasks in no group keep their given weight.

    Attributes:
        groups: group -> its tasks.
    """

    groups: Mapping[str, tuple[str, ...]]

    def weighting(self, tasks: Sequence[str], weights: Vector, seed: int) -> Weighting:
        """Return the method at its beginning, for ``tasks`` with the given ``weights`` [tasks].

        Raises:
            VisatbError: a weight is no positive number, or the groups do not fit the tasks.
        """
        return self._beginning(balanced(tasks, self.groups, weights), seed)

    def description(self) -> dict[str, Any]:
        """Return what a training's result depends on, as JSON values."""
        numbers = {f"{self.kind}_{name}": value for name, value in self if name not in _Grouped.model_fields}
        return {"method": self.kind, "groups": {name: list(tasks) for name, tasks in self.groups.items()}, **numbers}

    def _beginning(self, among: Balanced, seed: int) -> Weighting:
        raise NotImplementedError


class Tla(_Grouped):
    """`TaskLevelAggregation`."""

    kind: Literal["tla"] = "tla"

    def _beginning(self, among: Balanced, seed: int) -> Weighting:
        return TaskLevelAggregation(among)


class Rlw(_Grouped):
    """`RandomLossWeighting`."""

    kind: Literal["rlw"] = "rlw"

    def _beginning(self, among: Balanced, seed: int) -> Weighting:
        return RandomLossWeighting(among, seed)


class Dwa(_Grouped, DwaConfig):
    """`DynamicWeightAverage`, with the numbers of the config's ``dwa``."""

    kind: Literal["dwa"] = "dwa"

    def _beginning(self, among: Balanced, seed: int) -> Weighting:
        return DynamicWeightAverage(among, self.window, self.temperature)


class Igbv1(_Grouped, Igbv1Config):
    """`ImprovableGapBalancing`, with the numbers of the config's ``igbv1``."""

    kind: Literal["igbv1"] = "igbv1"

    def _beginning(self, among: Balanced, seed: int) -> Weighting:
        return ImprovableGapBalancing(among, self.first_step, self.last_step)


Method = Annotated[Given | Tla | Rlw | Dwa | Igbv1, Field(discriminator="kind")]
"""Which weighting a training uses, with its numbers."""


def _mean_of_seen(losses: Vector) -> Vector:
    """Return the mean of each column over its numbers; NaN for one without any."""
    counts = np.count_nonzero(~np.isnan(losses), axis=0)
    return np.divide(np.nansum(losses, axis=0), counts, out=np.full(counts.size, np.nan), where=counts > 0)


def _as_json(values: Vector) -> Any:
    return np.where(np.isnan(values), None, values.astype(object)).tolist()  # type: ignore[call-overload]
