"""Where the wave of a journal stands, seen from outside, whether a run is under way or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wavelane.journal import CommandRow
from wavelane.lock import LockOwner
from wavelane.replay.loading import Phase, view_of
from wavelane.replay.report import Report, report_of
from wavelane.replay.status import Overview, overview_of


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """Where a wave stands, seen from outside.

    Attributes:
        journal: Path of the journal.
        phase: Whether a run is under way.
        process: The process that runs it; None: no process does.
        overview: Where it stands, by lane.
        report: How it went so far, by issue.
        commands: Those without an answer yet.
    """

    journal: Path
    phase: Phase
    process: LockOwner | None
    overview: Overview
    report: Report
    commands: tuple[CommandRow, ...]

    @property
    def text(self) -> str:
        """Whether a run is under way, in a sentence."""
        match self.phase:
            case "running":
                return f"run by {self.process}"
            case "ended":
                return f"no run is under way; the last one ended {self.report.outcome}"
            case "cut off":
                return "no run is under way; the last one was cut off"
            case "not started":
                return "no run has begun"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        process, overview = self.process, self.overview
        return {
            "journal": str(self.journal),
            "phase": self.phase,
            "process": None if process is None else {"pid": process.pid, "since": process.since},
            "cap": {
                "level": overview.level,
                "ceiling": overview.ceiling,
                "resumes_at": overview.resumes_at,
            },
            "in_flight": overview.in_flight,
            "waiting": overview.waiting,
            "unanswered_commands": len(self.commands),
            **self.report.to_dict(),
        }


def status_of_journal(path: str | Path) -> JournalStatus:
    """Where the wave of a journal stands now.

    Args:
        path: The journal.

    Raises:
        JournalError: For a file that is not a journal, or a journal that was changed or damaged.
    """
    path = Path(path)
    view = view_of(path)
    return JournalStatus(
        path,
        view.phase,
        view.process,
        overview_of(view.replay),
        report_of(view.replay),
        view.commands,
    )
