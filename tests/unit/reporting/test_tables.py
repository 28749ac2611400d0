"""Tables: formats, alignment and marks, held against the marks that the paper prints."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.reporting_examples import TASKS, benchmark
from visatb.reporting.tables.paper_table import BEST, SECOND, escape_markdown, markdown_table
from visatb.reporting.tables.result_tables import methods_table, places
from visatb.reporting.tables.tables import benchmark_text, format_numbers, score_decimals
from visatb.runtime.tables import text_table
from visatb.scores.columns import Column

# VQAv2, GQA, OCRVQA, dI, dE of the paper's Table 3 (dI of IGBv1 corrected); Complex of its Table 7.
TABLE3 = pd.DataFrame(
    {
        "method": ["STL", "EW", "TLA", "RLW", "DWA", "IGBv1", "VisATB"],
        "ShareGPT4V": [0.1285, 0.1411, 0.1144, 0.1388, 0.1225, 0.1349, 0.1437],
        "VQAv2": [77.73, 78.27, 77.72, 77.28, 78.28, 77.00, 77.99],
        "OCRVQA": [68.22, 67.73, 67.80, 66.73, 67.87, 65.96, 67.48],
        "Complex": [80.9, 83.4, 79.2, 82.9, 82.8, 81.7, 83.4],
        "dI": [np.nan, 8.75, 6.65, 4.95, 6.34, 1.17, 11.29],
        "dE": [np.nan, 0.10, 1.85, 0.54, 0.74, 1.13, 0.15],
    }
)


def cells(markdown: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines()]
    return {head: [row[k] for row in rows[2:]] for k, head in enumerate(rows[0])}


def test_marks_and_formats_are_those_of_the_paper():
    columns = cells(markdown_table(methods_table(TABLE3)))
    assert columns["ShareGPT4V ↑"] == [
        "0.1285",
        "<u>0.1411</u>",
        "0.1144",
        "0.1388",
        "0.1225",
        "0.1349",
        "**0.1437**",
    ]
    assert columns["VQAv2 ↑"] == ["77.73", "<u>78.27</u>", "77.72", "77.28", "**78.28**", "77.00", "77.99"]
    assert columns["OCRVQA ↑"][0] == "68.22", "STL has the highest value and is not ranked"
    assert columns["OCRVQA ↑"][4] == "**67.87**"
    assert columns["ΔI% ↑"] == ["", "<u>8.75</u>", "6.65", "4.95", "6.34", "1.17", "**11.29**"]
    assert columns["ΔE% ↓"] == ["", "**0.10**", "1.85", "0.54", "0.74", "1.13", "<u>0.15</u>"]


def test_two_best_leave_no_second():
    column = cells(markdown_table(methods_table(TABLE3)))["Complex ↑"]
    assert column == ["80.90", "**83.40**", "79.20", "82.90", "82.80", "81.70", "**83.40**"]


def test_two_seconds_are_both_marked():
    assert places(["3", "2", "2", "1"], False, [True] * 4) == [BEST, SECOND, SECOND, 0]


def test_lower_is_better_column():
    table = pd.DataFrame({"method": ["ew", "a", "visatb"], "error": [3.0, 1.0, 2.0], "dI": 0.0, "dE": 0.0})
    assert cells(markdown_table(methods_table(table, [Column("error", "", False)])))["error ↓"] == [
        "3.00",
        "**1.00**",
        "<u>2.00</u>",
    ]
    assert cells(markdown_table(methods_table(table)))["error ↑"] == ["**3.00**", "1.00", "<u>2.00</u>"]


def test_a_single_method_is_not_the_best_of_anything():
    text = markdown_table(methods_table(benchmark().iloc[:2]))
    assert "**" not in text
    assert "<u>" not in text


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=9), st.booleans())
def test_best_marks_are_exactly_the_extremes(values: list[int], lower: bool):
    marks = places([str(value) for value in values], lower, [True] * len(values))
    best = min(values) if lower else max(values)
    assert [mark == BEST for mark in marks] == [value == best for value in values]
    others = [value for value in values if value != best]
    second = (min(others) if lower else max(others)) if others and values.count(best) == 1 else None
    assert [mark == SECOND for mark in marks] == [value == second for value in values]


def test_text_shows_every_number_of_the_input():
    table = benchmark()
    text = benchmark_text(table)
    for row, line in zip(table.to_dict("records"), text.splitlines()[2:], strict=True):
        found = [float(number) for number in line.split()[1:]]
        wanted = [row[column] for column in [*TASKS, "dI", "dE"] if not np.isnan(row[column])]
        assert found == pytest.approx(wanted, abs=0.005)


def test_wide_benchmark_is_turned():
    table = benchmark().rename(columns={task: f"{task}-with-a-rather-long-name" for task in TASKS})
    lines = benchmark_text(table).splitlines()
    assert lines[0].split() == ["task", "STL", "EW", "VisATB"]
    assert max(map(len, lines)) <= 110
    caption = next(line for line in lines if line.startswith("caption"))
    assert caption.split()[1:] == ["9.19", "9.02", "9.02"]


def test_decimal_points_stand_below_each_other():
    lines = text_table(pd.DataFrame({"x": ["1524.41", "0.1", "-3", ""]})).splitlines()
    places = {line.find(".") for line in lines[2:4]}
    assert len(places) == 1
    assert lines[4].rstrip().endswith("-3")
    assert len(lines[4].rstrip()) == places.pop()


def test_decimals_and_signs():
    assert score_decimals([0.1285, np.nan]) == 4
    assert score_decimals([77.73]) == 2
    assert score_decimals([np.nan]) == 2
    assert format_numbers([-0.001, np.nan, 2.345], 2) == ["0.00", "", "2.35"]


@pytest.mark.parametrize("name", ["<b>x</b>", "a|b", "a_b_c", "$x$", "A & B", "*x*", "`x`", "[x](y)", "a\\b", "~~x~~"])
def test_markup_in_names_does_not_reach_the_markdown(name: str):
    table = benchmark().rename(columns={"vqa": name})
    head = markdown_table(methods_table(table)).splitlines()[0]
    bare = re.sub(r"\\.|&(amp|lt|gt);", "", head)
    assert bare.count("|") == len(table.columns) + 1
    assert not re.search(r"[<>&*_`$\[\]\\~]", bare)
    assert escape_markdown("plain-name 7:EM") == "plain-name 7:EM"
