"""Why an issue is not running: derived from the state, never stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from wavelane_model.state import Record, WaveState

ReasonCode = Literal[
    "not_started",
    "ended",
    "dependencies",
    "postponed",
    "stopping",
    "paused",
    "lane",
    "reserved",
    "cap",
    "merge_turn",
    "parked",
    "cancelled",
    "under_way",
    "done",
]
"""Why an issue is where it is, for machines."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an issue is where it is.

    Attributes:
        code: The reason for machines.
        text: The reason for people.
        issues: Ids of the issues that it waits for.
        until: The time that it waits for, in seconds since the epoch.
    """

    code: ReasonCode
    text: str
    issues: tuple[str, ...] = ()
    until: float | None = None

    def __str__(self) -> str:
        return self.text


_DONE: Final = Reason("done", "done")
_CANCELLED: Final = Reason("cancelled", "cancelled")


def why(state: WaveState, issue_id: str) -> Reason:
    """The reason of one issue. Raises `KeyError` for an unknown id."""
    record = state.find(issue_id)
    match record.state:
        case "done":
            return _DONE
        case "cancelled":
            return _CANCELLED
        case "parked":
            return Reason("parked", f"parked: {record.reason}" if record.reason else "parked")
        case _ if record.open:
            return _under_way(state, record)
        case "queued":
            return _why_queued(state, record)
        case "merging":
            return _why_no_turn(state, record)
        case _:
            return _why_no_session(state, record)


def _under_way(state: WaveState, record: Record) -> Reason:
    text = {"running": "implementing", "review": "being reviewed", "merging": "being merged"}
    ending = {"block": ", to be parked", "cancel": ", to be cancelled"}
    cut_off = " when the run was cut off" if state.ended else ""
    suffix = cut_off + (ending[record.pending_removal.trigger] if record.pending_removal else "")
    return Reason("under_way", text.get(record.state, record.state) + suffix)


def _why_queued(state: WaveState, record: Record) -> Reason:
    if record.unmet:
        return _waits_for(state, record)
    if record.postponed:
        return _postponed(record)
    lane = state.lanes[record.lane]
    if (general := _why_nothing_starts(state)) is not None:
        return general
    blocker = lane.holder if lane.holder is not None else next(iter(lane.rework), None)
    if blocker is not None:
        return _lane_held(state, record, blocker)
    if reserved := state.reserved_for(record):
        return _reserved(state, reserved)
    return Reason("cap", f"cap {state.in_flight} of {state.cap.level}")


def _why_no_session(state: WaveState, record: Record) -> Reason:
    holder = state.lanes[record.lane].holder
    if record.position in state.lanes[record.lane].rework and holder is not None:
        return _lane_held(state, record, holder)
    return _why_nothing_starts(state) or Reason("under_way", "about to start")


def _why_nothing_starts(state: WaveState) -> Reason | None:
    if not state.started:
        return Reason("not_started", "the wave has not started")
    if state.ended:
        return Reason("ended", "the run has ended")
    if state.stopping:
        return Reason("stopping", "stopping")
    if state.cap.level == 0:
        return _paused(state.resume_at)
    return None


def _paused(until: float | None) -> Reason:
    when = "" if until is None else f" until {_clock_time(until)}"
    return Reason("paused", f"paused{when}", until=until)


def _waits_for(state: WaveState, record: Record) -> Reason:
    unmet = [
        needed
        for position in state.wave.dependencies[record.position]
        if (needed := state.records[position]).state != "done"
    ]
    ids = tuple(state.issue_id(needed) for needed in unmet)
    named = ", ".join(f"{one} ({needed.state})" for one, needed in zip(ids, unmet, strict=True))
    return Reason("dependencies", f"waits for {named}", ids)


def _postponed(record: Record) -> Reason:
    when = "" if record.until is None else f" until {_clock_time(record.until)}"
    cause = f": {record.reason}" if record.reason else ""
    return Reason("postponed", f"postponed{when}{cause}", until=record.until)


def _clock_time(seconds: float) -> str:
    """A time of day in UTC, by arithmetic alone: the model has no clock and no calendar."""
    of_day = int(seconds) % 86_400
    return f"{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02} UTC"


def _lane_held(state: WaveState, record: Record, holder: int) -> Reason:
    held_by = state.issue_id(state.records[holder])
    repo = state.wave.repos[record.lane]
    return Reason("lane", f"lane {repo} held by {held_by}", (held_by,))


def _reserved(state: WaveState, reserved: list[int]) -> Reason:
    ids = tuple(state.wave.issues[one].id for one in reserved)
    repo = state.wave.repos[state.records[reserved[0]].lane]
    until = max(state.reservations[one] for one in reserved)
    return Reason("reserved", f"lane {repo} reserved for {', '.join(ids)}", ids, until)


_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


def _why_no_turn(state: WaveState, record: Record) -> Reason:
    queue = list(state.lanes[record.lane].merges)
    place = queue.index(record.position)
    ahead = tuple(
        state.issue_id(state.records[who]) if isinstance(who, int) else who for who in queue[:place]
    )
    ordinal = _ORDINALS[place] if place < len(_ORDINALS) else f"number {place + 1}"
    repo = state.wave.repos[record.lane]
    return Reason("merge_turn", f"{ordinal} in {repo}'s merge queue", ahead)
