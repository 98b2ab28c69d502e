"""Which events are legal, by what the monitor knows."""

from __future__ import annotations

from specs.monitor.state import MonitorState
from specs.monitor.tables import ALLOWED, IN_FLIGHT, RecoveryFinding
from wavelane_model.events import (
    CancelRequested,
    CapMoved,
    Event,
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
    StopRequested,
    UnparkRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.outcomes import Merged, Outcome, Stopped

Request = ParkRequested | CancelRequested | UnparkRequested
DuringARun = SessionEnded | SessionWithheld | PostponementEnded | ReservationEnded


def is_legal(known: MonitorState, event: Event) -> bool | None:
    """Whether `event` must be taken; None where it may be taken or refused."""
    match event:
        case WaveStarted():
            return not known.under_way and not any(known.open)
        case RunCutOff():
            return known.under_way
        case WaveAmended(issues):
            return all(_may_change(known, issue.id) for issue in issues)
        case PauseEnded(until):
            return known.under_way and known.pause_ends == until
        case OrderPlanned():
            return _is_plan(known, event)
        case CapMoved("pause", _, until) if known.level == 0:
            return until != known.pause_ends
        case StopRequested():
            return True
        case CapMoved(move, asked):
            return known.level_after(move, asked) is not None
        case MergeTurnRequested(repo, ticket):
            return repo in known.wave.repos and ticket not in known.queue_of(repo)
        case MergeTurnReturned(repo, ticket):
            return repo in known.wave.repos and ticket in known.queue_of(repo)
    if event.issue not in known.wave:
        return False
    return _is_legal_for(known, event, known.wave.position[event.issue])


def is_revoked(known: MonitorState, issue: int) -> bool:
    """Whether an ordered session of `issue` that has not started may no longer start."""
    return known.open[issue] in ("implement", "review") and (
        known.level == 0
        or known.stopping
        or (known.untouched[issue] and known.in_flight > known.level)
    )


def _is_plan(known: MonitorState, event: OrderPlanned) -> bool:
    """Whether each issue of the plan is one of the wave, once, and each reservation is planned."""
    order = event.order
    reserved = {one.issue for one in event.reservations}
    in_wave = all(one in known.wave for one in order)
    return in_wave and reserved <= set(order) and len(set(order)) == len(order)


def _may_change(known: MonitorState, name: str) -> bool:
    """Whether an issue is new, or has had no session yet."""
    if name not in known.wave:
        return True
    issue = known.wave.position[name]
    return known.states[issue] in ("queued", "parked") and known.session[issue] == 0


def _is_legal_for(
    known: MonitorState, event: Request | RecoveryFinding | DuringARun, issue: int
) -> bool | None:
    if isinstance(event, Request):
        return _may_be_requested(known, event, issue)
    if isinstance(event, RecoveryFinding):
        return known.ended and known.states[issue] in IN_FLIGHT
    if not known.under_way:
        return False
    match event:
        case SessionEnded(_, session, outcome):
            return _may_end(known, issue, session, outcome)
        case SessionWithheld(_, session):
            return (
                known.open[issue] is not None
                and session == known.session[issue]
                and known.ending[issue] is None
                and is_revoked(known, issue)
            )
        case PostponementEnded():
            return known.waking[issue]
        case ReservationEnded(_, until):
            return known.reservations.get(issue) == until


def _may_be_requested(known: MonitorState, event: Request, issue: int) -> bool:
    state = known.states[issue]
    match event:
        case ParkRequested():
            may = state not in ("done", "cancelled", "parked")
        case CancelRequested():
            may = state not in ("done", "cancelled")
        case UnparkRequested():
            return state == "parked"
    return may and known.ending[issue] != "cancel"


def _may_end(known: MonitorState, issue: int, session: int, outcome: Outcome) -> bool | None:
    step = known.open[issue]
    if step is None or session != known.session[issue]:
        return False
    if type(outcome) in ALLOWED[step]:
        return True
    if isinstance(outcome, Stopped):
        return known.ending[issue] is not None
    # A session that is being ended may report anything, but not a merge that it cannot have made.
    return None if known.ending[issue] and not isinstance(outcome, Merged) else False
