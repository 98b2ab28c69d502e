"""The pipeline of a plan: it acts on a world that outlives the process, and can recover.

A session leaves its work half-way; a merge goes in at one moment, between two awaits. `recover`
ends what is left of a session, looks, and answers what the world can tell. It awaits before and
after each of these, and changes nothing that it could not do again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from specs.observers import RuleBroken, Step
from specs.simulation.history import History
from specs.simulation.ledger import Ledger, Session
from specs.simulation.loop import SimulatedLoop
from specs.simulation.world import Alive
from specs.watched import WatchedPipeline
from wavelane.pipeline import Assignment, Discarded, Found, Resumed
from wavelane_model.lifecycle import State
from wavelane_model.outcomes import Approved, Blocked, Merged

Passes = Callable[[Callable[[], str]], None]


class OutlivingPipeline(WatchedPipeline):
    """Plays the plan of a history. `passes` is called at each point of a change of the world."""

    def __init__(
        self, history: History, ledger: Ledger, loop: SimulatedLoop, passes: Passes
    ) -> None:
        super().__init__(history.survivor)
        self._history = history
        self._plan = history.plan
        self._survivor = history.survivor
        self._world = history.survivor.world
        self._ledger = ledger
        self._loop = loop
        self._passes = passes

    def complain(self, error: Exception) -> None:
        self._ledger.complain(
            str(error) if isinstance(error, RuleBroken) else f"crash: the observer: {error!r}"
        )

    # The sessions

    async def play(self, step: Step, issue: Assignment) -> object:
        session = Session(issue.id, issue.session)
        began = self._loop.seconds()
        if self._history.recovery is None:
            self._history.recovery = self._history.points
        name = f"{step} {issue.id} (session {issue.session})"
        self._ledger.say(f"{name} begins")
        self._ledger.begins(step, session)
        self._change(f"{step} of {issue.id} is alive", lambda: self._begin(step, issue.id))
        ended = self._world.ended[step, issue.id]
        ending = self._plan.ending(step, issue.id, ended)
        try:
            await asyncio.sleep(1)
            self._act(step, issue.id, ending)
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            self._ledger.is_cancelled(step, session, began)
            await asyncio.sleep(1)
            self._change(f"{step} of {issue.id} is gone", lambda: self._end(issue.id))
            if step == "merge" and self._world.merges[issue.id]:
                return Merged()
            raise
        self._world.ended[step, issue.id] += 1
        self._change(f"{step} of {issue.id} is gone", lambda: self._end(issue.id))
        self._ledger.say(f"{name} ends: {ending!r}")
        self._ledger.ended_by_itself(step, session, ending)
        if isinstance(ending, BaseException):
            raise type(ending)(*ending.args)
        return ending

    def _begin(self, step: Step, issue: str) -> None:
        self._world.alive[issue] = Alive(step, self._survivor.life)
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
        self._history.say(f"the merge of {issue} is in")
        with self._noted():
            self._survivor.merge_is_in(issue)

    # Recovery

    async def recover(self, issue: Assignment, state: State) -> Found:
        """Answer what the world can tell."""
        self._history.say(f"recover is asked about {issue.id}, which is {state}")
        with self._noted():
            self._survivor.asked(issue.id, state)
        await asyncio.sleep(0)
        await self._end_leftover(issue.id)
        await asyncio.sleep(0)
        try:
            found = await self._found(issue.id, state)
        finally:
            self._survivor.answered(issue.id)
        await asyncio.sleep(0)
        self._history.say(f"recover answers of {issue.id}: {found!r}")
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
        ending = self._plan.ending("merge", issue, self._world.ended["merge", issue])
        return ending is None and self._plan.leftover == "goes in" and not self._world.merges[issue]

    async def _found(self, issue: str, state: State) -> Found:
        answer = self._plan.answer
        if answer == "unclear" and state == "merging":
            return Blocked("it cannot be told")
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
        self._passes(lambda: f"before {what}")
        change()
        self._passes(lambda: f"after {what}")
