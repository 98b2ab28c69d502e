"""The operator of a schedule: does what the case says, when it says, from where it says.

What the model refuses changes nothing and is no fault of anybody: others check that it is right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from contextlib import suppress
from threading import Thread
from typing import Final

from specs.observers import RuleBroken
from specs.simulation.case import CAP_MOVES, Act, Case
from specs.simulation.ledger import Ledger
from specs.simulation.patient import PatientObserver
from wavelane import IllegalEvent, Issue, Scheduler
from wavelane.scheduler.cap_control import CapControl

_LONGEST: Final = 5
"""Seconds to wait for a write, at most."""


class Operator:
    """Acts on a run. `run` is its task."""

    def __init__(
        self,
        case: Case,
        scheduler: Scheduler,
        run: asyncio.Task[object],
        observer: PatientObserver,
        ledger: Ledger,
    ) -> None:
        self._case = case
        self._scheduler = scheduler
        self._run = run
        self._observer = observer
        self._ledger = ledger
        self.turns: list[asyncio.Task[None]] = []
        """The engine's own merges."""
        self.cancelled_run = False
        """Whether the run was cancelled while it went on."""
        self.seen: set[str] = set()
        """What was done, in words."""
        self.denied = 0
        """How many waited for a merge turn in vain."""

    async def act(self) -> None:
        """Do all acts, one after the other."""
        for act in self._case.acts:
            await self._wait(act)
            self._do(act)

    def lift(self) -> None:
        """Move the cap to its ceiling."""
        self._move_cap(Act(None, 0, "set", level=self._case.ceiling))

    async def _wait(self, act: Act) -> None:
        if act.wait == "write":
            await asyncio.wait({self._ledger.next_write()}, timeout=_LONGEST)
            for _ in range(act.turns):
                await asyncio.sleep(0)
        elif act.wait is not None:
            await asyncio.sleep(act.wait)

    def _do(self, act: Act) -> None:
        if not self._run.done():
            self.seen.add(
                "a move of the cap in a thread" if act.thread else f"operator: {act.what}"
            )
        with suppress(IllegalEvent):
            if act.what in CAP_MOVES:
                self._move_cap(act)
            elif act.what in ("park", "unpark", "cancel"):
                self._move_issue(act)
            elif act.what in ("add", "change"):
                self._amend(act)
            elif act.what == "take a turn":
                name = f"merge of the engine's {len(self.turns)}"
                merge = self._merge(self._case.wave.repos[act.repo], name, act.seconds)
                self.turns.append(asyncio.get_running_loop().create_task(merge))
            elif act.what == "give a turn up":
                for turn in self.turns[-1:]:
                    turn.cancel()
            elif act.what == "stop":
                self._scheduler.stop()
                self._observer.stopping = True
                self._ledger.say("operator: stop")
            else:
                self._cancel_run()

    def _move_cap(self, act: Act) -> None:
        lever = self._scheduler.cap
        move: Callable[..., int] = getattr(lever, act.what)
        levels = (act.level,) if act.what == "set" else ()
        before = lever.level
        if act.thread:
            thread = Thread(target=move, args=levels)
            thread.start()
            thread.join()
        else:
            move(*levels)
        if self._is_under_way() and not _has_moved(act, before, lever):
            self._ledger.complain(f"lever: {act.what} leads from {before} to {lever.level}")
        self._observer.cap_moved(lever.level)
        where = " in a thread" if act.thread else ""
        self._ledger.say(f"operator: {act.what}{where}; the cap is at {lever.level}")

    def _is_under_way(self) -> bool:
        """Whether the run has neither ended nor is decided to end."""
        return not self._run.done() and self._scheduler.report().outcome == "unfinished"

    def _move_issue(self, act: Act) -> None:
        issue = self._issue(act)
        try:
            if act.what == "park":
                self._scheduler.park(issue, "a question")
            else:
                getattr(self._scheduler, act.what)(issue)
        except IllegalEvent:
            self._ledger.say(f"operator: {act.what} {issue} is refused")
        else:
            self._ledger.say(f"operator: {act.what} {issue}")
            if act.what != "unpark":
                self._ledger.taken_out(issue)
                self._observer.taken_out(issue)

    def _issue(self, act: Act) -> str:
        """The issue that is meant."""
        known = [issue.id for issue in self._scheduler.wave.issues]
        some: Container[str] = known
        if act.among != "all":
            some = self._observer.open if act.among == "open" else self._ledger.lanes.reservations
        meant = [issue for issue in known if issue in some] or known
        return meant[act.issue % len(meant)]

    def _amend(self, act: Act) -> None:
        wave = self._scheduler.wave
        repo, known = wave.repos[act.repo], wave[self._issue(act)]
        name, needed = f"{repo}#{len(wave)}", [known.id] if act.level else []
        if act.what == "change":
            name, needed = known.id, [*known.depends_on] if act.level else []
        self._scheduler.add(Issue(name, repo, needed, estimate=act.seconds or None))
        self._ledger.say(f"operator: {act.what} {name}, in {repo}, < {' '.join(needed)}")

    def _cancel_run(self) -> None:
        if self._run.cancel():
            self._ledger.say("operator: cancel the run")
            self.cancelled_run = True
            self._ledger.give_up()

    async def _merge(self, repo: str, name: str, seconds: int) -> None:
        self._observer.turn_requested(repo, name)
        self._ledger.say(f"{name} wants the turn in {repo}")
        try:
            async with self._scheduler.merge_turn(repo):
                self._ledger.turn_begins(repo)
                self._observer.turn_granted(repo, name)
                self._ledger.say(f"{name} has the turn in {repo}")
                await asyncio.sleep(seconds)
        except IllegalEvent:
            self._ledger.say(f"{name} is refused")
        except RuleBroken as broken:
            self._ledger.complain(str(broken))
        except RuntimeError as error:
            self._ledger.say(f"{name} waits in vain: {error}")
            self.denied += 1
        finally:
            self._observer.turn_returned(repo, name)


def _has_moved(act: Act, before: int, lever: CapControl) -> bool:
    """Whether the lever is where the act leads from level `before`."""
    match act.what:
        case "set":
            return lever.level == act.level
        case "step_down":
            return lever.level == max(0, before - 1)
        case "step_up":
            return lever.level == min(lever.ceiling, before + 1)
        case "resume":
            return lever.level > 0 if before == 0 else lever.level == before
        case _:
            return lever.level == 0
