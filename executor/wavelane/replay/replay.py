"""Replay: the one place where events are folded through the model.

1. `Replay.apply` steps the model, notes the step in the recorder and hands both to the followers,
   in this order. An event that the model refuses reaches none of them.
2. A run steps its events as they happen, a journal is stepped again from its rows, and a forecast
   is stepped in simulated time. All of them use `Replay.apply`, so they cannot disagree.
3. A killed run leaves no event that says so. `missing_events` are what its journal lacks, both for
   a process that continues it (and writes them) and for one that only reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from wavelane.journal import Settings, Standing
from wavelane.replay.recorder import Recorder
from wavelane_model.cap import Cap
from wavelane_model.effects import AnnounceIssue, Effect
from wavelane_model.events import Event, RunCutOff
from wavelane_model.state import WaveState
from wavelane_model.step import step


class StepResult(NamedTuple):
    """One step: an event, and what the model decided.

    Attributes:
        at: When the event happened, in seconds since the epoch.
        event: What happened.
        effects: The model's orders, in order.
        standings: The standings of the issues that the step has moved, by id. Empty if not
            requested.
    """

    at: float
    event: Event
    effects: list[Effect]
    standings: dict[str, Standing]


Follower = Callable[[WaveState, StepResult], None]
"""Receives each step: the state after it, and its result."""


class Replay:
    """A wave and the events that have happened to it so far.

    Attributes:
        state: The model's state after the last event.
        recorder: The times of the issues, added up.
    """

    __slots__ = ("_followers", "recorder", "state")

    def __init__(self, state: WaveState, *followers: Follower) -> None:
        self.state = state
        self.recorder = Recorder(state)
        self._followers = followers

    @classmethod
    def of(cls, settings: Settings, *followers: Follower) -> Replay:
        """The wave of a journal before its first event."""
        return cls(state_of(settings), *followers)

    def add_follower(self, follower: Follower) -> None:
        """Pass it each step from now on."""
        self._followers = (*self._followers, follower)

    @property
    def is_under_way(self) -> bool:
        """Whether a run has started and has not ended."""
        return self.state.started and not self.state.ended

    def apply(self, at: float, event: Event, *, with_standings: bool = False) -> StepResult:
        """Step an event.

        Args:
            at: When it happened, in seconds since the epoch.
            event: What happened.
            with_standings: Whether the result includes the standings of the moved issues.

        Raises:
            IllegalEvent: The model does not allow it. Nothing has changed.
        """
        effects = step(self.state, event)
        self.recorder.note(at, event, effects)
        result = StepResult(at, event, effects, self._standings(effects) if with_standings else {})
        for follower in self._followers:
            follower(self.state, result)
        return result

    def standing(self, issue_id: str) -> Standing:
        """Where an issue stands: the content of its row in the journal."""
        record = self.state.find(issue_id)
        since = self.recorder.since(issue_id)
        return Standing(record.state, since, record.attempts, record.reason)

    def _standings(self, effects: Iterable[Effect]) -> dict[str, Standing]:
        moved = {effect.issue: None for effect in effects if isinstance(effect, AnnounceIssue)}
        return {issue: self.standing(issue) for issue in moved}


def missing_events(replay: Replay) -> Sequence[Event]:
    """The events a journal lacks once no process runs its wave: that its last run was cut off."""
    return (RunCutOff(),) if replay.is_under_way else ()


def state_of(settings: Settings) -> WaveState:
    """The state of a wave before its first event."""
    return WaveState(
        settings.wave,
        cap=Cap.at(settings.ceiling),
        lane_release=settings.lane_release,
        limits=settings.limits,
    )
