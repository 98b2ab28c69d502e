"""DBOS with SQLite: a workflow an issue, a step of it each session, in a process of its own.

1. Lane, cap and order are those of `in_order`: asyncio, around the workflows. Run again after a
   kill, with the same workflow ids, it would skip the workflows that are done.
2. DBOS has queues with a limit for all and for each partition, which would keep lane and cap. A
   wave through one of those, polled every 5 ms, took a quarter longer than this one.
3. The database is in WAL mode, as our journal is. With SQLite's default, in which DBOS leaves it,
   the wave took twice to three times as long.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

from dbos import DBOS, SetWorkflowID  # pyright: ignore[reportMissingImports]

from benchmarks.contestants import Run
from benchmarks.inorder import in_order
from benchmarks.workload import NoOpSessions
from wavelane import Issue

_sessions = NoOpSessions()


@contextmanager
def opened() -> Iterator[Run]:
    """The database has its tables, and the threads of DBOS are running."""
    with tempfile.TemporaryDirectory(prefix="wavelane-benchmark-") as folder:
        path = Path(folder) / "dbos.db"
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode=WAL")
        DBOS(
            config={
                "name": "wave",
                "system_database_url": f"sqlite:///{path}",
                "log_level": "ERROR",
            }
        )
        DBOS.launch()
        try:
            yield lambda issues, sessions: asyncio.run(_run(issues, sessions))
        finally:
            DBOS.destroy()


async def _run(issues: Sequence[Issue], sessions: NoOpSessions) -> None:
    global _sessions  # noqa: PLW0603  # a step is a function of a module; DBOS finds it by its name
    _sessions = sessions
    run = uuid4().hex

    async def work(issue: Issue) -> None:
        with SetWorkflowID(f"{run}-{issue.id}"):
            await _workflow(issue.id, issue.repo)

    await in_order(issues, work)


@DBOS.workflow()
async def _workflow(issue_id: str, repo: str) -> None:
    await _implement(issue_id, repo)
    await _review(issue_id, repo)
    await _merge(issue_id, repo)


@DBOS.step()
async def _implement(issue_id: str, repo: str) -> None:
    await _sessions.implement(Issue(issue_id, repo))


@DBOS.step()
async def _review(issue_id: str, repo: str) -> None:
    await _sessions.review(Issue(issue_id, repo))


@DBOS.step()
async def _merge(issue_id: str, repo: str) -> None:
    await _sessions.merge(Issue(issue_id, repo))
