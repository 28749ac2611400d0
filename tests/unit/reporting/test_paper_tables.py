"""The paper's own tables, typeset from its scores: overall figures, marks, groups and blocks are as printed."""

import re
from itertools import pairwise

import pandas as pd
import pytest

from tests.helpers.paths import FIXTURES
from visatb.balancing.variants import variant_blocks
from visatb.config.balancing import AlphaConfig, BalanceSettings
from visatb.errors import VisatbError
from visatb.reporting.tables.latex import escape_latex, latex_table
from visatb.reporting.tables.paper_table import PaperTable, markdown_table
from visatb.reporting.tables.result_tables import data_table, methods_table, weights_table
from visatb.scores.columns import Column
from visatb.scores.improvement import delta_e, delta_i, improvement

TABLES = FIXTURES / "paper_tables"
OVERALL = ["dI", "dE", "dI_zero"]
UNDERLINED = pd.read_csv(TABLES / "underlined.csv")
GROUPS = {
    "Captioning": ["COCO", "TCap", "PCap"],
    "Classification": ["GOI", "Text", "INet", "ITM", "SVE", "Moch"],
    "VQA": ["Shap", "OCR", "GQA"],
    "Reasoning": ["SQA", "CLE", "NL"],
    "Generation": ["VisD", "M30k"],
}
ARROW = r" ?\$\\(up|down)arrow\$"


def scores(name: str) -> pd.DataFrame:
    table = pd.read_csv(TABLES / f"{name}.csv", index_col="method")
    return table.drop(columns=[heading for heading in OVERALL if heading in table])


def computed(name: str) -> pd.DataFrame:
    """The benchmark as the workflow would write it: the paper's scores, and what Eq. 9 makes of them."""
    table, zero = scores(name), "zero" in name
    columns = [Column(task, "score") for task in table]
    change = improvement(table, "EW" if zero else "STL", columns)
    overall = {"dI_zero": delta_i(change)} if zero else {"dI": delta_i(change), "dE": delta_e(change)}
    overall = {key: values.where(values.index != "STL") for key, values in overall.items()}
    names = {method: method.lower() for method in table.index}
    return table.assign(**overall).rename(index=names).rename_axis("method").reset_index()


def parse(latex: str) -> tuple[list[list[tuple[str, int]]], list[list[list[str]]]]:
    """Read a tabular: its heading lines as (text, columns), its blocks of rows of cells. Strict in what it takes."""
    match = re.fullmatch(
        r"%.*\n\\begin\{tabular\}\{([lr]+)\}\n\\toprule\n(.*)\\bottomrule\n\\end\{tabular\}\n", latex, re.S
    )
    assert match, latex
    width, (head, *blocks) = len(match[1]), match[2].split("\\midrule\n")
    lines = [line for line in head.splitlines() if not line.startswith("\\cmidrule")]
    levels = [[_span(cell) for cell in _cells(line)] for line in lines]
    rows = [[_cells(line) for line in block.splitlines()] for block in blocks]
    assert all(sum(columns for _, columns in level) == width for level in levels)
    assert all(len(row) == width for block in rows for row in block)
    return levels, rows


def _cells(line: str) -> list[str]:
    assert line.endswith(r" \\")
    assert line.count("{") == line.count("}")
    return [cell.strip() for cell in re.split(r"(?<!\\)&", line.removesuffix(r" \\"))]


def _span(cell: str) -> tuple[str, int]:
    match = re.fullmatch(r"\\multicolumn\{(\d+)\}\{c\}\{(.*)\}", cell)
    return (match[2], int(match[1])) if match else (cell, 1)


def bare(cell: str) -> str:
    return re.sub(r"\\(?:textbf|underline)\{(.*)\}", r"\1", cell).replace("$-$", "-")


@pytest.mark.parametrize("name", sorted(UNDERLINED["table"].unique()))
def test_second_best_is_what_the_paper_underlines(name: str) -> None:
    benchmark = computed(name)
    printed = {(row.method, row.column) for row in UNDERLINED[UNDERLINED["table"] == name].itertuples()}
    _, ((*rows,),) = parse(latex_table(methods_table(benchmark)))
    names = [str(column) for column in benchmark.columns.drop("method")]
    found = {(row[0], names[k]) for row in rows for k, cell in enumerate(row[1:]) if cell.startswith("\\underline")}
    assert found == printed
    for k, column in enumerate(names, start=1):
        ranked = [(float(bare(row[k])), row[k]) for row in rows if row[0] != "STL"]
        best = (min if column == "dE" else max)(value for value, _ in ranked)
        assert [cell.startswith("\\textbf") for _, cell in ranked] == [value == best for value, _ in ranked], column


@pytest.mark.parametrize("name", sorted(UNDERLINED["table"].unique()))
def test_every_printed_number_is_shown(name: str) -> None:
    printed = pd.read_csv(TABLES / f"{name}.csv", index_col="method")
    tolerance = 0.05 if name == "table1_m3it" else 0.0051
    markdown = markdown_table(methods_table(computed(name))).splitlines()[2:]
    for line, (method, row) in zip(markdown, printed.iterrows(), strict=True):
        label, *cells = [re.sub(r"\*|</?u>|\\", "", cell).strip() for cell in line.strip("|").split("|")]
        assert label == method
        for cell, (column, value) in zip(cells, row.items(), strict=True):
            misprint = (name, method, column) == ("table3_academic", "IGBv1", "dI")
            expected = 1.17 if misprint else value
            assert cell == "" if pd.isna(value) else float(cell) == pytest.approx(expected, abs=tolerance)


def test_groups_are_column_groups_wherever_their_tasks_stand() -> None:
    benchmark = computed("table1_m3it")
    tasks = [task for tasks in GROUPS.values() for task in tasks]
    shuffled = benchmark[["method", *tasks[::2], *tasks[1::2], "dI", "dE"]]
    columns = [Column(task, "CIDEr" if task in GROUPS["Captioning"] else "EM") for task in tasks]
    latex = latex_table(methods_table(shuffled, columns, GROUPS))
    (groups, names, units), _ = parse(latex)
    spans = {group: len(tasks) for group, tasks in GROUPS.items()}
    assert groups == [("", 1), *((g, spans[g]) for g in dict.fromkeys(g for g, _ in groups[1:-1])), ("Overall", 2)]
    assert {group for group, _ in groups[1:-1]} == set(GROUPS)
    place = 1
    for group, width in groups[1:-1]:
        assert {name for name, _ in names[place : place + width]} == set(GROUPS[group])
        place += width
    assert [re.sub(ARROW, "", unit) for unit, _ in units[1:4]] == ["CIDEr"] * 3
    rules = [tuple(map(int, pair)) for pair in re.findall(r"\\cmidrule\(lr\)\{(\d+)-(\d+)\}", latex)]
    assert rules[0] == (2, 4)
    assert all(after[0] == before[1] + 1 for before, after in pairwise(rules))
    heads = markdown_table(methods_table(shuffled, columns, GROUPS)).splitlines()[0]
    assert "Captioning<br>COCO<br>CIDEr ↑" in heads


def test_a_lone_task_is_no_group_and_several_metrics_stand_below_their_task() -> None:
    benchmark = pd.DataFrame({"method": ["ew", "visatb"], "a:EM": [1.0, 2.0], "a:errors": [3.0, 4.0], "b": [5.0, 6.0]})
    columns = [Column("a", "EM"), Column("a", "errors", higher_is_better=False), Column("b", "EM")]
    (names, units), ((first, second),) = parse(latex_table(methods_table(benchmark, columns, {"a": ["a"], "b": ["b"]})))
    assert [name for name, _ in names] == ["Methods", "a", "a", "b"]
    assert [re.sub(r"\W", "", unit) for unit, _ in units] == ["", "EMuparrow", "errorsdownarrow", "EMuparrow"]
    assert first[2] == r"\textbf{3.00}", "fewer errors are better"
    assert second[1] == r"\textbf{2.00}"


VARIANTS = {
    "visatb": BalanceSettings(temperature=0.5),
    "out-only": BalanceSettings(temperature=0.5, alpha=AlphaConfig.of(1, 0, 0)),
    "thirds": BalanceSettings(temperature=0.5, alpha=AlphaConfig.of(1 / 3, 1 / 3, 1 / 3)),
    "T2": BalanceSettings(temperature=2.0),
    "precise": BalanceSettings(temperature=0.5, difficulty="precise"),
    "simple": BalanceSettings(temperature=1.0, form="simple", difficulty="precise"),
    "not-shown": BalanceSettings(temperature=4.0),
}


def test_variants_form_blocks_by_what_they_change() -> None:
    blocks = variant_blocks(VARIANTS, ["ew", "visatb", "out-only", "thirds", "T2", "precise", "simple"])
    assert blocks == [
        {"out-only": "α = [1, 0, 0]", "thirds": "α = [0.33, 0.33, 0.33]", "visatb": "α = [0.25, 0.25, 0.5]"},
        {"T2": "T = 2.0", "visatb": "T = 0.5"},
        {"precise": "precise difficulty", "visatb": "repurposed difficulty"},
        {"simple": "T = 1.0, simple form", "visatb": "T = 0.5, repurposed difficulty"},
    ]
    assert variant_blocks(VARIANTS, ["T2"]) == [{"T2": "T = 2.0"}]
    assert variant_blocks({"visatb": VARIANTS["visatb"]}, ["visatb"]) == []


def test_the_ablation_table_has_a_block_a_question_with_marks_of_its_own() -> None:
    table = scores("table13_ablation").assign(dI=lambda t: t["GQA"], dE=0.1)
    names = {"VisATB_T2.0": "T2", "VisATB_T1.0": "T1", "VisATB_T0.5": "visatb", "VisATB_preciseDiff": "precise"}
    benchmark = table.loc[["EW", *names]].rename(index=names | {"EW": "ew"}).rename_axis("method").reset_index()
    blocks = [{"T2": "T = 2.0", "T1": "T = 1.0", "visatb": "T = 0.5"}, {"precise": "precise difficulty", "visatb": "x"}]
    _, (main, temperature, difficulty) = parse(latex_table(methods_table(benchmark, variants=blocks)))
    assert [row[0] for row in main] == ["EW", "VisATB"]
    assert [row[0] for row in temperature] == ["VisATB (T = 2.0)", "VisATB (T = 1.0)", "VisATB (T = 0.5)"]
    assert [row[3] for row in temperature] == [r"\underline{78.10}", r"\textbf{78.15}", "77.99"]
    assert [row[7] for row in difficulty] == [r"\textbf{67.83}", r"\underline{67.38}"]
    assert markdown_table(methods_table(benchmark, variants=blocks)).count("| Methods") == 3
    with pytest.raises(VisatbError, match="no method T4"):
        methods_table(benchmark, variants=[{"T4": "T = 4"}])


@pytest.mark.parametrize("name", ["table2_weights", "table5_weights"])
def test_weights_stand_as_in_the_paper(name: str) -> None:
    printed = pd.read_csv(TABLES / f"{name}.csv", index_col="weight")
    weights = printed.T.rename(columns={"lambda_VisATB": "weight"}).rename_axis("group").reset_index()
    twice = pd.concat([weights.assign(task=weights["group"] + "-1"), weights.assign(task=weights["group"] + "-2")])
    fixed = pd.DataFrame({"task": ["ShareGPT"], "group": [""], "weight": [1.0]})
    (names,), (rows,) = parse(latex_table(weights_table(pd.concat([twice, fixed]))))
    assert [name for name, _ in names[1:]] == list(printed.columns), "a column a group, none for a fixed task"
    assert [row[1:] for row in rows] == [[f"{value:.4f}" for value in row] for row in printed.to_numpy()]
    assert [row[0] for row in rows] == [rf"$\lambda_{{\mathrm{{{part}}}}}$" for part in ("out", "in", "D", "VisATB")]


def test_data_are_listed_with_sizes_and_instructions() -> None:
    rows = [("a", "train", 41_031, 31), ("a", "val", 2000, 0), ("a", "test", 2000, 0), ("fixed", "train", 500, 0)]
    report = pd.DataFrame(rows, columns=["task", "split", "records", "left_out"])
    table = data_table(report, [Column("a", "EM")], {"a": ["a"]}, {"a": "Answer in 50 % of a_word."})
    (_, names), (rows,) = parse(latex_table(table))
    assert [name for name, _ in names] == ["Tasks", "train", "val", "test", "Metric", "Response format instruction"]
    assert rows[0] == ["a", "41,000", "2,000", "2,000", "EM", r"Answer in 50 \% of a\_word."]
    assert rows[1] == ["fixed", "500", "--", "--", "--", "--"]


@pytest.mark.parametrize("name", ["a_b", "50% & more", "$x$", "{x}", "#1", "a\\b", "x^2", "~", "[x]"])
def test_names_do_not_become_commands(name: str) -> None:
    benchmark = pd.DataFrame({"method": ["ew", name], name: [1.0, 2.0]})
    (names,), (rows,) = parse(latex_table(methods_table(benchmark)))
    assert names[1][0] == escape_latex(name) + r" $\uparrow$"
    assert rows[1][0] == escape_latex(name)
    text = re.sub(r"\\[&%$#_{}]|\\text\w+\{\}|\{[\[\]]\}", "", escape_latex(name))
    assert not re.search(r"[\\&%$#_{}~^\[\]]", text)


def test_negative_numbers_have_a_minus_and_missing_ones_stay_empty() -> None:
    benchmark = pd.DataFrame({"method": ["stl", "ew"], "a": [1.0, 2.0], "dI": [None, -3.5]})
    table: PaperTable = methods_table(benchmark)
    _, ((first, second),) = parse(latex_table(table))
    assert first[2] == ""
    assert second[2] == "$-$3.50"
