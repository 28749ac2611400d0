"""Zero-shot benchmarks as far as they need no lmms-eval: questions, scores, data, its results files, the tables."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values
from tests.helpers.judge_server import SERVED_MODEL, judge_server, question_of, verdict
from tests.helpers.paths import FIXTURES, REPOSITORY, SCRIPTS
from tests.helpers.zero_shot_examples import write_benchmarks
from tests.helpers.zero_shot_server import SCORES
from visatb.errors import VisatbError
from visatb.evaluation.zero_shot.benchmarks import KNOWN, Benchmark, write_task_files
from visatb.evaluation.zero_shot.grading import read_grade
from visatb.evaluation.zero_shot.lmms_eval import VERSION, Asking, check_version, run_lmms_eval
from visatb.evaluation.zero_shot.plan import benchmarks, columns, methods
from visatb.evaluation.zero_shot.results import read_results
from visatb.evaluation.zero_shot.tables import zero_shot_scores, zero_shot_table
from visatb.experiment.experiment import Experiment
from visatb.planning.preflight import check_machine
from visatb.reporting.figures.benchmark import relative_improvements
from visatb.reporting.tables.paper_table import markdown_table
from visatb.reporting.tables.result_tables import methods_table
from visatb.reporting.tables.tables import benchmark_text

SCRIPT = SCRIPTS / "zero_shot.py"
RESULTS = FIXTURES / "lmms_eval"
TASKS = {name: f"visatb_{number}_{known.task_file}" for number, (name, known) in enumerate(KNOWN.items())}
ALL = [Benchmark.of(name, None, None) for name in KNOWN]


def test_missing_and_unfit_data_are_told_all_at_once(tmp_path: Path):
    sections = write_benchmarks(tmp_path / "data")
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "bad.parquet").write_text("no")
    files = {"POPE": "nowhere/*.parquet", "MME": sections["TextVQA"]["data"], "SQA-IMG": "empty.jsonl"}
    files |= {"MMBench": "bad.parquet", "SEED-IMG": "x.zip"}
    (tmp_path / "x.zip").touch()
    asked = [Benchmark.of(name, None, None, [str(tmp_path / file)]) for name, file in files.items()]
    asked.append(Benchmark.of("mine", str(tmp_path / "mine.yaml"), "acc"))
    with pytest.raises(VisatbError) as error:
        write_task_files(asked, tmp_path / "tasks")
    said = str(error.value)
    for part in ("POPE: ", "no such data file", "has no answer, category; it has image_id", "it is empty"):
        assert part in said
    assert "bad.parquet: cannot be read as .parquet" in said
    assert "end in .zip" in said
    assert "mine.yaml: no such task file" in said
    assert not (tmp_path / "tasks").exists()


def test_data_in_the_published_layouts_are_accepted(tmp_path: Path):
    sections = write_benchmarks(tmp_path)
    asked = [Benchmark.of(n, None, None, [one["data"]], one.get("image_folder")) for n, one in sections.items()]
    assert write_task_files(asked, tmp_path / "tasks") == TASKS
    assert len(list((tmp_path / "tasks").glob("*.yaml"))) == len(KNOWN)


def test_results_of_lmms_eval_are_read():
    scores = {score["benchmark"]: score for score in read_results(RESULTS, TASKS, ALL)}
    assert {name: scores[name]["value"] for name in SCORES} == pytest.approx(SCORES)
    assert {name: score["n"] for name, score in scores.items()} == {
        "TextVQA": 3,
        "POPE": 6,
        "MME": 4,
        "SQA-IMG": 3,
        "MMBench": 4,
        "SEED-IMG": 2,
        "MM-Vet": 2,
    }
    assert scores["SQA-IMG"]["stderr"] > 0
    assert scores["POPE"]["stderr"] is None
    assert {score["truncated"] for score in scores.values()} == {0}


def test_what_is_missing_in_results_is_named(tmp_path: Path):
    shutil.copytree(RESULTS, tmp_path / "results")
    file = next((tmp_path / "results").glob("*_results.json"))
    values = json.loads(file.read_text())
    del values["results"][TASKS["MME"]]
    values["results"][TASKS["POPE"]]["f1,none"] = float("nan")
    values["n-samples"][TASKS["TextVQA"]]["effective"] = 5
    file.write_text(json.dumps(values))
    samples = next((tmp_path / "results").glob(f"*_samples_{TASKS['SEED-IMG']}.jsonl"))
    line = json.loads(samples.read_text().splitlines()[0])
    line["filtered_resps"] = "[LMMS_EVAL_REQUEST_FAILED after 5 retries] refused"
    samples.write_text(json.dumps(line) + "\n" + samples.read_text().splitlines()[1] + "\n")
    next((tmp_path / "results").glob(f"*_samples_{TASKS['MMBench']}.jsonl")).unlink()
    asked = [*ALL, Benchmark.of("other", "visatb_1_pope", "accuracy")]
    with pytest.raises(VisatbError) as error:
        read_results(tmp_path / "results", {**TASKS, "other": TASKS["POPE"]}, asked)
    said = str(error.value)
    assert "MME: the task visatb_2_mme has no results" in said
    assert "POPE: its f1 is nan, no number" in said
    assert "TextVQA: 3 answers to 5 questions" in said
    assert "SEED-IMG: 1 of 2 questions found no answer" in said
    assert "MMBench: there is no file of samples" in said
    assert "other: there is no metric 'accuracy'; the task has f1" in said
    assert "SQA-IMG" not in said


def program(folder: Path, text: str) -> Asking:
    """Return an interpreter that runs ``text`` whatever it is told, as lmms-eval's place is."""
    script = folder / "python"
    script.write_text(f"#!{sys.executable}\n{text}\n")
    script.chmod(0o755)
    return Asking(str(script), "llava_hf", {})


def test_a_failure_that_ends_with_0_is_a_failure(tmp_path: Path):
    lines = [
        "ValueError: POPE: expected yes or no",
        "tenacity.RetryError: RetryError[<Future raised ValueError>]",
        "\\x1b[31mERROR Error during evaluation: RetryError[<Future>]. Please set `--verbosity=DEBUG`\\x1b[0m",
    ]
    asking = program(tmp_path, f"print('''{chr(10).join(lines)}''')")
    with pytest.raises(VisatbError, match=r"status 0, no results\): ValueError: POPE: expected yes or no"):
        run_lmms_eval(asking, ["a"], tmp_path, tmp_path / "out")


def test_questions_that_lmms_eval_gave_up_on_are_a_failure(tmp_path: Path):
    text = "import sys, pathlib\nout = pathlib.Path(sys.argv[sys.argv.index('--output_path') + 1]) / 'm'\n"
    text += "out.mkdir(parents=True)\n(out / '1_results.json').write_text('{}')\n"
    text += "print('Error CUDA out of memory in generating')"
    with pytest.raises(VisatbError, match=r"1 questions found no answer.*out of memory"):
        run_lmms_eval(program(tmp_path, text), ["a"], tmp_path, tmp_path / "out")


def test_lmms_eval_ends_with_the_job(tmp_path: Path):
    mark = tmp_path / "pid"
    text = f"import os, pathlib, sys, time\nif '-c' in sys.argv: print({VERSION!r}); sys.exit()\n"
    text += f"pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(100)"
    python = program(tmp_path, text).python
    asked = {"run": "ew", "benchmarks": [{"name": "POPE"}], "python": python}
    asked["loaded"] = {"loader": "llava_hf", "arguments": {}, "precision": "bfloat16"}
    line = ["zero_shot", "--job", json.dumps(asked), "--model", "m", "--output", str(tmp_path / "ew")]
    job = subprocess.Popen([sys.executable, str(SCRIPT), *line], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    job.terminate()
    assert job.wait(timeout=30) == 143
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
    assert not list((tmp_path / "ew").iterdir())


def test_an_interpreter_without_lmms_eval_is_told_with_the_remedy(tmp_path: Path):
    with pytest.raises(VisatbError, match=r"cannot be started.*zero-shot-env"):
        check_version(str(tmp_path / "none"))
    with pytest.raises(VisatbError, match=r"has no lmms-eval.*zero-shot-env"):
        check_version(sys.executable)
    with pytest.raises(VisatbError, match=r"has lmms-eval 0.6.1, but"):
        check_version(program(tmp_path, "print('0.6.1')").python)


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("0.5", 0.5),
        (" 1.0\n", 1.0),
        ("0.7 because", 0.7),
        ("1", 1.0),
        ("1.5", None),
        ("10", None),
        ("good", None),
        ("0.5.1", None),
        ("-1", None),
        ("", None),
    ],
)
def test_grades(text: str, grade: float | None):
    assert read_grade(text) == grade


def test_grades_of_mmvet_are_asked_once_and_unreadable_ones_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    line = json.loads(next(RESULTS.glob("*_mmvet.jsonl")).read_text(encoding="utf-8").splitlines()[0])
    answers = {"a": "0.2", "b": "0.8 good", "c": "Excellent!"}
    samples = [line | {"to_judge": {"id": name, "asked": name}} for name in answers]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    output = tmp_path / "score.json"
    with judge_server(lambda body, times: verdict(answers[question_of(body)])) as server:
        job = {
            "run": "ew",
            "benchmark": "MM-Vet",
            "model": "m",
            "parameters": {},
            "prices": {"input": 10, "output": 100},
        }
        line = ["judge_zero_shot", "--job", json.dumps(job), "--samples", str(tmp_path / "samples.jsonl")]
        line += ["--replies", str(tmp_path / "replies"), "--output", str(output)]
        monkeypatch.setenv("VISATB_UNTRACKED", json.dumps({"evaluation.judge": {"url": server.url}}))
        for _ in range(2):
            subprocess.run([sys.executable, str(SCRIPT), *line], check=True)
        assert len(server.asked) == 3
    score = json.loads(output.read_text())
    assert score["value"] == pytest.approx(50)
    assert score["stderr"] == pytest.approx(30)  # of 20 and 80: half their distance
    assert (score["n"], score["invalid"], score["judge"]) == (3, 1, SERVED_MODEL)
    assert (score["judge_tokens"], score["judge_cost"]) == (360, pytest.approx(3 * (100 * 10 + 20 * 100) / 1e6))


@pytest.mark.parametrize("name", ["table4_academic_zero", "table12_zero_llava13b", "table14_ablation_zero"])
def test_tables_of_the_papers_follow_from_the_files_of_scores(tmp_path: Path, name: str):
    printed = pd.read_csv(FIXTURES / "paper_tables" / f"{name}.csv").rename(columns={"SQA": "SQA-IMG"})
    printed["method"] = printed["method"].replace("EW", "ew")
    names = [column for column in printed if column not in ("method", "dI_zero")]
    for _, row in printed.iterrows():
        (tmp_path / row["method"]).mkdir()
        for one in names:
            score = {"metric": "score", "value": row[one], "stderr": None, "n": 10, "invalid": 0}
            (tmp_path / row["method"] / f"{one}.json").write_text(json.dumps(score))
    scores = zero_shot_scores(tmp_path, list(printed["method"]), names)
    assert list(scores.columns[:5]) == ["run", "split", "task", "metric", "value"]
    config = {"zero_shot": {"benchmarks": {one: {"task": "x", "metric": "score"} for one in names}}}
    table = zero_shot_table(scores, list(printed["method"]), columns(experiment(config, Path(tmp_path)).config))
    assert (table.set_index("method")["dI_zero"] - printed.set_index("method")["dI_zero"]).abs().max() <= 0.00505
    markdown = markdown_table(methods_table(table)).splitlines()
    assert "ΔI\\_zero% ↑" in markdown[0]
    assert f"**{printed['dI_zero'].max():.2f}**" in markdown_table(methods_table(table))
    without = zero_shot_table(scores, list(printed["method"])[1:], columns(experiment(config, tmp_path).config))
    assert without["dI_zero"].isna().all()


def test_the_zero_shot_figure_is_a_column_of_the_benchmark_and_no_task():
    rows = {"method": ["stl", "ew"], "vqa": [50.0, 55.0], "dI": [None, 10.0], "dE": [None, 0.0], "dI_zero": [None, 1.5]}
    benchmark = pd.DataFrame(rows)
    assert "ΔI_zero%" in benchmark_text(benchmark)
    assert "1.50" in benchmark_text(benchmark)
    assert list(relative_improvements(benchmark, "STL")) == ["vqa"]


def experiment(changes: dict[str, Any], folder: Path) -> Experiment:
    (folder / MODEL_FILE).write_text(MODEL_TEXT)
    return Experiment.from_values(config_values(**changes) | {"model": str(folder / MODEL_FILE)})


def test_what_follows_from_a_config(tmp_path: Path):
    section = {"benchmarks": ["POPE", "SQA-IMG"]}
    config = experiment({"zero_shot": section, "methods": ["stl", "ew", "visatb"]}, tmp_path).config
    assert [one.metric for one in benchmarks(config)] == ["f1", "accuracy"]
    assert methods(config) == ["ew", "visatb"]
    nothing = experiment({}, tmp_path).config
    assert benchmarks(nothing) == []
    assert methods(nothing) == []
    section = {"benchmarks": {"POPE": {"data": "zero/*.parquet"}, "GQA": {"task": "gqa", "metric": "exact_match"}}}
    given = benchmarks(experiment({"zero_shot": section, "data_folder": "d"}, tmp_path).config)
    assert given[0].data == ("d/zero/*.parquet",)
    assert given[1].known is None


def test_mistakes_are_told_all_at_once(tmp_path: Path):
    section = {
        "benchmarks": {
            "pope": {},
            "GQA": {"task": "gqa", "metric": "m", "data": "x.parquet"},
            "MM-Vet": None,
            "MME": {"image_folder": "x"},
        },
        "methods": ["stl", "visat"],
        "loader_arguments": {"device": "cpu"},
        "endpoint": {"url": "http://user:secret@localhost/v1", "model": "one"},
    }
    with pytest.raises(VisatbError) as error:
        experiment({"zero_shot": section}, tmp_path)
    said = str(error.value)
    for part in (
        "zero_shot.benchmarks.pope: not known by itself; did you mean 'POPE'?",
        "zero_shot.benchmarks.GQA.data: goes with a task file",
        "zero_shot.benchmarks.MM-Vet: needs a judge",
        "zero_shot.benchmarks.MME.image_folder: goes with data",
        "zero_shot.methods: 'stl' is one model a task",
        "zero_shot.methods: 'visat' is not among methods; did you mean 'visatb'?",
        "zero_shot.loader_arguments: 'device' is set by the workflow itself",
        "zero_shot.endpoint.url: an address must hold no key",
        "zero_shot.endpoint: every run would ask the same model",
    ):
        assert part in said
    assert "secret" not in said


def test_what_is_missing_is_told_before_anything_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    section = {"benchmarks": {"POPE": {"data": "no.parquet"}, "MM-Vet": {}}, "python": str(tmp_path / "python")}
    changes = {"zero_shot": section, "evaluation": {"judge": {"model": "gpt"}}, "results": str(tmp_path)}
    monkeypatch.chdir(REPOSITORY)
    asked = experiment(changes, tmp_path)
    with pytest.raises(VisatbError) as error:
        check_machine(asked)
    said = str(error.value)
    assert "zero_shot.benchmarks.POPE: no.parquet: no such data file" in said
    assert "python cannot be found or run on this machine" in said
    assert "tasks MM-Vet: the judge at" in said
    for method in ("ew", "visatb"):
        (asked.folder / "zero_shot" / method).mkdir(parents=True)
        for name in ("POPE", "MM-Vet"):
            (asked.folder / "zero_shot" / method / f"{name}.json").write_text("{}")
    check_machine(asked)
