"""One life of the process: the real scheduler continues its wave, until it ends or dies.

It is played in a process of its own (specs/simulation/process.py) and judged where it ends:

ending    run() returned
leftover  nothing of it is alive
journal   it keeps the rules, has what was committed, and folds into the report that run() returned
told      what happened stands in it, and what is done is what is merged
vanished  no error went where nobody looks
progress  with the operator gone and the cap at its ceiling the run ends
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn, cast
from unittest.mock import patch

from specs.monitored import broken_rules
from specs.observers import RuleBroken
from specs.simulation.acts import Operator
from specs.simulation.chooser import Chooser
from specs.simulation.history import History
from specs.simulation.ledger import Ledger
from specs.simulation.loop import Livelock, SimulatedLoop, SimulatedThread
from specs.simulation.outliving import OutlivingPipeline, Passes
from specs.simulation.planner import SimulatedPlanner
from specs.simulation.process import Fate
from wavelane import IllegalEvent, JournalError, Report, Scheduler
from wavelane.journal import Journal, RecordedEvent, Settings, Standing, read_journal
from wavelane.scheduler.notices import Notice, NoticeStream
from wavelane.testing import Deadlock
from wavelane.verify import verify
from wavelane_model.lifecycle import State

PATIENCE: Final = 1_000
"""Virtual seconds within which a run ends that nobody disturbs."""
STAGES: Final = (
    *("with the lock", "with the file", "journal is closed", "PRAGMA", "CREATE TABLE", "BEGIN"),
    *("INSERT INTO event", "UPDATE meta", "UPDATE standing"),
    *("INSERT INTO meta", "INSERT INTO issue", "INTO standing"),
    *("before COMMIT", "after COMMIT"),
)
"""Where a process may die that opens or writes its journal."""
BETWEEN: Final = 7
"""Virtual seconds from the death of a process to the start of the next."""


class Life:
    """The next life of a history. It dies at point `dies_at`, or is lived to its end."""

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
        self._survivor = history.survivor
        self._path = path
        self._scheduler_type = scheduler
        self._die = die
        self._fate = Fate(dies_at, self._hand_over)
        self._case = history.plan.case(self._survivor.life)
        self._loop = SimulatedLoop(
            chooser,
            now=history.now,
            before_turn=self._before_turn,
            before_wait=self._before_wait,
        )
        self._loop.set_exception_handler(self._vanished)
        self._ledger = Ledger(
            self._case, seconds=self._loop.seconds, say=history.say, complain=self._complain
        )
        self._pipeline = OutlivingPipeline(history, self._ledger, self._loop, self._passes)
        self._planner = SimulatedPlanner(self._loop, history.say, self._complain)
        self._writer = SimulatedThread(self._ledger.heard)
        self._scheduler: Scheduler
        self._operator: Operator
        self._acting: asyncio.Task[None]
        self._main: asyncio.Task[Any] | None = None
        self._made = bool(history.entries)
        self._has_written = self._is_over = False

    def live(self) -> History:
        """Live it, to its end or its death, in a process that can be given up."""
        history = self._history
        history.recovery = None
        history.done = None
        history.say(f"life {self._survivor.life + 1} begins")
        self._ledger.remember(history.entries)
        self._survivor.begins_a_life()
        self._observe(self._survivor.check_birth)
        with self._simulated_world():
            try:
                self._loop.run_until_complete(self._play())
            except (Livelock, Deadlock) as error:
                self._complain(f"progress: {error}")
            except Exception as error:
                self._complain(f"crash: {error!r}")
        history.points = self._fate.points
        history.seen |= self._ledger.lanes.seen
        return history

    # Death

    def _before_turn(self, handle: asyncio.Handle) -> None:
        self._history.now = self._loop.time()
        self._passes(lambda: f"before {_turn(handle)}")

    def _before_wait(self) -> None:
        if not self._writer.busy:
            self._ledger.look(self._loop.time(), returned=self._is_over)
            self._planner.look(under_way=self._ledger.lanes.under_way)

    def _passes(self, where: Callable[[], str]) -> None:
        self._fate.passes(where)
        self._history.points = self._fate.points

    def _hand_over(self, where: str) -> NoReturn:
        history, world = self._history, self._survivor.world
        history.say(f"the process dies at point {self._fate.points}, {where}")
        history.seen.add(f"a crash {_kind(where)}")
        if history.recovery is None and self._survivor.life > 1:
            history.seen.add("a crash of a recovery")
        if any(world.merges[issue] for issue in self._survivor.in_flight_on_disk):
            history.seen.add("a merge is in and not in the journal")
        if self._ledger.lanes.reservations and self._ledger.lanes.under_way:
            history.seen.add("a crash during a reservation")
        history.seen |= self._ledger.lanes.seen
        history.crashes.append(self._fate.points)
        if history.plan.leftover == "dies":
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

    @contextmanager
    def _simulated_world(self) -> Iterator[None]:
        witness = patch("wavelane.scheduler.notices.NoticeStream", partial(_Witness, self._ledger))
        with (
            witness,
            patch.multiple(
                "wavelane.scheduler.run_journal",
                Journal=self._journal,
                ThreadPoolExecutor=lambda *_: self._writer,
            ),
            patch("wavelane.scheduler.background_planner.solve", self._planner),
        ):
            yield

    def _journal(self, path: Path, settings: Settings) -> MortalJournal:
        journal = MortalJournal(path, settings, self._passes, self._committed)
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
        self._observe(lambda: self._survivor.committed(entries, standings))
        self._planner.written(entries)
        level = self._scheduler.cap.level
        if not self._has_written and level != self._survivor.level:
            self._complain(f"kept: the cap is at {level}; it was left at {self._survivor.level}")
        self._has_written = True

    # The life

    async def _play(self) -> None:
        plan = self._history.plan
        self._main = asyncio.current_task()
        scheduler = self._scheduler = self._scheduler_type(
            self._survivor.wave,
            self._pipeline,  # type: ignore[arg-type]
            cap=plan.ceiling,
            lane_release=plan.lane_release,
            limits=plan.limits,
            plan=self._case.plan,
            journal=self._path,
            clock=self._loop.time,
        )
        assert isinstance(scheduler.events(), _Witness)
        run = self._loop.create_task(self._run(scheduler))
        self._operator = Operator(self._case, scheduler, run, self._survivor, self._ledger)
        self._acting = self._loop.create_task(self._operator.act())
        await self._acting
        await asyncio.wait({run}, timeout=plan.patience)
        self._operator.lift()
        await asyncio.wait({run}, timeout=PATIENCE)
        if not run.done():
            self._complain(f"progress: the run has not ended after {PATIENCE} s")
            return
        if turns := self._operator.turns:
            await asyncio.wait(turns, timeout=PATIENCE)
        self._judge(run)

    async def _run(self, scheduler: Scheduler) -> Report:
        try:
            return await scheduler.run()
        finally:
            self._is_over = True
            known = {self._acting, *self._operator.turns, self._main, asyncio.current_task()}
            if left := asyncio.all_tasks() - known:
                self._complain(f"leftover: {len(left)} tasks are left after the end of run()")

    # The judgement

    def _judge(self, run: asyncio.Task[Report]) -> None:
        if run.cancelled() or run.exception() is not None:
            error = "was cancelled" if run.cancelled() else f"raised {run.exception()!r}"
            self._complain(f"ending: run() {error}")
            return
        report = run.result()
        self._history.say(f"run() returned {report.outcome}")
        self._history.seen.add(f"a history ends {report.outcome}")
        for issue, alive in self._survivor.world.alive.items():
            self._complain(f"leftover: {alive.step} of {issue} is alive after the end of run()")
        self._ledger.check_told(all_written=True)
        states: dict[str, State] = {issue.id: issue.state for issue in report.issues.values()}
        self._observe(lambda: self._survivor.check_end(states))
        self._history.done = frozenset(one for one, state in states.items() if state == "done")
        self._judge_journal(report)

    def _judge_journal(self, report: Report) -> None:
        try:
            folded = Report.from_journal(self._path)
            entries = read_journal(self._path)[1]
            verdict = verify(self._path)
        except (JournalError, IllegalEvent) as error:
            self._complain(f"journal: {error}")
            return
        if entries != self._history.entries:
            self._complain("journal: what was committed is not what is in it")
        if report != folded:
            self._complain("journal: it folds into another report than the one of run()")
        if not verdict.keeps_the_rules:
            self._complain(f"journal: {verdict}")
        for broken in broken_rules(self._path):
            self._complain(f"journal: {broken}")

    def _observe(self, look: Callable[[], None]) -> None:
        try:
            look()
        except RuleBroken as broken:
            self._complain(str(broken))

    def _complain(self, what: str) -> None:
        self._history.complain(what.replace(str(self._path), self._path.name))

    def _vanished(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self._complain(f"vanished: {context['message']}{f' ({error!r})' if error else ''}")


class MortalJournal(Journal):
    """The real journal, on the real disk, whose process may die before and after each statement."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        passes: Passes,
        committed: Callable[[Sequence[RecordedEvent], Iterable[tuple[str, Standing]]], None],
    ) -> None:
        self._passes = passes
        self._committed = committed
        self._writing: tuple[Sequence[RecordedEvent], Iterable[tuple[str, Standing]]] = ((), ())
        super().__init__(path, settings)

    def _opened(self, settings: Settings) -> bool:
        self._passes(lambda: "with the lock of the journal taken")
        connect = sqlite3.connect
        with patch.object(sqlite3, "connect", lambda *of, **how: self._disk(connect(*of, **how))):
            return super()._opened(settings)

    def _disk(self, db: sqlite3.Connection) -> sqlite3.Connection:
        self._passes(lambda: "with the file of the journal opened")
        return cast(sqlite3.Connection, _MortalDisk(db, self._passes, self._has_committed))

    def _has_committed(self) -> None:
        self._committed(*self._writing)

    def append(
        self,
        events: Sequence[RecordedEvent],
        standings: Iterable[tuple[str, Standing]] = (),
        answers: Iterable[tuple[int, str]] = (),
    ) -> None:
        self._writing = events, standings
        super().append(events, standings, answers)

    def close(self) -> None:
        self._passes(lambda: "before the journal is closed")
        super().close()
        self._passes(lambda: "after the journal is closed")


class _MortalDisk:
    def __init__(
        self, db: sqlite3.Connection, passes: Passes, committed: Callable[[], None]
    ) -> None:
        self._db = db
        self._passes = passes
        self._committed = committed

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self._passes(lambda: f"before {_words(sql)}")
        cursor = self._db.execute(sql, *values)
        if sql == "COMMIT":
            self._committed()
            self._passes(lambda: "after COMMIT")
        return cursor

    def executemany(self, sql: str, rows: Iterable[Any]) -> sqlite3.Cursor:
        self._passes(lambda: f"before {_words(sql)}")
        return self._db.executemany(sql, rows)

    def close(self) -> None:
        self._db.close()


class _Witness(NoticeStream):
    """Tells the ledger of each notice at once, instead of keeping it."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger

    def put(self, notice: Notice | None) -> None:
        if notice is not None:
            self._ledger.noticed(notice)


def _words(sql: str) -> str:
    return " ".join(sql.split()[:5])


def _turn(handle: asyncio.Handle) -> str:
    """What a turn of the loop does, for people."""
    callback: Any = handle._callback  # type: ignore[attr-defined]
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        return f"a turn of {getattr(task.get_coro(), '__qualname__', 'a task')}"
    return f"a turn: {getattr(callback, '__qualname__', 'a callback')}"


def _kind(where: str) -> str:
    """The kind of a point, for the list of what has to have happened."""
    if where.startswith("before a turn"):
        return "at an await"
    for word in STAGES:
        if word in where:
            return f"at {word}"
    return "in the world"
