"""The operator of a schedule: carries out the acts of a case, each at its time and in its thread.

An act that the model refuses changes nothing and is no failure: other checks cover refusals.
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

_LONGEST_WAIT: Final = 5
"""Seconds that the operator waits for a write, at most."""


class Operator:
    """Acts on a run, whose task is `run`."""

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
        """The tasks of the engine's own merges."""
        self.cancelled_run = False
        """Whether the operator cancelled the run while it was under way."""
        self.seen: set[str] = set()
        """The acts that were carried out, in words."""
        self.denied = 0
        """How many of the engine's own merges never got their turn."""

    async def act(self) -> None:
        """Carry out all acts, one after the other."""
        for act in self._case.acts:
            await self._wait(act)
            self._do(act)

    def raise_cap(self) -> None:
        """Move the cap to its ceiling."""
        self._move_cap(Act(None, 0, "set", level=self._case.ceiling))

    async def _wait(self, act: Act) -> None:
        if act.wait == "write":
            await asyncio.wait({self._ledger.next_write()}, timeout=_LONGEST_WAIT)
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
            elif act.what == "give up a turn":
                for turn in self.turns[-1:]:
                    turn.cancel()
            elif act.what == "stop":
                self._scheduler.stop()
                self._observer.stopping = True
                self._ledger.log("operator: stop")
            else:
                self._cancel_run()

    def _move_cap(self, act: Act) -> None:
        cap = self._scheduler.cap
        move: Callable[..., int] = getattr(cap, act.what)
        levels = (act.level,) if act.what == "set" else ()
        before = cap.level
        if act.thread:
            thread = Thread(target=move, args=levels)
            thread.start()
            thread.join()
        else:
            move(*levels)
        if self._is_under_way() and not _has_moved(act, before, cap):
            self._ledger.complain(f"cap control: {act.what} leads from {before} to {cap.level}")
        self._observer.cap_moved(cap.level)
        where = " in a thread" if act.thread else ""
        self._ledger.log(f"operator: {act.what}{where}; the cap is at {cap.level}")

    def _is_under_way(self) -> bool:
        """Whether the run has not ended, and its end is not decided."""
        return not self._run.done() and self._scheduler.report().outcome == "unfinished"

    def _move_issue(self, act: Act) -> None:
        issue = self._issue(act)
        try:
            if act.what == "park":
                self._scheduler.park(issue, "a question")
            else:
                getattr(self._scheduler, act.what)(issue)
        except IllegalEvent:
            self._ledger.log(f"operator: {act.what} {issue} is refused")
        else:
            self._ledger.log(f"operator: {act.what} {issue}")
            if act.what != "unpark":
                self._ledger.taken_out(issue)
                self._observer.taken_out(issue)

    def _issue(self, act: Act) -> str:
        """The id of the issue that the act is about."""
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
        self._ledger.log(f"operator: {act.what} {name}, in {repo}, < {' '.join(needed)}")

    def _cancel_run(self) -> None:
        if self._run.cancel():
            self._ledger.log("operator: cancel the run")
            self.cancelled_run = True
            self._ledger.give_up()

    async def _merge(self, repo: str, name: str, seconds: int) -> None:
        self._observer.turn_requested(repo, name)
        self._ledger.log(f"{name} requests the turn in {repo}")
        try:
            async with self._scheduler.merge_turn(repo):
                self._ledger.turn_started(repo)
                self._observer.turn_granted(repo, name)
                self._ledger.log(f"{name} has the turn in {repo}")
                await asyncio.sleep(seconds)
        except IllegalEvent:
            self._ledger.log(f"{name} is refused")
        except RuleBroken as broken:
            self._ledger.complain(str(broken))
        except RuntimeError as error:
            self._ledger.log(f"{name} does not get its turn: {error}")
            self.denied += 1
        finally:
            self._observer.turn_returned(repo, name)


def _has_moved(act: Act, before: int, cap: CapControl) -> bool:
    """Whether the cap is at the level to which the act leads from level `before`."""
    match act.what:
        case "set":
            return cap.level == act.level
        case "step_down":
            return cap.level == max(0, before - 1)
        case "step_up":
            return cap.level == min(cap.ceiling, before + 1)
        case "resume":
            return cap.level > 0 if before == 0 else cap.level == before
        case _:
            return cap.level == 0
