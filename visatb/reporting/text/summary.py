"""The short text that ends a run of the workflow: weights, scores, what to be wary of, where to look next."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from visatb.errors import bullet_list
from visatb.reporting.tables.tables import OVERALL_LABELS, benchmark_text, format_numbers
from visatb.reporting.text.certainty import half_width_sentence, ill_posed_sentence, overall_lines, pairs_sentence
from visatb.runtime.tables import text_table
from visatb.scores.metrics import JUDGED_METRICS
from visatb.scores.origins import MEASURED

DESCRIPTIONS = {
    "report.html": "everything on one page",
    "plan.tsv": "every run: mixture, samples, steps",
    "validation_matrix.tsv": "scores of the preparation runs (V)",
    "contributions.tsv": "contribution of each task to each other (C)",
    "contributions_intervals.tsv": "95 % intervals of C",
    "weights_comparison.tsv": "which weights can be told from 1 and from each other",
    "benchmark_intervals.tsv": "95 % intervals of dI, dE and their differences",
    "difficulty.tsv": "difficulty of each task (D)",
    "weights.tsv": "the weights and what they are made of",
    "benchmark.tsv": "methods x tasks",
    "benchmark.md": "methods x tasks, best and second best marked",
    "benchmark.tex": "the same for LaTeX",
    "validation_scores.tsv": "every validation score with its standard error",
    "test_scores.tsv": "every test score with its standard error",
    "explorer.html": "other temperatures, shares and groups, in a browser",
    "variants": "weights of each variant, and what they are made of",
    "zero_shot.md": "methods x zero-shot benchmarks",
    "figures": "figures as SVG and PNG",
}

PLAIN_NOTES = ("", "fixed")
"""Notes on a task that are no reason to doubt its weight."""


def summary_text(
    weights: pd.DataFrame,
    benchmark: pd.DataFrame | None = None,
    scores: pd.DataFrame | None = None,
    see: Iterable[str] = (),
    balancing: Mapping[str, Any] | None = None,
    variants: pd.DataFrame | None = None,
    comparison: pd.DataFrame | None = None,
    intervals: pd.DataFrame | None = None,
) -> str:
    """Return the summary of an experiment.

    ``weights``, ``benchmark``, ``scores``: the tables of the same names under results/; an experiment that
    trains no final model has no benchmark. ``see``: paths that the reader is sent to. ``balancing``: the settings
    that were used (balancing.json). ``variants``: the weights of each variant, by task.
    ``comparison``, ``intervals``: the tables weights_comparison and benchmark_intervals.
    """
    sentences = [f"Temperature {balancing['temperature']:g}, {balancing['temperature_chosen']}."] if balancing else []
    sentences.append(_told_from_one(weights))
    sentences += [pairs_sentence(comparison)] if comparison is not None else []
    sentences += [half_width_sentence(balancing)] if balancing and "largest_half_width" in balancing else []
    sentences += [ill_posed_sentence(balancing)] if balancing else []
    parts = [_section("Task weights", "\n".join([f"{weights_text(weights)}\n", *sentences]))]
    if notes := (balancing or {}).get("remarks"):
        parts.append(_section("Not all of this was made here", bullet_list([*notes, *origin_lines(scores)])))
    if variants is not None and len(variants.columns):
        parts.append(_section("Weights of the variants", variants_text(variants)))
    if benchmark is not None:
        lines = overall_lines(intervals) if intervals is not None else []
        parts.append(_section("Scores on the test splits", "\n".join([_benchmark_section(benchmark), *lines])))
    warnings = [*(balancing or {}).get("notes", []), *warning_lines(weights, scores), *_useless_baselines(benchmark)]
    parts.append(_section("Warnings", bullet_list(warnings) if warnings else "none"))
    if judges := judge_lines(scores):
        parts.append(_section("Judges", "\n".join(judges)))
    places = [_place(path) for path in see]
    if places:
        parts.append(_section("Where to look next", "\n".join(places)))
    return "\n\n".join(parts) + "\n"


_LEGEND = {
    "dI": "ΔI%: mean relative improvement over single-task training (STL), in percent; higher is better.",
    "dE": "ΔE%: mean relative loss where a task fell behind STL, in percent; lower is better.",
    "dI_zero": "ΔI_zero%: mean relative change over zero-shot benchmarks against EW, in percent; higher is better.",
}


def _benchmark_section(benchmark: pd.DataFrame) -> str:
    """Return the scores with those overall numbers that there are: without STL, dI and dE are not defined."""
    defined = benchmark.drop(columns=[name for name in _LEGEND if name in benchmark and benchmark[name].isna().all()])
    legend = "\n".join(text for name, text in _LEGEND.items() if name in defined)
    return f"{benchmark_text(defined)}\n\n{legend}".rstrip()


def weights_text(weights: pd.DataFrame) -> str:
    """Return the table of tasks with C_out, C_in, D and lambda with its 95 % interval; undefined is ``-``."""
    table = pd.DataFrame({"task": weights["task"]})
    if (weights["group"].ne(weights["task"]) & weights["group"].ne("")).any():
        table["group"] = weights["group"]
    for column in ("C_out", "C_in", "D"):
        table[column] = format_numbers(weights[column], 2)
    table["lambda"] = format_numbers(weights["weight"], 2)
    table["95 % interval"] = [_interval(low, high) for low, high in _bounds(weights)]
    if weights["note"].ne("").any():
        table["note"] = weights["note"].where(weights["note"].isin(PLAIN_NOTES), "see the warnings")
    dashes = table.mask(table.eq("") & (table.columns != "note"), "-")
    return text_table(dashes, left=["task", "group", "95 % interval", "note"])


def variants_text(variants: pd.DataFrame) -> str:
    """Return the table of tasks with the weight that each variant gives them."""
    table = pd.DataFrame({"task": variants.index})
    for name in variants.columns:
        table[name] = format_numbers(variants[name], 2)
    return text_table(table, left=["task"])


def _bounds(weights: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(weights["weight_low"], weights["weight_high"], strict=True))


def _interval(low: float, high: float) -> str:
    return "-" if pd.isna(low) or pd.isna(high) else f"{low:.2f} to {high:.2f}"


def indistinguishable_from_one(weights: pd.DataFrame) -> list[str]:
    """Return the tasks whose weight's 95 % interval contains 1: their weight may be chance."""
    inside = [low <= 1 <= high for low, high in _bounds(weights)]
    return [str(task) for task, is_inside in zip(weights["task"], inside, strict=True) if is_inside]


def _told_from_one(weights: pd.DataFrame) -> str:
    tasks = indistinguishable_from_one(weights)
    if weights["weight_low"].isna().all():
        return "No intervals were computed: how sure these weights are is not known."
    if not tasks:
        return "Every interval excludes 1."
    return f"Cannot be told from 1 (the interval contains it): {', '.join(tasks)}."


def warning_lines(weights: pd.DataFrame, scores: pd.DataFrame | None) -> list[str]:
    """Return one line for each thing that makes the numbers less sure than they look."""
    lines = [note for note in dict.fromkeys(weights["note"]) if note not in PLAIN_NOTES]
    if scores is None:
        return lines
    judged = scores["metric"].isin(JUDGED_METRICS)
    lines += _count_lines(scores[~judged], "invalid", "answers could not be read and score 0")
    lines += _count_lines(scores[judged], "invalid", "verdicts of the judge could not be read and are left out")
    return lines + _count_lines(scores, "truncated", "answers were cut at max_new_tokens")


def judge_lines(scores: pd.DataFrame | None) -> list[str]:
    """Return one line a judge: how many verdicts it gave and what they cost; none where nobody judged."""
    if scores is None or "judge" not in scores:
        return []
    lines = []
    for judge, rows in scores[scores["judge"].fillna("").ne("")].groupby("judge", sort=False):
        cost = pd.to_numeric(rows["judge_cost"])
        price = f", cost {cost.sum():.4g}" if cost.notna().any() else ""
        lines.append(f"  {judge}: {rows['n'].sum():.0f} verdicts, {rows['judge_tokens'].sum():.0f} tokens{price}")
    return lines


def origin_lines(scores: pd.DataFrame | None) -> list[str]:
    """Return one line for each origin of scores that were not measured here: of which runs and tasks they are."""
    if scores is None or "origin" not in scores:
        return []
    lines = []
    elsewhere = scores[scores["origin"].fillna(MEASURED).ne(MEASURED)]
    for origin, rows in elsewhere.groupby("origin", sort=False):
        tasks = rows.groupby("run", sort=False)["task"].agg(lambda of_run: ", ".join(dict.fromkeys(of_run)))
        lines.append(f"{origin}: {'; '.join(f'{run} ({words})' for run, words in tasks.items())}")
    return lines


def _useless_baselines(benchmark: pd.DataFrame | None) -> list[str]:
    if benchmark is None:
        return []
    baseline = benchmark[benchmark["method"] == "stl"].drop(columns=["method", *OVERALL_LABELS], errors="ignore")
    useless = [str(name) for name in baseline.columns if (baseline[name] <= 0).any()]
    return [f"{name}: STL scores 0, so there is no improvement over it; left out of ΔI and ΔE" for name in useless]


def _count_lines(scores: pd.DataFrame, column: str, what: str) -> list[str]:
    """Sum a count over runs and splits for each task; metrics of a task share answers, so those count once."""
    keys = ["task", "run", "split"]
    answers = scores.groupby(keys, sort=False)[["n", column]].max().reset_index()
    lines = []
    for task, rows in answers.groupby("task", sort=False):
        if (count := int(rows[column].sum())) == 0:
            continue
        worst = rows.loc[(rows[column] / rows["n"]).idxmax()]
        most = f"most in run {worst['run']}, {worst['split']}: {worst[column]:.0f} of {worst['n']:.0f}"
        lines.append(f"{task}: {count} of {rows['n'].sum():.0f} {what} ({most})")
    return lines


def _place(path: str) -> str:
    description = DESCRIPTIONS.get(Path(path).name, "")
    return f"  {path}" + (f"   {description}" if description else "")


def _section(title: str, body: str) -> str:
    return f"{title}\n{'=' * len(title)}\n\n{body}"
