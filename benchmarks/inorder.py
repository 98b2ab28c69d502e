"""The least that keeps lane, cap and order with asyncio while nothing goes wrong.

An event an issue, a lock a repo, one semaphore: some twenty lines, as everybody writes them first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from benchmarks.workload import CAP
from wavelane import Issue


async def in_order(issues: Sequence[Issue], work: Callable[[Issue], Awaitable[None]]) -> None:
    """`work` on each issue: dependencies first, then the lock of the repo, then a place."""
    locks = {issue.repo: asyncio.Lock() for issue in issues}
    places = asyncio.Semaphore(CAP)
    done = {issue.id: asyncio.Event() for issue in issues}

    async def one(issue: Issue) -> None:
        for needed in issue.depends_on:
            await done[needed].wait()
        async with locks[issue.repo], places:
            await work(issue)
        done[issue.id].set()

    async with asyncio.TaskGroup() as group:
        for issue in issues:
            group.create_task(one(issue))
