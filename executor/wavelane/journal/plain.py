"""Plain values: how dataclasses and JSON texts become each other, names and types checked.

Readers of what another process has written use `make_checked`: a value of the wrong type, or under
a name that the class does not have, is an error, never a partial object.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from functools import cache
from types import NoneType, UnionType
from typing import (
    Any,
    Final,
    Literal,
    NamedTuple,
    NoReturn,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from wavelane_model.wave import ISSUE_FIELDS, Finished, Issue

T = TypeVar("T")
TypeCheck = Callable[[object], bool]


class FieldRule(NamedTuple):
    """What a field of a dataclass accepts when it is read.

    Attributes:
        accepts: Whether a value read from JSON is of the field's type.
        default: The field's default, `dataclasses.MISSING` if it has none.
    """

    accepts: TypeCheck
    default: object


@cache
def field_rules(kind: type) -> dict[str, FieldRule]:
    """The rules of a dataclass's fields, by name."""
    hints = get_type_hints(kind)
    return {one.name: FieldRule(_check_of(hints[one.name]), one.default) for one in fields(kind)}


def _check_of(hint: Any) -> TypeCheck:
    origin = get_origin(hint)
    if origin is UnionType:
        checks = [_check_of(one) for one in get_args(hint)]
        return lambda value: any(check(value) for check in checks)
    if origin is Literal:
        return lambda value: isinstance(value, str) and value in get_args(hint)
    if origin is Sequence:
        return lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value)
    if origin is tuple:  # of any length; JSON has lists, which `decode_event` turns into tuples
        item = get_args(hint)[0]
        return lambda value: isinstance(value, tuple) and all(isinstance(i, item) for i in value)
    if hint is float:
        return lambda value: isinstance(value, (int, float)) and abs(value) <= sys.float_info.max
    if hint is int:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    if hint in (str, bool, NoneType):
        return lambda value: isinstance(value, hint)
    return lambda value: False


def make_checked(kind: type[T], values: dict[str, Any]) -> T:
    """Make a dataclass from values that were read, names and types checked.

    Raises:
        KeyError: A name that the class does not have.
        TypeError: A value of the wrong type, or one that is missing.
        ValueError: A value that the class refuses.
    """
    require_types(kind, values)
    return kind(**values)


def require_types(kind: type, values: dict[str, Any]) -> None:
    """Check values against the fields of a dataclass. Raises `KeyError` and `TypeError`."""
    if not isinstance(values, dict):
        raise TypeError(f"{kind.__name__} is {values!r}, which does not have its fields by name")
    rules = field_rules(kind)
    for name, value in values.items():
        if not rules[name].accepts(value):
            raise TypeError(f"{kind.__name__}.{name} is {value!r}")


def _reject_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


# One codec for each use: `json.loads` and `json.dumps` would make a new one in each call.
_DECODER: Final = json.JSONDecoder(parse_constant=_reject_constant)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises `ValueError` and `RecursionError`."""
    return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8"))


def to_json(value: object) -> str:
    """The JSON text of a value, in a form that SQLite can store."""
    text = _ENCODER.encode(value)
    if storable_text(text) != text:
        text = json.dumps(value, separators=(",", ":"))
    return text


def storable_text(text: str) -> str:
    """Text that SQLite can store: output that was not UTF-8 may contain unpaired surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()


def definition_of(issue: Issue) -> dict[str, object]:
    """An issue as plain values; labels only if it has any."""
    definition = {name: getattr(issue, name) for name in ISSUE_FIELDS}
    if not issue.labels:
        del definition["labels"]
    return definition


def issue_of(definition: str) -> Issue:
    """The issue that a JSON text defines. Raises `KeyError`, `TypeError`, `ValueError`."""
    return make_checked(Issue, parse_json(definition))


def plain_experience(experience: Iterable[Finished]) -> list[dict[str, object]]:
    """An experience as plain values."""
    return [asdict(one) for one in experience]


def read_experience(values: Iterable[dict[str, Any]]) -> tuple[Finished, ...]:
    """The experience from its plain values. Raises `KeyError` and `TypeError`."""
    return tuple(make_checked(Finished, one) for one in values)
