"""From a config mapping to a checked `Config`: inheritance, and every mistake told at once in the user's words."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from visatb.config import Config, ModelConfig
from visatb.errors import VisatbError, bullet_list

Schema = TypeVar("Schema", bound=BaseModel)


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML that refuses a key given twice, which plain YAML silently lets win."""


def _construct_unique(loader: UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            line = key_node.start_mark.line + 1
            raise VisatbError(f"{key_node.start_mark.name}, line {line}: the key '{key}' is given twice; keep one")
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_unique)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        VisatbError: the file is missing, is no valid YAML (with line and column), holds no mapping, or a key twice.
    """
    path = Path(path)
    if not path.is_file():
        raise VisatbError(f"{path}: no such file{did_you_mean(path.name, _siblings(path))}")
    try:
        with path.open(encoding="utf-8") as stream:
            value = yaml.load(stream, Loader=UniqueKeyLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise VisatbError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(value, dict):
        raise VisatbError(f"{path}: expected 'key: value' lines, found {type(value).__name__}")
    return value


def _siblings(path: Path) -> list[str]:
    return [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known word nearest to ``word``, or nothing."""
    names = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(str(word).casefold(), names, n=1)
    return f"; did you mean '{names[near[0]]}'?" if near else ""


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the keys of ``over`` laid over it, mapping by mapping; ``null`` takes a key away."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


def resolve_extends(values: Mapping[str, Any]) -> dict[str, Any]:
    """Lay ``values`` over the file that its ``extends`` names, and that over its own, and so on."""
    chain: list[str] = []
    resolved = dict(values)
    while parent := resolved.pop("extends", None):
        if parent in chain:
            raise VisatbError(f"extends: {' -> '.join([*chain, parent])} goes round in a circle")
        chain.append(str(parent))
        base = read_yaml(str(parent))
        resolved = {**merge(base, resolved), "extends": base.get("extends")}
    return resolved


def load_config(values: Mapping[str, Any], origin: str = "config") -> Config:
    """Check a config mapping against the schema; all mistakes come in one `VisatbError`."""
    return _validated(Config, resolve_extends(values), origin)


def load_model_config(path: str | Path) -> ModelConfig:
    """Read and check a model file."""
    return _validated(ModelConfig, read_yaml(path), str(path))


def _validated(schema: type[Schema], values: Mapping[str, Any], origin: str) -> Schema:
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        mistakes = [_in_words(schema, mistake) for mistake in error.errors()]
        raise VisatbError(f"{origin} has {len(mistakes)} mistake(s):\n{bullet_list(mistakes)}") from None


def _in_words(schema: type[BaseModel], mistake: Any) -> str:
    location = [part for part in mistake["loc"] if part not in ("[key]",)]
    place = ".".join(str(part) for part in location)
    match mistake["type"]:
        case "extra_forbidden":
            known = _known_keys(schema, location[:-1])
            return f"{place}: unknown key{did_you_mean(str(location[-1]), known) or _one_of(known)}"
        case "missing":
            return f"{place}: missing; {_description(schema, location)}"
        case "value_error":
            return f"{place}: {mistake['ctx']['error']}; found {mistake['input']!r}"
        case _:
            return f"{place}: {mistake['msg']}; found {mistake['input']!r}"


def _one_of(known: list[str]) -> str:
    return f"; known here: {', '.join(sorted(known))}" if known else ""


def _description(schema: type[BaseModel], location: list[Any]) -> str:
    section = _section_at(schema, location[:-1])
    field = section.model_fields.get(str(location[-1])) if section else None
    return (field.description if field and field.description else None) or "this key is needed"


def _known_keys(schema: type[BaseModel], location: list[Any]) -> list[str]:
    section = _section_at(schema, location)
    return [field.alias or name for name, field in section.model_fields.items()] if section else []


def _section_at(schema: type[BaseModel], location: list[Any]) -> type[BaseModel] | None:
    """Return the section of the schema at a path of keys, where a free name (a task's) counts as one key."""
    current: Any = schema
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = next((f for n, f in current.model_fields.items() if part in (n, f.alias)), None)
            current = field.annotation if field else None
        else:
            current = _value_type(current)
        current = _without_none(current)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _without_none(annotation: Any) -> Any:
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    return arguments[0] if type(None) in get_args(annotation) and len(arguments) == 1 else annotation


def _value_type(annotation: Any) -> Any:
    arguments = get_args(annotation)
    return arguments[-1] if arguments else None
