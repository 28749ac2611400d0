"""The JSON schemas that editors complete configs by: in step with the schema, and true of every config here."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from benchmarks.house import files
from tests.helpers.paths import REPOSITORY
from visatb.config.json_schema import FOLDER, SCHEMAS, config_schema, model_schema, text
from visatb.config.loading import read_yaml

MAKE = "python -m visatb.config.json_schema"
HEADER = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")
MODELS = [name for name in files() if name.startswith("config/models/") or name == "tests/workflow/tiny-model.yaml"]
TESTED = {f"tests/workflow/{name}.yaml" for name in ("tiny", "judged", "galaxy", "methods")}
CONFIGS = [
    *(name for name in files() if name.startswith("config/experiments/") or name in TESTED),
    *("config/config.yaml", "tests/slurm/two-tasks.yaml"),
]
CONFIG, MODEL = Draft7Validator(config_schema()), Draft7Validator(model_schema())


def mistakes(validator: Draft7Validator, values: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(values)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_in_the_repository_are_in_step(name: str):
    assert (REPOSITORY / FOLDER / name).read_text(encoding="utf-8") == text(SCHEMAS[name]()), f"make it again: {MAKE}"


@pytest.mark.parametrize("name", SCHEMAS)
def test_they_are_schemas(name: str):
    Draft7Validator.check_schema(SCHEMAS[name]())
    definitions = SCHEMAS[name]()["$defs"]
    named = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(SCHEMAS[name]())))
    assert named <= set(definitions)


@pytest.mark.parametrize("config", [*CONFIGS, *MODELS])
def test_every_config_names_its_schema_first(config: str):
    header = HEADER.match((REPOSITORY / config).read_text(encoding="utf-8"))
    assert header, f"{config}: its first line should be '# yaml-language-server: $schema=...'"
    wanted = "model.json" if config in MODELS else "config.json"
    assert ((REPOSITORY / config).parent / header[1]).resolve() == REPOSITORY / FOLDER / wanted


@pytest.mark.parametrize("config", CONFIGS)
def test_every_config_fits(config: str):
    assert mistakes(CONFIG, read_yaml(REPOSITORY / config)) == []


@pytest.mark.parametrize("model", MODELS)
def test_every_model_file_fits(model: str):
    assert mistakes(MODEL, read_yaml(REPOSITORY / model)) == []


WHOLE = {"experiment": "x", "model": "m.yaml", "tasks": {"a": {"data": "a/{split}.json", "metrics": "EM"}}}


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        (WHOLE, True),
        (WHOLE | {"sampling": {"mini": "auto"}, "balancing": {"temperature": 0.5}}, True),
        (WHOLE | {"groups": "results/x/groups.yaml"}, True),
        (WHOLE | {"throughput": 1000}, True),
        (WHOLE | {"trainings": {}}, False),
        (WHOLE | {"training": {"epoch": 2}}, False),
        (WHOLE | {"training": {"epochs": 0}}, False),
        (WHOLE | {"sampling": {"mini": 2}}, False),
        ({"experiment": "x", "model": "m.yaml"}, False),
        (WHOLE | {"tasks": {"a": {"data": "a/{split}.json"}}}, False),
        ({"extends": "x.yaml"}, True),
        ({"extends": "x.yaml", "tasks": {"a": None, "b": {"max_new_tokens": 3}}, "training": {"epochs": None}}, True),
        ({"extends": "x.yaml", "tasks": {"b": {"max_tokens": 3}}}, False),
    ],
)
def test_what_fits(values: dict[str, Any], fits: bool):
    assert (mistakes(CONFIG, values) == []) is fits


def test_every_key_comes_with_its_meaning():
    def told(schema: Any) -> list[str]:
        properties = schema.get("properties", {})
        return [key for key, value in properties.items() if not value.get("description")]

    for schema in (config_schema(), model_schema()):
        assert [key for section in [schema, *schema["$defs"].values()] for key in told(section)] == []


def test_the_example_for_readers_names_the_schema():
    page = (REPOSITORY / "docs" / "your_data.md").read_text(encoding="utf-8")
    named = HEADER.search(page)
    assert named
    assert Path(REPOSITORY / named[1]).is_file()
