"""Background planning: a thread searches for an order of admission, one plan at a time.

A plan found is applied like any other fact. The wave also proceeds without a plan, so an error here
ends nothing. The replanner (`wavelane.planning.replanner`) decides when to plan and whether a plan
is worth applying.
"""

from __future__ import annotations

import asyncio
import logging

from wavelane.planning.replanner import Replanner, solve
from wavelane.replay.replay import Replay
from wavelane.scheduler.core import Core

log = logging.getLogger("wavelane")


class BackgroundPlanner:
    """Plans the order of admission of a run.

    Attributes:
        wanted: Whether to plan: always, never, or (None) only if there are estimates.
    """

    def __init__(self, core: Core, tasks: asyncio.TaskGroup, wanted: bool | None) -> None:
        self.wanted = wanted
        self._core = core
        self._tasks = tasks
        self._planning: asyncio.Task[None] | None = None
        self.follow(core.replay)

    def follow(self, replay: Replay) -> None:
        """Plan for this wave from now on."""
        self._replanner = Replanner(replay.state.wave, self.wanted)
        replay.add_follower(self._replanner.follow)

    def plan_anew(self) -> None:
        """Plan in the background, if it is time to."""
        if (
            self._replanner.is_interested
            and self._planning is None
            and self._replanner.is_due(self._core.clock(), self._core.state)
        ):
            self._planning = self._tasks.create_task(self.plan())

    async def plan(self) -> None:
        """Plan now, if there is anything to plan, and apply the plan if it is worth applying."""
        core = self._core
        try:
            with core.lock:
                question = self._replanner.question(core.clock(), core.replay)
            if question is not None:
                loop = asyncio.get_running_loop()
                solution = await loop.run_in_executor(None, solve, question)
                plan = self._replanner.decide(solution)
                with core.lock:
                    if plan is not None and not core.has_ended:
                        core.apply(plan)
        except Exception as error:
            log.warning("the order of admission cannot be planned", exc_info=error)
        finally:
            self._planning = None

    def cancel(self) -> None:
        """Stop waiting for plans. A plan still being computed is ignored."""
        if self._planning is not None:
            self._planning.cancel()
