"""Runs under test: how to start one and let it continue, and a pipeline with one custom step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from wavelane import (
    Assignment,
    Report,
    Scheduler,
)
from wavelane.steps import Step
from wavelane.testing import ScriptedPipeline


class Overridden(ScriptedPipeline):
    """A scripted pipeline that runs a function as one step of one issue."""

    def __init__(
        self, step: Step, play: Callable[[Assignment], Awaitable[object]], issue: str = "a#1"
    ) -> None:
        super().__init__()
        self.overridden = (step, issue)
        self.play = play

    async def _play(self, step: Step, issue: Assignment) -> object:
        if (step, issue.id) == self.overridden:
            return await self.play(issue)
        return await super()._play(step, issue)


async def started(scheduler: Scheduler, seconds: float = 0) -> asyncio.Task[Report]:
    """Start a run, and let this much time and a moment pass."""
    run = asyncio.create_task(scheduler.run())
    await asyncio.sleep(seconds)
    for _ in range(10):
        await asyncio.sleep(0)
    return run


async def cancelled(run: asyncio.Task[Report]) -> None:
    run.cancel()
    await asyncio.wait([run])
    assert run.cancelled()
