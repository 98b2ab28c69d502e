"""The workload: the same issues and the same sessions for every contestant.

1. Issues are spread over 50 repos in turn. Each depends on the one before it in its repo.
2. One in five depends on an earlier issue of another repo too. The choice is seeded.
3. A session does nothing but let others run once: a task or, without an event loop, a thread.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Final

from wavelane import Approved, Issue

CAP: Final = 16
REPOS: Final = 50
REPO_NAMES: Final = tuple(f"r{at}" for at in range(REPOS))
CROSS_REPO_SHARE: Final = 0.2
_SEED: Final = 1


def issues(size: int) -> list[Issue]:
    """`size` issues, each after everything that it depends on."""
    chance = random.Random(_SEED)
    return [
        Issue(f"i{at}", REPO_NAMES[at % REPOS], _dependencies(at, chance)) for at in range(size)
    ]


def _dependencies(at: int, chance: random.Random) -> list[str]:
    found = [f"i{at - REPOS}"] if at >= REPOS else []
    if chance.random() < CROSS_REPO_SHARE and at > 0:
        found.append(f"i{chance.randrange(max(0, at - REPOS + 1), at)}")
    return found


def dependents_of(issues: Sequence[Issue]) -> dict[str, list[Issue]]:
    """For each issue those that depend on it."""
    found: dict[str, list[Issue]] = {issue.id: [] for issue in issues}
    for issue in issues:
        for needed in issue.depends_on:
            found[needed].append(issue)
    return found


def pass_through(issue_id: str) -> int:
    """All sessions of an issue, for peers that know no event loop; how many were merged: 1."""
    for _ in ("implement", "review", "merge"):
        time.sleep(0)
    return 1


class NoOpSessions:
    """A pipeline that approves everything; `merged` counts the issues that went through."""

    def __init__(self) -> None:
        self.merged = 0

    async def implement(self, issue: Issue) -> None:
        await asyncio.sleep(0)

    async def review(self, issue: Issue) -> Approved:
        await asyncio.sleep(0)
        return Approved()

    async def merge(self, issue: Issue) -> None:
        await asyncio.sleep(0)
        self.merged += 1
