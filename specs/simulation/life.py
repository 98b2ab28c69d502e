"""One life of the process: the real scheduler continues its wave, until the run ends or dies.

It is played in a process of its own (specs/simulation/process.py). A life that ends is judged:

ending     run() returned
leftover   no session and no task is left
journal    it keeps the rules, has what was committed, and folds into the report of run()
recorded   the journal has all that happened, and the done issues are the merged ones
unhandled  no error reached the event loop's exception handler
progress   the run ended once the operator was done and the cap was at its ceiling
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from specs.observers import RuleBroken
from specs.simulation.acts import Operator
from specs.simulation.chooser import Chooser
from specs.simulation.disk import CrashingJournal
from specs.simulation.history import History
from specs.simulation.ledger import Ledger
from specs.simulation.loop import Livelock, SimulatedLoop, SimulatedThread
from specs.simulation.outliving import OutlivingPipeline
from specs.simulation.planner import SimulatedPlanner
from specs.simulation.process import CrashPoints
from specs.simulation.substitutes import NoticeTap, check_journal, substituted, unhandled
from wavelane import Report, Scheduler
from wavelane.journal import RecordedEvent, Settings, Standing
from wavelane.testing import Deadlock
from wavelane_model.lifecycle import State

RUN_TIMEOUT: Final = 1_000
"""Virtual seconds within which a run has to end once the operator is done."""
STAGES: Final = (
    *("with the lock", "with the file", "journal is closed", "PRAGMA", "CREATE TABLE", "BEGIN"),
    *("INSERT INTO event", "UPDATE meta", "UPDATE standing"),
    *("INSERT INTO meta", "INSERT INTO issue", "INTO standing"),
    *("before COMMIT", "after COMMIT"),
)
"""Points at which a process may die while it opens or writes its journal."""
BETWEEN: Final = 7
"""Virtual seconds from the death of a process to the start of the next."""


class Life:
    """The next life of a history. It dies at point `dies_at`, or runs to its end."""

    def __init__(
        self,
        history: History,
        path: Path,
        chooser: Chooser,
        scheduler: type[Scheduler],
        dies_at: int | None,
        die: Callable[[History], NoReturn],
    ) -> None:
        self._history = history
        self._observer = history.observer
        self._path = path
        self._scheduler_type = scheduler
        self._die = die
        self._points = CrashPoints(dies_at, self._hand_over)
        self._case = history.scenario.case(self._observer.life)
        self._loop = SimulatedLoop(
            chooser,
            now=history.now,
            before_turn=self._before_turn,
            before_wait=self._before_wait,
        )
        self._loop.set_exception_handler(self._unhandled)
        self._ledger = Ledger(
            self._case, seconds=self._loop.seconds, log=history.log, complain=self._complain
        )
        self._pipeline = OutlivingPipeline(history, self._ledger, self._loop, self._reach)
        self._planner = SimulatedPlanner(self._loop, history.log, self._complain)
        self._writer = SimulatedThread(self._ledger.write_acknowledged)
        self._scheduler: Scheduler
        self._operator: Operator
        self._acting: asyncio.Task[None]
        self._main: asyncio.Task[Any] | None = None
        self._made = bool(history.entries)
        self._has_written = self._is_over = False

    def live(self) -> History:
        """Play it, to its end or its death; call this in a process that may exit."""
        history = self._history
        history.recovery = None
        history.done = None
        history.log(f"life {self._observer.life + 1} begins")
        self._ledger.replay(history.entries)
        self._observer.start_life()
        self._observe(self._observer.check_birth)
        with substituted(
            journal=self._journal,
            writer=self._writer,
            planner=self._planner,
            on_notice=self._ledger.notice_sent,
        ):
            try:
                self._loop.run_until_complete(self._play())
            except (Livelock, Deadlock) as error:
                self._complain(f"progress: {error}")
            except Exception as error:
                self._complain(f"crash: {error!r}")
        history.points = self._points.reached
        history.seen |= self._ledger.lanes.seen
        return history

    # Death

    def _before_turn(self, handle: asyncio.Handle) -> None:
        self._history.now = self._loop.time()
        self._reach(lambda: f"before {_turn(handle)}")

    def _before_wait(self) -> None:
        if not self._writer.busy:
            self._ledger.look(self._loop.time(), returned=self._is_over)
            self._planner.look(under_way=self._ledger.lanes.under_way)

    def _reach(self, where: Callable[[], str]) -> None:
        self._points.reach(where)
        self._history.points = self._points.reached

    def _hand_over(self, where: str) -> NoReturn:
        history, world = self._history, self._observer.world
        history.log(f"the process dies at point {self._points.reached}, {where}")
        history.seen.add(f"a crash {_kind(where)}")
        if history.recovery is None and self._observer.life > 1:
            history.seen.add("a crash of a recovery")
        if any(world.merges[issue] for issue in self._observer.in_flight_on_disk):
            history.seen.add("a merge is in and not in the journal")
        if self._ledger.lanes.reservations and self._ledger.lanes.under_way:
            history.seen.add("a crash during a reservation")
        history.seen |= self._ledger.lanes.seen
        history.crashes.append(self._points.reached)
        if history.scenario.leftover == "dies":
            world.alive.clear()
        history.left = repr(
            (
                [entry.event for entry in history.entries] if self._made else where,
                sorted(path.name for path in self._path.parent.iterdir()),
                sorted(world.work),
                sorted(world.approved),
                sorted(world.merges.items()),
                sorted(world.alive.items()),
                sorted(world.ended.items()),
            )
        )
        history.now += BETWEEN
        self._die(history)

    # The journal

    def _journal(self, path: Path, settings: Settings) -> CrashingJournal:
        journal = CrashingJournal(path, settings, self._reach, self._committed)
        self._made = True
        return journal

    def _committed(
        self, entries: Sequence[RecordedEvent], standings: Iterable[tuple[str, Standing]]
    ) -> None:
        self._made = True
        if not entries:
            return
        self._ledger.committed(entries)
        self._history.entries.extend(entries)
        self._observe(lambda: self._observer.committed(entries, standings))
        self._planner.written(entries)
        level = self._scheduler.cap.level
        if not self._has_written and level != self._observer.level:
            self._complain(f"kept: the cap is at {level}; it was at {self._observer.level} before")
        self._has_written = True

    # The life

    async def _play(self) -> None:
        scenario = self._history.scenario
        self._main = asyncio.current_task()
        scheduler = self._scheduler = self._scheduler_type(
            self._observer.wave,
            self._pipeline,  # type: ignore[arg-type]
            cap=scenario.ceiling,
            lane_release=scenario.lane_release,
            limits=scenario.limits,
            plan=self._case.plan,
            journal=self._path,
            clock=self._loop.time,
        )
        assert isinstance(scheduler.events(), NoticeTap)
        run = self._loop.create_task(self._run(scheduler))
        self._operator = Operator(self._case, scheduler, run, self._observer, self._ledger)
        self._acting = self._loop.create_task(self._operator.act())
        await self._acting
        await asyncio.wait({run}, timeout=scenario.patience)
        self._operator.raise_cap()
        await asyncio.wait({run}, timeout=RUN_TIMEOUT)
        if not run.done():
            self._complain(f"progress: the run has not ended after {RUN_TIMEOUT} s")
            return
        if turns := self._operator.turns:
            await asyncio.wait(turns, timeout=RUN_TIMEOUT)
        self._judge(run)

    async def _run(self, scheduler: Scheduler) -> Report:
        try:
            return await scheduler.run()
        finally:
            self._is_over = True
            known = {self._acting, *self._operator.turns, self._main, asyncio.current_task()}
            if left := asyncio.all_tasks() - known:
                self._complain(f"leftover: {len(left)} tasks are left after the end of run()")

    # Judging it

    def _judge(self, run: asyncio.Task[Report]) -> None:
        if run.cancelled() or run.exception() is not None:
            error = "was cancelled" if run.cancelled() else f"raised {run.exception()!r}"
            self._complain(f"ending: run() {error}")
            return
        report = run.result()
        self._history.log(f"run() returned {report.outcome}")
        self._history.seen.add(f"a history ends {report.outcome}")
        for issue, alive in self._observer.world.alive.items():
            self._complain(f"leftover: {alive.step} of {issue} is alive after the end of run()")
        self._ledger.check_recorded(all_written=True)
        states: dict[str, State] = {issue.id: issue.state for issue in report.issues.values()}
        self._observe(lambda: self._observer.check_end(states))
        self._history.done = frozenset(one for one, state in states.items() if state == "done")
        check_journal(self._path, self._history.entries, report, self._complain)

    def _observe(self, look: Callable[[], None]) -> None:
        try:
            look()
        except RuleBroken as broken:
            self._complain(str(broken))

    def _complain(self, what: str) -> None:
        self._history.complain(what.replace(str(self._path), self._path.name))

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._complain(unhandled(context))


def _turn(handle: asyncio.Handle) -> str:
    """Describe a turn of the loop."""
    callback: Any = handle._callback  # type: ignore[attr-defined]
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        return f"a turn of {getattr(task.get_coro(), '__qualname__', 'a task')}"
    return f"a turn: {getattr(callback, '__qualname__', 'a callback')}"


def _kind(where: str) -> str:
    """The kind of a crash point, as in `SOMETIMES_CRASHED`."""
    if where.startswith("before a turn"):
        return "at an await"
    for word in STAGES:
        if word in where:
            return f"at {word}"
    return "in the world"
