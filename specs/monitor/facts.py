"""Applies one event to what the monitor knows, and checks the announcements that follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from specs.monitor.state import MonitorState
from specs.monitor.tables import (
    FINDING_TRIGGERS,
    MEANT,
    NONE_YET,
    WAYS_BACK,
    Ending,
    RecoveryFinding,
)
from wavelane_model.effects import (
    AnnounceCap,
    AnnounceIssue,
    Effect,
    EndReservationAt,
    EndSession,
    ResumeAt,
    WakeAt,
)
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
    StopRequested,
    UnparkRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.lifecycle import Trigger
from wavelane_model.outcomes import (
    ChangesRequested,
    Checkpoint,
    Conflicted,
    Implemented,
    Merged,
    Outcome,
)

NO_MOVE: Final = AnnounceIssue("", "reset", "done", "done")


def apply_event(known: MonitorState, event: Event, effects: list[Effect]) -> Iterator[str]:
    """Apply `event`; what is missing or wrong among the announcements in its effects."""
    match event:
        case WaveStarted():
            yield from _run_starts(known, effects)
        case RunCutOff():
            _run_is_cut_off(known)
        case StopRequested():
            known.stopping = True
        case CapMoved(move, asked, until):
            level = known.level_after(move, asked)
            yield from _move_cap(known, 0 if level is None else level, effects)
            known.pause_ends = until if move == "pause" else None
            yield from _resume_announced(known.pause_ends if known.under_way else None, effects)
        case PauseEnded():
            known.pause_ends = None
            yield from _move_cap(known, known.before_pause, effects)
        case OrderPlanned(order, reservations):
            known.plan = tuple(known.wave.position[one] for one in order)
            known.reserve({known.wave.position[one.issue]: one.until for one in reservations})
            yield from _reservations_announced(known, effects)
        case ReservationEnded(name, _):
            del known.reservations[known.wave.position[name]]
        case WaveAmended(issues, done):
            for one in issues:
                known.reservations.pop(known.wave.position.get(one.id, -1), None)
            known.grow(known.wave.amended(issues, done))
            known.end_reservations()
        case MergeTurnRequested(repo, ticket):
            known.queue_of(repo).append(ticket)
        case MergeTurnReturned(repo, ticket):
            known.queue_of(repo).remove(ticket)
            known.give_turn_back(known.wave.repos.index(repo), ticket)
        case SessionEnded(name, _, outcome):
            yield from _session_ends(known, name, outcome, effects)
        case SessionWithheld(name):
            yield from _session_is_withheld(known, name, effects)
        case AttemptDiscarded() | AttemptResumed() | MergeFound() | AttemptUnclear():
            yield from _recovery_finds(known, event, effects)
        case PostponementEnded(name):
            known.waking[known.wave.position[name]] = False
        case UnparkRequested(name):
            yield from _unpark(known, name, effects)
        case ParkRequested(name):
            yield from _take_out(known, name, "block", effects)
        case CancelRequested(name):
            yield from _take_out(known, name, "cancel", effects)


# The run and the cap


def _run_starts(known: MonitorState, effects: list[Effect]) -> Iterator[str]:
    known.started = True
    known.outcome = None
    known.highest = max(known.level, known.in_flight)
    yield from _level_announced(known, effects)
    yield from _waits_announced(known, effects)
    yield from _resume_announced(known.pause_ends, effects)
    yield from _reservations_announced(known, effects)


def _run_is_cut_off(known: MonitorState) -> None:
    known.outcome = "unfinished"
    known.reservations = {}
    known.stopping = False
    for repo, queue in enumerate(known.queues):
        known.queues[repo] = [who for who in queue if isinstance(who, int)]
        if isinstance(known.turns[repo], str):
            known.turns[repo] = None


def _move_cap(known: MonitorState, level: int, effects: list[Effect]) -> Iterator[str]:
    known.before_pause = level or known.level or known.before_pause
    known.level = level
    if known.under_way:
        known.highest = max(known.highest, level)
    yield from _level_announced(known, effects)


# Sessions, findings and requests


def _session_ends(
    known: MonitorState, name: str, outcome: Outcome, effects: list[Effect]
) -> Iterator[str]:
    issue = known.wave.position[name]
    ending = known.ending[issue]
    removal = ending if ending and not isinstance(outcome, Merged) else None
    known.close_session(issue)
    yield from _first_moved_by(name, removal or MEANT[type(outcome)], effects)
    known.untouched[issue] = False
    if removal is None:
        yield from _count(known, issue, type(outcome), effects)


def _session_is_withheld(known: MonitorState, name: str, effects: list[Effect]) -> Iterator[str]:
    issue = known.wave.position[name]
    known.close_session(issue)
    yield from _first_moved_by(name, "withhold", effects)
    if known.untouched[issue] != (_first_move(effects).target == "queued"):
        yield f"outcome: {name} was withheld and is not back where it was before"


def _recovery_finds(
    known: MonitorState, event: RecoveryFinding, effects: list[Effect]
) -> Iterator[str]:
    """Apply a recovery finding. A pending removal goes before it, but not before a found merge."""
    issue = known.wave.position[event.issue]
    removal = None if isinstance(event, MergeFound) else known.ending[issue]
    known.close_session(issue)
    yield from _first_moved_by(event.issue, removal or FINDING_TRIGGERS[type(event)], effects)
    known.untouched[issue] = False
    if isinstance(event, AttemptDiscarded) and removal is None:
        known.implemented[issue] = False
        counts = zip(WAYS_BACK, known.counts[issue], strict=True)
        gone = (ChangesRequested, Checkpoint)
        known.counts[issue] = tuple(0 if way in gone else times for way, times in counts)


def _unpark(known: MonitorState, name: str, effects: list[Effect]) -> Iterator[str]:
    issue = known.wave.position[name]
    known.counts[issue] = NONE_YET
    known.had_reservation = known.had_reservation.difference((issue,))
    known.implemented[issue] = False
    yield from _first_moved_by(name, "unpark", effects)


def _take_out(known: MonitorState, name: str, how: Ending, effects: list[Effect]) -> Iterator[str]:
    issue = known.wave.position[name]
    if known.open[issue] is None:
        known.waking[issue] = False
        yield from _first_moved_by(name, how, effects)
        return
    ordered = EndSession(name, known.session[issue]) in effects
    if ordered == (known.ending[issue] is not None):
        yield f"glide: {name} is to be taken out; the end of its session is ordered twice or never"
    known.ending[issue] = how


def _count(
    known: MonitorState, issue: int, outcome: type[Outcome], effects: list[Effect]
) -> Iterator[str]:
    """Count the ways back, and check that the issue is parked where the limits say so."""
    if outcome in (Implemented, ChangesRequested, Conflicted):
        known.implemented[issue] = outcome is Implemented
    counts = list(known.counts[issue])
    if outcome is Implemented:
        counts[WAYS_BACK.index(Checkpoint)] = 0
    elif outcome in WAYS_BACK:
        way = WAYS_BACK.index(outcome)
        parks = counts[way] == _allowed(known)[way]
        counts[way] += not parks
        if parks != (_first_move(effects).target == "parked"):
            name = known.wave.issues[issue].id
            what = "does not park it" if parks else "parks it"
            yield f"limits: {outcome.__name__} after {known.counts[issue][way]} of {name} {what}"
    known.counts[issue] = tuple(counts)


def _allowed(known: MonitorState) -> tuple[int, ...]:
    """How often each of `WAYS_BACK` may be taken; the next one parks."""
    limits = known.limits
    return (limits.failures, limits.conflicts, limits.review_rounds, limits.checkpoints - 1)


# Announcements that follow from the event


def _first_move(effects: list[Effect]) -> AnnounceIssue:
    return next((one for one in effects if isinstance(one, AnnounceIssue)), NO_MOVE)


def _first_moved_by(name: str, trigger: Trigger, effects: list[Effect]) -> Iterator[str]:
    first = _first_move(effects).trigger
    if first != trigger:
        yield f'outcome: the first move of {name} is by "{first}", and should be by "{trigger}"'


def _level_announced(known: MonitorState, effects: list[Effect]) -> Iterator[str]:
    announced = [one.level for one in effects if isinstance(one, AnnounceCap)]
    if announced != [known.level]:
        yield f"cap control: the cap is at {known.level}, but {announced} is announced"


def _resume_announced(due: float | None, effects: list[Effect]) -> Iterator[str]:
    announced = [one.until for one in effects if isinstance(one, ResumeAt)]
    if announced != ([] if due is None else [due]):
        yield f"wake: a pause ends at {due}, but {announced} is announced"


def _waits_announced(known: MonitorState, effects: list[Effect]) -> Iterator[str]:
    waiting = [
        issue.id for issue, waits in zip(known.wave.issues, known.waking, strict=True) if waits
    ]
    announced = sorted(one.issue for one in effects if isinstance(one, WakeAt))
    if announced != sorted(waiting):
        yield f"wake: a run starts with {waiting} postponed, but announces when {announced} wake"


def _reservations_announced(known: MonitorState, effects: list[Effect]) -> Iterator[str]:
    announced = {one.issue: one.until for one in effects if isinstance(one, EndReservationAt)}
    issues = known.wave.issues
    due = {issues[one].id: until for one, until in known.reservations.items() if known.under_way}
    if announced != due:
        yield f"wake: lanes are reserved until {due}, but {announced} is announced"
