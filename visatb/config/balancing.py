"""The parts of a config's schema that say how weights are measured, and what they are compared with."""

from typing import Literal

from pydantic import Field

from visatb.config.types import IntFromZero, PositiveFloat, PositiveInt, Section, Share, Temperature

TRAINING_METHODS = ("tla", "rlw", "dwa", "igbv1")
METHODS = ("stl", "ew", *TRAINING_METHODS, "visatb")


class AlphaConfig(Section):
    """The shares of the three weights in Eq. 8; they sum to 1."""

    out: Share = Field(0.25, description="share of lambda_out: how much the task gives to others")
    in_: Share = Field(0.25, alias="in", description="share of lambda_in: how little it gains from others")
    difficulty: Share = Field(0.5, description="share of lambda_D: how much it gains from more data of its own")

    @classmethod
    def of(cls, out: float, in_: float, difficulty: float) -> "AlphaConfig":
        """Return these shares; ``in`` is a word of Python's, so that it cannot be an argument's name."""
        return cls.model_validate({"out": out, "in": in_, "difficulty": difficulty})


class BalanceSettings(Section):
    """How scores become weights: all that the calculation depends on beside the scores.

    Values out of range are refused when it is made, contradictions by `visatb.balancing.design.Design`.
    """

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

    @property
    def alphas(self) -> tuple[float, float, float]:
        """a_out, a_in, a_D of Eq. 8."""
        return self.alpha.out, self.alpha.in_, self.alpha.difficulty

    @property
    def is_paired(self) -> bool:
        """Whether C is that of Eq. 3 (runs ``mini`` and ``plus-<group>``), not of Eq. 10."""
        return self.form == "paired"

    @property
    def difficulty_used(self) -> Literal["repurposed", "precise"]:
        """The difficulty, where it is left out that of the form."""
        return self.difficulty or ("repurposed" if self.is_paired else "precise")


class BalancingConfig(BalanceSettings):
    """From scores to weights."""

    bootstrap: PositiveInt = Field(2000, description="resamples behind the 95 % intervals")

    @property
    def settings(self) -> BalanceSettings:
        """What the weights themselves depend on, without their intervals."""
        return BalanceSettings.model_validate({name: getattr(self, name) for name in BalanceSettings.model_fields})


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
