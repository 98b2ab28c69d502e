"""The contestants: ways to get the same issues through the same sessions.

1. Ours are here, beside bare asyncio, which can neither be slowed down nor fail nor say why.
2. Each peer is a module in `benchmarks.peers`, imported only when it is its turn, so that
   one that is not installed hinders none of the others.
3. A contestant is *opened* before the clock starts: what a peer needs to be up (a cluster, a
   database with its tables) is not counted. It then runs wave after wave.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from benchmarks.inorder import in_order
from benchmarks.workload import CAP, NoOpSessions
from wavelane import Issue, Scheduler, Wave

Own = Literal["bare asyncio", "wavelane", "wavelane, journal"]
Peer = Literal["aiojobs", "Dask distributed", "Ray", "DBOS, SQLite", "luigi"]
Name = Literal[Own, Peer]


class JournalSize(NamedTuple):
    """How large a journal was when its run was over."""

    bytes: int
    events: int


Run = Callable[[Sequence[Issue], NoOpSessions], JournalSize | None]
Opened = Callable[[], AbstractContextManager[Run]]


@dataclass(frozen=True, slots=True)
class Contestant:
    """How to open it, and in a few words what keeps each of our rules; "–" is: nothing does."""

    opened: Opened
    lane: str
    cap: str
    order: str
    durable: str
    """What is still known when the process is killed."""
    package: str | None = None
    """The distribution whose version is printed; None stands for the standard library and ours."""

    @property
    def version(self) -> str | None:
        """The installed version; None when it is not installed."""
        if self.package is None:
            return ""
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return None


async def _bare(issues: Sequence[Issue], sessions: NoOpSessions) -> None:
    async def work(issue: Issue) -> None:
        await sessions.implement(issue)
        await sessions.review(issue)
        await sessions.merge(issue)

    await in_order(issues, work)


async def _scheduled(issues: Sequence[Issue], sessions: NoOpSessions) -> None:
    await Scheduler(Wave(issues), sessions, cap=CAP).run()


async def _journalled(issues: Sequence[Issue], sessions: NoOpSessions) -> JournalSize:
    with tempfile.TemporaryDirectory(prefix="wavelane-benchmark-") as folder:
        path = Path(folder) / "journal.db"
        await Scheduler(Wave(issues), sessions, cap=CAP, journal=path).run()
        with closing(sqlite3.connect(path)) as journal:
            (events,) = journal.execute("SELECT count(*) FROM event").fetchone()
        return JournalSize(path.stat().st_size, events)


def _own(
    run: Callable[[Sequence[Issue], NoOpSessions], Coroutine[Any, Any, JournalSize | None]],
) -> Opened:
    return lambda: nullcontext(lambda issues, sessions: asyncio.run(run(issues, sessions)))


def _peer(module: str) -> Opened:
    def opened() -> AbstractContextManager[Run]:
        found: AbstractContextManager[Run] = import_module(f"benchmarks.peers.on_{module}").opened()
        return found

    return opened


CONTESTANTS: Final[dict[Name, Contestant]] = {
    "bare asyncio": Contestant(_own(_bare), "a lock", "a semaphore", "an event an issue", "–"),
    "wavelane": Contestant(_own(_scheduled), "yes", "yes", "yes", "–"),
    "wavelane, journal": Contestant(
        _own(_journalled), "yes", "yes", "yes", "every event, before what follows from it"
    ),
    "aiojobs": Contestant(
        _peer("aiojobs"),
        "our lock",
        "its limit",
        "we spawn an issue when all that it needs is done",
        "–",
        "aiojobs",
    ),
    "Dask distributed": Contestant(
        _peer("dask"),
        "its resources: one a repo",
        "its threads",
        "its graph: futures as arguments",
        "–",
        "distributed",
    ),
    "Ray": Contestant(
        _peer("ray"),
        "its resources: one a repo",
        "its CPUs: as many as the cap",
        "its graph: references as arguments",
        "–",
        "ray",
    ),
    "DBOS, SQLite": Contestant(
        _peer("dbos"),
        "our lock",
        "our semaphore",
        "our event an issue",
        "each workflow and each of its steps",
        "dbos",
    ),
    "luigi": Contestant(
        _peer("luigi"),
        "one task at a time",
        "one task at a time",
        "its requires()",
        "a target file an issue, not synced",
        "luigi",
    ),
}
OWN: Final[tuple[Name, ...]] = ("bare asyncio", "wavelane", "wavelane, journal")
PEERS: Final[tuple[Name, ...]] = tuple(name for name in CONTESTANTS if name not in OWN)
DURABLE_PEERS: Final[tuple[Name, ...]] = ("DBOS, SQLite", "luigi")
