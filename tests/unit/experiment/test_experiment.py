from pathlib import Path

import pyarrow as pa
import pytest

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values, task
from visatb.data.mixtures import build_mixture
from visatb.data.records import RECORD_SCHEMA
from visatb.experiment.experiment import Experiment
from visatb.planning.plan import idle_methods, plan
from visatb.reporting.text.plan import plan_text

TASKS = ("vqa", "caption", "bbox")
FIXED = {"chat": {"data": ["chat.json"], "weight": 0.5}}


@pytest.fixture(autouse=True)
def in_a_folder_with_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL_FILE).write_text(MODEL_TEXT)


def experiment(**changes: object) -> Experiment:
    return Experiment.from_values(config_values(**changes))


def mixtures(of: Experiment) -> dict[str, dict[str, str]]:
    return {name: dict(run.mixture) for name, run in of.runs.items()}


def test_runs_of_a_plain_experiment():
    plain = experiment()
    minis = {"vqa": "mini", "caption": "mini", "bbox": "mini"}
    whole = {"vqa": "train", "caption": "train", "bbox": "train"}
    expected = {
        "mini": minis,
        "plus-vqa": minis | {"vqa": "large"},
        "plus-caption": minis | {"caption": "large"},
        "plus-bbox": minis | {"bbox": "large"},
        "single-vqa": {"vqa": "train"},
        "single-caption": {"caption": "train"},
        "single-bbox": {"bbox": "train"},
        "ew": whole,
        "visatb": whole,
    }
    assert mixtures(plain) == expected
    assert list(plain.runs) == list(expected)
    assert [run.name for run in plain.preparation_runs] == ["mini", "plus-vqa", "plus-caption", "plus-bbox"]
    assert [run.kind for run in plain.runs.values()] == ["mini"] + ["plus"] * 3 + ["single"] * 3 + ["ew", "visatb"]
    assert {run.weights for run in plain.runs.values() if run.name != "visatb"} == {"equal"}
    assert plain.runs["visatb"].weights == "visatb"
    assert plain.groups == {"vqa": ("vqa",), "caption": ("caption",), "bbox": ("bbox",)}


def test_evaluations_of_a_plain_experiment():
    plain = experiment()
    preparation = ("mini", "plus-vqa", "plus-caption", "plus-bbox")
    assert set(plain.evaluations("val")) == {(run, "val", task) for run in preparation for task in TASKS}
    single = {(f"single-{task}", "test", task) for task in TASKS}
    assert set(plain.evaluations("test")) == single | {(r, "test", task) for r in ("ew", "visatb") for task in TASKS}
    assert plain.evaluations("train") == []
    assert len(plain.evaluations("val")) == 4 * 3
    assert len(plain.evaluations("test")) == 3 + 2 * 3


def test_groups_are_enlarged_as_one():
    grouped = experiment(groups={"reading": ["vqa", "bbox"]})
    assert grouped.groups == {"reading": ("vqa", "bbox"), "caption": ("caption",)}
    assert mixtures(grouped) | {} == {
        "mini": {"vqa": "mini", "caption": "mini", "bbox": "mini"},
        "plus-reading": {"vqa": "large", "caption": "mini", "bbox": "large"},
        "plus-caption": {"vqa": "mini", "caption": "large", "bbox": "mini"},
        "single-vqa": {"vqa": "train"},
        "single-caption": {"caption": "train"},
        "single-bbox": {"bbox": "train"},
        "ew": dict.fromkeys(TASKS, "train"),
        "visatb": dict.fromkeys(TASKS, "train"),
    }


def test_a_group_may_be_named_as_one_of_its_tasks():
    assert experiment(groups={"vqa": ["vqa", "bbox"]}).groups == {"vqa": ("vqa", "bbox"), "caption": ("caption",)}


def test_fixed_tasks_are_in_every_mixture_and_in_no_validation():
    fixed = experiment(fixed_tasks=FIXED)
    for name, mixture in mixtures(fixed).items():
        if name.startswith("single-"):
            assert "chat" not in mixture
        else:
            assert mixture["chat"] == ("train" if name in ("ew", "visatb") else "mini")
    assert "chat" not in fixed.groups
    assert not [entry for split in ("val", "test") for entry in fixed.evaluations(split) if entry[2] == "chat"]
    assert ("chat", "train") in fixed.splits
    assert ("chat", "val") not in fixed.splits
    assert len(fixed.preparation_runs) == 4
    assert fixed.all_tasks == [*TASKS, "chat"]


def test_weights_that_are_not_measured():
    fixed = experiment(fixed_tasks=FIXED)
    assert fixed.given_weights("mini") == {"vqa": 1, "caption": 1, "bbox": 1, "chat": 0.5}
    assert fixed.given_weights("single-vqa") == {}
    assert experiment().given_weights("mini") == {}
    own = {"vqa": 2.0, "caption": 0.5, "bbox": 1.0}
    given = experiment(given_weights={"mine": own}, methods=["ew", "mine"], fixed_tasks=FIXED)
    assert given.given_weights("mine") == own | {"chat": 0.5}


def test_precise_difficulty_adds_two_runs_a_task():
    precise = experiment(balancing={"difficulty": "precise"}, methods=["visatb"])
    only = {f"{size}-only-{task}": {task: size} for task in TASKS for size in ("mini", "large")}
    assert {name: mixture for name, mixture in mixtures(precise).items() if "-only-" in name} == only
    assert len(precise.preparation_runs) == 1 + 3 + 6
    assert [entry for entry in precise.evaluations("val") if entry[0] == "large-only-bbox"] == [
        ("large-only-bbox", "val", "bbox")
    ]
    assert [run.name for run in precise.final_runs] == ["visatb"]


def test_every_kind_of_run_asks_for_its_own_resources():
    precise = experiment(balancing={"difficulty": "precise"}, resources={"single": {"gpus": 2}})
    hours = {run: precise.resources(run).runtime / 60 for run in precise.runs}
    assert hours["mini"] < hours["plus-vqa"] == hours["single-vqa"] < hours["visatb"] == hours["ew"]
    assert (hours["mini-only-vqa"], hours["large-only-vqa"]) == (hours["mini"], hours["plus-vqa"])
    assert [run for run in precise.runs if precise.resources(run).gpus == 2] == [f"single-{task}" for task in TASKS]


def test_given_weights_are_a_run_of_their_own():
    weights = {"vqa": 2.0, "caption": 1.0, "bbox": 0.5}
    given = experiment(given_weights={"tuned": weights}, methods=["ew", "tuned"])
    run = given.runs["tuned"]
    assert (run.kind, run.weights, dict(run.mixture)) == ("given", "tuned", dict.fromkeys(TASKS, "train"))
    assert dict(run.evaluates) == {"test": TASKS}
    assert [run.name for run in given.final_runs] == ["ew", "tuned"]


@pytest.mark.parametrize("changes", [{}, {"fixed_tasks": FIXED}, {"groups": {"g": ["vqa", "bbox"]}}])
def test_the_preparation_costs_large_plus_groups_times_mini(changes: dict):
    rates = {"large": 0.5, "mini": 0.125}
    of = experiment(sampling=rates, **changes)
    samples = {"vqa": 64, "caption": 160, "bbox": 16, "chat": 32}
    records = {name: split(name, samples[name]) for name in of.all_tasks}
    built = {
        run.name: len(build_mixture(records, run.mixture, {s: of.rate(s) for s in ("mini", "large", "train")}, 0))
        for run in [*of.preparation_runs, of.runs["ew"]]
    }
    final = sum(samples[name] for name in of.tasks)
    n = len(of.groups)
    enlarged = rates["large"] + n * rates["mini"]
    fixed = (n + 1) * rates["mini"] * sum(samples[name] for name in of.config.fixed_tasks)
    assert built["ew"] == sum(samples[name] for name in of.all_tasks)
    assert sum(built.values()) - built["ew"] == enlarged * final + fixed


def split(name: str, number: int) -> pa.Table:
    turns = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    rows = [{"id": f"{name}{n}", "image": None, "conversations": turns, "truths": ["a"]} for n in range(number)]
    return pa.Table.from_pylist(rows, schema=RECORD_SCHEMA)


def test_a_column_is_a_task_with_one_of_its_metrics():
    plain = experiment()
    columns = [("vqa", "EM"), ("caption", "CIDEr"), ("bbox", "IoU"), ("bbox", "mean_IoU")]
    assert plain.validation_columns == columns


def test_files_and_folders_are_relative_to_the_data_folder():
    values = config_values(data_folder="corpus", fixed_tasks=FIXED, results="out")
    values["tasks"]["vqa"]["data"] = {"train": ["a.json", "b.json"], "val": "v.json", "test": "t.json"}
    moved = Experiment.from_values(values)
    assert moved.files("vqa", "train") == ["corpus/a.json", "corpus/b.json"]
    assert moved.files("caption", "val") == ["corpus/caption/val.json"]
    assert moved.files("chat", "train") == ["corpus/chat.json"]
    assert moved.image_folder("bbox") == "corpus/bbox"
    assert moved.image_folder("chat") == "corpus"
    assert moved.folder == Path("out/small")


def test_two_tasks_are_enough():
    two = experiment(tasks={"a": task("a"), "b": task("b")})
    assert [run.name for run in two.preparation_runs] == ["mini", "plus-a", "plus-b"]


VARIANTS = {
    "visatb-out-only": {"alpha": {"out": 1, "in": 0, "difficulty": 0}},
    "visatb-T1": {"temperature": 1.0},
    "precise": {"difficulty": "precise"},
    "simple": {"form": "simple"},
}


def test_every_method_is_trained_on_the_whole_mix():
    methods = ["stl", "ew", "tla", "rlw", "dwa", "igbv1", "visatb"]
    seven = experiment(methods=methods)
    assert [run.kind for run in seven.final_runs] == ["single"] * 3 + methods[1:]
    for method in methods[1:]:
        run = seven.runs[method]
        assert dict(run.mixture) == dict.fromkeys(TASKS, "train")
        assert run.weights == ("visatb" if method == "visatb" else "equal")
        assert run.moves_weights == (method in ("tla", "rlw", "dwa", "igbv1"))


def test_variants_measure_their_own_weights_from_runs_that_they_share():
    one = experiment(methods=["ew", "visatb", *VARIANTS], variants=VARIANTS, balancing={"temperature": 0.5})
    assert [run.name for run in one.final_runs] == ["ew", "visatb", *VARIANTS]
    assert {name: one.runs[name].weights for name in VARIANTS} == {name: name for name in VARIANTS}
    settings = {name: one.balance_settings(name) for name in ("visatb", *VARIANTS)}
    assert settings["visatb-out-only"].alphas == (1, 0, 0)
    assert [settings[name].temperature for name in settings] == [0.5, 0.5, 1.0, 0.5, 0.5]
    assert [settings[name].difficulty_used for name in settings] == ["repurposed"] * 3 + ["precise"] * 2
    assert [settings[name].form for name in settings] == ["paired"] * 4 + ["simple"]
    assert one.measured_by("visatb-T1") == one.measured_by("visatb")
    beyond = {run for run, _, _ in one.measured_by("precise")} - {run for run, _, _ in one.measured_by("visatb")}
    assert beyond == {f"{size}-only-{task}" for size in ("mini", "large") for task in TASKS}


@pytest.mark.parametrize("changes", [{}, {"difficulty": "precise"}, {"form": "simple"}])
@pytest.mark.parametrize("groups", [{}, {"reading": ["vqa", "bbox"]}])
def test_what_is_measured_is_what_the_equations_need(changes: dict, groups: dict):
    if groups and "form" in changes:
        pytest.skip("the simple form has no groups")
    of = experiment(balancing=changes, groups=groups)
    names = of.design("visatb").names
    task_of = dict(zip(names.columns, [column.task for column in of.columns], strict=True))
    needed = {(run, "val", task_of[name]) for run, columns in names.needs.items() for name in columns}
    assert set(of.measured_by("visatb")) == needed


def test_the_simple_form_takes_the_base_model_and_single_task_runs():
    simple = experiment(balancing={"form": "simple"}, methods=["stl", "visatb"], fixed_tasks=FIXED)
    kinds = ["base"] + ["single"] * 3 + ["mini-only"] * 3 + ["visatb"]
    assert [run.kind for run in simple.runs.values()] == kinds
    assert [run.name for run in simple.trained_runs] == list(simple.runs)[1:]
    base, single = simple.runs["base"], simple.runs["single-bbox"]
    assert (dict(base.mixture), dict(base.evaluates), base.is_trained) == ({}, {"val": TASKS}, False)
    assert dict(single.evaluates) == {"val": TASKS, "test": ("bbox",)}
    assert dict(simple.runs["mini-only-vqa"].evaluates) == {"val": ("vqa",)}
    without = experiment(balancing={"form": "simple"}, methods=["visatb"])
    assert dict(without.runs["single-bbox"].evaluates) == {"val": TASKS}


def test_the_plan_counts_the_base_model_as_no_training_and_names_methods_that_would_never_move():
    of = experiment(balancing={"form": "simple"}, methods=["ew", "dwa", "igbv1", "visatb"], igbv1={"last_step": 150})
    sizes = {(task, split): 6400 for task in TASKS for split in ("train", "val", "test")}
    table = plan(of, sizes)
    base = table.set_index("run").loc["base"]
    assert (base["samples"], base["steps"], base["evaluations"]) == (0, 0, 3 * 6400)
    assert table.set_index("run").loc["dwa", "steps"] == 150
    lines = idle_methods(of, table)
    assert len(lines) == 1
    assert lines[0].startswith("igbv1: its weights move after 151 steps, and its training has 150; lower igbv1.")
    text = plan_text(table, 1.0, 1 / 32, 3, "simple", lines)
    assert "Measuring the weights costs 1.03 times a final training, counted in samples (1 + R_mini = 1.03)" in text
    assert "Methods that would do what ew does:\n  - igbv1" in text


@pytest.mark.parametrize(
    ("gpus", "cpus", "workers"), [(0, 8, 0), (1, 8, 7), (8, 64, 7), (4, 128, 8), (8, 8, 1), (1, 1, 1)]
)
def test_workers_are_one_for_each_core_beyond_one_a_gpu(gpus: int, cpus: int, workers: int):
    of = experiment(resources={"final": {"gpus": gpus, "cpus": cpus}}).config
    assert of.training.workers_of(of.resources.final) == workers
    assert experiment(training={"workers": 3}).config.training.workers_of(of.resources.final) == 3
