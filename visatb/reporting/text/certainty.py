"""Plain sentences on how sure an experiment's numbers are: weights, ill-posed columns, dI and dE."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

PAIRS_NAMED = 10
"""So many pairs of weights are named; of more, the table is the place."""

SIGNS = {"dI": "ΔI%", "dE": "ΔE%"}


def pairs_sentence(comparison: pd.DataFrame) -> str:
    """Return which weights cannot be told from each other, from `weights_comparison.tsv`."""
    pairs = comparison[comparison["other"] != "1"]
    alike = pairs[pairs["told_apart"] != "yes"]
    if alike.empty:
        return "All weights can be told from each other."
    count = f"{len(alike)} of {len(pairs)} pairs of weights cannot be told from each other"
    if len(alike) > PAIRS_NAMED:
        return f"{count}: see weights_comparison.tsv."
    names = [f"{group} and {other}" for group, other in zip(alike["group"], alike["other"], strict=True)]
    return f"{count}: {', '.join(names)}."


def half_width_sentence(balancing: Mapping[str, Any]) -> str:
    """Return two lines: how wide the widest interval of a weight is, and whether it knows chance in training."""
    width = f"The widest interval of a weight reaches {balancing['largest_half_width']:.2f} to either side."
    if max(balancing.get("seeds", 1), balancing.get("mini_seeds") or 1) > 1:
        return f"{width}\nIntervals know the chance in training too, as far as the repeated trainings tell it."
    advice = "; balancing.mini_seeds: 3 would tell it" if balancing.get("form") == "paired" else ""
    return f"{width}\nIntervals know the chance in the answers, not that in training{advice}."


def ill_posed_sentence(balancing: Mapping[str, Any]) -> str:
    """Return which columns of the validation matrix are ill-posed, from `balancing.json`."""
    columns = [str(words).partition(": ")[0] for words in balancing.get("unlearned", [])]
    if not columns:
        return "No column is ill-posed: every gap is above 2 of its standard errors."
    return f"Ill-posed columns (a gap within 2 standard errors, or none): {', '.join(columns)}; see the warnings."


def overall_lines(intervals: pd.DataFrame) -> list[str]:
    """Return a line a method with the intervals of dI and dE, then of the differences that can be told from 0."""
    lines = []
    for method, rows in intervals[intervals["other"] == ""].groupby("method", sort=False):
        quantities = [f"{SIGNS[str(row.quantity)]} {_interval(row)}" for row in rows.itertuples()]
        lines.append(f"  {method}: {', '.join(quantities)}")
    differences = intervals[(intervals["other"] != "") & (intervals["quantity"] == "dI")]
    certain = differences[(differences["low"] > 0) | (differences["high"] < 0)]
    lines += [f"  {row.method} less {row.other}: {SIGNS['dI']} {_interval(row)}" for row in certain.itertuples()]
    if len(certain) < len(differences):
        count = f"{len(differences) - len(certain)} of {len(differences)} pairs of methods"
        lines.append(f"  {count} cannot be told apart by {SIGNS['dI']}")
    return ["95 % intervals (chance in the test samples alone):", *lines] if lines else []


def _interval(row: Any) -> str:
    known = pd.notna(row.low) and pd.notna(row.high)
    return f"{row.value:.2f} ({f'{row.low:.2f} to {row.high:.2f}' if known else 'interval not known'})"
