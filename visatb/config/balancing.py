"""The parts of a config's schema that say how weights are measured, and what they are compared with."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from visatb.config.types import IntFromZero, PositiveFloat, PositiveInt, Section, Share, Temperature
from visatb.errors import VisatbError, bullet_list

TRAINING_METHODS = ("tla", "rlw", "dwa", "igbv1")
METHODS = ("stl", "ew", *TRAINING_METHODS, "visatb")


class AlphaConfig(Section):
    """The shares of the three weights in Eq. 8; they sum to 1."""

    out: Share = Field(0.25, description="share of lambda_out: how much the task gives to others")
    in_: Share = Field(0.25, alias="in", description="share of lambda_in: how little it gains from others")
    difficulty: Share = Field(0.5, description="share of lambda_D: how much it gains from more data of its own")


class BalancingConfig(Section):
    """From scores to weights."""

    temperature: Temperature = Field(
        "auto", description="T of Eq. 4, 5 and 7; `auto`: the lowest of 2, 1, 0.5, ... that keeps weights in 0.5-2"
    )
    alpha: AlphaConfig = Field(AlphaConfig(), description="the shares in Eq. 8")
    on_unlearned: Literal["drop", "clip", "error"] = Field(
        "drop", description="what becomes of a column whose own task did not improve beyond its noise"
    )
    form: Literal["paired", "simple"] = Field(
        "paired",
        description="Eq. 3, from `mini` and `plus-<group>`, or Eq. 10, from the base model and single-task runs",
    )
    difficulty: Literal["repurposed", "precise"] | None = Field(
        None,
        description="Eq. 6, or Eq. 12 with 2 more runs a task; left out it is `repurposed`, and in the simple form "
        "`precise` (Eq. 11, with 1 more run a task), the only one that it has",
    )
    estimator: Literal["paper", "shrunk"] = Field(
        "paper",
        description="C as Eq. 3 gives it, or each moved towards the mean of all, the further the less sure it is",
    )
    seeds: PositiveInt = Field(
        1, description="trainings of `mini` and of each `plus-<group>` run, each with another seed; V is their mean"
    )
    mini_seeds: PositiveInt | None = Field(
        None, description="trainings of `mini`, if not as many: it is the cheapest run, and all of C and D hang on it"
    )
    bootstrap: PositiveInt = Field(2000, description="resamples behind the 95 % intervals")


class VariantConfig(Section):
    """Other weights from the same experiment, for an ablation: what differs from `balancing`."""

    temperature: Temperature | None = Field(None, description="as in `balancing`, if another one")
    alpha: AlphaConfig | None = Field(None, description="the three shares, if others")
    on_unlearned: Literal["drop", "clip", "error"] | None = Field(None, description="as in `balancing`, if another one")
    form: Literal["paired", "simple"] | None = Field(None, description="as in `balancing`, if the other one")
    difficulty: Literal["repurposed", "precise"] | None = Field(
        None, description="as in `balancing`, if the other one; another form has a default of its own"
    )
    estimator: Literal["paper", "shrunk"] | None = Field(None, description="as in `balancing`, if the other one")


class DwaConfig(Section):
    """The numbers of the method `dwa`."""

    window: PositiveInt = Field(25, description="W: losses of the last W steps are compared with those of W before")
    temperature: PositiveFloat = Field(2.0, description="what the ratio of both is divided by; not VisATB's T")


class Igbv1Config(Section):
    """The numbers of the method `igbv1`: the optimiser steps, counted from 0, in which its base is measured."""

    first_step: IntFromZero = Field(100, description="the first of them")
    last_step: IntFromZero = Field(199, description="the last of them; weights move after it")


@dataclass(frozen=True)
class BalanceSettings:
    """How scores become weights.

    Attributes:
        temperature: T of Eq. 4, 5 and 7, or ``auto`` (section 3.5): the lowest T of the grid 2, 1, 0.5, ...
            2^-6 that keeps every final weight in [0.5, 2].
        alpha_out: a_out of Eq. 8.
        alpha_in: a_in of Eq. 8.
        alpha_difficulty: a_D of Eq. 8. The three are shares and add up to 1.
        on_unlearned: what is done with a column in which Eq. 3 or 6 means nothing; see `visatb.balancing.balance`.
        form: ``paired`` is Eq. 3 (runs ``mini`` and ``plus-<group>``), ``simple`` is Eq. 10 (``base`` and
            ``single-<task>``).
        difficulty: ``repurposed`` is Eq. 6, ``precise`` is Eq. 12 (runs ``mini-only-<task>`` and
            ``large-only-<task>``). The simple form has only the precise one, Eq. 11, between
            ``mini-only-<task>`` and ``single-<task>``.
        estimator: ``paper`` takes C as Eq. 3 gives it, ``shrunk`` moves uncertain contributions towards the mean of
            all (`visatb.balancing.shrinkage`).
        seeds: trainings of ``mini`` and of each ``plus-<group>``, over which V is the mean.
        mini_seeds: those of ``mini``, where it has another number.

    Raises:
        VisatbError: for a value out of range, or the simple form without ``precise``.
    """

    temperature: float | Literal["auto"] = "auto"
    alpha_out: float = 0.25
    alpha_in: float = 0.25
    alpha_difficulty: float = 0.5
    on_unlearned: Literal["drop", "clip", "error"] = "drop"
    form: Literal["paired", "simple"] = "paired"
    difficulty: Literal["repurposed", "precise"] = "repurposed"
    estimator: Literal["paper", "shrunk"] = "paper"
    seeds: int = 1
    mini_seeds: int | None = None

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise VisatbError(f"balancing settings cannot be used:\n{bullet_list(problems)}")

    @property
    def alphas(self) -> tuple[float, float, float]:
        """a_out, a_in, a_D."""
        return self.alpha_out, self.alpha_in, self.alpha_difficulty

    def _problems(self) -> Iterator[str]:
        T = self.temperature
        if T != "auto" and not (isinstance(T, int | float) and 0 < T < math.inf):
            yield f'temperature is {T!r}; it must be a positive number or "auto"'
        if not all(0 <= alpha <= 1 for alpha in self.alphas) or abs(sum(self.alphas) - 1) > 1e-6:
            yield f"alpha out, in, difficulty are {self.alphas}; they must be shares that add up to 1"
        choices = {"on_unlearned": ("drop", "clip", "error"), "form": ("paired", "simple")}
        choices |= {"difficulty": ("repurposed", "precise"), "estimator": ("paper", "shrunk")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                yield f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(allowed)}"
        if self.form == "simple" and self.difficulty == "repurposed":
            yield "form: simple has no mini run to repurpose; its difficulty must be precise (Eq. 11)"
        for name, seeds in {"seeds": self.seeds, "mini_seeds": self.mini_seeds}.items():
            if seeds is not None and seeds < 1:
                yield f"{name} is {seeds}; every run is trained at least once"
            if self.form == "simple" and seeds is not None and seeds > 1:
                yield f"{name} is {seeds}, but form: simple has no mini and plus runs to repeat"
