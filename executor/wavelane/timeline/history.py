"""The history of a wave: how it went, read from its journal, and how it was expected to go.

The journal may be of a run that is under way, has ended, or was cut off, or of several successive
runs.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wavelane.journal import Settings
from wavelane.replay.loading import JournalView, Phase, phase_without_a_run, view_of
from wavelane.replay.report import IssueReport, Report, report_of
from wavelane.steps import Step
from wavelane.timeline.estimates import expected_seconds
from wavelane.timeline.forecast import Forecast, covered, forecast
from wavelane.timeline.spans import Count, RunSpan, SessionSpan, SpanRecorder
from wavelane.timeline.waits import Wait
from wavelane_model.events import MergeTurnRequested, MergeTurnReturned

_TURNS: Final = (MergeTurnRequested, MergeTurnReturned)
"""The events of merges that issues do not make; how long those merges take is unknown."""
_STEPS: Final[tuple[Step, ...]] = ("implement", "review", "merge")


@dataclass(frozen=True, slots=True)
class IssueHistory:
    """How one issue fared: its report, its seconds in sessions by step, and its waits by reason.

    `waited` has the codes of `wavelane_model.why.ReasonCode`, longest first. Both together are the
    time from the wave's start, or from the issue's addition, to its end.
    """

    report: IssueReport
    worked: Mapping[Step, float]
    waited: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            **self.report.to_dict(),
            "worked": dict(self.worked),
            "waited": dict(self.waited),
        }


@dataclass(frozen=True, slots=True)
class RepoHistory:
    """How one repo spent the time in which runs were under way, in seconds.

    `busy`: one of its sessions or merges was under way. `idle`: none was.
    """

    repo: str
    busy: float
    idle: float

    @property
    def share(self) -> float:
        """The part of the time in which it was busy, between 0 and 1."""
        return self.busy / (self.busy + self.idle) if self.busy else 0.0


@dataclass(frozen=True, slots=True)
class History:
    """How a wave went. Times are seconds since the epoch.

    `planned` is the forecast from the estimates, at the cap and in the order of the wave's start;
    None if no issue had an estimate. Before the first run `began` is None and all else is empty.
    """

    journal: Path
    name: str
    phase: Phase
    began: float | None
    ended: float
    ceiling: int
    report: Report
    repos: tuple[RepoHistory, ...]
    issues: tuple[IssueHistory, ...]
    sessions: tuple[SessionSpan, ...]
    waits: tuple[Wait, ...]
    gaps: tuple[Wait, ...]
    cap: tuple[Count, ...]
    flight: tuple[Count, ...]
    runs: tuple[RunSpan, ...]
    planned: Forecast | None

    @property
    def seconds(self) -> float:
        """From the first start to the last known time, including the time between runs."""
        return 0.0 if self.began is None else self.ended - self.began

    @property
    def downtimes(self) -> tuple[tuple[float, float], ...]:
        """The times between runs, in which no process ran the wave."""
        return tuple(
            (before.ended, after.began)
            for before, after in zip(self.runs, self.runs[1:], strict=False)
            if before.ended is not None and after.began > before.ended
        )

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "journal": str(self.journal),
            "wave": self.name,
            "phase": self.phase,
            **self.report.to_dict(),
            "seconds": self.seconds,
            "predicted_seconds": None if self.planned is None else self.planned.end,
            "issues": [issue.to_dict() for issue in self.issues],
            "repos": [{"repo": one.repo, "busy": one.busy, "idle": one.idle} for one in self.repos],
            "sessions": [_session(one) for one in self.sessions],
            "waits": [one.to_dict() for one in self.waits],
            "gaps": [one.to_dict() for one in self.gaps],
            "cap": [one._asdict() for one in self.cap],
            "in_flight": [one._asdict() for one in self.flight],
            "runs": [
                {"began": one.began, "ended": one.ended, "outcome": one.outcome}
                for one in self.runs
            ],
            "planned": None if self.planned is None else self.planned.to_dict(),
        }


def history_of_journal(path: Path, now: float | None = None) -> History:
    """The history in a journal, up to `now` if its run is under way.

    `now` is in seconds since the epoch; None: the present. Raises `JournalError`, also for a
    journal that was changed or damaged.
    """
    spans = SpanRecorder()
    view = view_of(path, spans.follow)
    phase: Phase = "running" if view.replay.is_under_way else phase_without_a_run(view.replay.state)
    until = (time.time() if now is None else now) if phase == "running" else None
    spans.close(view.replay.state, until)
    return _history(path, view, phase, spans)


def _history(path: Path, view: JournalView, phase: Phase, spans: SpanRecorder) -> History:
    settings, report = view.settings, report_of(view.replay)
    sessions = tuple(spans.sessions)
    runs = tuple(spans.runs)
    return History(
        journal=path,
        name=settings.name,
        phase=phase,
        began=runs[0].began if runs else None,
        ended=spans.now,
        ceiling=settings.ceiling,
        report=report,
        repos=tuple(_repos(view.replay.state.wave.repos, sessions, runs, spans.now)),
        issues=tuple(_issues(report, sessions, spans)),
        sessions=sessions,
        waits=tuple(spans.waits),
        gaps=tuple(spans.gaps),
        cap=tuple(spans.cap),
        flight=tuple(spans.flight),
        runs=runs,
        planned=_planned(settings, spans),
    )


def _issues(
    report: Report, sessions: Iterable[SessionSpan], spans: SpanRecorder
) -> Iterable[IssueHistory]:
    worked: defaultdict[str, dict[Step, float]] = defaultdict(lambda: dict.fromkeys(_STEPS, 0.0))
    for session in sessions:
        worked[session.issue][session.step] += _end(session, spans.now) - session.began
    for issue in report.issues.values():
        yield IssueHistory(issue, worked[issue.id], spans.waited(issue.id))


def _repos(
    repos: Sequence[str], sessions: Iterable[SessionSpan], runs: Iterable[RunSpan], now: float
) -> Iterable[RepoHistory]:
    by_repo: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for session in sessions:  # in the order in which they began
        by_repo[session.repo].append((session.began, _end(session, now)))
    running = sum(_end(run, now) - run.began for run in runs)
    for repo in repos:
        busy = covered(by_repo[repo])
        yield RepoHistory(repo, busy, max(0.0, running - busy))


def _end(span: SessionSpan | RunSpan, now: float) -> float:
    return now if span.ended is None else span.ended


def _planned(settings: Settings, spans: SpanRecorder) -> Forecast | None:
    wave = spans.first_wave
    if wave is None:
        return None
    expected = expected_seconds(wave)
    if expected.unit != "seconds":
        return None
    return forecast(
        wave,
        expected.lengths,
        settings.ceiling,
        lane_release=settings.lane_release,
        opening=[one for one in spans.opening if not isinstance(one, _TURNS)],
        start=spans.runs[0].began,
        gaps=False,
    )


def _session(session: SessionSpan) -> dict[str, Any]:
    return {
        "id": session.issue,
        "step": session.step,
        "session": session.number,
        "began": session.began,
        "ended": session.ended,
        "ending": session.ending,
        "parked": session.parked,
        "text": session.text,
    }
