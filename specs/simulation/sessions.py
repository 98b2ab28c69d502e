"""The sessions of a schedule: each does what a script of chosen waits, ending and manners says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from specs.endings import ENDINGS, HAPPY
from specs.observers import Observer, RuleBroken, Step
from specs.simulation.case import Case
from specs.simulation.chooser import Chooser
from specs.simulation.ledger import Ledger, Session
from specs.simulation.loop import SimulatedLoop
from specs.watched import WatchedPipeline
from wavelane.pipeline import Assignment
from wavelane_model.outcomes import Merged

Manner = Literal["leaves", "cleans up", "ends well", "raises", "goes on"]
_MANNERS: Final[tuple[Manner, ...]] = (
    *("leaves", "leaves", "cleans up", "ends well", "raises", "goes on"),
)
_WAITS: Final = (0, 1, 2, 5)
"""Seconds between two steps of a session; 0 is one turn of the loop."""


class Script(NamedTuple):
    """What a session does: waits, and how it ends.

    `manner` is what it does with a cancellation: it leaves at once, cleans up for `cleaning`
    seconds first, cleans up and ends well all the same (a merge that is in), fails while it cleans
    up, or pays no heed.
    """

    waits: tuple[int, ...]
    ending: object
    manner: Manner
    cleaning: int

    @classmethod
    def chosen(
        cls, chooser: Chooser, step: Step, *, may_fail: bool, takes: float | None = None
    ) -> Script:
        """A script of the chooser's liking; of an issue that `takes` so long, if that is known."""
        if takes is None:
            waits = tuple(chooser.one_of(_WAITS) for _ in range(chooser.one_of((1, 0, 2, 4))))
        else:
            waits = (int(takes) if step == "implement" else 0,)
        ending = chooser.one_of(ENDINGS[step]) if may_fail else HAPPY[step]
        return cls(waits, ending, chooser.one_of(_MANNERS), chooser.one_of((0, 1, 4)))


@dataclass(slots=True)
class _Call:
    step: Step
    session: Session
    began: float
    cancelled: bool = False


class SimulatedPipeline(WatchedPipeline):
    """Plays scripts of a case. At most so many end other than well as it has mishaps."""

    def __init__(self, observer: Observer, ledger: Ledger, loop: SimulatedLoop, case: Case) -> None:
        super().__init__(observer)
        self._ledger = ledger
        self._loop = loop
        self._mishaps = case.mishaps
        self._takes = {one: case.wave[one].estimate for one in case.exact}
        self.seen: set[str] = set()
        """What has happened to sessions, in words."""

    def complain(self, error: Exception) -> None:
        self._ledger.complain(
            str(error) if isinstance(error, RuleBroken) else f"crash: the observer: {error!r}"
        )

    async def play(self, step: Step, issue: Assignment) -> object:
        call = _Call(step, Session(issue.id, issue.session), self._loop.seconds())
        name = f"{step} {issue.id} (session {issue.session})"
        self._ledger.say(f"{name} begins")
        self._ledger.begins(step, call.session)
        if step == "merge" and len(self.observer.queues[issue.repo]) > 1:
            self.seen.add("two in a merge queue")
        script = Script.chosen(
            self._loop.chooser,
            step,
            may_fail=self._mishaps > 0,
            takes=self._takes.get(issue.id),
        )
        ending: object = asyncio.CancelledError()
        try:
            ending = await self._work(call, script)
        except Exception as error:
            ending = error
            raise
        finally:
            self._ledger.say(f"{name} ends: {ending!r}")
            if not call.cancelled:
                self._ledger.ended_by_itself(step, call.session, ending)
        return ending

    async def _work(self, call: _Call, script: Script) -> object:
        for seconds in script.waits:
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                self._is_cancelled(call, script)
                if script.manner != "goes on":
                    return await self._leave(call, script)
            if not call.cancelled:
                self._ledger.goes_on(call.step, call.session, call.began)
        if script.ending is not HAPPY[call.step]:
            self._mishaps -= 1
        if isinstance(script.ending, BaseException):
            raise type(script.ending)(*script.ending.args)
        return script.ending

    def _is_cancelled(self, call: _Call, script: Script) -> None:
        call.cancelled = True
        self._ledger.is_cancelled(call.step, call.session, call.began)
        self._ledger.say(f"{call.step} {call.session.issue} is cancelled, and {script.manner}")
        self.seen.add(f"a cancelled session {script.manner}")

    async def _leave(self, call: _Call, script: Script) -> object:
        """React to a cancellation that has just come; called where it is handled."""
        if script.manner == "leaves":
            raise asyncio.CancelledError
        try:
            await asyncio.sleep(script.cleaning)
        except asyncio.CancelledError:
            self.seen.add("a session is cancelled while it cleans up")
            self._ledger.say(f"{call.step} {call.session.issue} is cancelled once more")
            raise
        if script.manner == "raises":
            raise OSError("it could not clean up")
        if script.manner == "cleans up":
            raise asyncio.CancelledError
        if call.step == "merge":
            self.seen.add("a merge is in when it is cancelled")
            return Merged()
        return HAPPY[call.step]
