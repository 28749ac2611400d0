"""Tables as people read them: aligned text for the terminal and Markdown with the best values marked."""

import re
from collections.abc import Collection, Iterable, Sequence

import pandas as pd
from tabulate import tabulate

BASELINE = "STL"
OVERALL_LOWER_IS_BETTER = {"dI": False, "dE": True, "dI_zero": False}
METHOD_LABELS = {
    "stl": "STL",
    "ew": "EW",
    "tla": "TLA",
    "rlw": "RLW",
    "dwa": "DWA",
    "igbv1": "IGBv1",
    "visatb": "VisATB",
}
OVERALL_LABELS = {"dI": "ΔI%", "dE": "ΔE%", "dI_zero": "ΔI_zero%"}
_MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]#|$~])")


def method_label(method: str) -> str:
    """Return the name of a method as papers print it; names we do not know stay what they are."""
    return METHOD_LABELS.get(method, method)


def score_decimals(values: Iterable[float]) -> int:
    """Return 4 for scores on a scale of about 0 to 1 (CIDEr, GLEU, shares), 2 for percentages and points."""
    finite = [abs(value) for value in values if not pd.isna(value)]
    return 4 if finite and max(finite) < 2 else 2


def format_numbers(values: Iterable[float], decimals: int) -> list[str]:
    """Format numbers with a fixed count of decimals; a missing one becomes an empty string, -0.00 is 0.00."""
    return ["" if pd.isna(value) else f"{value:z.{decimals}f}" for value in values]


def text_table(table: pd.DataFrame, left: Collection[str] = ()) -> str:
    """Lay out a table of strings as plain text.

    The columns ``left`` are left-aligned, all others are aligned on their decimal points.
    """
    alignment = ["left" if column in left else "decimal" for column in table.columns]
    heads = ["left" if column in left else "right" for column in table.columns]
    return tabulate(
        table.to_numpy().tolist(),
        headers=[str(column) for column in table.columns],
        tablefmt="simple",
        disable_numparse=True,
        colalign=alignment,
        headersalign=heads,
    )


def format_benchmark(benchmark: pd.DataFrame) -> pd.DataFrame:
    """Format the table methods x (scores, dI, dE) as the paper prints it; every cell becomes a string.

    ``benchmark``: the columns ``method``, one per task (or task:metric), ``dI``, ``dE`` and ``dI_zero`` (in percent,
    those of them that there are).
    """
    shown = pd.DataFrame({"method": [method_label(str(method)) for method in benchmark["method"]]})
    for column in benchmark.columns.drop("method"):
        decimals = 2 if column in OVERALL_LOWER_IS_BETTER else score_decimals(benchmark[column])
        shown[column] = format_numbers(benchmark[column], decimals)
    return shown


def benchmark_text(benchmark: pd.DataFrame, width: int = 110) -> str:
    """Return the benchmark as aligned text; if methods x tasks is wider than ``width``, tasks become rows."""
    shown = format_benchmark(benchmark).rename(columns=OVERALL_LABELS)
    text = text_table(shown, left=["method"])
    if max(map(len, text.splitlines())) <= width:
        return text
    turned = shown.set_index("method").T.rename_axis("task").reset_index()
    return text_table(turned.rename_axis(columns=None), left=["task"])


def benchmark_markdown(benchmark: pd.DataFrame, lower_is_better: Collection[str] = (), baseline: str = BASELINE) -> str:
    """Return the benchmark as a Markdown table: per column the best bold and the second best underlined.

    ``lower_is_better`` names the score columns where small is good; ``dE`` is one by itself. The row of
    ``baseline`` is shown and not ranked, as in the paper. For ties see `rank_marks`. Arrows say what is better.
    """
    shown = format_benchmark(benchmark)
    lower = {*lower_is_better, *(column for column, low in OVERALL_LOWER_IS_BETTER.items() if low)}
    ranked = [method.lower() != baseline.lower() for method in shown["method"]]
    rows = pd.DataFrame({"Method": [escape_markdown(method) for method in shown["method"]]})
    for column in shown.columns.drop("method"):
        marks = rank_marks(shown[column], column in lower, ranked)
        head = f"{escape_markdown(OVERALL_LABELS.get(column, column))} {'↓' if column in lower else '↑'}"
        rows[head] = [mark.format(value) for mark, value in zip(marks, shown[column], strict=True)]
    return tabulate(
        rows.to_numpy().tolist(),
        headers=list(rows.columns),
        tablefmt="pipe",
        disable_numparse=True,
        colalign=["left"] + ["right"] * (rows.shape[1] - 1),
    )


def rank_marks(shown: Sequence[str], lower_is_better: bool, ranked: Sequence[bool]) -> list[str]:
    """Return the template that marks each printed value: ``**{}**`` best, ``<u>{}</u>`` second, else ``{}``.

    Values compare as printed: two that look the same get the same mark, and after two that share the first
    place nobody is second (the paper's convention). Nothing is marked where fewer than two values compete.
    """
    contest = [is_ranked and value != "" for value, is_ranked in zip(shown, ranked, strict=True)]
    numbers = [float(value) for value, competes in zip(shown, contest, strict=True) if competes]
    if len(numbers) < 2:
        return ["{}"] * len(shown)
    place = pd.Series(numbers).rank(method="min", ascending=lower_is_better)
    places = iter(place.astype(int))
    marks = {1: "**{}**", 2: "<u>{}</u>"}
    return [marks.get(next(places), "{}") if competes else "{}" for competes in contest]


def escape_markdown(text: str) -> str:
    """Return Markdown that shows ``text`` literally, inside a table cell too."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
    return _MARKDOWN_SPECIAL.sub(r"\\\1", plain)
