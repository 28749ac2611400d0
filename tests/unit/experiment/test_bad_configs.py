"""Mistakes that people make in the first hour, and what the one message must say: where, what, what to do."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, Values, config_values, task
from visatb.config.loading import read_yaml
from visatb.errors import VisatbError
from visatb.experiment.experiment import Experiment

Mutation = Callable[[Values], Any]


@pytest.fixture(autouse=True)
def in_a_folder_with_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path(MODEL_FILE).write_text(MODEL_TEXT)
    Path("base.yaml").write_text("extends: other.yaml\n")
    Path("other.yaml").write_text("extends: base.yaml\n")


def put(path: str, value: Any) -> Mutation:
    """Return a mutation that sets the key at a dotted path."""

    def mutate(values: Values) -> None:
        *sections, key = path.split("/")
        for section in sections:
            values = values.setdefault(section, {})
        values[key] = value

    return mutate


def take(path: str) -> Mutation:
    def mutate(values: Values) -> None:
        *sections, key = path.split("/")
        for section in sections:
            values = values[section]
        del values[key]

    return mutate


def both(*mutations: Mutation) -> Mutation:
    return lambda values: [mutate(values) for mutate in mutations]


def given(**weights: Any) -> Mutation:
    return both(put("given_weights", {"mine": weights}), put("methods", ["ew", "mine"]))


ALPHA = "balancing/alpha"
GROUPS = "groups"
VQA_SOURCE = "tasks/vqa/source"


def source(**keys: Any) -> Mutation:
    return both(take("tasks/vqa/data"), put(VQA_SOURCE, {"files": "vqa/{split}.json", **keys}))


TRAIN = {"train": "a.json"}
MISTAKES: dict[str, tuple[Mutation, list[str]]] = {
    "data and source": (put(VQA_SOURCE, {"files": "{split}.json"}), ["tasks.vqa.source", "take one of the two away"]),
    "source without val": (source(files=TRAIN), ["tasks.vqa.source.files", "val and test are needed", "hold_out"]),
    "unknown step": (source(merge_image=True), ["tasks.vqa.source.merge_image", "did you mean 'merge_images'"]),
    "unknown format": (source(format="m3i"), ["tasks.vqa.source.format", "did you mean 'm3it'"]),
    "held out although there": (
        source(hold_out={"val": 2, "test": 2}),
        ["tasks.vqa.source.hold_out", "take files.val, files.test"],
    ),
    "nothing to halve": (source(files=TRAIN, halve_val=True), ["tasks.vqa.source.halve_val", "name files.val"]),
    "refcoco asks nothing": (source(format="refcoco"), ["tasks.vqa.source.ask", "caption or box"]),
    "tokens of what": (source(max_tokens=9), ["tasks.vqa.source.max_tokens", "tokenizer"]),
    "no samples at all": (source(samples={"train": 0}), ["tasks.vqa.source.samples.train", "at least 1"]),
    "words of another format": (source(blocked_words=["x"]), ["tasks.vqa.source.blocked_words", "sharegpt"]),
    "image folder of m3it": (source(format="m3it"), ["tasks.vqa.image_folder", "take image_folder away"]),
    "fixed task with val": (
        put("fixed_tasks", {"chat": {"source": {"files": "chat/{split}.json"}}}),
        ["fixed_tasks.chat.source", "train split alone"],
    ),
    "train is val": (
        both(
            put("tasks/vqa/data", {"train": "a.json", "val": "a.json", "test": "b.json"}),
            put("tasks/vqa/task_field", "v"),
        ),
        ["tasks.vqa.data", "a.json", "2 splits"],
    ),
    "variant that is no method": (put("variants", {"T1": {"temperature": 1}}), ["variants.T1", "add 'T1' to methods"]),
    "variant named as a method": (
        both(put("variants", {"DWA": {"temperature": 1}}), put("methods", ["visatb", "dwa"])),
        ["variants.DWA", "name of a run already"],
    ),
    "variant and weights of one name": (
        both(
            put("variants", {"mine": {"temperature": 1}}),
            put("given_weights", {"Mine": {"vqa": 1, "caption": 1, "bbox": 1}}),
            put("methods", ["mine", "Mine"]),
        ),
        ["given_weights.Mine", "such a name under variants"],
    ),
    "shares of a variant": (
        both(put("variants", {"out": {"alpha": {"out": 1}}}), put("methods", ["visatb", "out"])),
        ["variants.out.alpha", "must be 1, found 1.75"],
    ),
    "repurposed difficulty in the simple form": (
        put("balancing", {"form": "simple", "difficulty": "repurposed"}),
        ["balancing.difficulty", "no mini run to repurpose", "precise"],
    ),
    "groups in the simple form of a variant": (
        both(
            put("variants", {"chat": {"form": "simple"}}),
            put("methods", ["visatb", "chat"]),
            put("groups", {"reading": ["vqa", "bbox"]}),
        ),
        ["variants.chat.form", "take the group 'reading' away"],
    ),
    "steps of igbv1": (put("igbv1", {"first_step": 300}), ["igbv1.last_step", "199 is before first_step (300)"]),
    "own data under corpus": (
        both(put("tasks/mine", task("mine")), put("corpus", {"samples": {"train": 9, "val": 9, "test": 9}})),
        ["corpus: has no task 'mine'", "only caption, vqa, gqa", "take corpus away"],
    ),
    # keys
    "typo at the top": (put("experimnt", "x"), ["experimnt: unknown key", "did you mean 'experiment'?"]),
    "typo in a section": (put("training/lerning_rate", 1), ["training.lerning_rate", "'learning_rate'"]),
    "typo in a task": (put("tasks/vqa/metric", "EM"), ["tasks.vqa.metric: unknown key", "'metrics'"]),
    "typo deep down": (put("resources/final/gpu", 2), ["resources.final.gpu", "did you mean 'gpus'?"]),
    "unknown key": (put("sampling/zzz", 1), ["sampling.zzz: unknown key", "known here: large, mini"]),
    "key at the wrong level": (put("learning_rate", 1), ["learning_rate", "did you mean training.learning_rate?"]),
    "python name of alpha.in": (put("balancing/alpha/in_", 0.25), ["balancing.alpha.in_", "did you mean 'in'?"]),
    "no experiment": (take("experiment"), ["experiment: missing", "name"]),
    "no model": (take("model"), ["model: missing", "model file"]),
    "no tasks": (take("tasks"), ["tasks: missing", "the tasks to balance"]),
    "no metric": (take("tasks/vqa/metrics"), ["tasks.vqa.metrics: missing", "`EM`"]),
    "no data": (take("tasks/vqa/data"), ["tasks.vqa.data: missing", "annotation files"]),
    "no val split": (put("tasks/vqa/data", {"train": "a", "test": "b"}), ["tasks.vqa.data.val: missing"]),
    "numeric task name": (put("tasks", {2024: task("a"), "b": task("b"), "c": task("c")}), ["tasks", "2024", "quotes"]),
    "task named yes": (put("tasks", {True: task("a"), "b": task("b"), "c": task("c")}), ["tasks", "true", "yes"]),
    "key on": (lambda v: v.update({False: 1}), ["top level", "false", "quotes"]),
    # kinds of values
    "word for a number": (put("training/epochs", "one"), ["training.epochs: expected a number; found 'one'"]),
    "word for a whole number": (put("seed", "abc"), ["seed: expected a whole number; found 'abc'"]),
    "half a sample": (put("training/micro_batch_size", 1.5), ["micro_batch_size: expected a whole number; found 1.5"]),
    "yes for a number": (put("training/epochs", True), ["training.epochs", "expected a number", "true", "yes"]),
    "number for true": (put("training/gradient_checkpointing", 7), ["expected true or false; found 7"]),
    "number for text": (put("experiment", 2024), ["experiment: expected text; found 2024", "quotes"]),
    "list for a section": (put("training", ["epochs", 1]), ["training: expected 'key: value' lines; found a list"]),
    "word for a section": (put("sampling", "all"), ["sampling: expected 'key: value' lines; found 'all'"]),
    "list for the tasks": (put("tasks", [task("a")]), ["tasks: expected 'key: value' lines; found a list"]),
    "empty section": (put("training", None), ["training: is empty"]),
    "empty task": (put("tasks/vqa", None), ["tasks.vqa: is empty"]),
    "no metric in the list": (put("tasks/vqa/metrics", []), ["tasks.vqa.metrics: is empty"]),
    "no file in the list": (put("tasks/vqa/data", {"train": [], "val": "v", "test": "t"}), ["data.train: is empty"]),
    "number among metrics": (put("tasks/vqa/metrics", ["EM", 3]), ["tasks.vqa.metrics, item 2: expected text"]),
    "number for a file": (put("tasks/vqa/data", 3), ["tasks.vqa.data", "found 3"]),
    "unknown choice": (put("training/schedule", "cosin"), ["training.schedule", "'linear'", "did you mean 'cosine'?"]),
    "bf16": (put("training/precision", "bf16"), ["training.precision", "'bfloat16'", "found 'bf16'"]),
    # numbers
    "rate 0": (put("sampling/mini", 0), ["sampling.mini: expected 'auto' or a number above 0, up to 1; found 0"]),
    "rate 2": (put("sampling/large", 2), ["sampling.large: expected 'auto' or a number above 0, up to 1; found 2"]),
    "negative rate": (
        put("sampling/mini", -0.1),
        ["sampling.mini: expected 'auto' or a number", "found -0.1"],
    ),
    "rate nan": (
        put("sampling/mini", float("nan")),
        ["sampling.mini: expected 'auto' or a number", "found nan"],
    ),
    "learning rate inf": (put("training/learning_rate", float("inf")), ["training.learning_rate", "inf"]),
    "rate in words": (put("sampling/large", "all"), ["sampling.large: expected 'auto' or a number", "found 'all'"]),
    "throughput 0": (put("throughput", 0), ["throughput.training: must be above 0; found 0"]),
    "W&B with a path": (put("tracking", {"wandb": {"project": "a/b"}}), ["tracking.wandb.project: a name becomes"]),
    "W&B without project": (put("tracking", {"wandb": {}}), ["tracking.wandb.project: missing"]),
    "mini above large": (put("sampling", {"mini": 0.5, "large": 0.25}), ["sampling: mini (0.5)", "large (0.25)"]),
    "mini equal to large": (put("sampling", {"mini": 0.5, "large": 0.5}), ["sampling: mini (0.5)", "smaller"]),
    "epochs 0": (put("training/epochs", 0), ["training.epochs: must be above 0; found 0"]),
    "one checkpoint": (put("training/keep_checkpoints", 1), ["training.keep_checkpoints: must be at least 2; found 1"]),
    "seed too large": (put("seed", 2**31), ["seed: must be below 2147483648; found 2147483648"]),
    "all records bad": (put("on_bad_records", 2), ["on_bad_records: must be at most 1; found 2"]),
    "word for tolerated": (put("on_bad_records", "some"), ["on_bad_records: expected a number; found 'some'"]),
    "alpha sums to 0.75": (put(f"{ALPHA}/out", 0), ["balancing.alpha", "must be 1, found 0.75"]),
    "negative alpha": (put(f"{ALPHA}/in", -0.25), ["balancing.alpha.in: must be at least 0; found -0.25"]),
    "temperature 0": (put("balancing/temperature", 0), ["balancing.temperature: expected 'auto' or", "found 0"]),
    "temperature -1": (put("balancing/temperature", -1), ["balancing.temperature", "above 0; found -1"]),
    "temperature word": (put("balancing/temperature", "hot"), ["balancing.temperature", "'auto'", "found 'hot'"]),
    "temperature list": (put("balancing/temperature", [1]), ["balancing.temperature", "'auto'", "found a list"]),
    "temperature yes": (put("balancing/temperature", True), ["balancing.temperature", "'auto'", "found true"]),
    "batch no multiple": (put("training/global_batch_size", 100), ["training.global_batch_size: 100", "16", "1 dev"]),
    "batch and gpus": (
        put("resources/final", {"gpus": 3}),
        ["global_batch_size: 128", "3 device(s)", "resources.final"],
    ),
    "batch does not split over nodes": (
        put("resources/mini", {"gpus": 1, "nodes": 3}),
        ["global_batch_size: 128", "3 device(s)", "resources.mini"],
    ),
    "more time than the partition gives": (
        put("resources", {"max_runtime": 1440, "plus": {"runtime": 1441}}),
        ["resources.plus.runtime: 1441", "resources.max_runtime (1440)"],
    ),
    # tasks and groups
    "no task at all": (put("tasks", {}), ["tasks: no task", "at least two"]),
    "one task": (put("tasks", {"a": task("a")}), ["tasks: 1 task", "at least two"]),
    "one group of all": (put(GROUPS, {"g": ["vqa", "caption", "bbox"]}), ["1 task or group", "at least two"]),
    "name with a slash": (
        lambda v: v["tasks"].update({"v/qa": task("q")}),
        ["tasks.v/qa", "file names", "found 'v/qa'"],
    ),
    "name with a dot first": (put("tasks/.vqa", task("q")), ["tasks..vqa", "start with a letter or digit"]),
    "name of dots": (put("experiment", ".."), ["experiment", "start with a letter or digit", "found '..'"]),
    "name with a blank": (put("experiment", "my run"), ["experiment", "found 'my run'"]),
    "empty name": (put("experiment", ""), ["experiment", "found ''"]),
    "names that differ in case": (put("tasks/VQA", task("q")), ["tasks: 'vqa' is there 2 times", "case"]),
    "name with a meaning": (put("tasks/mini", task("q")), ["tasks.mini", "choose another"]),
    "fixed and balanced": (put("fixed_tasks/vqa", {"data": "c.json"}), ["'vqa' is there 2 times", "fixed_tasks"]),
    "weight 0": (put("fixed_tasks/c", {"data": "c.json", "weight": 0}), ["fixed_tasks.c.weight: must be above 0"]),
    "unknown metric": (put("tasks/vqa/metrics", "Cider"), ["tasks.vqa.metrics", "'Cider'", "did you mean 'CIDEr'?"]),
    "strange metric": (put("tasks/vqa/metrics", "zzz"), ["no metric 'zzz'", "known are EM"]),
    "metric twice": (put("tasks/vqa/metrics", ["EM", "EM"]), ["tasks.vqa.metrics", "twice"]),
    "group of an unknown task": (put(GROUPS, {"g": ["vqa", "captoin"]}), ["groups.g", "'captoin'", "'caption'"]),
    "group of a fixed task": (
        both(put(GROUPS, {"g": ["vqa", "chat"]}), put("fixed_tasks/chat", {"data": "c.json"})),
        ["groups.g: 'chat' is a fixed task"],
    ),
    "empty group": (put(GROUPS, {"g": []}), ["groups.g: is empty"]),
    "groups that overlap": (put(GROUPS, {"g": ["vqa"], "h": ["vqa", "bbox"]}), ["groups: 'vqa' is named 2 times"]),
    "task twice in a group": (put(GROUPS, {"g": ["vqa", "vqa"]}), ["groups: 'vqa' is named 2 times"]),
    "group named as a task": (put(GROUPS, {"vqa": ["bbox"]}), ["groups.vqa", "not in it", "rename"]),
    "groups that differ in case": (put(GROUPS, {"BBOX": ["vqa"]}), ["groups.BBOX: differs", "only in case"]),
    # methods and weights
    "unknown method": (put("methods", ["ew", "visat"]), ["methods: there is no method 'visat'", "'visatb'"]),
    "method twice": (put("methods", ["ew", "ew"]), ["methods: 'ew' is named 2 times"]),
    "weight of an unknown task": (
        given(vqa=1, caption=1, bbox=1, bboxx=1),
        ["given_weights.mine: there is no task 'bboxx'", "did you mean 'bbox'?"],
    ),
    "weight missing": (given(vqa=1, caption=1), ["given_weights.mine: no weight for the task 'bbox'"]),
    "weight zero": (given(vqa=0, caption=1, bbox=1), ["given_weights.mine.vqa: must be above 0; found 0"]),
    "weight negative": (given(vqa=-2, caption=1, bbox=1), ["given_weights.mine.vqa: must be above 0; found -2"]),
    "weights unused": (put("given_weights", {"mine": dict.fromkeys(("vqa", "caption", "bbox"), 1)}), ["add 'mine'"]),
    "weights named as a run": (
        put("given_weights", {"ew": dict.fromkeys(("vqa", "caption", "bbox"), 1)}),
        ["given_weights.ew", "choose another"],
    ),
    # files
    "unknown model file": (put("model", "modle.yaml"), ["model: modle.yaml: no such file", "'model.yaml'"]),
    "unknown model folder": (put("model", "modles/a.yaml"), ["model: modles/a.yaml", "no folder modles"]),
    "unknown deepspeed file": (put("training/deepspeed", "zero.json"), ["training.deepspeed: zero.json: no such file"]),
    "extends nothing": (
        put("extends", "basis.yaml"),
        ["extends: basis.yaml: no such file", "did you mean 'base.yaml'?"],
    ),
    "extends a list": (put("extends", ["a", "b"]), ["extends", "one config file"]),
    "extends in a circle": (put("extends", "base.yaml"), ["extends: base.yaml -> other.yaml -> base.yaml", "circle"]),
    "one file for two splits": (
        put("tasks/vqa/data", {"train": "a.json", "val": "v.json", "test": "./a.json"}),
        ["a.json", "tasks.vqa.data.train", "tasks.vqa.data.test", "must not share"],
    ),
    "path without {split}": (put("tasks/vqa/data", "vqa.json"), ["tasks.vqa.data", "vqa.json", "{split}"]),
    "one file for two tasks": (
        put("tasks/vqa/data", {"train": "a.json", "val": "b.json", "test": "bbox/test.json"}),
        ["tasks.vqa.data.test", "tasks.bbox.data.test", "bbox/test.json", "must not share"],
    ),
}


def refusal(values: Values) -> str:
    with pytest.raises(VisatbError) as error:
        Experiment.from_values(values, "my.yaml")
    return str(error.value)


def test_the_unchanged_config_is_good():
    assert Experiment.from_values(config_values()).name == "small"


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_config_is_told_in_one_line(name: str):
    mutate, fragments = MISTAKES[name]
    values = config_values()
    mutate(values)
    message = refusal(values)
    assert [fragment for fragment in fragments if fragment not in message] == [], message
    assert "pydantic" not in message
    assert "Input should" not in message
    assert message.count("  - ") == (0 if name.startswith("extends") else 1), message


def test_several_mistakes_come_at_once():
    values = config_values()
    mutations = ["typo at the top", "rate 2", "unknown metric", "unknown method", "alpha sums to 0.75"]
    for name in mutations:
        MISTAKES[name][0](values)
    Path(MODEL_FILE).write_text(MODEL_TEXT.replace("llava", "lava"))
    header, *lines = refusal(values).splitlines()
    assert header == "my.yaml has 6 mistakes:"
    assert len(lines) == 6
    for name in mutations:
        assert sum(all(fragment in line for fragment in MISTAKES[name][1]) for line in lines) == 1
    assert sum("model.yaml: family" in line and "did you mean 'llava'?" in line for line in lines) == 1


def test_what_follows_from_a_mistake_is_not_told():
    values = config_values(groups={"g": ["v/qa", "bbox"]})
    values["tasks"]["v/qa"] = values["tasks"].pop("vqa")
    assert "groups" not in refusal(values)


NUMBERS_AS_TEXT = [("1e-5", 1e-5), ("2", 2.0), (" .5 ", 0.5)]


@pytest.mark.parametrize(("text", "number"), NUMBERS_AS_TEXT)
def test_numbers_that_yaml_reads_as_text_are_numbers(text: str, number: float):
    values = config_values(training={"learning_rate": text}, balancing={"temperature": text})
    config = Experiment.from_values(values).config
    assert (config.training.learning_rate, config.balancing.temperature) == (number, number)


YAML_MISTAKES = {
    "broken": ("a: 1\nb: [1, 2\nc: 3\n", ["line 3", "not valid YAML"]),
    "tab": ("a:\n\tb: 1\n", ["line 2", "not with tabs"]),
    "no blank after the colon": ("experiment:demo\nseed: 1\n", ["line 2", "not valid YAML"]),
    "key twice": ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", ["line 5", "'c' is given twice"]),
    "braces": ("a: {{ name }}\n", ["line 1", "quotes"]),
    "no such date": ("a: 2024-13-45\n", ["not valid YAML"]),
    "a list": ("- a\n- b\n", ["'key: value' lines", "found a list"]),
    "nothing": ("# nothing yet\n", ["'key: value' lines", "found nothing"]),
    "a tag": ("a: !!python/object:os.system x\n", ["line 1", "not valid YAML"]),
    "control character": ("a: \x07\n", ["not valid YAML"]),
    "open quote": ("a: 'b\nc: d\n", ["not valid YAML", "line"]),
}


@pytest.mark.parametrize("name", YAML_MISTAKES)
def test_broken_yaml_is_told_with_its_place(name: str):
    text, fragments = YAML_MISTAKES[name]
    Path("mine.yaml").write_text(text)
    with pytest.raises(VisatbError) as error:
        read_yaml("mine.yaml")
    message = str(error.value)
    assert [fragment for fragment in ["mine.yaml", *fragments] if fragment not in message] == [], message
    assert refusal(config_values(extends="mine.yaml")).startswith("extends: mine.yaml")


def test_yaml_that_is_not_utf8_is_told():
    Path("mine.yaml").write_bytes("experiment: café\n".encode("latin-1"))
    with pytest.raises(VisatbError, match=r"mine\.yaml: not valid YAML"):
        read_yaml("mine.yaml")


def test_merge_keys_of_yaml_work():
    Path("mine.yaml").write_text("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n")
    assert read_yaml("mine.yaml")["b"] == {"x": 1, "y": 3}


MODEL_MISTAKES = {
    "typo": ("name: a\nfamily: llava\ncheckpoint: c\nfreze: []\n", ["freze", "did you mean 'freeze'?"]),
    "missing": ("name: a\nfamily: llava\n", ["checkpoint: missing", "hub name"]),
    "unknown part": (
        MODEL_TEXT + "freeze: [vision_towr]\n",
        ["freeze, item 1", "did you mean 'vision_tower'?"],
    ),
    "word for a list": (MODEL_TEXT + "freeze: vision_tower\n", ["freeze: expected a list", "found 'vision_tower'"]),
    "name of a path": (MODEL_TEXT.replace("tiny\nf", "a/b\nf"), ["name", "found 'a/b'"]),
}


@pytest.mark.parametrize("name", MODEL_MISTAKES)
def test_a_mistake_in_the_model_file_is_told(name: str):
    text, fragments = MODEL_MISTAKES[name]
    Path(MODEL_FILE).write_text(text)
    message = refusal(config_values())
    assert [fragment for fragment in [MODEL_FILE, *fragments] if fragment not in message] == [], message


def test_a_key_is_inherited_overridden_and_taken_away():
    Path("base.yaml").write_text("seed: 7\nresults: base\ntraining: {epochs: 3, warmup: 0.5}\npython: py\n")
    config = Experiment.from_values(
        config_values(extends="base.yaml", results="mine", training={"epochs": 2}, python=None)
    ).config
    assert (config.seed, config.results, config.training.epochs, config.training.warmup) == (7, "mine", 2, 0.5)
    assert config.python is None
    assert os.path.exists("base.yaml")


def test_a_key_that_is_taken_away_does_not_come_back_from_further_up():
    Path("top.yaml").write_text("corpus: {samples: {train: 1, val: 1, test: 1}}\nseed: 7\n")
    Path("middle.yaml").write_text("extends: top.yaml\nresults: base\n")
    config = Experiment.from_values(config_values(extends="middle.yaml", corpus=None)).config
    assert (config.corpus, config.seed) == (None, 7)
