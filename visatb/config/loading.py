"""From a config mapping to a checked `Config`: inheritance, and every mistake told at once in the user's words."""

from collections.abc import Hashable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from visatb.config.messages import Mistake, check_keys, schema_mistakes
from visatb.errors import VisatbError, bullet_list, did_you_mean

Schema = TypeVar("Schema", bound=BaseModel)
MERGE_TAG = "tag:yaml.org,2002:merge"


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML that refuses a key given twice, which plain YAML silently lets win."""


def _construct_unique(loader: UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == MERGE_TAG:
            continue
        key = loader.construct_object(key_node, deep=True)
        location = f"{key_node.start_mark.name}, line {key_node.start_mark.line + 1}"
        if not isinstance(key, Hashable):
            raise VisatbError(f"{location}: a key cannot be a list or a mapping; put text with braces in quotes")
        if key in seen:
            raise VisatbError(f"{location}: the key '{key}' is given twice; keep one")
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_unique)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        VisatbError: the file is missing, is no valid YAML (with its line), holds no mapping, or a key twice.
    """
    path = Path(path)
    if not path.is_file():
        raise VisatbError(no_such_file(path))
    try:
        with path.open(encoding="utf-8") as stream:
            value = yaml.load(stream, Loader=UniqueKeyLoader)
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise VisatbError(f"{path}{_yaml_words(error)}") from error
    if not isinstance(value, dict):
        kind = "nothing" if value is None else f"a {type(value).__name__}"
        raise VisatbError(f"{path}: expected 'key: value' lines, found {kind}")
    return value


def _yaml_words(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = f", line {mark.line + 1}" if mark else ""
    problem = getattr(error, "problem", None) or " ".join(str(error).split())
    hint = "; indent with spaces, not with tabs" if "'\\t'" in problem else ""
    return f"{line}: not valid YAML: {problem}{hint}"


def no_such_file(path: str | Path) -> str:
    """Return ``path: no such file`` with the name in its folder that is nearest to it."""
    folder = Path(path).parent
    if not folder.is_dir():
        return f"{path}: no such file; there is no folder {folder}"
    return f"{path}: no such file{did_you_mean(Path(path).name, [entry.name for entry in folder.iterdir()])}"


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
    layers = [dict(values)]
    while (parent := layers[-1].pop("extends", None)) is not None:
        if not isinstance(parent, str) or not parent:
            raise VisatbError(f"extends: expected the name of one config file, found {parent!r}")
        if parent in chain:
            raise VisatbError(f"extends: {' -> '.join([*chain, parent])} goes round in a circle; take one away")
        chain.append(parent)
        try:
            layers.append(dict(read_yaml(parent)))
        except VisatbError as error:
            raise VisatbError(f"extends: {error}") from error
    return reduce(merge, layers[-2::-1], layers[-1])


def refuse(mistakes: list[str], origin: str) -> None:
    """Raise one `VisatbError` with a line for each mistake, or return if there is none."""
    if mistakes:
        number = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise VisatbError(f"{origin} has {number}:\n{bullet_list(mistakes)}")


def validate_leniently(schema: type[Schema], values: Mapping[str, Any]) -> tuple[Schema | None, list[Mistake]]:
    """Return the mistakes, and what remains without the mistaken keys (None if too little does).

    The remainder serves to look for further mistakes, so that all are told at once.
    """
    mistakes = list(check_keys(values))
    remainder = _copied(values)
    noted = False
    filled: set[str | int] = set()
    while True:
        try:
            return schema.model_validate(remainder), mistakes
        except ValidationError as error:
            latest = schema_mistakes(schema, error)
            mistakes += [] if noted else latest
            noted = True
            path = latest[0].path
            if _take_away(remainder, path):
                continue
            if path[0] in filled:
                return None, mistakes
            filled.add(path[0])
            remainder[path[0]] = "stands-in"


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items() if isinstance(key, str)}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _take_away(values: Any, path: tuple[Any, ...]) -> bool:
    """Delete the item at ``path``, or if it is not there the innermost one around it; say whether there was one."""
    deepest: tuple[Any, Any] | None = None
    for part in path:
        if not isinstance(values, dict | list) or (isinstance(values, dict) and part not in values):
            break
        deepest = (values, part)
        values = values[part]
    if deepest is None:
        return False
    del deepest[0][deepest[1]]
    return True
