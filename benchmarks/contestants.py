"""The contestants: three ways to get the same issues through the same sessions.

The bare one is the least that keeps lane, cap and order while nothing goes wrong: an event an
issue, a lock a repo, one semaphore. It can neither be slowed down nor fail nor say why.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from benchmarks.workload import CAP, NoOpSessions
from wavelane import Issue, Scheduler, Wave

Name = Literal["bare asyncio", "wavelane", "wavelane, journal"]


class JournalSize(NamedTuple):
    """How large a journal was when its run was over."""

    bytes: int
    events: int


async def bare(issues: Sequence[Issue], sessions: NoOpSessions) -> None:
    """Dependencies first, then the lock of the repo, then one of the semaphore's places."""
    locks = {issue.repo: asyncio.Lock() for issue in issues}
    places = asyncio.Semaphore(CAP)
    done = {issue.id: asyncio.Event() for issue in issues}

    async def one(issue: Issue) -> None:
        for needed in issue.depends_on:
            await done[needed].wait()
        async with locks[issue.repo], places:
            await sessions.implement(issue)
            await sessions.review(issue)
            await sessions.merge(issue)
        done[issue.id].set()

    async with asyncio.TaskGroup() as group:
        for issue in issues:
            group.create_task(one(issue))


async def scheduled(issues: Sequence[Issue], sessions: NoOpSessions) -> None:
    """wavelane, with nothing kept."""
    await Scheduler(Wave(issues), sessions, cap=CAP).run()


async def journalled(issues: Sequence[Issue], sessions: NoOpSessions) -> JournalSize:
    """wavelane, with every event on disk before what follows from it happens."""
    with tempfile.TemporaryDirectory(prefix="wavelane-benchmark-") as folder:
        path = Path(folder) / "journal.db"
        await Scheduler(Wave(issues), sessions, cap=CAP, journal=path).run()
        with closing(sqlite3.connect(path)) as journal:
            (events,) = journal.execute("SELECT count(*) FROM event").fetchone()
        return JournalSize(path.stat().st_size, events)


Contestant = Callable[[Sequence[Issue], NoOpSessions], Coroutine[Any, Any, JournalSize | None]]

CONTESTANTS: Final[dict[Name, Contestant]] = {
    "bare asyncio": bare,
    "wavelane": scheduled,
    "wavelane, journal": journalled,
}
