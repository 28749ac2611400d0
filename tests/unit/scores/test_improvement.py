"""Eq. 9 against every overall figure that the papers print."""

import numpy as np
import pandas as pd
import pytest

from tests.helpers.paths import FIXTURES
from visatb.errors import VisatbError
from visatb.scores.columns import Column, column_names
from visatb.scores.improvement import delta_e, delta_i, improvement

TABLES = FIXTURES / "paper_tables"
OVERALL = ["dI", "dE", "dI_zero"]
ROUNDED = 0.00505
THREE_DIGITS = {"table1_m3it": (0.05, 0.02)}
MISPRINTS = {("table3_academic", "IGBv1", "dI"): 1.17}


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(TABLES / f"{name}.csv", index_col="method")


def scores_of(name: str, baseline_from: str | None = None) -> tuple[pd.DataFrame, list[Column]]:
    """The scores of a table under the library's column names; ``task__split`` columns are metrics of one task."""
    table = read(name)
    if baseline_from:
        table = pd.concat([read(baseline_from).loc[["STL"]], table])
    table = table.drop(columns=[heading for heading in OVERALL if heading in table])
    columns = [Column(*heading.split("__")) if "__" in heading else Column(heading, "score") for heading in table]
    return table.set_axis(column_names(columns), axis=1), columns


AGAINST_STL = [
    ("table1_m3it", None),
    ("table3_academic", None),
    ("table7_chat", None),
    ("table11_academic_llava13b", None),
    ("table11_academic_qwen2vl2b", None),
    ("table13_ablation", "table3_academic"),
    ("cotbal_table2", None),
    ("cotbal_table4_ablation", "cotbal_table2"),
]
AGAINST_EW = ["table4_academic_zero", "table12_zero_llava13b", "table12_zero_qwen2vl2b", "table14_ablation_zero"]


@pytest.mark.parametrize(("name", "baseline_from"), AGAINST_STL)
def test_printed_improvements_and_errors(name: str, baseline_from: str | None) -> None:
    scores, columns = scores_of(name, baseline_from)
    result = improvement(scores, "STL", columns)
    printed = read(name).drop(index="STL", errors="ignore")
    tolerance_i, tolerance_e = THREE_DIGITS.get(name, (ROUNDED, ROUNDED))
    for method in printed.index:
        expected = MISPRINTS.get((name, method, "dI"), printed.loc[method, "dI"])
        assert delta_i(result)[method] == pytest.approx(expected, abs=tolerance_i), method
        assert delta_e(result)[method] == pytest.approx(printed.loc[method, "dE"], abs=tolerance_e), method


@pytest.mark.parametrize("name", AGAINST_EW)
def test_printed_zero_shot_improvements(name: str) -> None:
    scores, columns = scores_of(name)
    result = delta_i(improvement(scores, "EW", columns))
    printed = read(name)["dI_zero"]
    assert (result - printed).abs().max() <= ROUNDED


def test_the_two_misprints_are_misprints() -> None:
    scores, columns = scores_of("table3_academic")
    assert abs(delta_i(improvement(scores, "STL", columns))["IGBv1"] - 0.17) > 0.9
    scores, columns = scores_of("table11_academic_qwen2vl2b")
    printed = pd.read_csv(TABLES / "table6_overall_various_models.csv").set_index(["model", "method"])["dI"]
    assert printed["Qwen2-VL-2B", "VisATB"] == -1.32
    assert delta_i(improvement(scores, "STL", columns))["VisATB"] == pytest.approx(-1.23, abs=ROUNDED)


@pytest.mark.parametrize(
    ("overall_only", "detailed"),
    [
        ("table8_ablation_overall", ["table13_ablation", "table14_ablation_zero"]),
        ("cotbal_table3_ablation_overall", ["cotbal_table4_ablation"]),
    ],
)
def test_overall_only_tables_follow_from_the_detailed_scores(overall_only: str, detailed: list[str]) -> None:
    printed = read(overall_only)
    computed = {}
    for name in detailed:
        zero = "zero" in name
        baseline = None if zero else {"table13_ablation": "table3_academic"}.get(name, "cotbal_table2")
        scores, columns = scores_of(name, baseline)
        result = improvement(scores, "EW" if zero else "STL", columns)
        computed |= {"dI_zero": delta_i(result)} if zero else {"dI": delta_i(result), "dE": delta_e(result)}
    difference = (pd.DataFrame(computed).loc[printed.index, printed.columns] - printed).abs()
    assert difference.to_numpy().max() <= ROUNDED


def test_table6_is_tables_11_and_12_but_for_its_misprint() -> None:
    printed = pd.read_csv(TABLES / "table6_overall_various_models.csv").set_index(["model", "method"])
    for model, suffix in {"LLaVA-v1.5-13B": "llava13b", "Qwen2-VL-2B": "qwen2vl2b"}.items():
        scores, columns = scores_of(f"table11_academic_{suffix}")
        tuned = improvement(scores, "STL", columns)
        scores, columns = scores_of(f"table12_zero_{suffix}")
        zero = delta_i(improvement(scores, "EW", columns))
        for method in ("EW", "VisATB"):
            row = printed.loc[(model, method)]
            misprinted = (model, method) == ("Qwen2-VL-2B", "VisATB")
            assert delta_i(tuned)[method] == pytest.approx(-1.23 if misprinted else row["dI"], abs=ROUNDED)
            assert delta_e(tuned)[method] == pytest.approx(row["dE"], abs=ROUNDED)
            assert zero[method] == pytest.approx(row["dI_zero"], abs=ROUNDED)


def test_metrics_are_averaged_within_their_task() -> None:
    columns = [Column("Ref", "iou"), Column("Ref", "miou"), Column("VQA", "em")]
    scores = pd.DataFrame(
        {"Ref:iou": [10.0, 12.0], "Ref:miou": [10.0, 14.0], "VQA": [50.0, 45.0]}, index=["single", "ew"]
    )
    result = improvement(scores, "single", columns)
    assert result.loc["ew"].to_dict() == pytest.approx({"Ref": 0.3, "VQA": -0.1})
    assert delta_i(result)["ew"] == pytest.approx(10.0)
    assert delta_e(result)["ew"] == pytest.approx(5.0)


def test_lower_is_better_turns_the_sign() -> None:
    columns = [Column("ASR", "wer", higher_is_better=False), Column("VQA", "em")]
    scores = pd.DataFrame({"ASR": [0.2, 0.15], "VQA": [50.0, 50.0]}, index=["single", "ew"])
    assert improvement(scores, "single", columns).loc["ew", "ASR"] == pytest.approx(0.25)


def test_baselines_of_zero_or_less_are_refused_by_name() -> None:
    columns = [Column("A", "em"), Column("B", "em"), Column("C", "em")]
    scores = pd.DataFrame({"A": [0.0, 1.0], "B": [5.0, 6.0], "C": [-1.0, 1.0]}, index=["single", "ew"])
    with pytest.raises(VisatbError) as error:
        improvement(scores, "single", columns)
    assert "single scores 0 in A" in str(error.value)
    assert "single scores -1 in C" in str(error.value)
    assert " in B" not in str(error.value)


def test_missing_scores_methods_and_columns_are_named() -> None:
    columns = [Column("A", "em"), Column("B", "em")]
    scores = pd.DataFrame({"A": [1.0, np.nan], "B": [5.0, 6.0]}, index=["single", "ew"])
    with pytest.raises(VisatbError, match="ew has no finite score in A"):
        improvement(scores, "single", columns)
    with pytest.raises(VisatbError, match="no scores of stl"):
        improvement(scores, "stl", columns)
    with pytest.raises(VisatbError, match="column B is missing"):
        improvement(scores[["A"]], "single", columns)
