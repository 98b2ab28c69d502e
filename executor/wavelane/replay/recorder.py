"""The recorder: when issues moved and for how long they were worked on, added up step by step.

The same recorder serves a live run and a journal that is folded through the model again. It counts
only time in which a run was under way: the time between two runs does not count, and a span that
was cut off ends with the last event that its run wrote.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from wavelane_model.effects import (
    AnnounceIssue,
    Effect,
    FinishWave,
    StartImplementing,
    StartMerging,
    StartReviewing,
)
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    AttemptUnclear,
    Event,
    MergeFound,
    RunCutOff,
    SessionEnded,
    SessionWithheld,
)
from wavelane_model.lifecycle import IN_FLIGHT, State
from wavelane_model.state import WaveState


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a run found out about the issues that were in flight when the previous run ended.

    Attributes:
        resumed: Attempts that were continued.
        discarded: Attempts of which nothing was left.
        merged: Merges that were in.
        unclear: Issues parked because their progress could not be determined.
    """

    resumed: int = 0
    discarded: int = 0
    merged: int = 0
    unclear: int = 0

    @property
    def asked(self) -> int:
        """How many issues were asked about; never more than the highest cap in force before."""
        return self.resumed + self.discarded + self.merged + self.unclear


_STARTS: Final = (StartImplementing, StartReviewing, StartMerging)
_COUNTED_AS: Final[dict[type[Event], str]] = {
    AttemptResumed: "resumed",
    AttemptDiscarded: "discarded",
    MergeFound: "merged",
    AttemptUnclear: "unclear",
}
"""The counter of each recovery finding."""


class IssueTimes:
    """The times of one issue.

    Attributes:
        since: When it entered its state, in seconds since the epoch.
        entered: The same, in seconds with a run under way.
        started_at: When it was first admitted, in seconds since the epoch.
        ended_at: When it was done, parked or cancelled, if it is, in seconds since the epoch.
        seconds: Seconds in flight, by state, without its current state.
        worked: Seconds in which its sessions were under way, without the current one.
        began: When its current session began, in seconds with a run under way.
    """

    __slots__ = ("began", "ended_at", "entered", "seconds", "since", "started_at", "worked")

    def __init__(self, at: float, entered: float) -> None:
        self.since = at
        self.entered = entered
        self.started_at: float | None = None
        self.ended_at: float | None = None
        self.seconds: dict[State, float] = {}
        self.worked = 0.0
        self.began: float | None = None


class Recorder:
    """Adds up the times of a wave, step by step.

    Attributes:
        first_at: When the first run started, in seconds since the epoch.
        last_at: When the last event happened, in seconds since the epoch; 0 before the first.
        recovered: What the last run found out about the one before.
    """

    def __init__(self, state: WaveState) -> None:
        self._state = state
        self._times: dict[str, IssueTimes] = {}
        self.first_at: float | None = None
        self.last_at = 0.0
        self.recovered = Recovered()
        self._between = 0.0
        """Seconds in which no run was under way."""
        self._under_way = False
        self._is_over = False

    def note(self, at: float, event: Event, effects: Iterable[Effect]) -> None:
        """Record a step that happened at `at`."""
        self._let_pass(at, event)
        self._count(event)
        if self.first_at is None and self._state.started:
            self.first_at = at
        self._note_work(event)
        now = at - self._between
        for effect in effects:
            if isinstance(effect, AnnounceIssue):
                self._issue_moved(at, now, effect)
            elif isinstance(effect, _STARTS):
                self._times[effect.issue].began = now
            elif isinstance(effect, FinishWave):
                self._is_over = True

    def since(self, issue_id: str) -> float | None:
        """When an issue entered its current state, if it ever moved."""
        times = self._times.get(issue_id)
        return None if times is None else times.since

    def started_at(self, issue_id: str) -> float | None:
        """When an issue was first admitted, if it was."""
        times = self._times.get(issue_id)
        return None if times is None else times.started_at

    def worked(self, issue_id: str, now: float | None = None) -> float:
        """For how many seconds sessions and merges of an issue were under way.

        An open one counts up to `now`, if that is given. What was discarded after a crash does
        not count: the issue started clean.
        """
        times = self._times.get(issue_id)
        if times is None:
            return 0.0
        if now is None or times.began is None:
            return times.worked
        return times.worked + max(0.0, now - self._between - times.began)

    def times(self, issue_id: str) -> IssueTimes | None:
        """The times of an issue, if it ever moved."""
        return self._times.get(issue_id)

    def _let_pass(self, at: float, event: Event) -> None:
        """Advance the time to `at`. A cut-off is noted long after it happened."""
        if not self._under_way or isinstance(event, RunCutOff):
            self._between += max(0.0, at - self.last_at)
        self.last_at = at
        self._under_way = self._state.started and not self._state.ended

    def _count(self, event: Event) -> None:
        """Count a finding for the run that follows, until the next run begins to ask."""
        if self._is_over:
            self.recovered = Recovered()
        self._is_over = isinstance(event, RunCutOff)
        if (counted := _COUNTED_AS.get(type(event))) is not None:
            so_far = getattr(self.recovered, counted)
            self.recovered = replace(self.recovered, **{counted: so_far + 1})

    def _note_work(self, event: Event) -> None:
        if isinstance(event, SessionEnded):
            self._session_over(self._times[event.issue])
        elif isinstance(event, SessionWithheld):
            self._times[event.issue].began = None
        elif isinstance(event, RunCutOff):
            for times in self._times.values():
                self._session_over(times)
        elif isinstance(event, AttemptDiscarded):
            self._times[event.issue].worked = 0.0

    def _session_over(self, times: IssueTimes) -> None:
        if times.began is not None:
            times.worked += max(0.0, self.last_at - self._between - times.began)
            times.began = None

    def _issue_moved(self, at: float, now: float, moved: AnnounceIssue) -> None:
        times = self._times.get(moved.issue)
        if times is None:
            times = self._times[moved.issue] = IssueTimes(at, now)
        if moved.source == moved.target:
            return
        if moved.source in IN_FLIGHT:
            spent = times.seconds.get(moved.source, 0.0) + now - times.entered
            times.seconds[moved.source] = spent
        times.since = at
        times.entered = now
        times.ended_at = at if moved.target in ("done", "parked", "cancelled") else None
        if moved.trigger == "admit" and times.started_at is None:
            times.started_at = at
