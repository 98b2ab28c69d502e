"""The scheduler: an asyncio driver around the model's step. It owns no rule.

Two beats, over and over:

1. Take what has come in: every fact (a session ended, the cap was moved, an issue is to be parked)
   is stepped through the model at once, in the thread that reports it, under one lock
   (`wavelane.scheduler.core`). Its orders wait.
2. Write the events that have come in together to the journal, in one transaction; then carry out
   their orders (`wavelane.scheduler.orders`).

So an event is on disk before its effects happen, the cap has moved when the call returns, and
`wavelane_model.step` makes every decision. Right before a session starts, it asks the model once
more whether it still may.

If the journal exists already, the run continues its wave (`wavelane.scheduler.recovery`). Commands
from outside come in through the journal (`wavelane.control.inbox`), and a wake-up pipe says when.
If issues have estimates, the order of admission is planned in a background thread
(`wavelane.planning.replanner`), and a plan is applied like any other fact.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from wavelane.journal import Settings
from wavelane.pipeline import Pipeline
from wavelane.replay.replay import Replay, StepResult
from wavelane.replay.report import Report, report_of
from wavelane.replay.status import LaneStatus, Overview, Status, lanes_of, overview_of, status_of
from wavelane.scheduler.background_planner import BackgroundPlanner
from wavelane.scheduler.cap_control import CapControl
from wavelane.scheduler.continuation import Continuation
from wavelane.scheduler.core import Core, RunPhase
from wavelane.scheduler.inbound import Inbound
from wavelane.scheduler.notices import NoticeStream
from wavelane.scheduler.orders import Orders
from wavelane.scheduler.run_journal import RunJournal
from wavelane.scheduler.session_tasks import SessionTasks
from wavelane_model.cap import Cap
from wavelane_model.events import (
    CancelRequested,
    MergeTurnRequested,
    MergeTurnReturned,
    ParkRequested,
    StopRequested,
    UnparkRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.limits import Limits
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent
from wavelane_model.view import issues_in_flight
from wavelane_model.wave import Issue, Wave

_NO_LIMITS_GIVEN = Limits()


class Scheduler:
    """Runs a wave through a pipeline, once.

    Every method but `run`, `merge_turn` and `events` may be called from any thread, before and
    during the run.

    Args:
        wave: The issues, and their repos.
        pipeline: How an issue is implemented, reviewed and merged.
        cap: How many issues may be in flight; default: the number of the wave's repos. A continued
            journal keeps its ceiling and its level; a level above this cap is lowered to it.
        lane_release: "done": an issue holds its repo's lane until it leaves flight; "review": only
            while it is admitted or running.
        limits: Counts before parking, and seconds before a time-out.
        journal: Path of the journal file, which is made, or continued if it exists. None: nothing
            is kept.
        plan: Whether the order of admission is planned ahead. None: if there are estimates, given
            or learned. Waves of more than 500 issues keep to the usual order.
        name: The wave's name, if it has one; a journal keeps it.
        clock: Returns the current time, in seconds since the epoch.

    Attributes:
        cap: Moves the cap.

    Raises:
        ValueError: For a cap below 1 or an unknown lane_release.
    """

    def __init__(
        self,
        wave: Wave,
        pipeline: Pipeline,
        *,
        cap: int | None = None,
        lane_release: LaneRelease = "done",
        limits: Limits = _NO_LIMITS_GIVEN,
        journal: str | Path | None = None,
        plan: bool | None = None,
        name: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        level = None if cap is None else Cap.at(cap)
        state = WaveState(wave, cap=level, lane_release=lane_release, limits=limits)
        settings = Settings(wave, state.cap.ceiling, lane_release, limits, name)
        self._core = core = Core(Replay(state), clock, keeps_journal=journal is not None)
        self._tasks = tasks = asyncio.TaskGroup()
        self._journal = RunJournal(None if journal is None else Path(journal))
        self._planner = BackgroundPlanner(core, tasks, plan)
        self._sessions = SessionTasks(core, tasks, pipeline, limits)
        self._orders = Orders(core, self._sessions, limits)
        self._inbound = Inbound(core, self._journal, self._orders.timers, pipeline)
        self._continuation = Continuation(
            core, self._journal, self._inbound, self._planner, pipeline, settings, cap is not None
        )
        self.cap = CapControl(lambda: core.state, core.apply, core.remember_early)

    # The run

    async def run(self) -> Report:
        """Run the wave to its end and report. A scheduler runs once.

        An existing journal is continued: the pipeline is asked about what was in flight, and the
        wave goes on. No session outlives the call. When the call is cancelled, it cancels its
        sessions, waits for them, and records what they report.

        Returns:
            How the wave went, over all its runs.

        Raises:
            JournalError: When the journal cannot be made, continued or written; the sessions are
                then ended in the same way.
            RuntimeError: When it is called a second time.
        """
        self._core.claim()
        self._sessions.bind()
        try:
            self.open_journal()
            await self._begin()
            await self._drive()
        except BaseExceptionGroup as group:
            raise _single(group) from None
        finally:
            self._close()
        return self.report()

    async def _begin(self) -> None:
        """Apply early requests, and find out what the last run left."""
        if (file := self._journal.file) is not None:
            self._journal.start_writer()
            self._inbound.listen(file)
            if not file.is_new:
                await self._write_and_carry_out(self._core.take_results())
        await self._continuation.ask_about_the_past()
        await self._planner.plan()

    async def _drive(self) -> None:
        core, inbound = self._core, self._inbound
        async with self._tasks:
            try:
                core.apply(WaveStarted())
                core.enter(RunPhase.RUNNING)
                while core.phase is RunPhase.RUNNING:
                    await core.awake.wait()
                    await inbound.take()
                    results = core.take_results()
                    if results or inbound.has_answers:
                        await self._write_and_carry_out(results)
                        self._planner.plan_anew()
            except BaseException:
                core.enter(RunPhase.ABANDONED)
                raise
            finally:
                self._planner.cancel()

    async def _write_and_carry_out(self, results: list[StepResult]) -> None:
        await self._journal.append(results, self._inbound.take_answers())
        for result in results:
            self._orders.carry_out(result)

    def _close(self) -> None:
        """Leave nothing behind: no timer, no waiter, no writer, no unwritten event.

        A plan in progress is computed to its end and then ignored.
        """
        self._core.enter(RunPhase.CLOSED)
        self._inbound.close()
        self._orders.close()
        try:
            self._journal.close(self._core.take_results(), self._inbound.take_answers())
        finally:
            self._core.cut_off()

    def open_journal(self) -> None:
        """Make or continue the journal now instead of at the start of `run`.

        Raises:
            JournalError: When it cannot be made or continued.
        """
        self._continuation.open_journal()

    def discard_journal(self) -> None:
        """Close the journal, and remove it if `open_journal` made it: `run` will not be called."""
        if self._core.phase is RunPhase.NEW:
            self._journal.discard()

    @property
    def continues(self) -> bool:
        """Whether it continues the wave of an existing journal; known once that is open."""
        return self._journal.continues

    # Where the wave stands

    @property
    def wave(self) -> Wave:
        """The wave, including issues added to it."""
        return self._core.state.wave

    @property
    def in_flight(self) -> tuple[Issue, ...]:
        """The issues in flight, in the order of their admission."""
        with self._core.lock:
            return tuple(self.wave[issue] for issue in issues_in_flight(self._core.state))

    def status(self, issue_id: str) -> Status:
        """Where an issue stands.

        Args:
            issue_id: Its id.

        Raises:
            KeyError: For an unknown id.
        """
        with self._core.lock:
            return status_of(self._core.replay, issue_id)

    def lanes(self) -> tuple[LaneStatus, ...]:
        """Where all repos stand, for a display; reads every issue."""
        with self._core.lock:
            return lanes_of(self._core.replay)

    def overview(self) -> Overview:
        """Where the wave stands, for a display; reads every issue."""
        with self._core.lock:
            return overview_of(self._core.replay)

    def report(self) -> Report:
        """The report as of now."""
        with self._core.lock:
            return report_of(self._core.replay)

    # Commands

    def park(self, issue_id: str, reason: str) -> None:
        """Set an issue aside for a human. If it has a session, that is ended first.

        Args:
            issue_id: Its id.
            reason: What the human has to look into.

        Raises:
            IllegalEvent: For an unknown issue and one that is done, parked or cancelled.
            TypeError: For a reason that is not a text.
        """
        if not isinstance(reason, str):
            raise TypeError(f"the reason to park {issue_id!r} is {reason!r}; give a text")
        self._core.apply(ParkRequested(issue_id, reason))

    def unpark(self, issue_id: str) -> None:
        """Queue a parked issue again, its counters reset.

        Args:
            issue_id: Its id.

        Raises:
            IllegalEvent: For an issue that is not parked.
        """
        self._core.apply(UnparkRequested(issue_id))

    def cancel(self, issue_id: str) -> None:
        """Give an issue up. If it has a session, that is ended first; a merge that is in stays.

        Args:
            issue_id: Its id.

        Raises:
            IllegalEvent: For an unknown issue and one that is done or cancelled.
        """
        self._core.apply(CancelRequested(issue_id))

    def add(self, *issues: Issue, done: Collection[str] = ()) -> None:
        """Add issues to the wave, or change some that have not begun; they are checked, too.

        Args:
            *issues: The new and the changed issues.
            done: Further ids outside the wave that are done already.

        Raises:
            IllegalEvent: Names everything that is wrong, one problem a line.
        """
        self._core.apply(WaveAmended(tuple(issues), tuple(done)))

    def stop(self) -> None:
        """Drain: no further session starts; when the running ones have ended, `run` returns."""
        with suppress(IllegalEvent):
            self._core.apply(StopRequested())

    def events(self) -> NoticeStream:
        """What happens from now on, until the run ends; for `async for` in the run's loop."""
        return self._core.audience.join()

    @asynccontextmanager
    async def merge_turn(self, repo: str) -> AsyncIterator[None]:
        """Take the merge turn of a repo, for a merge of the engine's own.

        Waits in the same queue as the issues, first come, first served, and until the run starts if
        need be. The run does not end while a turn is taken or waited for.

        Args:
            repo: One of the wave's repos.

        Raises:
            IllegalEvent: For an unknown repo and after the end of the run.
        """
        with self._orders.turns.ticket() as (ticket, turn):
            if self._core.has_ended:
                raise IllegalEvent("the run is over; a merge turn comes too late")
            self._core.apply(MergeTurnRequested(repo, ticket))
            try:
                await turn
                yield
            finally:
                with suppress(IllegalEvent):  # the run is over, and its queues with it
                    self._core.apply(MergeTurnReturned(repo, ticket))


def _single(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The only error in a group of one, however deep; else the group."""
    while len(group.exceptions) == 1:
        error = group.exceptions[0]
        if not isinstance(error, BaseExceptionGroup):
            return error
        group = error
    return group
