"""What may be requested of a wave from outside, and what the answer is.

A request is the event it asks for, or an `Addition`. In the journal's table of commands it is JSON:
the verb and the fields of the event:

    {"verb":"cap","move":"step_down"}          moves: step_down, step_up, set (to "level"), resume,
                                               pause (with "until", seconds since the epoch, or not)
    {"verb":"park","issue":"web#2","reason":"which footer?"}
    {"verb":"unpark","issue":"web#2"}
    {"verb":"cancel","issue":"web#2"}
    {"verb":"stop"}
    {"verb":"add","issues":[{"id":"web#3","repo":"web"}],"done":[],"details":{"web#3":…}}

The model alone decides whether it may happen. A request that already holds is answered as done. The
answer is JSON as well: {"done":true,"text":"cap 3 → 2"}, or false and why it cannot be done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any, Final

from wavelane.journal import definition_of, make_checked, parse_json, to_json
from wavelane.times import clock_text, is_time
from wavelane_model.cap import Cap, level_name
from wavelane_model.events import (
    CancelRequested,
    CapMoved,
    Event,
    ParkRequested,
    StopRequested,
    UnparkRequested,
    WaveAmended,
)
from wavelane_model.records import Record
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent
from wavelane_model.wave import Issue
from wavelane_model.why import why


@dataclass(frozen=True, slots=True)
class Addition:
    """A request to add issues to the wave, or to change some that have not begun.

    Attributes:
        amendment: The new and the changed issues.
        details: For the pipeline: how to work on each, by id; see `Extensible`.
    """

    amendment: WaveAmended
    details: Mapping[str, Any]


Request = CapMoved | ParkRequested | UnparkRequested | CancelRequested | StopRequested | Addition
"""What may be requested of a wave from outside."""
Extend = Callable[[Sequence[Issue], Mapping[str, Any]], None]

_Event = CapMoved | ParkRequested | UnparkRequested | CancelRequested | StopRequested
_VERBS: Final[dict[str, type[_Event]]] = {
    "cap": CapMoved,
    "park": ParkRequested,
    "unpark": UnparkRequested,
    "cancel": CancelRequested,
    "stop": StopRequested,
}
_NAMES: Final = {kind: verb for verb, kind in _VERBS.items()}
_MOST_NAMED: Final = 5
_MOST_SHOWN: Final = 200


class RequestError(ValueError):
    """A command that cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a command.

    Attributes:
        done: Whether the request holds now.
        text: The answer, in a sentence.
    """

    done: bool
    text: str

    def to_json(self) -> str:
        """As the journal keeps it."""
        return to_json(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Answer:
        """The answer kept in a journal. One that cannot be read is not done."""
        try:
            return make_checked(cls, parse_json(text))
        except _UNREADABLE:
            return cls(False, f"the answer cannot be read: {_shown(text)}")


def encode_request(request: Request) -> str:
    """A request as the journal keeps it."""
    if isinstance(request, Addition):
        return to_json(
            {
                "verb": "add",
                "issues": [definition_of(issue) for issue in request.amendment.issues],
                "done": request.amendment.done,
                "details": request.details,
            }
        )
    return to_json({"verb": _NAMES[type(request)], **_given(request)})


def decode_request(text: str | bytes) -> Request:
    """The request kept in a journal. Raises `RequestError`."""
    try:
        values = dict(parse_json(text))
        verb = values.pop("verb")
        if verb == "add":
            return _addition(**values)
        kind: type[Any] = _VERBS[verb]
        request: _Event = make_checked(kind, values)
        if isinstance(request, CapMoved) and not is_time(request.until or 0.0):
            raise ValueError(f"{request.until} is not a time")
    except _UNREADABLE as error:
        raise RequestError(
            f"the command cannot be read: {_shown(text)}; "
            f"its verb is one of {', '.join(_VERBS)}, add"
        ) from error
    return request


def _addition(issues: Any, done: Any = (), details: Any = None) -> Addition:
    """Raises `KeyError`, `TypeError`, `ValueError` for anything that is not an addition."""
    amendment = make_checked(
        WaveAmended,
        {"issues": tuple(make_checked(Issue, one) for one in issues), "done": tuple(done)},
    )
    return Addition(amendment, dict(details or {}))


def _extend_nothing(issues: Sequence[Issue], details: Mapping[str, Any]) -> None:
    """For waves without a pipeline that needs to know how to work on what is added."""


def execute(
    text: str | bytes,
    state: WaveState,
    apply: Callable[[Event], object],
    *,
    live: bool,
    extend: Extend = _extend_nothing,
) -> Answer:
    """Execute a command, and answer it. Raises nothing of its own.

    Args:
        text: The command as it stands in the journal.
        state: The wave's state.
        apply: Steps an event into `state`.
        live: Whether a run is under way.
        extend: Is called before issues are added; it may refuse them with a `ValueError`.
    """
    try:
        request = decode_request(text)
    except RequestError as error:
        return Answer(False, str(error))
    if isinstance(request, StopRequested) and not live:
        return Answer(
            False,
            "no run is under way, so there is nothing to stop; "
            "`pause` keeps the next one from starting anything",
        )
    before = state.cap
    if isinstance(request, Addition):
        return _added(request, state, apply, extend, live=live)
    try:
        apply(request)
    except IllegalEvent as refusal:
        return _refused(state, request, str(refusal))
    said = _said(state, request, before)
    later = "no run is under way: it takes effect in the next one"
    return Answer(True, said if live else f"{said}; {later}")


def _added(
    request: Addition,
    state: WaveState,
    apply: Callable[[Event], object],
    extend: Extend,
    *,
    live: bool,
) -> Answer:
    issues = request.amendment.issues
    changed = [issue.id for issue in issues if issue.id in state.wave]
    added = [issue.id for issue in issues if issue.id not in state.wave]
    try:
        extend(issues, request.details)
        apply(request.amendment)
    except (IllegalEvent, ValueError) as refusal:
        return Answer(False, str(refusal))
    parts = [f"added {', '.join(added)}"] if added else []
    parts += [f"changed {', '.join(changed)}"] if changed else []
    if not parts:
        return Answer(True, "nothing is new")
    said = "; ".join(parts)
    kept = "keep that in the wave file"
    return Answer(True, f"{said}; {kept if live else f'no run is under way: {kept}'}")


_UNREADABLE: Final = (AttributeError, KeyError, TypeError, ValueError, RecursionError)


def _given(request: _Event) -> dict[str, object]:
    """The fields with a value that differs from the default."""
    fields = request.__dataclass_fields__
    return {
        name: value
        for name, field in fields.items()
        if (value := getattr(request, name)) != field.default
    }


def _shown(text: str | bytes) -> str:
    """The text of a command, shortened if it is long."""
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"


# What was done, in words


def _said(state: WaveState, request: _Event, before: Cap) -> str:
    match request:
        case CapMoved():
            return _cap_said(state, before)
        case StopRequested():
            return f"stopping: {_finish(state)}then the run ends"
        case UnparkRequested(issue):
            return f"{issue} is tried again{_now(state, issue)}"
        case ParkRequested(issue) | CancelRequested(issue):
            return _set_aside(state, state.find(issue), issue)


def _cap_said(state: WaveState, before: Cap) -> str:
    after = state.cap
    said = f"cap {level_name(before.level)} → {level_name(after.level)}"
    if after.level == 0:
        paused = said if before.level else "paused"
        return f"{paused}{_until(state)}: nothing new starts{_finish(state, '; ')}"
    if state.in_flight > after.level:
        return f"{said}; {state.in_flight} are in flight, nothing is interrupted"
    return said


def _now(state: WaveState, issue: str) -> str:
    """Where an issue stands, while a run is under way."""
    return f": {why(state, issue)}" if state.started and not state.ended else ""


def _until(state: WaveState) -> str:
    return "" if state.resume_at is None else f" until {clock_text(state.resume_at)}"


def _finish(state: WaveState, before: str = "") -> str:
    """What happens to the running sessions."""
    count = state.open_sessions
    if count == 0 or state.ended:
        return ""
    said = "1 session finishes its step" if count == 1 else f"{count} sessions finish their step"
    return before + said + ("" if before else ", ")


def _set_aside(state: WaveState, record: Record, issue: str) -> str:
    if record.pending_removal is None:
        return f"{issue} is {why(state, issue)}"
    then = "parked" if record.pending_removal.trigger == "block" else "cancelled"
    if state.ended:
        return f"{issue} is {then} as soon as it is known what the last run left of it"
    return f"{issue} is being ended, then {then}"


# Why it cannot be done, in words


def _refused(state: WaveState, request: _Event, refusal: str) -> Answer:
    if isinstance(request, CapMoved):
        return _cap_refused(state, request)
    if isinstance(request, StopRequested):
        return Answer(False, refusal)
    if request.issue not in state.wave:
        return Answer(False, _unknown(state, request.issue))
    record = state.find(request.issue)
    ending = record.pending_removal is not None and record.pending_removal.trigger == "cancel"
    now = "being cancelled" if ending else record.state
    if isinstance(request, CancelRequested) and (ending or record.state == "cancelled"):
        return Answer(True, f"{request.issue} is {now} already")
    asked = {ParkRequested: "parked", UnparkRequested: "unparked", CancelRequested: "cancelled"}
    reason = "" if ending or record.state != "parked" else f" ({record.reason})"
    return Answer(
        False, f"{request.issue} is {now}{reason}, so it cannot be {asked[type(request)]}"
    )


def _cap_refused(state: WaveState, request: CapMoved) -> Answer:
    cap = state.cap
    match request.move:
        case "pause":
            return Answer(True, f"paused already{_until(state)}")
        case "resume":
            return Answer(True, f"nothing is paused: cap {cap.level} of {cap.ceiling}")
        case "step_down":
            return Answer(False, f"paused already{_until(state)}: there is no lower level")
        case "step_up":
            return Answer(False, f"the cap is {cap.level} already, which is its ceiling")
        case "set" if request.level == cap.level:
            return Answer(True, f"the cap is {level_name(cap.level)} already{_until(state)}")
        case "set":
            return Answer(
                False,
                f"the cap cannot be {_shown(str(request.level))}: "
                f"give 0 (paused) to {cap.ceiling}, its ceiling",
            )


def _unknown(state: WaveState, issue: str) -> str:
    ids = [*state.wave.position]
    named = [*dict.fromkeys([*get_close_matches(issue, ids, 1), *ids[:_MOST_NAMED]])][:_MOST_NAMED]
    more = len(ids) - len(named)
    listed = ", ".join(named) + (f" and {more} more" if more else "")
    return f'issue "{_shown(issue)}" is not in the wave; its issues are {listed}'
