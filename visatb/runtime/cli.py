"""Command lines made of typed functions: a subcommand is a function, a flag one of its parameters.

A flag is told like a key of the config: values are checked by the parameter's type, and all mistakes are told at once.
"""

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import from_json

from visatb.config.messages import place, schema_mistakes
from visatb.errors import VisatbError, bullet_list, friendly_exit

Subcommand = Callable[..., None]
_SIMPLE = (str, int, float, bool, Path)


def run_program(*subcommands: Subcommand) -> None:
    """Run the function that the command line names, with what its flags say.

    A parameter ``rate: float`` is the flag ``--rate``; a ``list`` takes several values, a ``dict`` takes ``name=value``
    pairs (of a name given several times, if its values are lists), a ``bool`` no value. A section of the config, and
    whatever else is not simple, is given as JSON. The functions' docstrings are the help.

    Raises:
        SystemExit: after ``--help``, for flags that are not known, and after a mistake that was told.
    """
    program = sys.modules["__main__"].__doc__ or ""
    parser = argparse.ArgumentParser(description=program, formatter_class=argparse.RawDescriptionHelpFormatter)
    parsers = parser.add_subparsers(dest="subcommand", required=True, metavar="SUBCOMMAND")
    by_name = {function.__name__: function for function in subcommands}
    for name, function in by_name.items():
        _add_subcommand(parsers, name, function)
    words = vars(parser.parse_args())
    friendly_exit(lambda: _call(by_name[words.pop("subcommand")], words))()


def _call(function: Subcommand, words: dict[str, Any]) -> None:
    function(**arguments_of(function, {name: value for name, value in words.items() if value is not None}))


def arguments_of(function: Subcommand, words: dict[str, Any]) -> dict[str, Any]:
    """Return a function's arguments from the words of its flags.

    Args:
        function: what is called with them.
        words: parameter -> its text, list of texts or truth value, of the flags that were given.

    Raises:
        VisatbError: naming every flag that is missing or whose value does not fit.
    """
    kinds, described = _kinds(function), _docstring(function)[1]
    flags = create_model(
        "Flags",
        __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True),
        **{  # type: ignore[call-overload]
            name: (kind, Field(_default(function, name), description=described.get(name)))
            for name, kind in kinds.items()
        },
    )
    values = {name: _value(f"--{_flag(name)}", kinds[name], text) for name, text in words.items()}
    try:
        checked = flags.model_validate(values)
    except ValidationError as error:
        lines = [_told(mistake.path, mistake.words) for mistake in schema_mistakes(flags, error)]
        raise VisatbError(f"{function.__name__}:\n{bullet_list(lines)}") from None
    return {name: getattr(checked, name) for name in kinds}


def _told(path: Sequence[str | int], words: str) -> str:
    """Name the flag as it is typed, and the key within its JSON."""
    within = place(path[1:])
    return f"--{_flag(str(path[0]))}{f', {within}' if within else ''}: {words.removeprefix(f'{place(path)}: ')}"


def _value(flag: str, kind: Any, text: Any) -> Any:
    kind = _without_none(kind)
    if get_origin(kind) is dict:
        return _named_values(flag, text, several=get_origin(get_args(kind)[1]) is list)
    if _is_simple(kind) or not isinstance(text, str):
        return text
    try:
        return from_json(text)
    except ValueError as error:
        raise VisatbError(f"{flag}: expected JSON, found {text!r} ({error})") from None


def _named_values(flag: str, pairs: Sequence[str], several: bool) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise VisatbError(f"{flag}: expected name=value, found '{pair}'")
        if several:
            named.setdefault(name, []).append(value)
        elif name in named:
            raise VisatbError(f"{flag}: '{name}' is given twice; keep one")
        else:
            named[name] = value
    return named


def _add_subcommand(parsers: Any, name: str, function: Subcommand) -> None:
    purpose, described = _docstring(function)
    parser = parsers.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
    for parameter, kind in _kinds(function).items():
        _add_flag(parser, parameter, _without_none(kind), described.get(parameter, ""))


def _add_flag(parser: argparse.ArgumentParser, name: str, kind: Any, described: str) -> None:
    flag, help_text = f"--{_flag(name)}", described.replace("%", "%%")
    if kind is bool:
        parser.add_argument(flag, action="store_true", default=None, help=help_text)
    elif get_origin(kind) is dict:
        parser.add_argument(flag, dest=name, nargs="*", metavar="NAME=VALUE", help=help_text)
    elif get_origin(kind) is list and _is_simple(kind):
        parser.add_argument(flag, dest=name, nargs="*", metavar=_metavar(get_args(kind)[0]), help=help_text)
    else:
        metavar = _metavar(kind) if _is_simple(kind) else "JSON"
        parser.add_argument(flag, dest=name, nargs="?", metavar=metavar, help=help_text)


def _docstring(function: Subcommand) -> tuple[str, dict[str, str]]:
    """Return a docstring's first paragraph, and parameter -> its line under ``Args:``."""
    text = inspect.getdoc(function) or ""
    arguments = re.search(r"^Args:\n((?:[ ]{4}.*\n?)+)", text, re.MULTILINE)
    lines = re.findall(r"^[ ]{4}(\w+): ((?:.*\n?)(?:[ ]{8}.*\n?)*)", arguments[1] if arguments else "", re.MULTILINE)
    return text.split("\n\n")[0].replace("\n", " "), {name: " ".join(words.split()) for name, words in lines}


def _kinds(function: Subcommand) -> dict[str, Any]:
    hints = get_type_hints(function, include_extras=True)
    return {name: hints[name] for name in inspect.signature(function).parameters}


def _default(function: Subcommand, name: str) -> Any:
    default = inspect.signature(function).parameters[name].default
    return ... if default is inspect.Parameter.empty else default


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _metavar(kind: Any) -> str:
    kind = _bare(kind)
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return {str: "TEXT", Path: "PATH"}.get(kind, "NUMBER")


def _is_simple(kind: Any) -> bool:
    kind = _bare(kind)
    if get_origin(kind) is list:
        return _is_simple(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return all(_is_simple(part) for part in get_args(kind) if part is not NoneType)
    return get_origin(kind) is Literal or kind in _SIMPLE


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _without_none(kind: Any) -> Any:
    kind = _bare(kind)
    rest = [part for part in get_args(kind) if part is not NoneType] if get_origin(kind) in (Union, UnionType) else []
    return _bare(rest[0]) if len(rest) == 1 else kind


def as_json(section: BaseModel) -> str:
    """Return a section as a flag takes it: the keys that have not their defaults, so that a new key changes nothing."""
    return section.model_dump_json(exclude_defaults=True, by_alias=True)
