"""Spans: what the events of a journal amount to over time.

A `SpanRecorder` follows a replay, step by step, and records each session from its order to its end
(not the withheld ones), the cap, how many issues are in flight, the runs, and, with
`wavelane.timeline.waits`, which issue waited for what.

Time never runs backwards here: if a clock was set back, time stands still until it has caught up. A
span that was cut off ends with the last event that its run wrote.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from wavelane.replay.replay import StepResult
from wavelane.steps import KINDS, Step
from wavelane.timeline.waits import Wait, Waits
from wavelane_model.effects import (
    AnnounceCap,
    AnnounceIssue,
    Effect,
    RunOutcome,
    StartImplementing,
    StartMerging,
    StartReviewing,
)
from wavelane_model.events import Event, RunCutOff, SessionEnded, SessionWithheld, WaveStarted
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
from wavelane_model.state import WaveState
from wavelane_model.wave import Wave

Ending = Literal[
    "implemented",
    "checkpoint",
    "approved",
    "changes requested",
    "merged",
    "conflict",
    "failed",
    "postponed",
    "blocked",
    "stopped",
    "cut off",
    "under way",
]
_ENDINGS: Final[dict[type[Outcome], Ending]] = {
    Implemented: "implemented",
    Checkpoint: "checkpoint",
    Approved: "approved",
    ChangesRequested: "changes requested",
    Merged: "merged",
    Conflicted: "conflict",
    Failed: "failed",
    Postponed: "postponed",
    Blocked: "blocked",
    Stopped: "stopped",
}


@dataclass(frozen=True, slots=True)
class SessionSpan:
    """One session or merge, number `number` of its issue. Times are seconds since the epoch.

    `visit`: how often the issue had been admitted by then. `ended` is None while it is under way.
    `text`: the text of its outcome. `parked`: its end parked the issue.
    """

    issue: str
    repo: str
    step: Step
    number: int
    visit: int
    began: float
    ended: float | None = None
    ending: Ending = "under way"
    text: str = ""
    parked: bool = False


@dataclass(frozen=True, slots=True)
class RunSpan:
    """One run, in seconds since the epoch; `ended` and `outcome` are None while it is under way."""

    began: float
    ended: float | None = None
    outcome: RunOutcome | None = None


class Count(NamedTuple):
    """A number that holds from a time on: the cap's level, or how many issues are in flight."""

    at: float
    number: int


class SpanRecorder:
    """Follows the replay of a journal: give `follow` to it, then `close`."""

    def __init__(self) -> None:
        self.runs: list[RunSpan] = []
        self.cap: list[Count] = []
        self.flight: list[Count] = []
        self.opening: list[Event] = []
        """All events up to the start of the first run."""
        self.first_wave: Wave | None = None
        """The wave with which the first run started."""
        self.now = 0.0
        """The time up to which spans are recorded."""
        self._waits = Waits()
        self._sessions: list[SessionSpan | None] = []
        self._open: dict[str, int] = {}
        """The open session of each issue, as its index in `_sessions`."""
        self._visits: defaultdict[str, int] = defaultdict(int)

    @property
    def sessions(self) -> list[SessionSpan]:
        """All sessions, in the order in which they began."""
        return [session for session in self._sessions if session is not None]

    @property
    def waits(self) -> list[Wait]:
        """Waits of issues that were in flight, parked or postponed, in the order of their ends."""
        return self._waits.waits

    @property
    def gaps(self) -> list[Wait]:
        """Times in which a lane was idle, and what the next issue waited for."""
        return self._waits.gaps

    def waited(self, issue_id: str) -> dict[str, float]:
        """Seconds that an issue waited, by the code of the reason, longest first."""
        found = self._waits.waited[issue_id]
        longest_first = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        return {code: seconds for code, seconds in longest_first if seconds > 0}

    def follow(self, state: WaveState, result: StepResult) -> None:
        """Follow one step; see `wavelane.replay.replay.Follower`."""
        at, event, effects, _ = result
        if not self.runs:
            self.opening.append(event)
            if not isinstance(event, WaveStarted):
                return
            self.first_wave = state.wave
        if not isinstance(event, RunCutOff):  # it is recorded long afterwards
            self._wait_until(at)
        self._note_run(state, event)
        self._note_end(state, event)
        self._note_starts(state, effects)
        for effect in effects:
            if isinstance(effect, AnnounceCap):
                _note(self.cap, self.now, effect.level)
        _note(self.flight, self.now, state.in_flight)
        self._waits.follow(state, event, effects)

    def close(self, state: WaveState, now: float | None = None) -> None:
        """Close at the end of the journal. `now`, in seconds since the epoch: its run goes on."""
        if now is not None:
            self._wait_until(now)
        self._waits.close(state, running=now is not None)

    def _wait_until(self, at: float) -> None:
        self.now = max(self.now, at)
        self._waits.wait_until(self.now)

    def _note_run(self, state: WaveState, event: Event) -> None:
        if isinstance(event, WaveStarted):
            self.runs.append(RunSpan(self.now))
        if state.ended and self.runs[-1].ended is None:
            self.runs[-1] = replace(self.runs[-1], ended=self.now, outcome=state.outcome)

    def _note_end(self, state: WaveState, event: Event) -> None:
        match event:
            case SessionEnded(issue, _, outcome):
                parked = state.find(issue).state == "parked"
                self._end(issue, _ENDINGS[type(outcome)], _said(outcome), parked)
            case SessionWithheld(issue):
                self._sessions[self._open.pop(issue)] = None
            case RunCutOff():
                for issue in [*self._open]:
                    self._end(issue, "cut off", "", False)
            case _:
                pass

    def _end(self, issue: str, ending: Ending, text: str, parked: bool) -> None:
        at = self._open.pop(issue)
        session = self._sessions[at]
        assert session is not None, "only a withheld session has no span"
        self._sessions[at] = replace(
            session, ended=self.now, ending=ending, text=text, parked=parked
        )

    def _note_starts(self, state: WaveState, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, AnnounceIssue) and effect.trigger == "admit":
                self._visits[effect.issue] += 1
            elif isinstance(effect, (StartImplementing, StartReviewing, StartMerging)):
                self._open[effect.issue] = len(self._sessions)
                self._sessions.append(
                    SessionSpan(
                        issue=effect.issue,
                        repo=state.wave[effect.issue].repo,
                        step=KINDS[type(effect)].step,
                        number=effect.session,
                        visit=self._visits[effect.issue],
                        began=self.now,
                    )
                )


def _note(counts: list[Count], at: float, number: int) -> None:
    """Record a number if it has changed; for one instant the last one counts."""
    if counts and counts[-1].at == at:
        counts.pop()
    if not counts or counts[-1].number != number:
        counts.append(Count(at, number))


def _said(outcome: Outcome) -> str:
    match outcome:
        case Checkpoint(text) | ChangesRequested(text) | Conflicted(text) | Failed(text):
            return text
        case Blocked(text) | Postponed(_, text):
            return text
        case _:
            return ""
