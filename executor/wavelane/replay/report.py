"""The report of a run: how each issue ended, why, and how long it took.

A `Recorder` is told what a run announces and adds up the times. The same recorder serves a live
run and a journal that is folded through the model again. What it adds up is time in which a run was
under way: what lies between two runs counts for nothing, and what was cut off ends with the last
that its run told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from wavelane.journal import JournalReader, RecordedEvent, Settings, Standing, next_digest
from wavelane_model.cap import Cap
from wavelane_model.effects import (
    AnnounceIssue,
    Effect,
    FinishWave,
    RunOutcome,
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
from wavelane_model.records import Record
from wavelane_model.state import WaveState
from wavelane_model.step import step
from wavelane_model.why import Reason, why


@dataclass(frozen=True, slots=True)
class IssueReport:
    """How one issue fared. Times are seconds since the epoch.

    `seconds` are those in flight, by state, without the time between runs.
    """

    id: str
    repo: str
    title: str
    labels: Sequence[str]
    state: State
    why: Reason
    attempts: int
    started_at: float | None
    ended_at: float | None
    seconds: Mapping[State, float]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "id": self.id,
            "repo": self.repo,
            "title": self.title,
            "labels": list(self.labels),
            "state": self.state,
            "why": {"code": self.why.code, "text": self.why.text, "issues": list(self.why.issues)},
            "attempts": self.attempts,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "seconds": dict(self.seconds),
        }


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a run found of the issues that were in flight when the run before ended.

    Each was asked about once: its attempt was `resumed` or `discarded`, its merge was found in
    (`merged`), or how far it came could not be told (`unclear`) and it was parked.
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
_ACCOUNTS: Final[dict[type[Event], str]] = {
    AttemptResumed: "resumed",
    AttemptDiscarded: "discarded",
    MergeFound: "merged",
    AttemptUnclear: "unclear",
}
"""What each account of an attempt is counted as."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended.

    `outcome` is "complete" (all issues are done), "blocked" (some are parked, cancelled, or wait
    for such), "stopped", or "unfinished" for the journal of a run that has not ended. Times are
    seconds since the epoch. `highest_cap` is the highest cap in force since the run began, and
    `recovered` says what it found of the one before.
    """

    outcome: RunOutcome
    issues: Mapping[str, IssueReport]
    started_at: float
    ended_at: float
    highest_cap: int
    recovered: Recovered

    def count(self, state: State) -> int:
        """How many issues are in `state`."""
        return sum(issue.state == state for issue in self.issues.values())

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "outcome": self.outcome,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "highest_cap": self.highest_cap,
            "recovered": asdict(self.recovered),
            "issues": [issue.to_dict() for issue in self.issues.values()],
        }

    @classmethod
    def from_journal(cls, path: str | Path) -> Report:
        """The report of a journal, running or ended. Raises `JournalError`, `IllegalEvent`."""
        with JournalReader(Path(path)) as reader:
            return folded(reader).recorder.report()


class _Times:
    """Of one issue: when it entered its state, and what went before.

    `entered`, and when its session `began`, are in seconds with a run under way.
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
    """Adds up what a run announces."""

    def __init__(self, state: WaveState) -> None:
        self._state = state
        self._times: dict[str, _Times] = {}
        self._first: float | None = None
        self._last = 0.0
        self._between = 0.0
        """Seconds in which no run was under way."""
        self._under_way = False
        self._recovered = Recovered()
        self._over = False

    def note(self, at: float, event: Event, effects: Iterable[Effect]) -> None:
        """Take in one step that happened at `at`."""
        self._let_pass(at, event)
        if self._over or isinstance(event, RunCutOff):
            self._recovered = Recovered()
            self._over = False
        if (counted := _ACCOUNTS.get(type(event))) is not None:
            so_far = getattr(self._recovered, counted)
            self._recovered = replace(self._recovered, **{counted: so_far + 1})
        if self._first is None and self._state.started:
            self._first = at
        self._note_work(event)
        now = at - self._between
        for effect in effects:
            if isinstance(effect, AnnounceIssue):
                self._issue_moved(at, now, effect)
            elif isinstance(effect, _STARTS):
                self._times[effect.issue].began = now
            elif isinstance(effect, FinishWave):
                self._over = True

    def since(self, issue_id: str) -> float | None:
        """When an issue entered the state that it is in, if it ever moved."""
        times = self._times.get(issue_id)
        return None if times is None else times.since

    def started_at(self, issue_id: str) -> float | None:
        """When an issue was first admitted, if it was."""
        times = self._times.get(issue_id)
        return None if times is None else times.started_at

    def worked(self, issue_id: str, now: float | None = None) -> float:
        """For how many seconds sessions and merges of an issue were under way.

        One that is now counts up to `now`, if that is given. What was discarded after a crash does
        not count: the issue started clean.
        """
        times = self._times.get(issue_id)
        if times is None:
            return 0.0
        if now is None or times.began is None:
            return times.worked
        return times.worked + max(0.0, now - self._between - times.began)

    def report(self) -> Report:
        """The report as of now."""
        return Report(
            outcome=self._state.outcome or "unfinished",
            issues={issue.id: self._issue(issue.id) for issue in self._state.wave.issues},
            started_at=self._first or 0.0,
            ended_at=self._last,
            highest_cap=self._state.highest_cap,
            recovered=self._recovered,
        )

    def _let_pass(self, at: float, event: Event) -> None:
        """The time goes on to `at`. A cut-off is told long after it happened."""
        if not self._under_way or isinstance(event, RunCutOff):
            self._between += max(0.0, at - self._last)
        self._last = at
        self._under_way = self._state.started and not self._state.ended

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

    def _session_over(self, times: _Times) -> None:
        if times.began is not None:
            times.worked += max(0.0, self._last - self._between - times.began)
            times.began = None

    def _issue_moved(self, at: float, now: float, moved: AnnounceIssue) -> None:
        times = self._times.get(moved.issue)
        if times is None:
            times = self._times[moved.issue] = _Times(at, now)
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

    def _issue(self, issue_id: str) -> IssueReport:
        issue = self._state.wave[issue_id]
        record = self._state.find(issue_id)
        times = self._times.get(issue_id)
        return IssueReport(
            id=issue.id,
            repo=issue.repo,
            title=issue.title,
            labels=issue.labels,
            state=record.state,
            why=why(self._state, issue_id),
            attempts=record.attempts,
            started_at=times.started_at if times else None,
            ended_at=times.ended_at if times else None,
            seconds=dict(times.seconds) if times else {},
        )


class Folded(NamedTuple):
    """A wave as its journal tells it: where it stands, its times, and the seal of the events."""

    state: WaveState
    recorder: Recorder
    seal: str


Follower = Callable[[WaveState, RecordedEvent, Sequence[Effect]], None]
"""Is shown each step of a fold: the state after it, the event, and what the model answered."""


def folded(
    reader: JournalReader, settings: Settings | None = None, *, follow: Follower | None = None
) -> Folded:
    """Fold a journal through the model. Raises `JournalError`, and `IllegalEvent`.

    `settings`: those of `reader`, where they are read already.
    """
    state = state_of(settings or reader.settings())
    recorder = Recorder(state)
    seal = reader.first_digest()
    for row in reader.event_rows():
        entry = reader.recorded_event(row)
        seal = next_digest(seal, row[1:])
        effects = step(state, entry.event)
        recorder.note(entry.at, entry.event, effects)
        if follow is not None:
            follow(state, entry, effects)
    return Folded(state, recorder, seal)


def standings_after(
    state: WaveState, recorder: Recorder, effects: Iterable[Effect]
) -> dict[str, Standing]:
    """Where the issues stand that a step has moved, by id: what their rows have to say."""
    moved = {effect.issue: None for effect in effects if isinstance(effect, AnnounceIssue)}
    return {issue: _standing(state.find(issue), recorder.since(issue)) for issue in moved}


def _standing(record: Record, since: float | None) -> Standing:
    return Standing(record.state, since, record.attempts, record.reason)


def state_of(settings: Settings) -> WaveState:
    """The state of a wave before its first event."""
    return WaveState(
        settings.wave,
        cap=Cap.at(settings.ceiling),
        lane_release=settings.lane_release,
        limits=settings.limits,
    )
