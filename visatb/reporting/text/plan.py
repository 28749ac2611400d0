"""The plan of an experiment as text: what will be trained, what measuring the weights costs, and what to doubt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from visatb.balancing.run_names import FINAL, PREPARATION, SINGLE, parse_runs, stage
from visatb.errors import VisatbError, bullet_list
from visatb.planning.sampling_rates import LARGE_SAMPLES, LARGE_STEPS, MINI_SAMPLES, MINI_STEPS
from visatb.reporting.tables.costs import COSTS, CPU_HEADS, HEADS, costs_text, shown_costs
from visatb.runtime.tables import text_table

STAGE_TITLES = {PREPARATION: "preparation", SINGLE: "single-task", FINAL: "final"}
Form = Literal["paired", "simple"]
_COUNTS = ("samples", "steps", "evaluations")
_UNSHOWN = ("padding", "checkpoints_gb", "note")


@dataclass(frozen=True)
class SubsetSizes:
    """What a group adds to the preparation, worked back from the samples of its run and of `mini`."""

    large: float
    large_steps: float
    mini: float


def plan_text(
    plan: pd.DataFrame,
    rate_large: float,
    rate_mini: float,
    groups: int,
    form: Form = "paired",
    idle_methods: Sequence[str] = (),
    seeds: int = 1,
    mini_seeds: int | None = None,
    on_gpus: bool = True,
    speeds_known: bool = False,
    chosen_rates: Sequence[str] = (),
) -> str:
    """Return the plan as aligned text with totals, the cost of the preparation and warnings.

    Args:
        plan: a row per run with ``run``, ``kind``, ``samples`` (of one epoch), ``steps`` and ``evaluations``, any
            columns of text beside them, and the costs of `visatb.planning.costs` if they are known.
        rate_large: R_large.
        rate_mini: R_mini.
        groups: N.
        form: of the balancing.
        idle_methods: lines on methods whose weights would never move.
        seeds: trainings of ``mini`` and of each ``plus-`` run.
        mini_seeds: those of ``mini``, where it has another number.
        on_gpus: whether hours are those of GPUs.
        speeds_known: whether any throughput is known.
        chosen_rates: lines on rates that the config left to the data.
    """
    missing = [column for column in ("run", "kind", *_COUNTS) if column not in plan.columns]
    if missing:
        raise VisatbError(f"the plan has no column {', '.join(missing)}; it has {', '.join(plan.columns)}")
    parts = [plan_table(plan, on_gpus), cost_text(plan, rate_large, rate_mini, groups, form, seeds, mini_seeds)]
    if costs := costs_text(plan, on_gpus, speeds_known):
        parts.append(costs)
    if chosen_rates:
        parts.append("Sampling rates that the config leaves to the data (`auto`):\n" + bullet_list(chosen_rates))
    warnings = plan_warnings(plan, rate_large, rate_mini)
    if warnings:
        parts.append(
            "Smaller than what the paper found enough for a 7B model; expect other weights, and noisier ones:\n"
            + bullet_list(warnings)
        )
    if idle_methods:
        parts.append("Methods that would do what ew does:\n" + bullet_list(idle_methods))
    return "\n\n".join(parts) + "\n"


def plan_table(plan: pd.DataFrame, on_gpus: bool = True) -> str:
    """Return the runs as an aligned table, ended by one row of totals per stage and one over all."""
    words = [column for column in plan.columns if column not in (*_COUNTS, *COSTS, *_UNSHOWN)]
    stages = plan["run"].map(stage)
    totals = [(STAGE_TITLES[kind], plan[stages == kind]) for kind in STAGE_TITLES if (stages == kind).any()]
    rows = [_total_row(f"all {title} runs", runs, words) for title, runs in totals]
    every = pd.concat([plan, pd.DataFrame([*rows, _total_row("all runs", plan, words)])], ignore_index=True)
    costs = shown_costs(every)
    shown = every[words].astype(str).join(_grouped_digits(every)).join(costs)
    return text_table(shown.rename(columns=HEADS if on_gpus else CPU_HEADS), left=words, right=HEADS.values())


def _grouped_digits(counts: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({column: [f"{count:,.0f}" for count in counts[column]] for column in _COUNTS}, counts.index)


def _total_row(title: str, runs: pd.DataFrame, words: Iterable[str]) -> dict[str, object]:
    """The sum of a cost of which a part is not known is not known either."""
    numbers = [column for column in (*_COUNTS, *COSTS) if column in runs]
    sums = {column: pd.to_numeric(runs[column]).sum(skipna=False) for column in numbers}
    return dict.fromkeys(words, "") | {"run": title} | sums


def preparation_cost(plan: pd.DataFrame, form: Form = "paired", unit: str = "samples") -> float | None:
    """Return what all preparation runs cost in units of one final training; None without a final run.

    ``unit``: what is counted, a column of the plan.
    In the simple form these are the single-task runs too, which the method ``stl`` then has for nothing.
    """
    stages = plan["run"].map(stage)
    final = plan.loc[stages == FINAL, unit]
    if final.empty or plan[unit].isna().any() or not final.max():
        return None
    measured = (PREPARATION,) if form == "paired" else (PREPARATION, SINGLE)
    return float(plan.loc[stages.isin(measured), unit].sum() / final.max())


def cost_text(
    plan: pd.DataFrame,
    rate_large: float,
    rate_mini: float,
    groups: int,
    form: Form = "paired",
    seeds: int = 1,
    mini_seeds: int | None = None,
) -> str:
    """Return what the preparation costs beside R_large + N R_mini (section 3.2), or 1 + R_mini in the simple form.

    With ``seeds`` trainings of every run, the former is as many times as large; ``mini_seeds`` other ones of ``mini``
    change it by R_mini each.
    """
    formula = f"1 + R_mini = {1 + rate_mini:.2f}"
    if form == "paired":
        formula = _paired_formula(rate_large, rate_mini, groups, seeds, seeds if mini_seeds is None else mini_seeds)
    cost = preparation_cost(plan, form)
    if cost is None:
        return f"Measuring the weights costs about {formula} times a final training; this plan holds none."
    others = {"tokens": "in tokens", "gpu_hours": "in hours, answers included"}
    known = [(words, preparation_cost(plan, form, unit)) for unit, words in others.items() if unit in plan]
    more = "".join(f"; {words} {number:.2f} times" for words, number in known if number)
    return f"Measuring the weights costs {cost:.2f} times a final training, counted in samples ({formula}){more}."


def _paired_formula(rate_large: float, rate_mini: float, groups: int, seeds: int, mini_seeds: int) -> str:
    symbols, numbers = "R_large + N x R_mini", f"{rate_large:g} + {groups} x {rate_mini:g}"
    if seeds > 1:
        symbols, numbers = (f"{seeds} x ({text})" for text in (symbols, numbers))
    if more := mini_seeds - seeds:
        sign = "+" if more > 0 else "-"
        symbols, numbers = f"{symbols} {sign} {abs(more)} x R_mini", f"{numbers} {sign} {abs(more)} x {rate_mini:g}"
    return f"{symbols} = {numbers} = {seeds * (rate_large + groups * rate_mini) + more * rate_mini:.2f}"


def subset_sizes(plan: pd.DataFrame, rate_large: float, rate_mini: float) -> dict[str, SubsetSizes]:
    """Return group -> sizes of its subsets: `plus-g` and `mini` differ by g's large less g's mini subset.

    Empty where no `mini` is trained, for it is there already, or both rates are equal: nothing to work back from.
    """
    runs = plan.set_index("run")
    runs = runs[runs["samples"] > 0]
    if "mini" not in runs.index or rate_large <= rate_mini:
        return {}
    sizes = {}
    names = parse_runs(list(runs.index))
    for run, name in ((run, name) for run, name in names.items() if name.kind == "plus" and not name.repetition):
        samples, steps = runs.loc[run, "samples"], runs.loc[run, "steps"]
        large = (samples - runs.loc["mini", "samples"]) * rate_large / (rate_large - rate_mini)
        sizes[name.subject] = SubsetSizes(large, steps * large / samples, large * rate_mini / rate_large)
    return sizes


def plan_warnings(plan: pd.DataFrame, rate_large: float, rate_mini: float) -> list[str]:
    """Return one line for each of the paper's limits (appendices B and G) that the plan stays under."""
    if rate_large <= rate_mini:
        return [f"R_large ({rate_large:g}) is not above R_mini ({rate_mini:g}): there is nothing to measure"]
    sizes = subset_sizes(plan, rate_large, rate_mini)
    few = [f"{group} {size.large:,.0f}" for group, size in sizes.items() if round(size.large) <= LARGE_SAMPLES]
    short = [f"{group} {size.large_steps:.0f}" for group, size in sizes.items() if size.large_steps <= LARGE_STEPS]
    small = [f"{group} {size.mini:,.0f}" for group, size in sizes.items() if round(size.mini) < MINI_SAMPLES]
    mini_steps = plan.loc[plan["run"] == "mini", "steps"]
    brief = [f"{steps:.0f}" for steps in mini_steps if 0 < steps <= MINI_STEPS]
    checks = [
        (few, f"samples of a large subset (more than {LARGE_SAMPLES:,} wanted)"),
        (short, f"steps on a large subset (more than {LARGE_STEPS} wanted)"),
        (small, f"samples of a mini subset (at least {MINI_SAMPLES:,} wanted per task)"),
        (brief, f"steps of the run mini (more than {MINI_STEPS} wanted)"),
    ]
    return [f"{what}: {', '.join(names)}" for names, what in checks if names]
