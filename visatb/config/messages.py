"""What is wrong with a config, in the user's words: the place, what was found there, what was expected."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from visatb.config.types import UnshownValueError
from visatb.errors import did_you_mean

Path = tuple[str | int, ...]

EXPECTED = {
    "string": "text",
    "float": "a number",
    "int": "a whole number",
    "finite": "a number that is not infinite and not nan",
    "bool": "true or false",
    "list": "a list, one '- item' a line or [item, item]",
    "tuple": "a list, one '- item' a line or [item, item]",
    "dict": "'key: value' lines",
    "model": "'key: value' lines",
}
BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


@dataclass(frozen=True)
class Mistake:
    """One mistake: its path of keys, and the line that tells it."""

    path: Path
    words: str
    is_unknown_key: bool = False


def place(path: Sequence[str | int]) -> str:
    """Return a path of keys as people write it: ``tasks.GQA.metrics, item 2``."""
    words = ""
    for part in path:
        words += f", item {part + 1}" if isinstance(part, int) else f".{part}"
    return words.removeprefix(".")


def found(value: object) -> str:
    """Return what a value is, short enough for a message."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"{str(value).lower()} (yes, no, on and off are read as true and false; quotes make them text)"
        case str():
            return f"'{value if len(value) <= 60 else value[:57] + '...'}'"
        case Mapping():
            return "'key: value' lines"
        case list():
            return "a list" if value else "an empty list"
        case _:
            return str(value)


def check_keys(values: Mapping[Any, Any], path: Path = ()) -> Iterator[Mistake]:
    """Yield the keys that YAML has not read as text: ``2024:``, ``yes:``, ``null:``."""
    for key, value in values.items():
        if not isinstance(key, str):
            words = f"{place(path) or 'top level'}: a key is read as {found(key)}; put it in quotes to make it a name"
            yield Mistake((*path, str(key)), words)
        elif isinstance(value, Mapping):
            yield from check_keys(value, (*path, key))


def schema_mistakes(schema: type[BaseModel], error: ValidationError) -> list[Mistake]:
    """Return the mistakes in a validation error, each with one line of words."""
    return [_mistake(schema, found_mistake) for found_mistake in error.errors()]


def _mistake(schema: type[BaseModel], mistake: Any) -> Mistake:
    path = tuple(part for part in mistake["loc"] if part != "[key]")
    words = _words(schema, path, mistake)
    return Mistake(path, f"{place(path)}: {words}", mistake["type"] == "extra_forbidden")


def _words(schema: type[BaseModel], path: Path, mistake: Any) -> str:
    kind, value, context = mistake["type"], mistake["input"], mistake.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{_nearest_key(schema, path)}"
    if kind == "missing":
        return f"missing; {_description(schema, path)}"
    if kind == "value_error" and isinstance(context["error"], UnshownValueError):
        return f"{context['error']}; what was found is not shown, for it may hold a password"
    if kind == "value_error":
        return f"{context['error']}; found {found(value)}"
    if value is None:
        return f"is empty; {_description(schema, path)}"
    if kind == "literal_error":
        return f"expected {context['expected']}; found {found(value)}{_nearest_choice(context['expected'], value)}"
    if kind in BOUNDS:
        words, bound = BOUNDS[kind]
        return f"must be {words} {context[bound]:.10g}; found {found(value)}"
    if kind == "too_short":
        return f"is empty; {_description(schema, path)}"
    expected = "a whole number" if kind == "int_from_float" else EXPECTED.get(kind.split("_")[0], mistake["msg"])
    in_quotes = "; put it in quotes" if expected == "text" and not isinstance(value, Mapping | list) else ""
    return f"expected {expected}; found {found(value)}{in_quotes}"


def _nearest_choice(expected: str, value: object) -> str:
    return did_you_mean(value, [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")])


def _nearest_key(schema: type[BaseModel], path: Path) -> str:
    known = _known_keys(schema, path[:-1])
    elsewhere = [home for home in _homes(schema, str(path[-1])) if home != place(path)]
    if elsewhere and not did_you_mean(path[-1], known):
        return f"; did you mean {' or '.join(elsewhere)}?"
    return did_you_mean(path[-1], known) or f"; known here: {', '.join(sorted(known))}"


def _homes(schema: Any, key: str, path: Path = ()) -> Iterator[str]:
    """Yield the places of the schema at which ``key`` is known."""
    for name, field in schema.model_fields.items():
        inner = (*path, field.alias or name)
        if inner[-1] == key:
            yield place(inner)
        section = _without_none(field.annotation)
        if _is_section(section):
            yield from _homes(section, key, inner)


def _description(schema: type[BaseModel], path: Path) -> str:
    section = _section_at(schema, path[:-1])
    field = _field(section, path[-1]) if section and path else None
    return f"needed: {field.description}" if field and field.description else "give it a value or take it away"


def _known_keys(schema: type[BaseModel], path: Path) -> list[str]:
    section = _section_at(schema, path)
    return [field.alias or name for name, field in section.model_fields.items()] if section else []


def _section_at(schema: type[BaseModel], path: Path) -> Any:
    """Return the section of the schema at a path of keys, where a free name (a task's) counts as one key."""
    current: Any = schema
    for part in path:
        if _is_section(current):
            field = _field(current, part)
            current = field.annotation if field else None
        else:
            current = get_args(current)[-1] if get_args(current) else None
        current = _without_none(current)
    return current if _is_section(current) else None


def _field(section: Any, key: str | int) -> Any:
    return next((field for name, field in section.model_fields.items() if key == (field.alias or name)), None)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _without_none(annotation: Any) -> Any:
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    return arguments[0] if type(None) in get_args(annotation) and len(arguments) == 1 else annotation
