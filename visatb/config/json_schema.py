"""The JSON schemas of configs and model files, for editors: ``python -m visatb.config.json_schema``."""

import json
import sys
from pathlib import Path
from typing import Any

from visatb.config.model import ModelConfig
from visatb.config.schema import Config

FOLDER = Path("config") / "schema"
DRAFT = "http://json-schema.org/draft-07/schema#"
MADE_BY = "Made by `python -m visatb.config.json_schema`; edit visatb/config/ instead."
OVER = "LaidOver"
"""Ends the names of sections as a file may give them that extends another: any of their keys, or null."""

BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
"""Bounds as pydantic leaves them where something is checked before them."""

WIDTH = 120
"""Longest line of a schema's file, in characters, but for texts that are longer."""

Schema = dict[str, Any]


def config_schema() -> Schema:
    """Return the JSON schema of an experiment's config.

    A file that extends another may leave out every key and take it away with null. One that makes a data set alone
    has no experiment.
    """
    whole = _tidied(Config.model_json_schema())
    # Or the file that `snakemake propose_groups` has written; it is read before the schema is asked.
    groups = whole["properties"]["groups"]
    groups["anyOf"] = [{"type": "string"}, {key: groups.pop(key) for key in ("type", "additionalProperties")}]
    sections = {**whole.pop("$defs"), "Config": whole}
    over = {f"{name}{OVER}": _laid_over(section) for name, section in sections.items()}
    return {
        "$schema": DRAFT,
        "$comment": MADE_BY,
        "title": "experiment",
        "if": {"required": ["extends"]},
        "then": {"$ref": f"#/$defs/Config{OVER}"},
        "else": {
            "if": {"anyOf": [{"required": [key]} for key in ("experiment", "model", "tasks")]},
            "then": {"$ref": "#/$defs/Config"},
            "else": {"allOf": [{"$ref": f"#/$defs/Config{OVER}"}, {"required": ["taskgalaxy"]}]},
        },
        "$defs": {**sections, **over},
    }


def model_schema() -> Schema:
    """Return the JSON schema of a model file."""
    return {"$schema": DRAFT, "$comment": MADE_BY, **_tidied(ModelConfig.model_json_schema()), "title": "model"}


def _tidied(value: Any) -> Any:
    """Name bounds as JSON schemas do; leave out titles, made of keys, and defaults that are sections with their own."""
    if isinstance(value, list):
        return [_tidied(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: item for key, item in value.items() if key != "title"}
    if isinstance(kept.get("default"), dict):
        del kept["default"]
    return {BOUNDS.get(key, key): _tidied_inside(key, item) for key, item in kept.items()}


def _tidied_inside(key: str, value: Any) -> Any:
    """Tidy what a key holds; names of keys and sections stay."""
    named = key in ("properties", "$defs")
    return {name: _tidied(inner) for name, inner in value.items()} if named else _tidied(value)


def _laid_over(value: Any) -> Any:
    """Return a section's schema with no key needed, and null for each."""
    if isinstance(value, list):
        return [_laid_over(item) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {key: _laid_over(item) for key, item in value.items() if key != "required"}
    if "$ref" in changed:
        changed["$ref"] += OVER
    if isinstance(properties := value.get("properties"), dict):
        changed["properties"] = {key: _or_null(item) for key, item in properties.items()}
    if isinstance(value.get("additionalProperties"), dict):
        changed["additionalProperties"] = _or_null(value["additionalProperties"])
    return changed


def _or_null(value: Schema) -> Schema:
    described: Schema = {key: value[key] for key in ("description", "default") if key in value}
    inner = _laid_over({key: item for key, item in value.items() if key not in described})
    options = inner["anyOf"] if set(inner) == {"anyOf"} else [inner]
    null = {"type": "null"}
    return {**described, "anyOf": options if null in options else [*options, null]}


SCHEMAS = {"config.json": config_schema, "model.json": model_schema}


def text(schema: Schema) -> str:
    """Return a schema as its file holds it."""
    return _laid_out(schema, 0) + "\n"


def _laid_out(value: Any, indent: int, key: str = "") -> str:
    """Return JSON in as few lines as fit into `WIDTH`."""
    before = f"{' ' * indent}{key}"
    line = before + json.dumps(value, ensure_ascii=False)
    if len(line) <= WIDTH or not isinstance(value, dict | list):
        return line
    if isinstance(value, list):
        return ",\n".join([_laid_out(item, indent + 1) for item in value]).join([f"{before}[\n", f"\n{' ' * indent}]"])
    inner = [_laid_out(item, indent + 1, f"{json.dumps(name)}: ") for name, item in value.items()]
    return ",\n".join(inner).join([f"{before}{{\n", f"\n{' ' * indent}}}"])


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in SCHEMAS.items():
        (FOLDER / name).write_text(text(make()), encoding="utf-8")
        sys.stdout.write(f"{FOLDER / name}\n")
