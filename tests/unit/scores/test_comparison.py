"""Several experiments in one table: scores side by side, gains against one baseline."""

from pathlib import Path

import pandas as pd
import pytest

from visatb.errors import VisatbError
from visatb.runtime.files import write_table
from visatb.scores.columns import Column
from visatb.scores.comparison import comparison_table

COLUMNS = [Column("vqa", "EM", True), Column("caption", "CIDEr", True)]


def experiment(folder: Path, name: str, scores: dict[str, tuple[float, float]], n: int = 100) -> None:
    rows = [{"method": method, "vqa": vqa, "caption": caption, "dI": 9.0} for method, (vqa, caption) in scores.items()]
    write_table(folder / name / "benchmark.tsv", pd.DataFrame(rows))
    sizes = [
        {"run": "ew", "task": task, "metric": metric, "n": n} for task, metric in (("vqa", "EM"), ("caption", "CIDEr"))
    ]
    write_table(folder / name / "test_scores.tsv", pd.DataFrame(sizes))


def test_all_gains_are_against_the_first_experiments_single_tasks(tmp_path: Path):
    experiment(tmp_path, "plain", {"stl": (50, 2), "ew": (55, 2)})
    experiment(tmp_path, "l2t", {"stl": (40, 3), "visatb": (60, 1.5)})
    table = comparison_table(tmp_path, ["plain", "l2t"], COLUMNS)
    assert table[["experiment", "method", "vqa", "caption"]].values.tolist() == [
        ["plain", "stl", 50, 2],
        ["plain", "ew", 55, 2],
        ["l2t", "stl", 40, 3],
        ["l2t", "visatb", 60, 1.5],
    ]
    assert table["dI"].isna().tolist() == [True, False, False, False]
    assert table["dI"].tolist()[1:] == pytest.approx([5.0, 15.0, -2.5])
    assert table["dE"].tolist()[1:] == pytest.approx([0.0, 10.0, 12.5])


def test_without_single_tasks_there_are_scores_alone(tmp_path: Path):
    experiment(tmp_path, "plain", {"ew": (55, 2)})
    experiment(tmp_path, "l2t", {"ew": (60, 1)})
    assert comparison_table(tmp_path, ["plain", "l2t"], COLUMNS)[["dI", "dE"]].isna().all(axis=None)


def test_other_test_splits_are_told(tmp_path: Path):
    experiment(tmp_path, "plain", {"ew": (55, 2)})
    experiment(tmp_path, "l2t", {"ew": (60, 1)}, n=99)
    with pytest.raises(VisatbError, match=r"l2t.test_scores.tsv: vqa has 99 samples, in plain 100"):
        comparison_table(tmp_path, ["plain", "l2t"], COLUMNS)


def test_another_tasks_table_is_told(tmp_path: Path):
    experiment(tmp_path, "plain", {"ew": (55, 2)})
    with pytest.raises(VisatbError, match="has no column 'ocr'"):
        comparison_table(tmp_path, ["plain"], [Column("ocr", "EM", True)])
