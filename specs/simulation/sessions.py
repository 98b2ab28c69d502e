"""The sessions of a schedule: each follows a script of chosen waits and a chosen ending."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from specs.endings import ENDINGS, HAPPY
from specs.observers import Observer, Step
from specs.simulation.case import Case
from specs.simulation.chooser import Chooser
from specs.simulation.ledger import Ledger, SessionId
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
    """What a session does.

    Attributes:
        waits: Its waits, in seconds.
        ending: What it returns, or raises if it is an exception.
        manner: How it reacts to a cancellation: it leaves at once; cleans up first; cleans up and
            still ends well (a merge that happened); fails while it cleans up; or ignores it.
        cleaning: Seconds that it cleans up for.
    """

    waits: tuple[int, ...]
    ending: object
    manner: Manner
    cleaning: int

    @classmethod
    def chosen(
        cls, chooser: Chooser, step: Step, *, may_fail: bool, takes: float | None = None
    ) -> Script:
        """A script from the chooser; `takes` is the length of the session in seconds, if known."""
        if takes is None:
            waits = tuple(chooser.one_of(_WAITS) for _ in range(chooser.one_of((1, 0, 2, 4))))
        else:
            waits = (int(takes) if step == "implement" else 0,)
        ending = chooser.one_of(ENDINGS[step]) if may_fail else HAPPY[step]
        return cls(waits, ending, chooser.one_of(_MANNERS), chooser.one_of((0, 1, 4)))


@dataclass(slots=True)
class _Call:
    step: Step
    session: SessionId
    began: float
    cancelled: bool = False


class SimulatedPipeline(WatchedPipeline):
    """Plays scripts of a case; at most as many end badly as the case has mishaps."""

    def __init__(self, observer: Observer, ledger: Ledger, loop: SimulatedLoop, case: Case) -> None:
        super().__init__(observer)
        self._ledger = ledger
        self._loop = loop
        self._mishaps = case.mishaps
        self._takes = {one: case.wave[one].estimate for one in case.exact}
        self.seen: set[str] = set()
        """The remarkable things that happened to sessions, in words."""

    def complain(self, error: Exception) -> None:
        self._ledger.complain_of(error)

    async def play(self, step: Step, issue: Assignment) -> object:
        call = _Call(step, SessionId(issue.id, issue.session), self._loop.seconds())
        name = f"{step} {issue.id} (session {issue.session})"
        self._ledger.log(f"{name} begins")
        self._ledger.call_started(step, call.session)
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
            self._ledger.log(f"{name} ends: {ending!r}")
            if not call.cancelled:
                self._ledger.call_ended(step, call.session, ending)
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
                self._ledger.call_continues(call.step, call.session, call.began)
        if script.ending is not HAPPY[call.step]:
            self._mishaps -= 1
        if isinstance(script.ending, BaseException):
            raise type(script.ending)(*script.ending.args)
        return script.ending

    def _is_cancelled(self, call: _Call, script: Script) -> None:
        call.cancelled = True
        self._ledger.call_cancelled(call.step, call.session, call.began)
        self._ledger.log(f"{call.step} {call.session.issue} is cancelled, and {script.manner}")
        self.seen.add(f"a cancelled session {script.manner}")

    async def _leave(self, call: _Call, script: Script) -> object:
        """React to a cancellation, inside its handler."""
        if script.manner == "leaves":
            raise asyncio.CancelledError
        try:
            await asyncio.sleep(script.cleaning)
        except asyncio.CancelledError:
            self.seen.add("a session is cancelled while it cleans up")
            self._ledger.log(f"{call.step} {call.session.issue} is cancelled once more")
            raise
        if script.manner == "raises":
            raise OSError("it could not clean up")
        if script.manner == "cleans up":
            raise asyncio.CancelledError
        if call.step == "merge":
            self.seen.add("a merge is in when it is cancelled")
            return Merged()
        return HAPPY[call.step]
