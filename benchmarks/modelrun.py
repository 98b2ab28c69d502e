"""A wave that the model alone goes through: what happens when every session ends well, in turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wavelane import Approved
from wavelane_model.events import Event, SessionEnded, WaveStarted
from wavelane_model.lifecycle import State
from wavelane_model.outcomes import Implemented, Merged, Outcome
from wavelane_model.state import WaveState

_GOOD: Final[dict[State, Outcome]] = {
    "running": Implemented(),
    "review": Approved(),
    "merging": Merged(),
}


def events_of(state: WaveState, done: int) -> Iterator[Event]:
    """Until `done` issues are done. Each event is to be stepped before the next is asked for."""
    yield WaveStarted()
    while state.done < done:
        record = state.records[next(iter(state.flight))]
        yield SessionEnded(state.issue_id(record), record.session, _GOOD[record.state])
