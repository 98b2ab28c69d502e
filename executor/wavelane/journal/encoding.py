"""The encoding of events: how each becomes the columns kind, issue and data of its row, and back.

What is read is checked, names and types: a row that no version has written is an error, never a
partial event.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from typing import Final, get_args

from wavelane.journal.errors import JournalError
from wavelane.journal.plain import (
    definition_of,
    field_rules,
    make_checked,
    parse_json,
    plain_experience,
    read_experience,
    require_types,
    to_json,
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
from wavelane_model.wave import Issue

_CACHED_ENDS: Final = 64
"""How many encoded endings of sessions are cached: most sessions end in one of a few ways."""
_KIND_COLUMN: Final[dict[type[Event], str]] = {kind: kind.__name__ for kind in get_args(Event)} | {
    ReservationEnded: "HoldEnded"
}
"""The name of each event in a journal; it outlives the class's name."""
_EVENTS: Final[dict[str, type[Event]]] = {name: kind for kind, name in _KIND_COLUMN.items()}
_OUTCOMES: Final[dict[str, type[Outcome]]] = {kind.__name__: kind for kind in get_args(Outcome)}
_KINDS: Final[tuple[type, ...]] = (*_EVENTS.values(), *_OUTCOMES.values())
_FIELDS: Final = {kind: field_rules(kind) for kind in _KINDS}
"""The fields of each kind of event and outcome."""


def encode_event(event: Event) -> tuple[str, str | None, str | None]:
    """The columns kind, issue and data of an event's row."""
    kind = type(event)
    if isinstance(event, SessionEnded):
        return _KIND_COLUMN[kind], event.issue, _encode_end(event.session, event.outcome)
    data = {name: getattr(event, name) for name in _FIELDS[kind]}
    issue = data.pop("issue", None)
    if isinstance(event, WaveAmended):
        data["issues"] = [definition_of(one) for one in event.issues]
        del data["experience"]
        if event.experience is not None:
            data["experience"] = plain_experience(event.experience)
    if isinstance(event, OrderPlanned):
        data["holds"] = [asdict(one) for one in data.pop("reservations")]
    return _KIND_COLUMN[kind], issue, to_json(data) if data else None


def decode_event(kind: str, issue: str | None, data: str | None) -> Event:
    """The event of a row's columns.

    Raises:
        JournalError: The columns are not those of an event that any version has written.
    """
    try:
        if kind == SessionEnded.__name__ and issue is not None:
            require_types(SessionEnded, {"issue": issue})
            return SessionEnded(issue, *_decode_end(data or ""))
        values = parse_json(data) if data else {}
        if issue is not None:
            values["issue"] = issue
        if kind == WaveAmended.__name__:
            values["issues"] = tuple(make_checked(Issue, one) for one in values["issues"])
            values["done"] = tuple(values["done"])
            if "experience" in values:
                values["experience"] = read_experience(values["experience"])
        if kind == OrderPlanned.__name__:
            values["order"] = tuple(values["order"])
            values["reservations"] = tuple(
                make_checked(Reservation, one) for one in values.pop("holds")
            )
        return make_checked(_EVENTS[kind], values)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise JournalError(
            f"the journal has an event that cannot be read: {kind} {issue or ''} {data or ''}"
        ) from error


@lru_cache(_CACHED_ENDS)
def _encode_end(session: int, outcome: Outcome) -> str:
    data = {"session": session, "outcome": type(outcome).__name__}
    for name, rule in _FIELDS[type(outcome)].items():
        if (value := getattr(outcome, name)) != rule.default:
            data[name] = value
    return to_json(data)


@lru_cache(_CACHED_ENDS)
def _decode_end(data: str) -> tuple[int, Outcome]:
    values = parse_json(data)
    session = {"session": values.pop("session")}
    outcome = make_checked(_OUTCOMES[values.pop("outcome")], values)
    require_types(SessionEnded, session)
    return session["session"], outcome
