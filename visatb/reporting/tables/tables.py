"""Tables as people read them in the terminal, and how their numbers and methods are written."""

from collections.abc import Iterable

import pandas as pd

from visatb.runtime.tables import text_table

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
