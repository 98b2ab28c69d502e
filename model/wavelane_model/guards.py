"""What each guard of the issue table means on a state: one predicate per name.

`lifecycle.GUARDS` says the same in words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wavelane_model.lifecycle import Guard
from wavelane_model.records import Record
from wavelane_model.state import WaveState


def sessions_allowed(state: WaveState, record: Record) -> bool:
    return state.sessions_allowed


def below_cap(state: WaveState, record: Record) -> bool:
    return state.in_flight < state.cap.level


def lane_free(state: WaveState, record: Record) -> bool:
    return state.lanes[record.lane].holder is None


def has_lane(state: WaveState, record: Record) -> bool:
    return state.lanes[record.lane].holder == record.position


def dependencies_done(state: WaveState, record: Record) -> bool:
    return record.unmet == 0


def due(state: WaveState, record: Record) -> bool:
    return not record.postponed


def reserved(state: WaveState, record: Record) -> bool:
    return bool(state.reserved_for(record))


def is_implemented(state: WaveState, record: Record) -> bool:
    return record.implemented


def has_merge_turn(state: WaveState, record: Record) -> bool:
    lane = state.lanes[record.lane]
    return lane.turn is None and lane.next_merge() == record.position


def session_open(state: WaveState, record: Record) -> bool:
    return record.open


def start_revoked(state: WaveState, record: Record) -> bool:
    return not sessions_allowed(state, record) or (
        record.untouched and state.in_flight > state.cap.level
    )


def untouched(state: WaveState, record: Record) -> bool:
    return record.untouched


def checkpoints_left(state: WaveState, record: Record) -> bool:
    return record.checkpoints + 1 < state.limits.checkpoints


def rounds_left(state: WaveState, record: Record) -> bool:
    return record.rounds < state.limits.review_rounds


def conflicts_left(state: WaveState, record: Record) -> bool:
    return record.conflicts < state.limits.conflicts


def failures_left(state: WaveState, record: Record) -> bool:
    return record.failures < state.limits.failures


PREDICATES: Final[dict[Guard, Callable[[WaveState, Record], bool]]] = {
    "sessions_allowed": sessions_allowed,
    "below_cap": below_cap,
    "lane_free": lane_free,
    "has_lane": has_lane,
    "dependencies_done": dependencies_done,
    "due": due,
    "reserved": reserved,
    "is_implemented": is_implemented,
    "has_merge_turn": has_merge_turn,
    "session_open": session_open,
    "start_revoked": start_revoked,
    "untouched": untouched,
    "checkpoints_left": checkpoints_left,
    "rounds_left": rounds_left,
    "conflicts_left": conflicts_left,
    "failures_left": failures_left,
}
