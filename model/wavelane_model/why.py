"""Why an issue is not running, in words: derived from the state, never stored.

`wavelane_model.obstacles` decides what stands in its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wavelane_model.obstacles import Obstacle, ReasonCode, obstacle
from wavelane_model.records import Record
from wavelane_model.state import WaveState

__all__ = ["Reason", "ReasonCode", "why"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an issue is where it is.

    Attributes:
        code: The reason, for programs.
        text: The reason, for people.
        issues: Ids of the issues that it waits for.
        until: The time that it waits for, in seconds since the epoch.
    """

    code: ReasonCode
    text: str
    issues: tuple[str, ...] = ()
    until: float | None = None

    def __str__(self) -> str:
        return self.text


def why(state: WaveState, issue_id: str) -> Reason:
    """Why an issue is where it is.

    Raises:
        KeyError: the wave has no such issue.
    """
    found = obstacle(state, issue_id)
    return Reason(found.code, _in_words(state, issue_id, found), found.issues, found.until)


def _in_words(state: WaveState, issue_id: str, found: Obstacle) -> str:
    record, repo = state.find(issue_id), state.wave[issue_id].repo
    match found.code:
        case "not_started":
            return "the wave has not started"
        case "ended":
            return "the run has ended"
        case "dependencies":
            named = (f"{one} ({state.find(one).state})" for one in found.issues)
            return f"waits for {', '.join(named)}"
        case "paused":
            return _until(found)
        case "postponed":
            return _until(found) + (f": {record.reason}" if record.reason else "")
        case "lane":
            return f"lane {repo} held by {', '.join(found.issues)}"
        case "reserved":
            return f"lane {repo} reserved for {', '.join(found.issues)}"
        case "cap":
            return f"cap {state.in_flight} of {state.cap.level}"
        case "merge_turn":
            return f"{_ordinal(len(found.issues))} in {repo}'s merge queue"
        case "parked":
            return f"parked: {record.reason}" if record.reason else "parked"
        case "under_way":
            return _under_way(state, record) if record.open else "about to start"
        case "done" | "cancelled" | "stopping":
            return found.code


def _under_way(state: WaveState, record: Record) -> str:
    doing = {"running": "implementing", "review": "being reviewed", "merging": "being merged"}
    text = doing.get(record.state, record.state)
    if state.ended:
        text += " when the run was cut off"
    if record.pending_removal is not None:
        text += f", to be {_REMOVED[record.pending_removal.trigger]}"
    return text


def _until(found: Obstacle) -> str:
    return found.code + ("" if found.until is None else f" until {_clock_time(found.until)}")


def _clock_time(seconds: float) -> str:
    """A time of day in UTC, by arithmetic alone: the model has no clock and no calendar."""
    of_day = int(seconds) % 86_400
    return f"{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02} UTC"


def _ordinal(place: int) -> str:
    return _ORDINALS[place] if place < len(_ORDINALS) else f"number {place + 1}"


_REMOVED: Final = {"block": "parked", "cancel": "cancelled"}
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth")
