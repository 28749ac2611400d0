"""The names of runs, written and read in this place alone."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

PREPARATION, SINGLE, FINAL = "preparation", "single-task", "final"

Kind = Literal["base", "mini", "plus", "mini-only", "large-only", "single", "method"]

_WITH_SUBJECT: tuple[Kind, ...] = ("plus", "mini-only", "large-only", "single")
_BEFORE = "before-"
_STAGES = {"single": SINGLE, "method": FINAL}
_REPETITION = re.compile(r"(.+)-seed([1-9][0-9]*)")

RESOURCES = {"mini": "mini", "mini-only": "mini", "plus": "plus", "large-only": "plus", "single": "single"}
"""Kind of a run -> the key under ``resources`` and ``throughput`` of a config; other trainings are ``final``."""


@dataclass(frozen=True)
class RunName:
    """What the name of a run says; `str` gives the name.

    Attributes:
        kind: ``base``, ``mini``, ``plus``, ``mini-only``, ``large-only``, ``single``, or ``method`` for a final run.
        subject: the group of a ``plus`` run, the task of the other runs on one task, or the method; else empty.
        repetition: 0, or the number of a training that repeats ``mini`` or ``plus`` with another seed.
        before: whether it is that run as it was before tasks were added to its experiment.
    """

    kind: Kind
    subject: str = ""
    repetition: int = 0
    before: bool = False

    def __str__(self) -> str:
        name = {"method": self.subject, "base": "base", "mini": "mini"}.get(self.kind, f"{self.kind}-{self.subject}")
        return f"{_BEFORE if self.before else ''}{name}{f'-seed{self.repetition}' if self.repetition else ''}"

    @classmethod
    def parse(cls, text: str, groups: Collection[str] | None = None) -> "RunName":
        """Read the name of a run.

        Args:
            text: the name.
            groups: the groups of the experiment, where they are known: ``plus-x-seed1`` is of the group ``x-seed1`` if
                there is one. Where they are not known it repeats ``plus-x``.
        """
        before, text = text.startswith(_BEFORE), text.removeprefix(_BEFORE)
        original, repetition = _repeated(text)
        kind = next((kind for kind in _WITH_SUBJECT if text.startswith(f"{kind}-")), None)
        subject = text.removeprefix(f"{kind}-")
        if text in ("base", "mini"):
            return cls("base" if text == "base" else "mini", before=before)
        if repetition and original == "mini":
            return cls("mini", "", repetition, before)
        if kind == "plus" and repetition and original != "plus" and subject not in (groups or ()):
            return cls("plus", original.removeprefix("plus-"), repetition, before)
        return cls(kind or "method", subject, before=before)

    @property
    def stage(self) -> str:
        """`PREPARATION` for runs that measure, `SINGLE` for one task's baseline, else `FINAL`."""
        return PREPARATION if self.before else _STAGES.get(self.kind, PREPARATION)

    @property
    def resources(self) -> str:
        """The key under ``resources`` and ``throughput`` of a config that its training belongs to (`RESOURCES`)."""
        return "final" if self.before else RESOURCES.get(self.kind, "final")

    def repeated(self, seeds: int, mini_seeds: int | None = None) -> tuple["RunName", ...]:
        """Return the trainings of a run, itself first: ``mini`` and ``plus`` runs are repeated, others are not.

        Args:
            seeds: trainings of a run that is repeated.
            mini_seeds: those of ``mini``, where it has another number.
        """
        of_mini = seeds if mini_seeds is None else mini_seeds
        times = 1 if self.before else {"mini": of_mini, "plus": seeds}.get(self.kind, 1)
        return tuple(replace(self, repetition=number) for number in range(max(1, times)))


def parse_runs(runs: Collection[str]) -> dict[str, RunName]:
    """Return run -> what its name says, of runs that are there together: a repetition has its original beside it."""
    names = set(runs)
    firsts = {run for run in names if not (_repeated(run)[1] and _repeated(run)[0] in names)}
    groups = {run.removeprefix("plus-") for run in firsts}
    return {run: RunName.parse(run, groups) for run in runs}


def stage(run: str) -> str:
    """Return the stage of the run of this name, `RunName.stage`."""
    return RunName.parse(run).stage


def is_reserved(name: str) -> bool:
    """Return whether runs that measure could have this name, so that no method of a config's own may have it."""
    return name.startswith((*(f"{kind}-" for kind in _WITH_SUBJECT), "mini-seed", _BEFORE))


def _repeated(text: str) -> tuple[str, int]:
    """Return the name without a repetition's ending, and the repetition; 0 where there is no such ending."""
    match = _REPETITION.fullmatch(text)
    return (match[1], int(match[2])) if match else (text, 0)
