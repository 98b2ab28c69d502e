"""The view: what code outside the model may know of a wave's state. It only reads.

Such code reads the attributes in `READABLE` and `READABLE_OF_RECORD`, and asks

- `why` an issue is not running (`wavelane_model.why`), in words;
- for the `obstacle` of an issue or a lane (`wavelane_model.obstacles`);
- what is in flight, in order, or next in a lane; what is reserved; what is left to plan;
- when an issue gives its lane back, and what to assume of an attempt that was cut off.

So each of these is decided in one place, and a state can change its indexes freely.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from wavelane_model.effects import AnnounceIssue
from wavelane_model.events import AttemptDiscarded, AttemptResumed, AttemptUnclear
from wavelane_model.lifecycle import TAKEN_OUT, State
from wavelane_model.state import WaveState

READABLE: Final = frozenset(
    {
        *("wave", "limits", "lane_release"),
        *("cap", "resume_at", "highest_cap"),
        *("started", "stopping", "ended", "outcome"),
        *("in_flight", "open_sessions", "sessions_allowed", "find"),
    }
)
"""The attributes of a `WaveState` that may be read outside the model."""
READABLE_OF_RECORD: Final = frozenset(
    {
        *("state", "ready", "unmet", "postponed", "until", "reason", "pending_removal"),
        *("open", "session", "attempts", "checkpoints", "rounds", "conflicts", "failures"),
        *("feedback", "implemented", "position"),
    }
)
"""The attributes of a `Record`, as `WaveState.find` returns it, that may be read outside the
model."""


class Backlog(NamedTuple):
    """What is left to plan, by position in the wave.

    Attributes:
        todo: the issues that can be done without waiting for a human or a time.
        queued: those of them that are queued, in the order of admission.
        in_flight: those of them that are in flight, in the order in which they were admitted.
        reserved: the issues whose lanes are reserved for them, and until when, in seconds since the
            epoch.
        spent: the queued issues that have had their reservation.
    """

    todo: frozenset[int]
    queued: tuple[int, ...]
    in_flight: tuple[int, ...]
    reserved: dict[int, float]
    spent: frozenset[int]


def in_order(state: WaveState) -> tuple[str, ...]:
    """The ids of all issues, first to be admitted first."""
    return tuple(state.wave.issues[one].id for one in state.queue.order)


def issues_in_flight(state: WaveState) -> tuple[str, ...]:
    """The ids of the issues in flight, in the order of their admission."""
    return tuple(state.wave.issues[one].id for one in state.flight)


def open_sessions(state: WaveState) -> Iterator[tuple[str, int]]:
    """Issue and number of each session and merge that is under way."""
    for record in state.records:
        if record.open:
            yield state.issue_id(record), record.session


def next_in(state: WaveState, lane: int) -> str | None:
    """The issue that a lane starts next: the first that is ready, else the first that is queued.

    Args:
        state: where the wave stands.
        lane: the number of the repo in the wave.
    """
    record = state.queue.next_in(lane)
    return None if record is None else state.issue_id(record)


def reservations(state: WaveState) -> dict[str, float]:
    """The issues whose lanes are reserved for them, and until when (seconds since the epoch)."""
    return {state.wave.issues[one].id: until for one, until in state.reservations.items()}


def is_planned(state: WaveState) -> bool:
    """Whether issues are admitted in a planned order."""
    return bool(state.plan)


def waiting_tickets(state: WaveState) -> list[tuple[str, str]]:
    """Repo and name of each ticket that waits for a merge turn or has one."""
    return state.lanes.waiting_tickets(state.wave.repos)


def gives_lane_back(state: WaveState, move: AnnounceIssue) -> bool:
    """Whether an issue that holds its lane gives it back with this move."""
    return move.source in state.lane_states and move.target not in state.lane_states


def backlog(state: WaveState) -> Backlog:
    """What is left to plan; looks at every issue."""
    todo = frozenset(_within_reach(state))
    queued = tuple(
        one for one in state.queue.order if one in todo and state.records[one].state == "queued"
    )
    return Backlog(
        todo=todo,
        queued=queued,
        in_flight=tuple(one for one in state.flight if one in todo),
        reserved=dict(state.reservations),
        spent=frozenset(one for one in queued if state.reservations.is_spent(state.records[one])),
    )


def _within_reach(state: WaveState) -> set[int]:
    """Issues that can be done without waiting for a human or a time."""
    found: set[int] = set()
    for position in state.wave.topological():
        record = state.records[position]
        if record.state in TAKEN_OUT or record.state == "done" or record.postponed:
            continue
        needs = state.wave.dependencies[position]
        if all(one in found or state.records[one].state == "done" for one in needs):
            found.add(position)
    return found


def assumed_finding(
    issue_id: str, source: State, *, was_open: bool, unclear: str
) -> AttemptDiscarded | AttemptResumed | AttemptUnclear:
    """What to report of an attempt that was cut off, if it is not known what is left of it.

    An implementing session is discarded, and a review is repeated. Only a human can say whether a
    merge that was under way went in. If nothing was under way, nothing is lost.

    Args:
        issue_id: the issue.
        source: its state when its run was cut off.
        was_open: whether a session or merge of it was under way.
        unclear: the message for the human.
    """
    if was_open and source == "merging":
        return AttemptUnclear(issue_id, unclear)
    if was_open and source == "running":
        return AttemptDiscarded(issue_id)
    return AttemptResumed(issue_id)
