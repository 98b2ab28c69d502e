"""One schedule: the real scheduler plays a case to its end, and the result is judged.

During the run, the observer checks the rules, and the ledger checks that everything follows from
what is on the disk. At the end of `run()`, these are checked:

ending     it returned, or raised `JournalError` after a failed write, or `CancelledError` after it
           was cancelled; and nothing else
leftover   no session is open, and no task is left
journal    it keeps the rules, has what was committed, and folds into the report of `run()`,
           which ends with its last event
recorded   the journal has all that happened
unhandled  no error reached the event loop's exception handler
progress   the run ended in bounded virtual time once the operator was done and the cap was at its
           ceiling

Whenever all is written and virtual time goes on, the lanes are checked (specs/simulation/lanes.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from specs.simulation.acts import Operator
from specs.simulation.case import Case
from specs.simulation.chooser import Chooser
from specs.simulation.disk import SimulatedJournal
from specs.simulation.ledger import Ledger
from specs.simulation.loop import Livelock, SimulatedLoop, SimulatedThread
from specs.simulation.patient import PatientObserver
from specs.simulation.planner import SimulatedPlanner
from specs.simulation.sessions import SimulatedPipeline
from specs.simulation.substitutes import NoticeTap, check_journal, substituted, unhandled
from specs.watched import overhear
from wavelane import JournalError, Report, Scheduler
from wavelane.journal import RecordedEvent, Settings
from wavelane.scheduler.notices import Notice
from wavelane.testing import Deadlock

RUN_TIMEOUT: Final = 3_000
"""Virtual seconds within which a run has to end once the operator is done."""


@dataclass
class Played:
    """A schedule that was played.

    Attributes:
        choices: The choices that were made.
        trace: What happened, a line for each event.
        complaints: What was broken, as "property: what"; the first is the cause.
        seen: The remarkable things that happened, in words.
    """

    choices: list[int]
    trace: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    @property
    def simplest(self) -> list[int]:
        """The choices without trailing zeros, which are the default."""
        end = next((at for at in range(len(self.choices), 0, -1) if self.choices[at - 1]), 0)
        return self.choices[:end]

    @property
    def broken(self) -> str | None:
        """The property that was broken first."""
        return self.complaints[0].partition(":")[0] if self.complaints else None

    def __str__(self) -> str:
        return "\n".join([*self.trace, *(f"BROKEN {one}" for one in self.complaints)])


def play(chooser: Chooser, folder: Path, scheduler: type[Scheduler] = Scheduler) -> Played:
    """Play one schedule. Its journal is in `folder` while it is played."""
    schedule = _Schedule(chooser, folder / "journal.db", scheduler)
    try:
        schedule.play()
    finally:
        schedule.clean_up()
    return schedule.played


class _Schedule:
    def __init__(self, chooser: Chooser, path: Path, scheduler: type[Scheduler]) -> None:
        self._path = path
        self.played = Played(chooser.made)
        self.case = Case.chosen(chooser)
        self.played.trace.extend(str(self.case).splitlines())
        self.loop = SimulatedLoop(chooser, before_wait=self._before_wait)
        self.loop.set_exception_handler(self._unhandled)
        self.observer = PatientObserver(self.case.wave, self.case.lane_release, self.case.ceiling)
        self.ledger = Ledger(
            self.case, seconds=self.loop.seconds, log=self.log, complain=self.complain
        )
        self.pipeline = SimulatedPipeline(self.observer, self.ledger, self.loop, self.case)
        self.planner = SimulatedPlanner(self.loop, self.log, self.complain)
        self._scheduler_type = scheduler
        self._journal: SimulatedJournal | None = None
        self._writer = SimulatedThread(self._write_acknowledged)
        self._operator: Operator
        self._acting: asyncio.Task[None]
        self._main: asyncio.Task[Any] | None = None
        self._began = self._is_over = False
        self._is_judged = False

    def log(self, line: str) -> None:
        """Add a line to the trace."""
        self.played.trace.append(f"{self.loop.seconds():>4g} s  {line}")

    def complain(self, what: str) -> None:
        """Record that a property is broken."""
        what = what.replace(str(self._path), self._path.name)
        self.log(f"BROKEN {what}")
        self.played.complaints.append(what)

    def play(self) -> None:
        """Play the case to its end, and judge it."""
        with substituted(
            journal=self._make_journal,
            writer=self._writer,
            planner=self.planner,
            on_notice=self._notice_sent,
        ):
            try:
                self.loop.run_until_complete(self._play())
            except (Livelock, Deadlock) as error:
                self.complain(f"progress: {error}")
            except Exception as error:
                self.complain(f"crash: {error!r}")
            finally:
                self._is_judged = True

    def clean_up(self) -> None:
        """Cancel what is left, close the loop, and delete the journal."""
        self.loop.chooser.rest()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        try:
            if left:
                self.loop.run_until_complete(asyncio.wait(left, timeout=RUN_TIMEOUT))
        except (Livelock, Deadlock):
            pass
        finally:
            self.loop.close()
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _make_journal(self, path: Path, settings: Settings) -> SimulatedJournal:
        self._journal = SimulatedJournal(
            path, settings, fault=self.case.fault, committed=self._committed, log=self.log
        )
        return self._journal

    def _committed(self, entries: Sequence[RecordedEvent]) -> None:
        self.ledger.committed(entries)
        self.observer.written(entries)
        self.planner.written(entries)

    def _before_wait(self) -> None:
        if self._began and not self._writer.busy and self.ledger.given_up is None:
            self.ledger.look(self.loop.time(), returned=self._is_over)
            self.planner.look(under_way=self.ledger.lanes.under_way)

    def _write_acknowledged(self) -> None:
        self.ledger.write_acknowledged()
        if self._write_failed():
            self.ledger.give_up()

    def _write_failed(self) -> bool:
        if self._journal is None:
            return self._began
        return self._journal.has_failed

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.complain(unhandled(context))

    def _notice_sent(self, notice: Notice) -> None:
        self.ledger.notice_sent(notice)
        self.observer.announced(notice.issue)
        try:
            overhear(self.observer, notice)
        except Exception as error:
            self.pipeline.complain(error)

    async def _play(self) -> None:
        self._main = asyncio.current_task()
        scheduler = self._scheduler_type(
            self.case.wave,
            self.pipeline,  # type: ignore[arg-type]
            cap=self.case.ceiling,
            lane_release=self.case.lane_release,
            limits=self.case.limits,
            journal=self._path,
            plan=self.case.plan,
            clock=self.loop.time,
        )
        assert isinstance(scheduler.events(), NoticeTap)
        run = self.loop.create_task(self._run(scheduler))
        self._operator = Operator(self.case, scheduler, run, self.observer, self.ledger)
        self._acting = self.loop.create_task(self._operator.act())
        await self._acting
        self._operator.raise_cap()
        await self._end_of(run)
        if turns := self._operator.turns:
            await asyncio.wait(turns, timeout=RUN_TIMEOUT)
        self._judge(run)

    async def _run(self, scheduler: Scheduler) -> Report:
        self._began = True
        try:
            return await scheduler.run()
        finally:
            self._is_over = True
            if not self._is_judged:
                self.log("run() is over")
                self._look_for_leftovers()

    async def _end_of(self, run: asyncio.Task[Report]) -> None:
        await asyncio.wait({run}, timeout=RUN_TIMEOUT)
        if not run.done():
            self.complain(f"progress: the run has not ended after {RUN_TIMEOUT} s")
            run.cancel()
            await asyncio.wait({run}, timeout=RUN_TIMEOUT)

    # Judging it

    def _look_for_leftovers(self) -> None:
        for issue, step in self.observer.open.items():
            self.complain(f"leftover: {step} of {issue} is open after the end of run()")
        known = {self._acting, *self._operator.turns, self._main, asyncio.current_task()}
        if left := asyncio.all_tasks() - known:
            self.complain(f"leftover: {len(left)} tasks are left after the end of run()")

    def _judge(self, run: asyncio.Task[Report]) -> None:
        self._judge_ending(run)
        self.ledger.check_recorded(all_written=not self._write_failed())
        if self._journal is not None:
            self._judge_journal(run)

    def _judge_ending(self, run: asyncio.Task[Report]) -> None:
        how = _how_it_ended(run)
        self.log(f"run() {how}")
        self.played.seen |= {f"run() {how}", *self._seen()}
        if self._write_failed():
            expected = {"raised JournalError"}
        elif self._operator.cancelled_run:
            expected = {"was cancelled"}
        else:
            expected = {f"returned {outcome}" for outcome in ("complete", "blocked", "stopped")}
        if how not in expected:
            self.complain(f"ending: run() {how}; it should have {' or '.join(sorted(expected))}")
        if how.startswith("returned") and self._operator.denied:
            self.complain("ending: run() returned while a merge waited for its turn")

    def _seen(self) -> Iterator[str]:
        yield from self.ledger.seen()
        yield from self.ledger.lanes.seen
        yield from self.pipeline.seen
        yield from self.planner.seen
        yield from self._operator.seen
        if self.case.fault is not None and self._write_failed():
            yield f"a full disk: {self.case.fault.stage}"

    def _judge_journal(self, run: asyncio.Task[Report]) -> None:
        returned = not run.cancelled() and run.exception() is None
        report = run.result() if returned else None
        folded = check_journal(self._path, self.ledger.entries, report, self.complain)
        if folded is None:
            return
        done = {issue.id for issue in folded.issues.values() if issue.state == "done"}
        merged = self.observer.merged
        if done != merged and not (self._write_failed() and done < merged):
            self.complain(f"recorded: {sorted(merged)} are merged, {sorted(done)} are done")


def _how_it_ended(run: asyncio.Task[Report]) -> str:
    if not run.done():
        return "goes on"
    if run.cancelled():
        return "was cancelled"
    error = run.exception()
    return f"returned {run.result().outcome}" if error is None else f"raised {_named(error)}"


def _named(error: BaseException) -> str:
    return type(error).__name__ if isinstance(error, JournalError) else repr(error)
