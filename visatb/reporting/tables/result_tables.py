"""The tables that papers print of an experiment: scores of methods, weights, and what the data are."""

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from visatb.errors import VisatbError
from visatb.reporting.tables.paper_table import BEST, SECOND, Heading, PaperTable, Row
from visatb.reporting.tables.tables import (
    BASELINE,
    OVERALL_LABELS,
    OVERALL_LOWER_IS_BETTER,
    format_benchmark,
    format_numbers,
    method_label,
)
from visatb.scores.columns import Column, Groups, column_names

OVERALL = "Overall"
LAMBDAS = {"lambda_out": "λ_out", "lambda_in": "λ_in", "lambda_D": "λ_D", "weight": "λ_VisATB"}

Variants = Mapping[str, str]
"""Method -> the setting in which it differs from the others of its block, e.g. ``T = 2``."""


def methods_table(
    benchmark: pd.DataFrame,
    columns: Sequence[Column] = (),
    groups: Groups | None = None,
    variants: Sequence[Variants] = (),
) -> PaperTable:
    """Return methods x scores as the paper prints them (Tables 1, 3, 4, 7, 13, 14): best bold, second underlined.

    Args:
        benchmark: the columns ``method``, one a score under the names of `column_names`, and overall figures.
        columns: what the score columns are. One that is not among them stands under its own name.
        groups: group -> its tasks. Columns of a group that holds more than one task stand side by side below it.
        variants: blocks of rows that compare settings of VisATB among themselves, after the block of all methods.

    STL is shown and not ranked. Each block has its own best; for ties see `places`.

    Raises:
        VisatbError: a block names a method that the benchmark does not have.
    """
    known = dict(zip(column_names(columns), columns, strict=True))
    lower = {name for name, column in known.items() if not column.higher_is_better}
    lower |= {name for name, is_lower in OVERALL_LOWER_IS_BETTER.items() if is_lower}
    group_of = _group_of(groups or {})
    names = _side_by_side([str(name) for name in benchmark.columns.drop("method")], known, group_of)
    shown = format_benchmark(benchmark).set_index(benchmark["method"].astype(str))
    missing = [method for block in variants for method in block if method not in shown.index]
    if missing:
        raise VisatbError(f"the benchmark has no method {', '.join(missing)}; it has {', '.join(shown.index)}")
    in_blocks = {method for block in variants for method in block if method != "visatb"}
    main = {method: method_label(method) for method in shown.index if method not in in_blocks}
    blocks = [main, *({m: f"{method_label('visatb')} ({setting})" for m, setting in b.items()} for b in variants)]
    return PaperTable(
        "Methods",
        [_heading(name, known.get(name), group_of, name in lower) for name in names],
        [_ranked_rows(shown[names], block, lower) for block in blocks],
    )


def _group_of(groups: Groups) -> dict[str, str]:
    return {task: group for group, tasks in groups.items() for task in tasks if len(tasks) > 1}


def _side_by_side(names: Sequence[str], known: Mapping[str, Column], group_of: Mapping[str, str]) -> list[str]:
    """Return the columns with those of a group together, where the first of them stands, and overall figures last."""
    scores = [name for name in names if name not in OVERALL_LABELS]
    keys = {name: group_of.get(known[name].task, name) if name in known else name for name in scores}
    order = list(dict.fromkeys(keys.values()))
    return sorted(scores, key=lambda name: order.index(keys[name])) + [name for name in names if name in OVERALL_LABELS]


def _heading(name: str, column: Column | None, group_of: Mapping[str, str], lower: bool) -> Heading:
    arrow = "↓" if lower else "↑"
    if name in OVERALL_LABELS:
        return Heading(OVERALL_LABELS[name], arrow=arrow, group=OVERALL if group_of else "")
    if column is None:
        return Heading(name, arrow=arrow)
    return Heading(column.task, column.metric, arrow, group_of.get(column.task, ""))


def _ranked_rows(shown: pd.DataFrame, block: Mapping[str, str], lower: Collection[str]) -> list[Row]:
    cells = shown.loc[list(block)]
    ranked = [label.partition(" (")[0].lower() != BASELINE.lower() for label in block.values()]
    marks = {name: places(cells[name].tolist(), name in lower, ranked) for name in cells.columns}
    return [
        Row(label, row.tolist(), [marks[name][k] for name in cells.columns])
        for k, (label, (_, row)) in enumerate(zip(block.values(), cells.iterrows(), strict=True))
    ]


def places(shown: Sequence[str], lower_is_better: bool, ranked: Sequence[bool]) -> list[int]:
    """Return the place of each printed value: `BEST`, `SECOND`, or 0 for all others.

    Values compare as printed: two that look the same get the same mark, and after two that share the first
    place nobody is second (the paper's convention). Nothing is marked where fewer than two values compete.
    """
    contest = [is_ranked and value != "" for value, is_ranked in zip(shown, ranked, strict=True)]
    numbers = [float(value) for value, competes in zip(shown, contest, strict=True) if competes]
    if len(numbers) < 2:
        return [0] * len(shown)
    order = iter(pd.Series(numbers).rank(method="min", ascending=lower_is_better).astype(int))
    ranks = [next(order) if competes else 0 for competes in contest]
    return [rank if rank in (BEST, SECOND) else 0 for rank in ranks]


def weights_table(weights: pd.DataFrame) -> PaperTable:
    """Return the weights and what they are made of, a column a group, as the paper's Tables 2 and 5.

    ``weights``: `visatb.reporting.read_results.read_weights`. Fixed tasks, whose weight is not measured, are left out.
    """
    groups = weights[weights["group"] != ""].drop_duplicates("group")
    rows = [Row(label, format_numbers(groups[name], 4)) for name, label in LAMBDAS.items()]
    return PaperTable("Task weights", [Heading(str(group)) for group in groups["group"]], [rows])


def data_table(
    report: pd.DataFrame, columns: Sequence[Column], groups: Groups, instructions: Mapping[str, str]
) -> PaperTable:
    """Return tasks x sizes of the splits, metrics and response-format instructions, as the paper's Table 9.

    Args:
        report: a row a task and split with ``records`` and ``left_out`` (`data_report.tsv`).
        columns: task and metric of every score.
        groups: group -> its tasks.
        instructions: task -> the response-format instruction that the workflow adds; the others have none here.
    """
    sizes = report.assign(size=report["records"] - report["left_out"]).pivot(
        index="task", columns="split", values="size"
    )
    splits = [split for split in ("train", "val", "test") if split in sizes]
    metrics = {task: ", ".join(c.metric for c in columns if c.task == task) for task in sizes.index}
    group_of = _group_of(groups)
    extra: dict[str, Mapping[str, str]] = {"Group": group_of} if group_of else {}
    extra |= {"Metric": metrics, "Response format instruction": instructions}
    headings = [Heading(split, group="Samples") for split in splits]
    headings += [Heading(name, align="left") for name in extra if any(extra[name].values())]
    rows = []
    for task in dict.fromkeys(report["task"]):
        counts = ["–" if pd.isna(size) else f"{size:,.0f}" for size in sizes.loc[task, splits]]
        words = [extra[name].get(task) or "–" for name in extra if any(extra[name].values())]
        rows.append(Row(str(task), [*counts, *words]))
    return PaperTable("Tasks", headings, [rows])
