"""The report of a run: how each issue ended, why, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wavelane.replay.loading import view_of
from wavelane.replay.recorder import Recovered
from wavelane.replay.replay import Replay
from wavelane_model.effects import RunOutcome
from wavelane_model.lifecycle import State
from wavelane_model.why import Reason, why


@dataclass(frozen=True, slots=True)
class IssueReport:
    """How one issue fared. Times are seconds since the epoch.

    Attributes:
        id: Its id.
        repo: Its repo.
        title: What it is about.
        labels: What it is like.
        state: Its state.
        why: Why it is in that state.
        attempts: How many implementing sessions it has had.
        started_at: When it was first admitted; None: never.
        ended_at: When it was done, parked or cancelled; None: it is not.
        seconds: Seconds in flight, by state, without the time between runs.
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
class Report:
    """How a run ended. Times are seconds since the epoch.

    Attributes:
        outcome: "complete" (all issues are done), "blocked" (some are parked, cancelled, or wait
            for such issues), "stopped", or "unfinished" for the journal of a run that has not
            ended.
        issues: How each issue fared, by id.
        started_at: When the wave's first run began.
        ended_at: When the last event happened.
        highest_cap: The highest cap in force since the run began.
        recovered: What the run found out about the one before.
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
        """The report of a journal, running or ended.

        Args:
            path: The journal.

        Raises:
            JournalError: For a file that is not a journal, or a journal that was changed or
                damaged.
        """
        return report_of(view_of(Path(path)).replay)


def report_of(replay: Replay) -> Report:
    """The report of a wave as of its last event."""
    state, recorder = replay.state, replay.recorder
    return Report(
        outcome=state.outcome or "unfinished",
        issues={issue.id: _issue_report(replay, issue.id) for issue in state.wave.issues},
        started_at=recorder.first_at or 0.0,
        ended_at=recorder.last_at,
        highest_cap=state.highest_cap,
        recovered=recorder.recovered,
    )


def _issue_report(replay: Replay, issue_id: str) -> IssueReport:
    """The report of one issue as of the last event."""
    issue, record = replay.state.wave[issue_id], replay.state.find(issue_id)
    times = replay.recorder.times(issue_id)
    return IssueReport(
        id=issue.id,
        repo=issue.repo,
        title=issue.title,
        labels=issue.labels,
        state=record.state,
        why=why(replay.state, issue_id),
        attempts=record.attempts,
        started_at=times.started_at if times else None,
        ended_at=times.ended_at if times else None,
        seconds=dict(times.seconds) if times else {},
    )
