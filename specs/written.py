"""Journals that are written from a list of events: the step takes them, the journal keeps them.

What becomes of a wave over several runs, of which some are cut off, is written here as a scheduler
would write it, without one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wavelane.journal import Journal, RecordedEvent, Settings
from wavelane.replay.replay import Replay
from wavelane_model.effects import Effect
from wavelane_model.events import Event


class Scribe:
    """Writes down what happens to a wave, an event a minute."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self._replay = Replay.of(settings)
        self.state = self._replay.state
        self.at = 1_000_000_000.0
        self._journal = Journal(path, settings)

    def take(self, event: Event) -> list[Effect]:
        """Let an event happen. Raises `IllegalEvent`; then nothing is written."""
        result = self._replay.apply(self.at, event, with_standings=True)
        self._journal.append([RecordedEvent(self.at, event)], result.standings.items())
        self.at += 60.0
        return result.effects

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()


def write_journal(path: Path, settings: Settings, events: Iterable[Event]) -> None:
    """Write the journal in which these events happened. Raises `IllegalEvent`."""
    scribe = Scribe(path, settings)
    try:
        for event in events:
            scribe.take(event)
    finally:
        scribe.close()
