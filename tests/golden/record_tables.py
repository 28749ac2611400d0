"""Records what `test_tables.py` compares, of a folder in which the small demo has run to its end.

``python tests/golden/record_tables.py FOLDER``
"""

import shutil
import sys
from pathlib import Path

from tests.golden.archive import pack
from tests.golden.stored import FIXTURES

TABLES = (
    *("validation_matrix.tsv", "validation_scores.tsv", "contributions.tsv", "contributions_intervals.tsv"),
    *("difficulty.tsv", "weights.tsv", "weights_comparison.tsv", "balancing.json"),
    *("benchmark.tsv", "benchmark_intervals.tsv", "test_scores.tsv", "summary.txt"),
    *(f"{name}.{kind}" for name in ("weights", "benchmark", "data") for kind in ("md", "tex")),
)


def record(folder: Path) -> None:
    """Pack the scores, and copy the tables."""
    results = folder / "results" / "demo-small"
    scores = [path for path in (results / "scores").rglob("*") if path.is_file()]
    pack(folder, [*scores, results / "data_report.tsv"], FIXTURES / "small-scores.tar.xz")
    (FIXTURES / "tables").mkdir(exist_ok=True)
    for name in TABLES:
        shutil.copyfile(results / name, FIXTURES / "tables" / name)


if __name__ == "__main__":
    record(Path(sys.argv[1]))
