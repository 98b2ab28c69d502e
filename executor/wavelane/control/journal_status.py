"""Where the wave of a journal stands, seen from outside, whether a run is under way or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from wavelane.journal import CommandRow, JournalReader
from wavelane.lock import LockOwner, owner_of
from wavelane.replay.loading import past_of
from wavelane.replay.report import Folded, Report
from wavelane.replay.status import Overview, overview_of
from wavelane_model.events import RunCutOff
from wavelane_model.state import WaveState
from wavelane_model.step import step

Phase = Literal["not started", "running", "ended", "cut off"]

_LOOKS: Final = 5
"""How often to look again because a run has begun or ended meanwhile."""


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """Where a wave stands: `report` by issue, `overview` by lane.

    `process`: who runs it, if anybody. `commands`: those that have no answer yet.
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


def status_of_journal(path: Path) -> JournalStatus:
    """Where the wave of a journal stands now. Raises `JournalError`."""
    looks = _LOOKS
    while True:
        holder = owner_of(path)
        past, commands = _read(path)
        looks -= 1
        if owner_of(path) == holder or looks == 0:
            break
    process = None if holder is None or holder.briefly else holder
    state = past.state
    if process is None and state.started and not state.ended:
        step(state, RunCutOff())
    return JournalStatus(
        path,
        "running" if process is not None else _phase_without_a_run(state),
        process,
        overview_of(state, past.recorder),
        past.recorder.report(),
        tuple(commands),
    )


def _phase_without_a_run(state: WaveState) -> Phase:
    if not state.started:
        return "not started"
    return "cut off" if state.outcome == "unfinished" else "ended"


def _read(path: Path) -> tuple[Folded, list[CommandRow]]:
    with JournalReader(path) as reader:
        return past_of(path, reader.settings()), reader.unanswered_commands()
