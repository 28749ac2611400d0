"""Validation samples of made-up tasks, and the explorer page built from them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from visatb.balancing.balance import Balance
from visatb.balancing.bootstrap import intervals
from visatb.balancing.design import Design
from visatb.balancing.weights import measured_balance
from visatb.config.balancing import BalanceSettings
from visatb.reporting.explorer.data import explorer_data
from visatb.reporting.explorer.page import explorer_page
from visatb.scores.columns import Column, Groups
from visatb.scores.paired import PairedSamples

GROUPS = {"caption": ["caption"], "boxes": ["bbox", "region"], "vqa": ["vqa"], "chart": ["chart"], "stuck": ["stuck"]}
SETTINGS = BalanceSettings(temperature=0.5)
REPLICATES = 300


def samples_of(groups: Groups, images: int = 250, unlearned: tuple[str, ...] = ("stuck",)) -> list[PairedSamples]:
    """Return exact matches: own data help a task most, other data a little; ``unlearned`` tasks gain nothing."""
    runs = ("mini", *(f"plus-{group}" for group in groups))
    generator = np.random.default_rng(7)
    samples = []
    for own, tasks in enumerate(groups.values()):
        for task in tasks:
            accuracy = 0.3 + generator.uniform(-0.1, 0.1, len(runs))
            accuracy[own + 1] = accuracy[0] if task in unlearned else generator.uniform(0.55, 0.9)
            right = (generator.uniform(size=images) < accuracy[:, None]).astype(float)
            if task in unlearned:
                right[own + 1] = right[0]
            names = [f"{task}-{number}" for number in range(images)]
            samples.append(PairedSamples(task, runs, right, np.ones_like(right), names))
    return samples


def columns_of(groups: Groups) -> list[Column]:
    return [Column(task, "EM") for tasks in groups.values() for task in tasks]


def build(path: Path, groups: Groups = GROUPS, settings: BalanceSettings = SETTINGS, **options: object) -> Path:
    """Write the page for ``groups`` to ``path`` and return it."""
    replicates = int(options.pop("replicates", REPLICATES))
    fixed, name, notes = options.pop("fixed", {}), options.pop("experiment", "example"), options.pop("notes", ())
    unknown = options.pop("unknown_spread", ())
    samples = [replace(one, unknown_spread=unknown) for one in samples_of(groups, **options)]
    point, drawn = measured_balance(samples, Design(columns_of(groups), groups, settings), replicates, 0)
    page = explorer_page(explorer_data(point, drawn.measures, name, groups, fixed, notes))
    path.write_text(page, encoding="utf-8")
    return path


def computed(groups: Groups, settings: BalanceSettings, on: list[str]) -> tuple[Balance, dict[str, tuple]]:
    """Return what the library computes when ``on`` are all the groups that there are: the weights and intervals."""
    part = {group: groups[group] for group in on}
    tasks = {task for members in part.values() for task in members}
    samples = [one for one in samples_of(groups) if one.column in tasks]
    point, drawn = measured_balance(samples, Design(columns_of(part), part, settings), REPLICATES, 0)
    bounds = intervals(point, drawn).groups
    return point, {group: (bounds.loc[group, "weight_low"], bounds.loc[group, "weight_high"]) for group in on}
