"""Obstacles: what stands between an issue and its next step. Decided only here.

The first of these that applies:

1. the issue is done, cancelled or parked, or a session of it is under way;
2. of a queued issue: a dependency is not done; it is postponed; no session starts in any lane
   (`standstill`); its lane is held, or rework goes first (`lane_obstacle`); its lane is reserved
   for an issue before it, or as many issues are in flight as the cap allows
   (`free_lane_obstacle`);
3. of an approved issue: others come before it in the merge queue;
4. of any other issue in flight: it waits for rework and its lane is held; no session starts in any
   lane.

`wavelane_model.why` puts obstacles into words.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from wavelane_model.records import Record
from wavelane_model.state import WaveState

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


class Obstacle(NamedTuple):
    """What stands between an issue and its next step.

    Attributes:
        code: which kind it is.
        issues: the ids that the issue waits for; in a merge queue also tickets.
        until: the time that it waits for, in seconds since the epoch.
    """

    code: ReasonCode
    issues: tuple[str, ...] = ()
    until: float | None = None


_CAP: Final = Obstacle("cap")
_UNDER_WAY: Final = Obstacle("under_way")


def obstacle(state: WaveState, issue_id: str) -> Obstacle:
    """What stands between an issue and its next step.

    Raises:
        KeyError: the wave has no such issue.
    """
    record = state.find(issue_id)
    match record.state:
        case "done" | "cancelled" | "parked":
            return Obstacle(record.state)
        case _ if record.open:
            return _UNDER_WAY
        case "queued":
            return _of_queued(state, record)
        case "merging":
            return _of_approved(state, record)
        case _:
            return _of_rework(state, record) or standstill(state) or _UNDER_WAY


def standstill(state: WaveState) -> Obstacle | None:
    """Why no session starts in any lane; None if one may."""
    if not state.started:
        return Obstacle("not_started")
    if state.ended:
        return Obstacle("ended")
    if state.stopping:
        return Obstacle("stopping")
    if state.cap.level == 0:
        return Obstacle("paused", until=state.resume_at)
    return None


def lane_obstacle(state: WaveState, lane: int) -> Obstacle | None:
    """What keeps every queued issue out of a lane: its holder, or rework that goes first.

    Args:
        state: where the wave stands.
        lane: the number of the repo in the wave.
    """
    one = state.lanes[lane]
    first = one.holder if one.holder is not None else next(iter(one.rework), None)
    return None if first is None else Obstacle("lane", (state.wave.issues[first].id,))


def free_lane_obstacle(state: WaveState, issue_id: str) -> Obstacle:
    """What keeps a ready issue out of its lane although that is free.

    It is a reservation for issues that come before it in the order, or the cap.
    """
    ahead = state.reserved_for(state.find(issue_id))
    if not ahead:
        return _CAP
    ids = tuple(state.wave.issues[one].id for one in ahead)
    return Obstacle("reserved", ids, max(state.reservations[one] for one in ahead))


def _of_queued(state: WaveState, record: Record) -> Obstacle:
    if record.unmet:
        return Obstacle("dependencies", _unmet(state, record))
    if record.postponed:
        return Obstacle("postponed", until=record.until)
    return (
        standstill(state)
        or lane_obstacle(state, record.lane)
        or free_lane_obstacle(state, state.issue_id(record))
    )


def _unmet(state: WaveState, record: Record) -> tuple[str, ...]:
    return tuple(
        state.wave.issues[needed].id
        for needed in state.wave.dependencies[record.position]
        if state.records[needed].state != "done"
    )


def _of_approved(state: WaveState, record: Record) -> Obstacle:
    ahead: list[str] = []
    for who in state.lanes[record.lane].merges:
        if who == record.position:
            break
        ahead.append(state.wave.issues[who].id if isinstance(who, int) else who)
    return Obstacle("merge_turn", tuple(ahead))


def _of_rework(state: WaveState, record: Record) -> Obstacle | None:
    lane = state.lanes[record.lane]
    waits = record.position in lane.rework and lane.holder is not None
    return lane_obstacle(state, record.lane) if waits else None
