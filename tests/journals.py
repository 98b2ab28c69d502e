"""Journals of killed runs, and a pipeline that is asked what is left of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.helpers import GOOD, wave_of

from wavelane import Assignment, Discarded, Limits, Wave
from wavelane.journal import Journal, RecordedEvent, Settings
from wavelane.replay.replay import Replay
from wavelane.testing import ScriptedPipeline, virtual_clock
from wavelane.testing.virtual import EPOCH
from wavelane_model.events import Event, SessionEnded, WaveStarted
from wavelane_model.lifecycle import LaneRelease, State

WAVE = wave_of("a#1", "a#2", "b#1 < a#1", "c#1")


class Killed:
    """A run that was killed after it wrote its journal up to some event."""

    def __init__(
        self,
        path: Path,
        wave: Wave = WAVE,
        *,
        ceiling: int = 3,
        lane_release: LaneRelease = "done",
        limits: Limits | None = None,
        name: str = "",
    ) -> None:
        settings = Settings(wave, ceiling, lane_release, limits or Limits(), name)
        self.path = path
        self.replay = Replay.of(settings)
        self.state = self.replay.state
        self._journal = Journal(path, settings)
        self.take(WaveStarted())

    def take(self, *events: Event) -> None:
        for event in events:
            result = self.replay.apply(EPOCH, event, with_standings=True)
            self._journal.append([RecordedEvent(EPOCH, event)], result.standings.items())

    def end(self, issue_id: str, outcome: Any = None) -> None:
        record = self.state.find(issue_id)
        ended = SessionEnded(issue_id, record.session, outcome or GOOD[record.state])
        self.take(ended)

    def reach(self, issue_id: str, state: State) -> None:
        while self.state.find(issue_id).state != state:
            self.end(issue_id)

    def dies(self) -> Path:
        self._journal.close()
        return self.path


class Asked(ScriptedPipeline):
    """A pipeline that knows what is left of each issue, and records what it was asked."""

    def __init__(self, found: Any = None, **known: Any) -> None:
        super().__init__()
        self.found = known or {}
        self.otherwise = found or Discarded()
        self.asked: list[tuple[str, State]] = []

    async def recover(self, issue: Assignment, state: State) -> Any:
        self.asked.append((issue.id, state))
        await asyncio.sleep(1)
        found = self.found.get(issue.repo, self.otherwise)
        if isinstance(found, BaseException):
            raise found
        return found


def a_day_later() -> float:
    return virtual_clock() + 86_400
