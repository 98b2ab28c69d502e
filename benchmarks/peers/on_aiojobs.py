"""aiojobs: a job an issue, spawned when all that it depends on is done; its limit is the cap."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import aiojobs  # pyright: ignore[reportMissingImports]

from benchmarks.contestants import Run
from benchmarks.workload import CAP, NoOpSessions, dependents_of
from wavelane import Issue


@contextmanager
def opened() -> Iterator[Run]:
    """Nothing has to be up."""
    yield lambda issues, sessions: asyncio.run(_run(issues, sessions))


async def _run(issues: Sequence[Issue], sessions: NoOpSessions) -> None:
    locks = {issue.repo: asyncio.Lock() for issue in issues}
    missing = {issue.id: len(issue.depends_on) for issue in issues}
    dependents = dependents_of(issues)

    async def one(issue: Issue) -> None:
        async with locks[issue.repo]:
            await sessions.implement(issue)
            await sessions.review(issue)
            await sessions.merge(issue)
        for dependent in dependents[issue.id]:
            missing[dependent.id] -= 1
            if not missing[dependent.id]:
                await scheduler.spawn(one(dependent))

    async with aiojobs.Scheduler(limit=CAP, wait_timeout=None) as scheduler:
        for issue in issues:
            if not issue.depends_on:
                await scheduler.spawn(one(issue))
