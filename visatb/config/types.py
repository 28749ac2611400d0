"""Values that configs hold, and the section in which unknown keys are mistakes."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SerializerFunctionWrapHandler,
    model_serializer,
)

NAME_LENGTH = 60
"""Longest name, in characters."""
NAME_PATTERN = re.compile(r"[^\W_][\w.+-]*")


def _checked_name(name: str) -> str:
    if not NAME_PATTERN.fullmatch(name) or len(name) > NAME_LENGTH:
        raise ValueError(
            "a name becomes part of file names: use letters, digits, '_', '.', '+' and '-', "
            f"start with a letter or digit, and keep to {NAME_LENGTH} characters"
        )
    return name


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def _temperature(value: object) -> float | str:
    try:
        number = float("nan" if isinstance(value, bool) else value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = float("nan")
    if value != "auto" and not 0 < number < float("inf"):
        raise ValueError("expected 'auto' or a number above 0")
    return "auto" if value == "auto" else number


def _rate(value: object) -> float | str:
    try:
        number = float("nan" if isinstance(value, bool) else value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = float("nan")
    if value != "auto" and not 0 < number <= 1:
        raise ValueError("expected 'auto' or a number above 0, up to 1")
    return "auto" if value == "auto" else number


class UnshownValueError(ValueError):
    """A mistake in a value that may hold a password, so that messages do not show it."""


def web_address(address: str) -> str:
    """Return an address without a slash at its end; refuse what is none."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or len(address.split()) > 1:
        kind = UnshownValueError if "@" in address or "?" in address else ValueError
        raise kind("expected an address that begins with http:// or https://, without spaces")
    return address.rstrip("/")


Name = Annotated[str, AfterValidator(_checked_name)]
_AsList = BeforeValidator(_as_list, json_schema_input_type=str | list[str])
Paths = Annotated[list[str], _AsList, Field(min_length=1)]
Words = Annotated[list[str], _AsList]
Number = BeforeValidator(_no_truth_value)
Share = Annotated[float, Number, Field(ge=0, le=1, allow_inf_nan=False)]
PositiveFloat = Annotated[float, Number, Field(gt=0, allow_inf_nan=False)]
FloatFromZero = Annotated[float, Number, Field(ge=0, allow_inf_nan=False)]
PositiveInt = Annotated[int, Number, Field(ge=1)]
IntFromZero = Annotated[int, Number, Field(ge=0)]
Seed = Annotated[int, Number, Field(ge=0, lt=2**31)]
RateOrAuto = Annotated[float | Literal["auto"], PlainValidator(_rate, json_schema_input_type=Share | Literal["auto"])]
Parameter = str | bool | int | float
Part = Literal["vision_tower", "projector", "language_model"]
PARTS = get_args(Part)
Temperature = Annotated[
    float | Literal["auto"], PlainValidator(_temperature, json_schema_input_type=PositiveFloat | Literal["auto"])
]


@dataclass(frozen=True)
class Argument:
    """A key's name in the library that takes it."""

    name: str


@dataclass(frozen=True)
class After:
    """The key after which another one is told in the reference."""

    key: str


class Section(BaseModel):
    """A part of the config in which unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TaggedSection(Section):
    """One of several sections that ``kind`` tells apart: it is written down even where defaults are left out."""

    kind: str

    @model_serializer(mode="wrap")
    def _with_kind(self, inner: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"kind": self.kind, **inner(self)}
