"""How events become rows of a journal and are read again, and how rows are sealed.

What is read is checked, names and types: a row that no version has written is an error, never half
an event.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from functools import cache, lru_cache
from json.encoder import encode_basestring_ascii
from math import isfinite
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

from wavelane_model.events import (
    Event,
    OrderPlanned,
    Reservation,
    ReservationEnded,
    SessionEnded,
    WaveAmended,
)
from wavelane_model.outcomes import Outcome
from wavelane_model.wave import ISSUE_FIELDS, Finished, Issue

T = TypeVar("T")
Check = Callable[[object], bool]


class JournalError(RuntimeError):
    """A journal that cannot be made, written or read; the text names it and what to do."""


class _Field(NamedTuple):
    """A field of an event, an outcome, an issue, or what else is read."""

    fits: Check
    default: object


_ENDS_KEPT: Final = 64
"""How many ways in which a session ended are kept as JSON: most end in one of a few."""
_STORED_AS: Final[dict[type[Event], str]] = {kind: kind.__name__ for kind in get_args(Event)} | {
    ReservationEnded: "HoldEnded"
}
"""The name of each event in a journal; it outlives the name of the class."""
_EVENTS: Final[dict[str, type[Event]]] = {name: kind for kind, name in _STORED_AS.items()}
_OUTCOMES: Final[dict[str, type[Outcome]]] = {kind.__name__: kind for kind in get_args(Outcome)}


def _check_of(hint: Any) -> Check:
    """Whether a value, read from JSON, is of the type that a field asks for."""
    origin = get_origin(hint)
    if origin is UnionType:
        checks = [_check_of(one) for one in get_args(hint)]
        return lambda value: any(check(value) for check in checks)
    if origin is Literal:
        return lambda value: isinstance(value, str) and value in get_args(hint)
    if origin is Sequence:
        return lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value)
    if origin is tuple:  # of any length; JSON has lists, which `decoded` turns into tuples
        item = get_args(hint)[0]
        return lambda value: isinstance(value, tuple) and all(isinstance(i, item) for i in value)
    if hint is float:
        return lambda value: isinstance(value, (int, float)) and abs(value) <= sys.float_info.max
    if hint is int:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    if hint in (str, bool, NoneType):
        return lambda value: isinstance(value, hint)
    return lambda value: False


@cache
def _fields_of(kind: type) -> dict[str, _Field]:
    hints = get_type_hints(kind)
    return {one.name: _Field(_check_of(hints[one.name]), one.default) for one in fields(kind)}


_KINDS: Final[tuple[type, ...]] = (
    *_EVENTS.values(),
    *_OUTCOMES.values(),
    Issue,
    Reservation,
    Finished,
)
_FIELDS: Final = {kind: _fields_of(kind) for kind in _KINDS}
"""The fields of each kind, by name."""


def encoded(event: Event) -> tuple[str, str | None, str | None]:
    """The columns kind, issue and data of an event's row."""
    kind = type(event)
    if isinstance(event, SessionEnded):
        return _STORED_AS[kind], event.issue, _end_as_json(event.session, event.outcome)
    data = {name: getattr(event, name) for name in _FIELDS[kind]}
    issue = data.pop("issue", None)
    if isinstance(event, WaveAmended):
        data["issues"] = [definition_of(one) for one in event.issues]
        del data["experience"]
        if event.experience is not None:
            data["experience"] = plain_experience(event.experience)
    if isinstance(event, OrderPlanned):
        data["holds"] = [asdict(one) for one in data.pop("reservations")]
    return _STORED_AS[kind], issue, as_json(data) if data else None


@lru_cache(_ENDS_KEPT)
def _end_as_json(session: int, outcome: Outcome) -> str:
    data = {"session": session, "outcome": type(outcome).__name__}
    for name, field in _FIELDS[type(outcome)].items():
        if (value := getattr(outcome, name)) != field.default:
            data[name] = value
    return as_json(data)


@lru_cache(_ENDS_KEPT)
def _end_of_json(data: str) -> tuple[int, Outcome]:
    values = loaded(data)
    session = {"session": values.pop("session")}
    outcome = made(_OUTCOMES[values.pop("outcome")], values)
    _require(SessionEnded, session)
    return session["session"], outcome


def decoded(kind: str, issue: str | None, data: str | None) -> Event:
    """The event of a row. Raises `JournalError` for what no version has written."""
    try:
        if kind == SessionEnded.__name__ and issue is not None:
            _require(SessionEnded, {"issue": issue})
            return SessionEnded(issue, *_end_of_json(data or ""))
        values = loaded(data) if data else {}
        if issue is not None:
            values["issue"] = issue
        if kind == WaveAmended.__name__:
            values["issues"] = tuple(made(Issue, one) for one in values["issues"])
            values["done"] = tuple(values["done"])
            if "experience" in values:
                values["experience"] = read_experience(values["experience"])
        if kind == OrderPlanned.__name__:
            values["order"] = tuple(values["order"])
            values["reservations"] = tuple(made(Reservation, one) for one in values.pop("holds"))
        return made(_EVENTS[kind], values)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise JournalError(
            f"the journal has an event that cannot be read: {kind} {issue or ''} {data or ''}"
        ) from error


def sealed(seal: str, row: Iterable[object]) -> str:
    """The seal after one more row."""
    text = ", ".join([_sealable(value) for value in row])
    return hashlib.sha256(f"{seal}[{text}]".encode()).hexdigest()


def _sealable(value: object) -> str:
    """The JSON text of one value.

    A list that is encoded as a whole gives the same text, and takes three times as long.
    """
    kind = type(value)
    if kind is str:
        return encode_basestring_ascii(value)  # type: ignore[arg-type]
    if value is None:
        return "null"
    if kind is int or (kind is float and isfinite(value)):  # type: ignore[arg-type]
        return repr(value)
    return _SEALING.encode(value)


def first_seal(meta: Iterable[tuple[str, str]], definitions: Iterable[str]) -> str:
    """The seal of a journal without events, from the rows of meta and of the issues."""
    return sealed("", [sorted(meta), list(definitions)])


def definition_of(issue: Issue) -> dict[str, object]:
    """An issue as plain values; labels only where it has some."""
    definition = {name: getattr(issue, name) for name in ISSUE_FIELDS}
    if not issue.labels:
        del definition["labels"]
    return definition


def issue_of(definition: str) -> Issue:
    """The issue that a row defines. Raises `KeyError`, `TypeError`, `ValueError`."""
    return made(Issue, loaded(definition))


def plain_experience(experience: Iterable[Finished]) -> list[dict[str, object]]:
    """An experience as plain values."""
    return [asdict(one) for one in experience]


def read_experience(values: Iterable[dict[str, Any]]) -> tuple[Finished, ...]:
    """What `plain_experience` gave. Raises `KeyError`, `TypeError`."""
    return tuple(made(Finished, one) for one in values)


def made(kind: type[T], values: dict[str, Any]) -> T:
    """A dataclass made of values that were read, names and types checked.

    Raises `KeyError`, `TypeError`, `ValueError`.
    """
    _require(kind, values)
    return kind(**values)


def _require(kind: type, values: dict[str, Any]) -> None:
    if not isinstance(values, dict):
        raise TypeError(f"{kind.__name__} is {values!r}, no fields by name")
    known = _fields_of(kind)
    for name, value in values.items():
        if not known[name].fits(value):
            raise TypeError(f"{kind.__name__}.{name} is {value!r}")


def loaded(text: str | bytes) -> Any:
    """The value of a JSON text. Raises `ValueError`, `RecursionError`."""
    return _READING.decode(text if isinstance(text, str) else text.decode("utf-8"))


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


# One codec for each use: `json.loads` and `json.dumps` would make a new one in each call.
_READING: Final = json.JSONDecoder(parse_constant=_no_number)
_WRITING: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_SEALING: Final = json.JSONEncoder(default=repr)


def as_json(value: object) -> str:
    """The JSON text of a value, as SQLite can keep it."""
    text = _WRITING.encode(value)
    if storable(text) != text:
        text = json.dumps(value, separators=(",", ":"))
    return text


def storable(text: str) -> str:
    """Text as SQLite can keep it: output that was no UTF-8 may have halves of surrogate pairs."""
    return text.encode("utf-8", "backslashreplace").decode()
