"""Imported scores: what a table may say, what becomes of it, and what is still known of its chance."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values
from visatb.balancing.balance import balance
from visatb.balancing.bootstrap import intervals, replicate
from visatb.balancing.design import Design
from visatb.balancing.gaps import gap_standard_errors
from visatb.balancing.unknown_spread import hide_unknown
from visatb.balancing.weights import measure_weights, score_origins, validation_samples
from visatb.config.balancing import BalanceSettings
from visatb.errors import VisatbError
from visatb.experiment.experiment import Experiment
from visatb.planning.plan import plan
from visatb.scores.columns import Column
from visatb.scores.imported import ImportedScore, imported_table
from visatb.scores.paired import paired_samples, partly_paired_samples
from visatb.scores.table import about_scores
from visatb.scores.tidy import tidy_scores

HEAD = "run\ttask\tmetric\tvalue\tn\n"


@pytest.fixture(autouse=True)
def in_a_folder_with_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL_FILE).write_text(MODEL_TEXT)


def importing(table: str, **changes: object) -> Experiment:
    Path("scores.tsv").write_text(table)
    return Experiment.from_values(config_values(imports={"scores": "scores.tsv"}, **changes))


def model_folder(name: str, *without: str) -> str:
    folder = Path(name)
    folder.mkdir()
    for file in {"config.json", "model.safetensors", "tokenizer.json", "processor_config.json"} - set(without):
        (folder / file).write_text("{}")
    return name


def records(ids: list[str]) -> pa.Table:
    return pa.table({"id": ids, "image": [f"{name}.png" for name in ids]})


def test_what_is_imported_is_neither_answered_nor_trained():
    everywhere = "".join(
        f"plus-vqa\t{task}\t{metric}\t{value}\t40\n"
        for task, metric, value in (
            ("vqa", "EM", 50),
            ("caption", "CIDEr", 2),
            ("bbox", "IoU", 9),
            ("bbox", "mean_IoU", 8),
        )
    )
    one = importing(HEAD + everywhere + "mini\tvqa\tEM\t25\t40\newx\tvqa\tEM\t1\t9\n".replace("ewx", "ew"))
    assert one.answered_tasks("plus-vqa", "val") == ()
    assert one.answered_tasks("mini", "val") == ("caption", "bbox")
    assert one.answered_tasks("ew", "test") == ("caption", "bbox")
    trained = [run.name for run in one.trained_runs]
    assert "plus-vqa" not in trained
    assert {"mini", "plus-caption", "ew", "visatb"} <= set(trained)
    sizes = {(task, split): 40 for task in one.tasks for split in ("train", "val", "test")}
    rows = plan(one, sizes).set_index("run")
    assert tuple(rows.loc["plus-vqa", ["samples", "steps", "evaluations"]]) == (0, 0, 0)
    assert rows.loc["mini", "evaluations"] == 80


def test_an_imported_model_is_not_trained_but_answers():
    one = Experiment.from_values(config_values(imports={"runs": {"mini": model_folder("mine")}}))
    assert "mini" not in [run.name for run in one.trained_runs]
    assert one.answered_tasks("mini", "val") == ("vqa", "caption", "bbox")
    assert one.reuse.model_origin("mini") == "imported model"
    assert one.reuse.model_origin("ew") is None


def test_all_mistakes_of_the_table_and_the_folders_are_told_at_once():
    rows = [
        "mino\tvqa\tEM\t1\t9",
        "mini\tvqq\tEM\t1\t9",
        "mini\tcaption\tEM\t1\t9",
        "mini\tvqa\tEM\t101\t9",
        "mini\tvqa\tEM\t50\t",
        "mini\tvqa\tEM\tmany\t9",
        "mini\tcaption\tCIDEr\t3\t1",
        "visatb\tvqa\tEM\t3\t9",
        "plus-vqa\tvqa\tEM\t3\t9",
        "plus-vqa\tvqa\tEM\t4\t9",
        "single-vqa\tcaption\tCIDEr\t4\t9",
    ]
    Path("scores.tsv").write_text(HEAD + "\n".join(rows) + "\n")
    Path("pickled").mkdir()
    Path("pickled/pytorch_model.bin").write_text("")
    imports = {"scores": "scores.tsv", "runs": {"mino": "pickled", "visatb": "nowhere", "ew": model_folder("m")}}
    with pytest.raises(VisatbError) as caught:
        Experiment.from_values(config_values(imports=imports))
    told = str(caught.value)
    for words in (
        "line 2: there is no run 'mino' here; did you mean 'mini'?",
        "line 3: there is no task 'vqq'; did you mean 'vqa'?",
        "line 4: the task 'caption' has no metric 'EM'",
        "line 5: value: EM lies between 0 and 100, found 101",
        "line 6: n: missing",
        "line 7: value: expected a number, found 'many'",
        "line 8: n: expected a whole number of samples, 2 or more, found '1'",
        "line 9: the run 'visatb' follows from the weights that this experiment measures",
        "plus-vqa, val, vqa: EM is there 2 times",
        "line 12: the run 'single-vqa' is not scored on 'caption'",
        "imports.runs.mino: there is no such run here; did you mean 'mini'?",
        "imports.runs.mino: pickled has no config.json",
        "has no *.safetensors (it has weights in another format",
        "imports.runs.visatb: follows from the weights",
        "nowhere: no such folder",
    ):
        assert words in told, words
    assert "imports.runs.ew" not in told


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("scores.xls", "", "ends in .tsv"),
        ("scores.csv", "run,task\n", "lacks the column(s) metric, value, n"),
        ("scores.csv", "run,task,metric,value,n,who\n", "unknown ones: who"),
        ("scores.csv", "run,task,metric,value,n\n", "no rows"),
        ("scores.csv", "run,task,metric,value,n\nmini,bbox,IoU,5,9\n", "has no row for mean_IoU"),
    ],
)
def test_tables_that_cannot_be_used(name: str, text: str, words: str):
    Path(name).write_text(text)
    with pytest.raises(VisatbError, match=r"imports\.scores") as caught:
        Experiment.from_values(config_values(imports={"scores": name}))
    assert words in str(caught.value)


def test_a_split_is_asked_for_where_a_run_has_two():
    simple = {"balancing": {"form": "simple"}, "tasks": {t: config_values()["tasks"][t] for t in ("vqa", "caption")}}
    with pytest.raises(VisatbError, match="is scored on val and test; say which"):
        importing(HEAD + "single-vqa\tvqa\tEM\t5\t9\n", **simple)
    one = importing("run\ttask\tmetric\tvalue\tn\tsplit\nsingle-vqa\tvqa\tEM\t5\t9\ttest\n", **simple)
    assert one.answered_tasks("single-vqa", "val") == ("vqa", "caption")
    assert one.answered_tasks("single-vqa", "test") == ()


def test_a_value_of_all_or_nothing_samples_has_the_spread_of_a_binomial(tmp_path: Path):
    table = imported_table([ImportedScore("mini", "val", "vqa", "EM", 37.25, 400)], records(["a", "b"]))
    pq.write_table(table, tmp_path / "vqa.parquet")
    row = tidy_scores([("mini", "val", "vqa", tmp_path / "vqa.parquet")]).iloc[0]
    assert (row["value"], row["n"], row["origin"]) == (pytest.approx(37.25), 400, "imported value")
    assert row["stderr"] == pytest.approx(100 * np.sqrt(0.3725 * 0.6275 / 399), rel=1e-9)


def test_a_rounded_value_stays_what_it_is(tmp_path: Path):
    table = imported_table([ImportedScore("mini", "val", "vqa", "EM", 33.3, 7)], records(["a", "b"]))
    assert np.mean(table["numerator"].to_numpy()) == pytest.approx(33.3)
    assert set(np.delete(table["numerator"].to_numpy(), 2)) == {0.0, 100.0}


def test_the_spread_of_another_metric_is_not_known(tmp_path: Path):
    table = imported_table([ImportedScore("mini", "val", "caption", "CIDEr", 3.5, 50)], records(["a", "b"]))
    pq.write_table(table, tmp_path / "caption.parquet")
    row = tidy_scores([("mini", "val", "caption", tmp_path / "caption.parquet")]).iloc[0]
    assert row["value"] == pytest.approx(3.5)
    assert np.isnan(row["stderr"])
    assert about_scores(table)["unknown_spread"] == ["CIDEr"]


def test_files_of_samples_are_held_to_the_records_and_to_the_table(tmp_path: Path):
    Path("samples.csv").write_text("id,value\nb,100\na,0\n")
    score = ImportedScore("mini", "val", "vqa", "EM", 50.0, 2, "samples.csv")
    table = imported_table([score], records(["a", "b"]))
    assert table["image"].to_pylist() == ["b.png", "a.png"]
    assert about_scores(table)["unpaired"] == []
    assert about_scores(table)["origin"] == "imported samples"
    with pytest.raises(VisatbError, match=r"1 of them not in the val split"):
        imported_table([score], records(["a", "c"]))
    wrong = ImportedScore("mini", "val", "vqa", "EM", 51.0, 2, "samples.csv")
    with pytest.raises(VisatbError, match="its 2 samples score 50, but the table says 51 of 2"):
        imported_table([wrong], records(["a", "b"]))
    Path("samples.csv").write_text("id,value\nb,\na,0\n")
    with pytest.raises(VisatbError, match="'b' has no finite score"):
        imported_table([score], records(["a", "b"]))


def per_sample(values: np.ndarray) -> pd.DataFrame:
    ids = [str(number) for number in range(len(values))]
    return pd.DataFrame({"id": ids, "image": ids, "numerator": values, "denominator": 1.0})


def test_runs_without_common_samples_have_independent_errors():
    generator = np.random.default_rng(0)
    tables = {
        run: per_sample(100.0 * (generator.random(300) < share)) for run, share in (("mini", 0.3), ("plus-a", 0.6))
    }
    columns, groups = [Column("a", "EM")], {"a": ["a"], "b": ["b"]}
    tables["plus-b"] = per_sample(100.0 * (generator.random(300) < 0.35))
    columns.append(Column("b", "EM"))
    paired = [paired_samples(name, tables) for name in "ab"]
    apart = [partly_paired_samples(name, tables, ["mini"]) for name in "ab"]
    for samples in (paired, apart):
        assert samples[0].scores() == pytest.approx([tables[run]["numerator"].mean() for run in samples[0].runs])
    error = gap_standard_errors(apart, Design(columns, groups, BalanceSettings(temperature=1.0)))["a"]
    variances = [tables[run]["numerator"].var(ddof=1) / 300 for run in ("mini", "plus-a")]
    assert error == pytest.approx(np.sqrt(sum(variances)), rel=2e-3)


def test_intervals_of_what_follows_from_an_unknown_spread_are_empty_and_the_others_stay():
    generator = np.random.default_rng(1)
    tables = {
        run: per_sample(100.0 * (generator.random(400) < share))
        for run, share in (("mini", 0.3), ("plus-a", 0.7), ("plus-b", 0.6), ("plus-c", 0.65))
    }
    columns, groups = [Column(task, "EM") for task in "abc"], {task: [task] for task in "abc"}
    samples = [paired_samples(task, tables) for task in "abc"]
    settings = BalanceSettings(temperature=1.0, on_unlearned="clip")
    matrix = pd.DataFrame({one.column: one.scores() for one in samples}, index=list(tables))
    point = balance(matrix, Design(columns, groups, settings))
    drawn = replicate(point, samples, 200, 0)
    hidden = intervals(point, hide_unknown(point, drawn, {"b": ["plus-a"]}))
    pairs = hidden.contributions.set_index(["from", "to"])["low"].isna()
    assert pairs[pairs].index.tolist() == [("a", "b")]
    empty = hidden.groups.isna()
    assert empty["C_out_low"].to_dict() == {"a": True, "b": False, "c": False}
    assert empty["C_in_low"].to_dict() == {"a": False, "b": True, "c": False}
    assert not empty["D_low"].any()
    assert not empty["lambda_D_low"].any()
    assert empty[["lambda_out_low", "lambda_in_low", "weight_low", "weight_high"]].all(axis=None)
    assert intervals(point, hide_unknown(point, drawn, {})).groups.equals(intervals(point, drawn).groups)
    own = intervals(point, hide_unknown(point, drawn, {"b": ["plus-b"]}))
    assert own.groups["D_low"].isna().to_dict() == {"a": False, "b": True, "c": False}
    assert own.contributions.set_index("to")["low"].isna().groupby(level=0).all().to_dict() == {
        "a": False, "b": True, "c": False,
    }  # fmt: skip


def test_weights_say_what_was_imported(tmp_path: Path):
    generator, tasks = np.random.default_rng(2), ("vqa", "caption")
    ids = [str(number) for number in range(200)]
    for run, shares in (("mini", (0.2, 0.3)), ("plus-vqa", (0.6, 0.4)), ("plus-caption", (0.3, 0.7))):
        for task, share in zip(tasks, shares, strict=True):
            metric = "EM" if task == "vqa" else "CIDEr"
            value, samples = 100 * share if metric == "EM" else 5 * share, None
            if run == "mini" or task == "vqa":
                hits = generator.permutation(200) < 200 * share
                samples = f"{run}-{task}.csv"
                scale = 100.0 if metric == "EM" else 5.0
                pd.DataFrame({"id": ids, "value": scale * hits}).to_csv(samples, index=False)
            score = ImportedScore(run, "val", task, metric, value, 200, samples)
            file = tmp_path / "scores" / run / "val" / f"{task}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(imported_table([score], records(ids)), file)
    columns, groups = [Column("vqa", "EM"), Column("caption", "CIDEr")], {task: [task] for task in tasks}
    needs = dict.fromkeys(("mini", "plus-vqa", "plus-caption"), tasks)
    samples = validation_samples(tmp_path / "scores", columns, needs)
    origins = score_origins(tmp_path / "scores", columns, needs)
    tables = measure_weights(samples, Design(columns, groups, BalanceSettings(temperature=1.0)), {}, 100, 0, origins)
    notes = tables.weights.set_index("task")["note"]
    assert notes["caption"] == "caption: imported samples (mini), imported value (plus-vqa, plus-caption)"
    assert tables.weights["weight_low"].isna().all()
    assert tables.contributions_intervals.set_index(["from", "to"])["low"].isna().to_dict() == {
        ("vqa", "caption"): True, ("caption", "vqa"): False,
    }  # fmt: skip
    assert any("V(plus-caption) is not known" in note for note in tables.balancing["notes"])
    json.dumps(tables.balancing, allow_nan=False)
