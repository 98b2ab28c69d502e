"""One step: an event comes in, the state changes by the table, orders go out.

Only `step` changes a state. It knows no clock and no I/O. It looks up the row that the event calls
for; if there is none, it raises `IllegalEvent` and changes nothing. Then it *dispatches*: it starts
everything that may start, until nothing more may:

1. free merge turns go to the first in each queue, paused or not;
2. free lanes go to rework;
3. waiting sessions start, if sessions are allowed;
4. issues are admitted in order, and begin.

None of these enables an earlier one, so one pass in this order is the fixpoint. Because every step
ends this way, a cap that is raised for an instant is used at that instant.

Between runs nothing is dispatched. A run that was *cut off* leaves sessions whose end is never
reported. Their issues keep slot, lane and turn until there is a recovery finding for each
(`RECOVERY_FINDINGS`); only then may the next run start.

An issue keeps slot, lane and turn until its session is reported gone. So parking or cancelling an
issue first ends its open session, and takes effect when the end is reported. If that report says
that a merge went in, the issue is done: git is the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wavelane_model.cap import Cap, moved
from wavelane_model.effects import (
    AnnounceCap,
    Effect,
    EndReservationAt,
    EndSession,
    FinishWave,
    GrantMergeTurn,
    ResumeAt,
    RunOutcome,
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
from wavelane_model.guards import PREDICATES, start_revoked
from wavelane_model.lifecycle import IN_FLIGHT, TABLE, Row, State, Trigger
from wavelane_model.outcomes import (
    Approved,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Conflicted,
    Failed,
    Implemented,
    Merged,
    Outcome,
    Postponed,
    Stopped,
)
from wavelane_model.records import PendingRemoval, Record
from wavelane_model.state import WaveState
from wavelane_model.wave import WaveError


class IllegalEvent(ValueError):
    """An event that the model does not allow in this state. The state is as it was."""


TRIGGER_OF: Final[dict[type[Outcome], Trigger]] = {
    Implemented: "implemented",
    Checkpoint: "checkpoint",
    Approved: "approve",
    ChangesRequested: "request_changes",
    Merged: "merged",
    Conflicted: "conflict",
    Blocked: "block",
    Postponed: "postpone",
    Failed: "fail",
}
"""The trigger of each outcome of a session. After `Stopped`, it is the one that was requested."""

Predicate = Callable[[WaveState, Record], bool]
CompiledRow = tuple[Row, tuple[tuple[Predicate, bool], ...]]


def compiled(table: tuple[Row, ...]) -> dict[tuple[Trigger, State], tuple[CompiledRow, ...]]:
    """The rows by trigger and source, each with its guards and their required values."""
    rows: dict[tuple[Trigger, State], tuple[CompiledRow, ...]] = {}
    for row in table:
        checks = (
            *((PREDICATES[guard], True) for guard in row.guards),
            *((PREDICATES[guard], False) for guard in row.unless),
        )
        at = (row.trigger, row.source)
        rows[at] = (*rows.get(at, ()), (row, checks))
    return rows


_ROWS: Final = compiled(TABLE)


def step(state: WaveState, event: Event) -> list[Effect]:
    """Apply `event` to `state` and return the effects to carry out.

    Raises `IllegalEvent`, with the state unchanged, if the model does not allow the event.
    """
    if untimely := _untimely(state, event):
        raise IllegalEvent(untimely)
    effects: list[Effect] = []
    _HANDLERS[type(event)](state, event, effects)
    if state.started and not state.ended:
        dispatch(state, effects)
    return effects


def _untimely(state: WaveState, event: Event) -> str | None:
    """Why an event does not belong here: before the first run, during a run, or between runs."""
    kind = type(event)
    if not state.started:
        allowed = kind in _BEFORE_START
        return None if allowed else f"{kind.__name__} before the wave has started"
    if state.ended:
        allowed = kind in _BETWEEN_RUNS
        return None if allowed else f"the run has ended; {kind.__name__} comes too late"
    if kind in RECOVERY_FINDINGS:
        return f"the run is under way; {kind.__name__} is only for after a run was cut off"
    return None


def enabled_row(state: WaveState, record: Record, trigger: Trigger) -> Row | None:
    """The row that `trigger` would apply to `record` now, if any."""
    for row, checks in _ROWS.get((trigger, record.state), ()):
        for predicate, wanted in checks:
            if predicate(state, record) is not wanted:
                break
        else:
            return row
    return None


def may_start(state: WaveState, issue_id: str, session: int) -> bool:
    """Whether an ordered session may still start under the cap in force now.

    If not, `SessionWithheld` has to be reported instead. Merges always may.
    """
    return not _is_revoked(state, state.find(issue_id), session)


def _is_revoked(state: WaveState, record: Record, session: int) -> bool:
    return (
        record.open
        and record.session == session
        and ("withhold", record.state) in _ROWS
        and start_revoked(state, record)
    )


def start_veto(
    state: WaveState, issue_id: str, session: int
) -> SessionEnded | SessionWithheld | None:
    """What to report in place of starting an ordered session, or None if it may start."""
    record = state.find(issue_id)
    if record.pending_removal is not None:
        return SessionEnded(issue_id, session, Stopped())
    if _is_revoked(state, record, session):
        return SessionWithheld(issue_id, session)
    return None


def outcomes_of(source: State) -> tuple[type[Outcome], ...]:
    """The outcomes that a session of an issue in `source` may have."""
    return tuple(kind for kind, trigger in TRIGGER_OF.items() if (trigger, source) in _ROWS)


# The fixpoint


def dispatch(state: WaveState, effects: list[Effect]) -> None:
    """Start everything that may start, and end the run when nothing ever could."""
    while state.lanes.turns_due:
        _give_turn(state, next(iter(state.lanes.turns_due)), effects)
    while state.lanes.due:
        lane = state.lanes[next(iter(state.lanes.due))]
        _fire(state, state.records[next(iter(lane.rework))], "take_lane", effects)
    _start_startable(state, effects)
    while (record := state.queue.candidate()) is not None:
        row = enabled_row(state, record, "admit")
        if row is None:
            break
        record.untouched = True
        state.move(record, row, effects)
        _start_startable(state, effects)
    outcome = _outcome(state)
    if outcome is not None:
        _end_run(state, outcome)
        effects.append(FinishWave(outcome))


def _give_turn(state: WaveState, number: int, effects: list[Effect]) -> None:
    del state.lanes.turns_due[number]
    lane = state.lanes[number]
    first = lane.next_merge()
    if isinstance(first, int):
        _fire(state, state.records[first], "begin_merge", effects)
    elif first is not None:
        lane.turn = first
        effects.append(GrantMergeTurn(state.wave.repos[number], first))


def _start_startable(state: WaveState, effects: list[Effect]) -> None:
    while state.startable:
        record = state.records[next(iter(state.startable))]
        trigger: Trigger = "begin" if record.state == "admitted" else "begin_review"
        row = enabled_row(state, record, trigger)
        if row is None:
            return
        state.move(record, row, effects)


def _outcome(state: WaveState) -> RunOutcome | None:
    if state.lanes.tickets or state.open_sessions:
        return None
    if state.done == len(state.records):
        return "complete"
    if state.in_flight == 0 and state.queue.count == 0 and state.postponed == 0:
        return "blocked"
    return "stopped" if state.stopping else None


# What each event does


def _fire(state: WaveState, record: Record, trigger: Trigger, effects: list[Effect]) -> None:
    row = enabled_row(state, record, trigger)
    if row is None:
        raise IllegalEvent(
            f'issue "{state.issue_id(record)}" is {record.state}, where "{trigger}" is not allowed'
        )
    state.move(record, row, effects)


def _wave_started(state: WaveState, event: WaveStarted, effects: list[Effect]) -> None:
    if state.started and not state.ended:
        raise IllegalEvent("the wave has started already")
    if state.open_sessions:
        raise IllegalEvent(
            "the previous run was cut off, and there is no recovery finding yet for: "
            + ", ".join(state.issue_id(record) for record in state.records if record.open)
        )
    state.started = True
    state.outcome = None
    state.highest_cap = max(state.cap.level, state.in_flight)
    effects.append(AnnounceCap(state.cap.level))
    if state.resume_at is not None:
        effects.append(ResumeAt(state.resume_at))
    effects.extend(_ends_of_reservations(state))
    if state.postponed:
        effects.extend(
            WakeAt(state.issue_id(record), record.until)
            for record in state.records
            if record.postponed
        )


def _run_cut_off(state: WaveState, event: RunCutOff, effects: list[Effect]) -> None:
    state.lanes.drop_tickets()
    _end_run(state, "unfinished")


def _end_run(state: WaveState, outcome: RunOutcome) -> None:
    state.outcome = outcome
    state.end_reservations()
    state.stopping = False  # a stop applies to one run: the current one, or else the next


def _session_ended(state: WaveState, event: SessionEnded, effects: list[Effect]) -> None:
    record = _with_open_session(state, event.issue, event.session)
    outcome = event.outcome
    removal = record.pending_removal
    trigger: Trigger
    if removal is not None and not isinstance(outcome, Merged):
        trigger = removal.trigger
        outcome = Blocked(removal.reason)
    elif isinstance(outcome, Stopped):
        raise IllegalEvent(f'no end of session {event.session} of "{event.issue}" was ordered')
    else:
        trigger = TRIGGER_OF[type(outcome)]
    row = enabled_row(state, record, trigger)
    if row is None:
        raise IllegalEvent(
            f'issue "{event.issue}" is {record.state}, '
            f"where a session cannot end with {type(outcome).__name__}"
        )
    record.pending_removal = None
    record.untouched = False
    _note(state, record, row, outcome)
    state.move(record, row, effects)
    if record.postponed:
        effects.append(WakeAt(event.issue, record.until))


def _note(state: WaveState, record: Record, row: Row, outcome: Outcome) -> None:
    """Record what an outcome says, before its row is applied."""
    parks = row.target == "parked"
    match outcome:
        case Implemented():
            record.implemented = True
            record.checkpoints = 0
            record.feedback = ""
        case Checkpoint(note):
            record.checkpoints += 1
            record.feedback = note
            record.reason = _too_often(parks, "checkpoint", record.checkpoints, note)
        case ChangesRequested(feedback):
            record.rounds += 1
            record.implemented = False
            record.feedback = feedback
            record.reason = _too_often(parks, "change request", record.rounds, feedback)
        case Conflicted(details):
            record.conflicts += 1
            record.implemented = False
            record.feedback = details
            record.reason = _too_often(parks, "merge conflict", record.conflicts, details)
        case Failed(error):
            record.failures += 1
            record.reason = _too_often(parks, "failure", record.failures, error)
        case Postponed(until, reason):
            record.reason = reason
            state.postpone(record, until)
        case Blocked(reason):
            record.reason = reason
        case Approved() | Merged() | Stopped():
            record.reason = ""


def _too_often(parks: bool, what: str, count: int, text: str) -> str:
    if not parks:
        return ""
    counted = f"{count} {what}{'s' if count > 1 else ''}"
    return f"{counted}, the last: {text}" if text else counted


def _session_withheld(state: WaveState, event: SessionWithheld, effects: list[Effect]) -> None:
    record = _with_open_session(state, event.issue, event.session)
    if record.pending_removal is not None:
        raise IllegalEvent(f'session {event.session} of "{event.issue}" is being ended')
    was_implementing = record.state == "running"
    _fire(state, record, "withhold", effects)
    if was_implementing:
        record.attempts -= 1
    if record.state == "queued":
        record.untouched = False


def _postponement_ended(state: WaveState, event: PostponementEnded, effects: list[Effect]) -> None:
    record = _find(state, event.issue)
    if not (record.state == "queued" and record.postponed):
        raise IllegalEvent(f'issue "{event.issue}" is not postponed')
    state.come_due(record)


def _attempt_discarded(state: WaveState, event: AttemptDiscarded, effects: list[Effect]) -> None:
    record = _apply_finding(state, event.issue, "reset", "", effects)
    if record.state == "queued":
        record.implemented = False
        record.checkpoints = record.rounds = 0  # they counted what was discarded
        record.feedback = ""


def _attempt_resumed(state: WaveState, event: AttemptResumed, effects: list[Effect]) -> None:
    _apply_finding(state, event.issue, "resume", "", effects)


def _merge_found(state: WaveState, event: MergeFound, effects: list[Effect]) -> None:
    _apply_finding(state, event.issue, "find_merged", "", effects)


def _attempt_unclear(state: WaveState, event: AttemptUnclear, effects: list[Effect]) -> None:
    _apply_finding(state, event.issue, "block", event.reason, effects)


def _apply_finding(
    state: WaveState, issue_id: str, trigger: Trigger, reason: str, effects: list[Effect]
) -> Record:
    """Apply a recovery finding. A pending park or cancel overrides all but a found merge."""
    record = _find(state, issue_id)
    if record.state not in IN_FLIGHT:
        raise IllegalEvent(f'issue "{issue_id}" is {record.state}: it was not in flight')
    if record.pending_removal is not None and trigger != "find_merged":
        trigger, reason = record.pending_removal
    _fire(state, record, trigger, effects)
    record.pending_removal = None
    record.untouched = False
    record.reason = reason
    return record


def _wave_amended(state: WaveState, event: WaveAmended, effects: list[Effect]) -> None:
    for issue in event.issues:
        if issue.id in state.wave and not _unbegun(state.find(issue.id)):
            raise IllegalEvent(
                f'issue "{issue.id}" is {state.find(issue.id).state} and has begun; '
                "only issues that have not begun can be changed"
            )
    try:
        wave = state.wave.amended(event.issues, event.done, event.experience)
    except WaveError as error:
        raise IllegalEvent(str(error)) from error
    state.amend(wave, [wave.position[issue.id] for issue in event.issues])


def _order_planned(state: WaveState, event: OrderPlanned, effects: list[Effect]) -> None:
    named = (*event.order, *(one.issue for one in event.reservations))
    records = {one: _find(state, one) for one in named}
    if len(set(event.order)) < len(event.order):
        raise IllegalEvent("the order of a plan names an issue twice")
    if len({one.issue for one in event.reservations}) < len(event.reservations):
        raise IllegalEvent("the reservations of a plan name an issue twice")
    if late := [one.issue for one in event.reservations if one.issue not in event.order]:
        raise IllegalEvent(f"a plan reserves lanes for {', '.join(late)}, which its order lacks")
    reservations = {records[one.issue].position: one.until for one in event.reservations}
    state.adopt_plan((records[one].position for one in event.order), reservations)
    if state.started and not state.ended:
        effects.extend(_ends_of_reservations(state))


def _ends_of_reservations(state: WaveState) -> list[EndReservationAt]:
    return [
        EndReservationAt(state.wave.issues[position].id, until)
        for position, until in state.reservations.items()
    ]


def _reservation_ended(state: WaveState, event: ReservationEnded, effects: list[Effect]) -> None:
    record = _find(state, event.issue)
    if state.reservations.get(record.position) != event.until:
        raise IllegalEvent(f'no lane is reserved for issue "{event.issue}" until {event.until}')
    state.end_reservation(record.position)


def _unbegun(record: Record) -> bool:
    return record.state in ("queued", "parked") and record.session == 0


def _cap_moved(state: WaveState, event: CapMoved, effects: list[Effect]) -> None:
    until = event.until if event.move == "pause" else None
    cap = moved(state.cap, event.move, event.level)
    if cap is None and event.move == "pause" and until != state.resume_at:
        cap = state.cap  # already paused: only the end of the pause changes
    if cap is None:
        raise IllegalEvent(
            f'the cap is at {state.cap.level} of {state.cap.ceiling}, where "{event.move}"'
            f"{f' to {event.level}' if event.move == 'set' else ''} is not allowed"
        )
    _put_cap(state, cap, effects)
    state.resume_at = until
    if until is not None and state.started and not state.ended:
        effects.append(ResumeAt(until))


def _pause_ended(state: WaveState, event: PauseEnded, effects: list[Effect]) -> None:
    cap = moved(state.cap, "resume")
    if cap is None or event.until != state.resume_at:
        raise IllegalEvent(f"no pause was to end at {event.until}")
    _put_cap(state, cap, effects)
    state.resume_at = None


def _put_cap(state: WaveState, cap: Cap, effects: list[Effect]) -> None:
    state.cap = cap
    if state.started and not state.ended:
        state.highest_cap = max(state.highest_cap, cap.level)
    effects.append(AnnounceCap(cap.level))


def _park_requested(state: WaveState, event: ParkRequested, effects: list[Effect]) -> None:
    _take_out(state, event.issue, PendingRemoval("block", event.reason), effects)


def _cancel_requested(state: WaveState, event: CancelRequested, effects: list[Effect]) -> None:
    _take_out(state, event.issue, PendingRemoval("cancel", ""), effects)


def _take_out(
    state: WaveState, issue_id: str, removal: PendingRemoval, effects: list[Effect]
) -> None:
    """Park or cancel: at once if no session is open, else when that has ended."""
    record = _find(state, issue_id)
    if not record.open:
        was_postponed = record.postponed
        _fire(state, record, removal.trigger, effects)
        record.reason = removal.reason
        record.untouched = False
        if was_postponed:
            state.come_due(record)
        return
    if enabled_row(state, record, removal.trigger) is None or (
        record.pending_removal is not None and record.pending_removal.trigger == "cancel"
    ):
        raise IllegalEvent(f'issue "{issue_id}" is being cancelled already')
    if record.pending_removal is None:
        effects.append(EndSession(issue_id, record.session))
    record.pending_removal = removal


def _unpark_requested(state: WaveState, event: UnparkRequested, effects: list[Effect]) -> None:
    record = _find(state, event.issue)
    _fire(state, record, "unpark", effects)
    record.checkpoints = record.rounds = record.conflicts = record.failures = 0
    record.reason = record.feedback = ""
    record.implemented = record.had_reservation = False


def _stop_requested(state: WaveState, event: StopRequested, effects: list[Effect]) -> None:
    state.stopping = True


def _turn_requested(state: WaveState, event: MergeTurnRequested, effects: list[Effect]) -> None:
    number = _lane_of(state, event.repo)
    if event.ticket in state.lanes[number].merges:
        raise IllegalEvent(f'ticket "{event.ticket}" waits for repo "{event.repo}" already')
    state.lanes.tickets += 1
    state.lanes.join_merges(number, event.ticket)


def _turn_returned(state: WaveState, event: MergeTurnReturned, effects: list[Effect]) -> None:
    number = _lane_of(state, event.repo)
    if event.ticket not in state.lanes[number].merges:
        raise IllegalEvent(f'ticket "{event.ticket}" has no place in the queue of "{event.repo}"')
    state.lanes.tickets -= 1
    state.lanes.leave_merges(number, event.ticket)


def _find(state: WaveState, issue_id: str) -> Record:
    try:
        return state.find(issue_id)
    except KeyError:
        raise IllegalEvent(f'there is no issue "{issue_id}" in the wave') from None


def _with_open_session(state: WaveState, issue_id: str, session: int) -> Record:
    record = _find(state, issue_id)
    if not (record.open and record.session == session):
        raise IllegalEvent(
            f'session {session} of issue "{issue_id}" is not under way '
            f"(it is {record.state}, with {record.session} sessions so far)"
        )
    return record


def _lane_of(state: WaveState, repo: str) -> int:
    try:
        return state.wave.repos.index(repo)
    except ValueError:
        raise IllegalEvent(
            f'there is no repo "{repo}" in the wave; its repos are {", ".join(state.wave.repos)}'
        ) from None


RECOVERY_FINDINGS: Final = (AttemptDiscarded, AttemptResumed, MergeFound, AttemptUnclear)
"""Between runs: what is left of an issue that was in flight when the previous run ended."""
_BEFORE_START: Final = (
    WaveStarted,
    WaveAmended,
    OrderPlanned,
    CapMoved,
    ParkRequested,
    UnparkRequested,
    CancelRequested,
    StopRequested,
    MergeTurnRequested,
    MergeTurnReturned,
)
_BETWEEN_RUNS: Final = (*_BEFORE_START, *RECOVERY_FINDINGS)
_HANDLERS: Final[dict[type[Event], Callable[[WaveState, Any, list[Effect]], None]]] = {
    WaveStarted: _wave_started,
    SessionEnded: _session_ended,
    SessionWithheld: _session_withheld,
    PostponementEnded: _postponement_ended,
    RunCutOff: _run_cut_off,
    AttemptDiscarded: _attempt_discarded,
    AttemptResumed: _attempt_resumed,
    MergeFound: _merge_found,
    AttemptUnclear: _attempt_unclear,
    WaveAmended: _wave_amended,
    OrderPlanned: _order_planned,
    ReservationEnded: _reservation_ended,
    CapMoved: _cap_moved,
    PauseEnded: _pause_ended,
    ParkRequested: _park_requested,
    UnparkRequested: _unpark_requested,
    CancelRequested: _cancel_requested,
    StopRequested: _stop_requested,
    MergeTurnRequested: _turn_requested,
    MergeTurnReturned: _turn_returned,
}
