"""Why an event of a journal cannot have happened, in words that name the rule.

The model refuses an event; here the refusal is explained, from the state before the event. The
model starts sessions, not events. So an admission that breaks a rule shows up as the end of a
session that was never started, and the broken rule is the reason why it was not started.
"""

from __future__ import annotations

from typing import Final

from wavelane.verify.breach import Breach
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    AttemptUnclear,
    CancelRequested,
    CapMoved,
    Event,
    MergeFound,
    MergeTurnRequested,
    MergeTurnReturned,
    OrderPlanned,
    ParkRequested,
    PauseEnded,
    PostponementEnded,
    ReservationEnded,
    RunCutOff,
    SessionEnded,
    SessionWithheld,
    UnparkRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.outcomes import Outcome, Stopped
from wavelane_model.records import Record
from wavelane_model.state import WaveState
from wavelane_model.step import RECOVERY_FINDINGS, outcomes_of
from wavelane_model.view import open_sessions
from wavelane_model.why import ReasonCode, why

RecoveryFinding = AttemptDiscarded | AttemptResumed | MergeFound | AttemptUnclear

_DURING_A_RUN: Final = (
    SessionEnded,
    SessionWithheld,
    PostponementEnded,
    ReservationEnded,
    PauseEnded,
    RunCutOff,
)
"""Events that happen only while a run is under way."""
_RULES: Final[dict[ReasonCode, str]] = {
    "not_started": "end",
    "ended": "end",
    "dependencies": "order",
    "postponed": "wait",
    "stopping": "pause",
    "paused": "pause",
    "lane": "lane",
    "reserved": "reservation",
    "cap": "cap",
    "merge_turn": "merge",
    "parked": "table",
    "cancelled": "table",
    "under_way": "once",
    "done": "once",
}
"""The rule that keeps an issue where its reason says it is."""


def explain_refusal(state: WaveState, event: Event, refusal: str) -> Breach:
    """Why `event`, which the model refused with the text `refusal`, is not legal in `state`."""
    subject: str = getattr(event, "issue", getattr(event, "repo", ""))
    return _explanation(state, event, refusal)._replace(subject=subject)


def _explanation(state: WaveState, event: Event, refusal: str) -> Breach:
    if untimely := _of_time(state, event):
        return untimely
    issue = getattr(event, "issue", None)
    if issue is not None and issue not in state.wave:
        return Breach("wave", f'there is no issue "{issue}" in the wave')
    match event:
        case SessionEnded(issue, session, outcome):
            return _of_session(state, issue, session, f"ended with {type(outcome).__name__}") or (
                _of_outcome(state.find(issue), issue, session, outcome)
            )
        case SessionWithheld(issue, session):
            return _of_session(state, issue, session, "was withheld") or (
                _of_withholding(state, issue, session)
            )
        case PostponementEnded(issue):
            return Breach(
                "wait", f"the wait of {issue} ended, but it was not postponed: {_now(state, issue)}"
            )
        case _ if isinstance(event, RecoveryFinding):
            said = _FOUND_BETWEEN_RUNS[type(event)].format(event.issue)
            return Breach("table", f"{said}, but it was not in flight: {_now(state, event.issue)}")
        case ParkRequested(issue) | CancelRequested(issue):
            asked = "be parked" if isinstance(event, ParkRequested) else "be cancelled"
            return Breach("table", f"{issue} was to {asked}, but {_now(state, issue)}")
        case UnparkRequested(issue):
            return Breach(
                "table", f"{issue} was unparked, but it was not parked: {_now(state, issue)}"
            )
        case CapMoved():
            return Breach("cap", refusal)
        case PauseEnded():
            return Breach("pause", "a pause ended by itself that was not due to end then")
        case WaveAmended():
            return Breach("wave", refusal)
        case OrderPlanned() | ReservationEnded():
            return Breach("reservation", refusal)
        case MergeTurnRequested() | MergeTurnReturned():
            return Breach("merge", refusal)
        case WaveStarted():
            return _of_start(state)
        case _:
            return Breach("table", refusal)


def _of_time(state: WaveState, event: Event) -> Breach | None:
    """What is wrong with an event inside a run that belongs between two, or the other way round."""
    name = type(event).__name__
    if not state.started:
        too_early = isinstance(event, (*_DURING_A_RUN, *RECOVERY_FINDINGS))
        return Breach("end", f"{name} comes before the run has started") if too_early else None
    if not state.ended and isinstance(event, RecoveryFinding):
        said = _FOUND_BETWEEN_RUNS[type(event)].format(event.issue)
        return Breach(
            "end",
            f"{said} while the run was under way; that is reported only of a run that is over",
        )
    if not (state.ended and isinstance(event, _DURING_A_RUN)):
        return None
    if state.outcome != "unfinished":
        return Breach("end", f"the run had ended ({state.outcome}); {name} comes after its end")
    if isinstance(event, SessionEnded | SessionWithheld) and event.issue in state.wave:
        said = f"session {event.session} of {event.issue}"
        if event.session > state.find(event.issue).session:
            return Breach("end", f"{said} was never started: the run had been cut off")
        return Breach("end", f"{said} cannot report any more: the run had been cut off")
    return Breach("end", f"the run had been cut off; {name} comes after that")


_FOUND_BETWEEN_RUNS: Final[dict[type[RecoveryFinding], str]] = {
    AttemptDiscarded: "the attempt at {} was discarded",
    AttemptResumed: "the attempt at {} was resumed",
    MergeFound: "the merge of {} was found",
    AttemptUnclear: "the attempt at {} was called unclear",
}


def _of_start(state: WaveState) -> Breach:
    """What is wrong with a start."""
    if not state.ended:
        return Breach("end", "the run was started again before it had ended")
    sessions = ", ".join(f"session {number} of {issue}" for issue, number in open_sessions(state))
    return Breach("end", f"a run was started with nothing recorded of what is left of {sessions}")


def _of_session(state: WaveState, issue: str, session: int, what: str) -> Breach | None:
    """What is wrong with the end of a session that is not under way."""
    record = state.find(issue)
    said = f"session {session} of {issue} {what}, but"
    if record.open and record.session == session:
        return None
    if session <= record.session:
        return Breach("once", f"{said} it was over already: {_now(state, issue)}")
    reason = why(state, issue)
    if record.open:
        return Breach("once", f"{said} session {record.session} of it was still under way")
    if record.session == 0:
        return Breach(_RULES[reason.code], f"{said} {issue} was never started: {reason}")
    return Breach(_RULES[reason.code], f"{said} it was never started: {reason}")


def _of_outcome(record: Record, issue: str, session: int, outcome: Outcome) -> Breach:
    if isinstance(outcome, Stopped):
        return Breach(
            "once",
            f"session {session} of {issue} ended as Stopped, but its end had not been asked for",
        )
    allowed = ", ".join(kind.__name__ for kind in outcomes_of(record.state))
    return Breach(
        "table",
        f"session {session} of {issue} ended with {type(outcome).__name__}; "
        f"while an issue is {_in(record)} it may end with {allowed}",
    )


def _of_withholding(state: WaveState, issue: str, session: int) -> Breach:
    record = state.find(issue)
    said = f"session {session} of {issue} was withheld, but"
    if record.pending_removal is not None:
        return Breach("once", f"{said} its end had been requested, so its end must be reported")
    if record.state == "merging":
        return Breach("pause", f"{said} merges are not: a merge that is ready goes through")
    return Breach("pause", f"{said} its start was allowed: cap {state.cap.level}")


def _now(state: WaveState, issue: str) -> str:
    """Where an issue is, and why."""
    record = state.find(issue)
    reason = why(state, issue)
    if reason.code == record.state:
        return f"it is {reason}"
    return f"it is {_in(record)} ({reason})"


def _in(record: Record) -> str:
    return "in review" if record.state == "review" else record.state
