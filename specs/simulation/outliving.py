"""The pipeline of a scenario: it acts on a world that outlives the process, and can recover.

A session does its work halfway through; a merge happens at one moment, between two awaits.
`recover` ends what is left of a session, looks, and answers from the world. It awaits before and
after each of these steps, and may be repeated safely after a crash in any of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from specs.observers import Step
from specs.simulation.history import History
from specs.simulation.ledger import Ledger, SessionId
from specs.simulation.loop import SimulatedLoop
from specs.simulation.process import ReachPoint
from specs.simulation.world import Alive
from specs.watched import WatchedPipeline
from wavelane.pipeline import Assignment, Discarded, Found, Resumed
from wavelane_model.lifecycle import State
from wavelane_model.outcomes import Approved, Blocked, Merged


class OutlivingPipeline(WatchedPipeline):
    """Plays the scenario of a history; calls `reach` before and after each change of the world."""

    def __init__(
        self, history: History, ledger: Ledger, loop: SimulatedLoop, reach: ReachPoint
    ) -> None:
        super().__init__(history.observer)
        self._history = history
        self._scenario = history.scenario
        self._observer = history.observer
        self._world = history.observer.world
        self._ledger = ledger
        self._loop = loop
        self._reach = reach

    def complain(self, error: Exception) -> None:
        self._ledger.complain_of(error)

    # The sessions

    async def play(self, step: Step, issue: Assignment) -> object:
        session = SessionId(issue.id, issue.session)
        began = self._loop.seconds()
        if self._history.recovery is None:
            self._history.recovery = self._history.points
        name = f"{step} {issue.id} (session {issue.session})"
        self._ledger.log(f"{name} begins")
        self._ledger.call_started(step, session)
        self._change(f"{step} of {issue.id} is alive", lambda: self._begin(step, issue.id))
        ended = self._world.ended[step, issue.id]
        ending = self._scenario.ending(step, issue.id, ended)
        try:
            await asyncio.sleep(1)
            self._act(step, issue.id, ending)
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            self._ledger.call_cancelled(step, session, began)
            await asyncio.sleep(1)
            self._change(f"{step} of {issue.id} is gone", lambda: self._end(issue.id))
            if step == "merge" and self._world.merges[issue.id]:
                return Merged()
            raise
        self._world.ended[step, issue.id] += 1
        self._change(f"{step} of {issue.id} is gone", lambda: self._end(issue.id))
        self._ledger.log(f"{name} ends: {ending!r}")
        self._ledger.call_ended(step, session, ending)
        if isinstance(ending, BaseException):
            raise type(ending)(*ending.args)
        return ending

    def _begin(self, step: Step, issue: str) -> None:
        self._world.alive[issue] = Alive(step, self._observer.life)
        if step == "implement":
            self._world.approved.discard(issue)

    def _end(self, issue: str) -> None:
        del self._world.alive[issue]

    def _act(self, step: Step, issue: str, ending: object) -> None:
        if step == "implement":
            self._change(f"{issue} has work", lambda: self._world.work.add(issue))
        elif step == "review" and isinstance(ending, Approved):
            self._change(f"{issue} is approved", lambda: self._world.approved.add(issue))
        elif step == "merge" and (ending is None or isinstance(ending, Merged)):
            self._change(f"the merge of {issue} goes in", lambda: self._merge_in(issue))

    def _merge_in(self, issue: str) -> None:
        self._world.merges[issue] += 1
        self._history.log(f"the merge of {issue} is in")
        with self._noted():
            self._observer.merge_is_in(issue)

    # Recovery

    async def recover(self, issue: Assignment, state: State) -> Found:
        """Answer from the state of the world."""
        self._history.log(f"recover is called for {issue.id}, which is {state}")
        with self._noted():
            self._observer.recover_called(issue.id, state)
        await asyncio.sleep(0)
        await self._end_leftover(issue.id)
        await asyncio.sleep(0)
        try:
            found = await self._found(issue.id, state)
        finally:
            self._observer.recover_returned(issue.id)
        await asyncio.sleep(0)
        self._history.log(f"recover answers about {issue.id}: {found!r}")
        self._history.seen.add(f"recover answers {type(found).__name__}")
        return found

    async def _end_leftover(self, issue: str) -> None:
        alive = self._world.alive.get(issue)
        if alive is None:
            return
        self._history.seen.add("a session outlives its process")
        await asyncio.sleep(1)
        if alive.step == "merge" and self._goes_in(issue):
            self._history.seen.add("a merge goes in after its process has died")
            self._change(f"the merge of {issue} goes in", lambda: self._merge_in(issue))
            await asyncio.sleep(0)
        self._change(f"what was left of {issue} is ended", lambda: self._end(issue))

    def _goes_in(self, issue: str) -> bool:
        ending = self._scenario.ending("merge", issue, self._world.ended["merge", issue])
        return (
            ending is None
            and self._scenario.leftover == "goes in"
            and not self._world.merges[issue]
        )

    async def _found(self, issue: str, state: State) -> Found:
        answer = self._scenario.answer
        if answer == "unclear" and state == "merging":
            return Blocked("it cannot be found out")
        if answer == "raise" and state == "review":
            self._history.seen.add("recover raises")
            raise OSError("no network")
        if self._world.merges[issue]:
            return Merged()
        if answer == "discard" or (state == "running" and issue not in self._world.work):
            self._change(f"{issue} is discarded", lambda: self._world.discard(issue))
            await asyncio.sleep(0)
            return Discarded()
        return Resumed()

    def _change(self, what: str, change: Callable[[], object]) -> None:
        self._reach(lambda: f"before {what}")
        change()
        self._reach(lambda: f"after {what}")
