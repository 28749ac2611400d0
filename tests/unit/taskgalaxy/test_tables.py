"""The tables between TaskGalaxy's stages: no row is lost on the way, none is there twice, each has its reason."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visatb.errors import VisatbError
from visatb.reporting.figures.funnel import funnel_figure
from visatb.taskgalaxy import tables as t
from visatb.taskgalaxy.dedup import dedup_types
from visatb.taskgalaxy.embedding import unit_vectors
from visatb.taskgalaxy.funnel import STAGES, funnel

SCHEMAS = (
    t.TYPE_SCHEMA,
    t.TYPE_SCHEMA,
    t.PICTURE_SCHEMA,
    t.MATCH_SCHEMA,
    t.CANDIDATE_SCHEMA,
    t.SAMPLE_SCHEMA,
    t.JUDGED_SCHEMA,
    t.EXPORT_SCHEMA,
)
USAGE = {"requests": 5, "prompt_tokens": 50, "completion_tokens": 7, "cost": 0.25, "models": ["a", "b"]}


def stage_tables(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> dict[str, Path]:
    paths = {}
    for (stage, _), schema in zip(STAGES, SCHEMAS, strict=True):
        paths[stage] = folder / f"{stage}.parquet"
        t.write_stage(paths[stage], rows[stage], schema, USAGE if stage == "vote" else None)
    return paths


def verdicts(kept: int, *reasons: str) -> list[dict[str, Any]]:
    found = [t.kept() for _ in range(kept)] + [t.rejected(reason) for reason in reasons]
    return [{"id": str(number), **row} for number, row in enumerate(found)]


def example() -> dict[str, list[dict[str, Any]]]:
    return {
        "expand_types": verdicts(4, "named before", "named before"),
        "deduplicate_types": verdicts(3, "near"),
        "list_images": verdicts(9, "broken"),
        "match_types": verdicts(8, "floor", "cap", "floor"),
        "filter_types": verdicts(6, "no", "no"),
        "write_questions": verdicts(5, "refused"),
        "vote": verdicts(4, "too few votes"),
        "export_taskgalaxy": verdicts(4),
    }


def test_the_funnel_counts_what_the_tables_hold(tmp_path: Path):
    stages, reasons = funnel(stage_tables(tmp_path, example()))
    rows = stages.set_index("stage")
    assert rows["given"].to_list() == [6, 4, 10, 11, 8, 6, 5, 4]
    assert rows["rejected"].to_list() == [2, 1, 1, 3, 2, 1, 1, 0]
    assert rows.loc["vote", ["requests", "cost", "models"]].to_list() == [5, 0.25, "a, b"]
    assert rows["cost"].isna().sum() == 7
    assert reasons.set_index(["stage", "reason"])["count"].to_dict()["match_types", "floor"] == 2
    labels = [text.get_text() for text in funnel_figure(stages).axes[0].texts]
    assert labels[3] == "8 of 11"


@pytest.mark.parametrize("stage", ["deduplicate_types", "filter_types", "write_questions", "vote", "export_taskgalaxy"])
def test_a_lost_row_stops_the_funnel(tmp_path: Path, stage: str):
    rows = example()
    rows[stage] = rows[stage][1:]
    with pytest.raises(VisatbError, match=f"{stage} tells of .* the tables are not of one run"):
        funnel(stage_tables(tmp_path, rows))


def test_an_id_twice_is_not_written(tmp_path: Path):
    with pytest.raises(VisatbError, match="an id is there twice"):
        t.write_stage(tmp_path / "a.parquet", verdicts(2) + verdicts(1), t.SAMPLE_SCHEMA)
    assert not list(tmp_path.iterdir())


def test_near_duplicates_are_rejected_and_listed():
    names = ("naming cups", "naming mugs", "counting")
    rows = [{"id": name, "level_1": "A", "level_2": "B", "level_3": name, **t.kept()} for name in names]
    vectors = unit_vectors(np.array([[1, 0.0], [1, 0.01], [0, 1]]))
    found, table = dedup_types(rows, vectors, 0.99)
    assert [(row["status"], row["detail"]) for row in found] == [
        ("kept", None),
        ("rejected", "A > B > naming cups"),
        ("kept", None),
    ]
    assert table[["type", "instead"]].to_numpy().tolist() == [["A > B > naming mugs", "A > B > naming cups"]]
    assert table["cosine"][0] == pytest.approx(1 / np.sqrt(1.0001), abs=1e-7)
    assert rows[1]["status"] == "kept", "what was given is not changed"
