"""Histories of real runs in virtual time; each step takes a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.helpers import scheduler_of, wave_of
from tests.journals import Asked, Killed

from wavelane import Issue, Scheduler, Wave
from wavelane.testing import ScriptedPipeline, run_virtual, virtual_clock
from wavelane.testing.virtual import EPOCH
from wavelane.timeline.history import History, history_of_journal

MINUTE = 60.0
Deed = tuple[float, Callable[[Scheduler], object]]


def history(
    path: Path,
    *lines: str,
    script: dict[Any, list[object]] | None = None,
    wave: Wave | None = None,
    deeds: tuple[Deed, ...] = (),
    **settings: Any,
) -> History:
    """What a real run recorded: a step takes a minute, and each deed is done in its minute."""
    journal = path / "journal.db"
    scheduler = scheduler_of(
        wave or wave_of(*lines), ScriptedPipeline(script or {}), journal=journal, **settings
    )

    async def main() -> None:
        running = asyncio.ensure_future(scheduler.run())
        for at, do in deeds:
            await asyncio.sleep(EPOCH + at * MINUTE - virtual_clock())
            do(scheduler)
        await running

    run_virtual(main)
    return history_of_journal(journal)


def estimated(*lengths: float) -> Wave:
    return Wave([Issue(f"a#{at}", "a", estimate=one) for at, one in enumerate(lengths, 1)])


def killed_and_continued(path: Path) -> History:
    killed = Killed(path / "journal.db", wave_of("a#1", "b#1"), ceiling=2)
    killed.reach("b#1", "review")
    killed.dies()
    later = EPOCH + 60 * MINUTE
    run_virtual(
        scheduler_of(
            wave_of("a#1", "b#1"),
            Asked(),
            cap=2,
            journal=path / "journal.db",
            clock=lambda: later - EPOCH + virtual_clock(),
        ).run
    )
    return history_of_journal(path / "journal.db")
