"""Runs that are told by their events: the step takes them, and the journal keeps them.

What becomes of a wave over several runs, of which some are cut off, is written here as a scheduler
would write it, without one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wavelane.journal import Journal, RecordedEvent, Settings, Standing
from wavelane.replay.report import Recorder
from wavelane_model.cap import Cap
from wavelane_model.effects import AnnounceIssue, Effect
from wavelane_model.events import Event
from wavelane_model.state import WaveState
from wavelane_model.step import step


class Scribe:
    """Writes down what happens to a wave, an event a minute."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.state = WaveState(
            settings.wave,
            cap=Cap.at(settings.ceiling),
            lane_release=settings.lane_release,
            limits=settings.limits,
        )
        self.at = 1_000_000_000.0
        self._recorder = Recorder(self.state)
        self._journal = Journal(path, settings)

    def take(self, event: Event) -> list[Effect]:
        """Let an event happen. Raises `IllegalEvent`; then nothing is written."""
        effects = step(self.state, event)
        self._recorder.note(self.at, event, effects)
        moved = {one.issue for one in effects if isinstance(one, AnnounceIssue)}
        self._journal.append(
            [RecordedEvent(self.at, event)],
            [(issue, self._standing(issue)) for issue in sorted(moved)],
        )
        self.at += 60.0
        return effects

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def _standing(self, issue: str) -> Standing:
        record = self.state.find(issue)
        since = self._recorder.since(issue)
        return Standing(record.state, since, record.attempts, record.reason)


def tell(path: Path, settings: Settings, events: Iterable[Event]) -> None:
    """Write the journal in which these events happened. Raises `IllegalEvent`."""
    scribe = Scribe(path, settings)
    try:
        for event in events:
            scribe.take(event)
    finally:
        scribe.close()
