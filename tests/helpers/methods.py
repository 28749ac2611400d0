"""Weighting methods by name, with the numbers of all methods in one mapping."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from visatb.training.loss.methods import Method

_METHOD: TypeAdapter[Method] = TypeAdapter(Method)


def method_of(name: str, groups: Mapping[str, Sequence[str]], **numbers: Any) -> Method:
    """Return a method that balances ``groups``; of ``numbers``, as ``dwa_window``, it takes its own."""
    own = {key.removeprefix(f"{name}_"): value for key, value in numbers.items() if key.startswith(f"{name}_")}
    return _METHOD.validate_python({"kind": name, "groups": groups, **own})
