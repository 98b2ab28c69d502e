"""The scheduler: an asyncio driver around the model's step. It owns no rule.

Two beats, over and over:

1. Take what has come in: every fact (a session ended, the cap was moved, somebody parks an
   issue) is stepped through the model at once, by whoever brings it, under one lock. Its orders
   wait.
2. Write the events that have come in together to the journal, in one transaction; then carry
   out their orders.

So an event is on disk before its effects happen, a lever has moved when its call returns, and
everything that is decided is decided by `wavelane_model.step`. A session asks the model once more,
right before it starts, whether it still may.

With a journal that is there already, the run continues that wave (`wavelane.scheduler.recovery`).
Commands from outside come in through the journal (`wavelane.control.inbox`), and a bell says when.
Where issues have estimates, the order of admission is planned in a thread beside the run
(`wavelane.planning.replanner`), and what comes of it is told to the model like any other fact.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from wavelane.control.requests import carried_out
from wavelane.control.wakeup import WakeupPipe, open_wakeup
from wavelane.journal import CommandRow, Journal, JournalError, RecordedEvent, Settings, Standing
from wavelane.pipeline import Assignment, Pipeline, assignment
from wavelane.planning.replanner import Replanner, answered
from wavelane.replay.amendment import amendment_of
from wavelane.replay.loading import past_of
from wavelane.replay.report import Recorder, Report, standings_after
from wavelane.replay.status import LaneStatus, Overview, Status, lanes_of, overview_of, status_of
from wavelane.scheduler.cap_control import CapControl
from wavelane.scheduler.merge_turns import MergeTurns
from wavelane.scheduler.notices import Audience, Notice, NoticeStream
from wavelane.scheduler.recovery import finding_of
from wavelane.scheduler.sessions import outcome_of
from wavelane.scheduler.timers import Timers
from wavelane.steps import KINDS, StartOrder
from wavelane_model.cap import Cap
from wavelane_model.effects import (
    AnnounceCap,
    AnnounceIssue,
    Effect,
    EndReservationAt,
    EndSession,
    FinishWave,
    GrantMergeTurn,
    ResumeAt,
    StartImplementing,
    StartMerging,
    StartReviewing,
    WakeAt,
)
from wavelane_model.events import (
    CancelRequested,
    CapMoved,
    Event,
    MergeTurnRequested,
    MergeTurnReturned,
    OrderPlanned,
    ParkRequested,
    PauseEnded,
    PostponementEnded,
    ReservationEnded,
    RunCutOff,
    SessionEnded,
    StopRequested,
    UnparkRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.limits import Limits
from wavelane_model.outcomes import Failed, Outcome, Postponed, Stopped
from wavelane_model.records import Record
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent, start_veto, step
from wavelane_model.wave import Issue, Wave

log = logging.getLogger("wavelane")

_NO_LIMITS_GIVEN = Limits()


class StepResult(NamedTuple):
    """An event, when it happened, its orders, and where the issues stand that it moved."""

    at: float
    event: Event
    effects: list[Effect]
    standings: dict[str, Standing]
    """Only where a journal is kept or somebody listens: nobody else asks."""


@dataclass(slots=True)
class _Session:
    """A session whose task exists."""

    number: int
    task: asyncio.Task[None]
    started: bool = False
    ending: bool = False


class Scheduler:
    """Runs a wave through a pipeline, once.

    cap           how many issues may be in flight; default: the number of the wave's repos. Where
                  a journal is continued its ceiling and its level stay; a level above this cap
                  is lowered to it
    lane_release  "done": an issue holds its repo until it leaves flight; "review": only while it
                  is admitted or running
    limits        counts before parking, and seconds before a time-out
    journal       path of the journal file, which is made, or continued if it is there; without it
                  nothing is kept
    plan          whether the order of admission is planned ahead (`wavelane.planning.replanner`):
                  True or False; default: where there are estimates, given or learned. Waves of
                  more than 500 issues keep to the usual order
    name          what the wave is called, if anything; a journal keeps it
    clock         seconds since the epoch, now

    Every method but `run`, `merge_turn` and `events` may be called from any thread, before and
    during the run. Raises `ValueError` for a cap below 1 or an unknown lane_release.
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
        self._pipeline = pipeline
        self._limits = limits
        self._clock = clock
        self._state = WaveState(
            wave,
            cap=None if cap is None else Cap.at(cap),
            lane_release=lane_release,
            limits=limits,
        )
        self._settings = Settings(wave, self._state.cap.ceiling, lane_release, limits, name)
        self._cap_given = cap is not None
        self._journal_path = None if journal is None else Path(journal)
        self._recorder = Recorder(self._state)
        self._plan_wanted = plan
        self._replanner = Replanner(wave, plan)
        self._planning: asyncio.Task[None] | None = None
        self.cap = CapControl(lambda: self._state, self._tell, self._hold)
        """The lever on the cap."""

        self._lock = threading.RLock()
        self._outbox: list[StepResult] = []
        self._early: list[Event] | None = None if journal is None else []
        """What was asked for before the journal was opened."""
        self._answers: list[tuple[int, str]] = []
        """Answers to commands, by number, that are not written yet."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: int | None = None
        self._runner: asyncio.Task[Any] | None = None
        self._cancels_before = 0
        self._awake = asyncio.Event()
        self._begun = False
        self._finished = False
        self._abandoned = False
        self._over = False
        self._claimed = False

        self._journal: Journal | None = None
        self._writer: ThreadPoolExecutor | None = None
        self._bell: WakeupPipe | None = None
        self._rung = False
        self._group = asyncio.TaskGroup()
        self._sessions: dict[str, _Session] = {}
        self._timers = Timers(clock, self._awake.set)
        self._turns = MergeTurns()
        self._audience = Audience()
        self._calls = {
            StartImplementing: (pipeline.implement, limits.implement_timeout),
            StartReviewing: (pipeline.review, limits.review_timeout),
            StartMerging: (pipeline.merge, limits.merge_timeout),
        }
        self._carriers: dict[type[Effect], Callable[[float, Any], None]] = {
            StartImplementing: self._start,
            StartReviewing: self._start,
            StartMerging: self._start,
            EndSession: self._end_session,
            WakeAt: self._wake_at,
            ResumeAt: self._resume_at,
            EndReservationAt: self._end_reservation_at,
            GrantMergeTurn: self._grant_turn,
            AnnounceCap: self._announce_cap,
            FinishWave: self._finish,
        }

    # What a user may ask and do

    async def run(self) -> Report:
        """Run the wave to its end and report. A scheduler runs once.

        A journal that is there is continued: the pipeline is asked about what was in flight, and
        the wave goes on. No session outlives the call. When it is cancelled, it cancels its
        sessions, waits for them, and writes down what they report. Raises `JournalError` when the
        journal cannot be made, continued or written; its sessions are then ended likewise.
        """
        if self._claimed:
            raise RuntimeError("run() was called before; make a new Scheduler")
        self._claimed = True
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._runner = asyncio.current_task()
        self._cancels_before = self._runner.cancelling() if self._runner else 0
        try:
            self.open_journal()
            if self._journal is not None:
                self._writer = ThreadPoolExecutor(1, "wavelane-journal")
                self._bell = open_wakeup(self._journal.path, self._loop, self._rang)
                self._take_commands(self._journal.unanswered_commands(), self._journal.owner.since)
                if not self._journal.is_new:
                    await self._settle()
            await self._ask_about_the_past()
            await self._plan()
            await self._drive()
        except BaseExceptionGroup as group:
            raise _single(group) from None
        finally:
            self._close()
        return self._recorder.report()

    def open_journal(self) -> None:
        """Make or continue the journal now, not at the start of `run`. Raises `JournalError`."""
        if self._journal is None and self._journal_path is not None:
            journal = Journal(self._journal_path, self._settings)
            try:
                with self._lock:
                    early, self._early = self._early or [], None
                    if not journal.is_new:
                        self._continue(journal, early)
            except BaseException:
                journal.close()
                raise
            self._journal = journal

    def discard_journal(self) -> None:
        """Close the journal, and remove it if `open_journal` made it: `run` will not be called."""
        if self._journal is not None and not self._claimed:
            self._journal.discard()
            self._journal = None

    @property
    def continues(self) -> bool:
        """Whether it goes on with a wave whose journal was there; known once that is open."""
        return self._journal is not None and not self._journal.is_new

    @property
    def wave(self) -> Wave:
        """The wave, with what was added to it."""
        return self._state.wave

    @property
    def _has_ended(self) -> bool:
        """Whether this run has, and not only one before it."""
        return self._begun and self._state.ended

    @property
    def in_flight(self) -> tuple[Issue, ...]:
        """The issues in flight, in the order of their admission."""
        with self._lock:
            return tuple(self.wave.issues[position] for position in self._state.flight)

    def status(self, issue_id: str) -> Status:
        """Where an issue stands. Raises `KeyError` for an unknown id."""
        with self._lock:
            return status_of(self._state, self._recorder, issue_id)

    def lanes(self) -> tuple[LaneStatus, ...]:
        """Where all repos stand, for a display; it looks at every issue."""
        with self._lock:
            return lanes_of(self._state, self._recorder)

    def overview(self) -> Overview:
        """Where the wave stands, for a display; it looks at every issue."""
        with self._lock:
            return overview_of(self._state, self._recorder)

    def report(self) -> Report:
        """The report as of now."""
        with self._lock:
            return self._recorder.report()

    def park(self, issue_id: str, reason: str) -> None:
        """Set an issue aside for a human. A session of it is ended first.

        Raises `IllegalEvent` for an unknown issue and one that is done, parked or cancelled.
        """
        if not isinstance(reason, str):
            raise TypeError(f"the reason to park {issue_id!r} is {reason!r}; give a text")
        self._tell(ParkRequested(issue_id, reason))

    def unpark(self, issue_id: str) -> None:
        """Let a parked issue be tried again, its counters anew. Raises `IllegalEvent`."""
        self._tell(UnparkRequested(issue_id))

    def cancel(self, issue_id: str) -> None:
        """Give an issue up. A session of it is ended first; a merge that is in stays in.

        Raises `IllegalEvent` for an unknown issue and one that is done or cancelled.
        """
        self._tell(CancelRequested(issue_id))

    def add(self, *issues: Issue, done: Collection[str] = ()) -> None:
        """Add issues to the wave, or change some that have not begun; checked like the rest.

        `done`: further ids outside the wave that are done already. Raises `IllegalEvent`, with
        everything that is wrong, a line each.
        """
        self._tell(WaveAmended(tuple(issues), tuple(done)))

    def stop(self) -> None:
        """Drain: no session starts any more; when those that run are over, `run` returns."""
        with suppress(IllegalEvent):
            self._tell(StopRequested())

    def events(self) -> NoticeStream:
        """What happens from now on, until the run ends; for `async for` in the run's loop."""
        return self._audience.join()

    @asynccontextmanager
    async def merge_turn(self, repo: str) -> AsyncIterator[None]:
        """Hold the merge turn of a repo, for a merge of the engine's own.

        Waits in the same queue as the issues, first come, first served, and longer than the
        start of the run if need be. The run does not end while a turn is held or waited for.
        Raises `IllegalEvent` for an unknown repo and after the end of the run.
        """
        with self._turns.ticket() as (ticket, turn):
            if self._has_ended:
                raise IllegalEvent("the run is over; a merge turn comes too late")
            self._tell(MergeTurnRequested(repo, ticket))
            try:
                await turn
                yield
            finally:
                with suppress(IllegalEvent):  # the run is over, and its queues with it
                    self._tell(MergeTurnReturned(repo, ticket))

    # Continuing a wave

    def _continue(self, journal: Journal, early: list[Event]) -> None:
        """Go on where the journal ends; what was asked for before the run holds there too.

        Commands that were given while no run was under way come first.
        """
        past = past_of(journal.path, self._settings)
        ceiling = past.state.cap.ceiling
        if self._settings.ceiling > ceiling and self._cap_given:
            raise JournalError(
                f"journal {journal.path} was started with cap {ceiling}, which is the highest it "
                f"can have; give {ceiling} or less"
            )
        journal.continue_from(past.seal)
        self._outbox.clear()
        self._answers.clear()
        self._state, self._recorder = past.state, past.recorder
        self._replanner = Replanner(past.state.wave, self._plan_wanted)
        if past.state.started and not past.state.ended:
            self._tell(RunCutOff())
        for repo, ticket in self._state.waiting_tickets():  # of a process that is gone
            self._tell(MergeTurnReturned(repo, ticket))
        if self._plan_wanted is False and self._state.plan:
            self._tell(OrderPlanned(()))
        self._take_commands(journal.unanswered_commands(), journal.owner.since)
        if amendment := amendment_of(journal.path, past.state, self._settings.wave):
            self._amend(journal.path, amendment)
        if self._cap_given and self._settings.ceiling < past.state.cap.level:
            early.insert(0, CapMoved("set", self._settings.ceiling))
        for event in early:
            with suppress(IllegalEvent):  # it is so already
                self._tell(event)

    async def _settle(self) -> None:
        """Write and carry out what was told before the start."""
        taken = self._take_outbox()
        await self._write(taken)
        for told in taken:
            self._carry_out(told)

    def _amend(self, path: Path, amendment: WaveAmended) -> None:
        try:
            self._tell(amendment)
        except IllegalEvent as refusal:
            raise JournalError(
                f"journal {path} is of this wave before it was changed, and this change cannot be: "
                f"{refusal}"
            ) from refusal

    async def _ask_about_the_past(self) -> None:
        """Ask the pipeline about each issue in flight, and tell what it answers."""
        async with asyncio.TaskGroup() as group:
            for position in [*self._state.flight]:
                group.create_task(self._ask_about(self._state.records[position]))

    async def _ask_about(self, record: Record) -> None:
        issue = self._assignment(record)
        found = await finding_of(self._pipeline, issue, record.state, was_open=record.open)
        with suppress(IllegalEvent):  # it was parked or cancelled in the meantime
            self._tell(found)

    # Beat one: take what has come in

    def _tell(self, event: Event) -> None:
        """Step an event through the model. Raises `IllegalEvent`, with nothing changed."""
        with self._lock:
            if self._over:
                raise IllegalEvent(f"the run is over; {type(event).__name__} comes too late")
            at = self._clock()
            effects = step(self._state, event)
            self._recorder.note(at, event, effects)
            self._replanner.note(at, event, effects, self._state.wave)
            asked_for = self._journal_path is not None or self._audience.listens
            standings = standings_after(self._state, self._recorder, effects) if asked_for else {}
            self._outbox.append(StepResult(at, event, effects, standings))
            self._hold(event)
        if threading.get_ident() == self._thread:
            self._awake.set()
        elif self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: the run is over
                self._loop.call_soon_threadsafe(self._awake.set)

    def _hold(self, event: Event) -> None:
        """Remember what is asked for before the journal is opened: it may tell of another state."""
        if self._early is not None:
            self._early.append(event)

    def _take_outbox(self) -> list[StepResult]:
        self._awake.clear()
        with self._lock:
            taken, self._outbox = self._outbox, []
        return taken

    # Commands from outside

    def _rang(self) -> None:
        self._rung = True
        self._awake.set()

    async def _look_into_inbox(self) -> None:
        """Take the commands that were given since the bell rang, and before times are told.

        Without a bell, at every beat.
        """
        looks = self._rung or self._timers.are_due or self._bell is None
        if self._journal is None or self._loop is None or not looks:
            return
        self._rung = False
        try:
            read = self._journal.unanswered_commands
            self._take_commands(await self._loop.run_in_executor(self._writer, read))
        except JournalError as error:
            log.warning("commands cannot be read: %s", error)

    def _take_commands(self, commands: list[CommandRow], since: float | None = None) -> None:
        """Carry commands out. Their answers are written together with what they did.

        `since`: when this run took the journal, if it has not begun; what came before was for none.
        """
        answered = {number for number, _ in self._answers}
        for command in commands:
            if command.number in answered:  # the answer is not written yet
                continue
            with self._lock:
                live = not self._state.ended and self._state.started
                if since is not None:
                    live = command.at >= since
                answer = carried_out(
                    command.request, self._state, self._tell, live=live, extend=self._extend
                )
                self._answers.append((command.number, answer.encoded()))

    def _extend(self, issues: Sequence[Issue], details: Mapping[str, Any]) -> None:
        extend = getattr(self._pipeline, "extend", None)
        if extend is not None:
            extend(issues, details)

    def _take_answers(self) -> list[tuple[int, str]]:
        taken, self._answers = self._answers, []
        return taken

    # Beat two: write, then carry out

    async def _drive(self) -> None:
        async with self._group:
            try:
                self._tell(WaveStarted())
                self._begun = True
                while not self._finished:
                    await self._awake.wait()
                    await self._look_into_inbox()
                    self._tell_what_is_due()
                    taken = self._take_outbox()
                    if not (taken or self._answers):
                        continue
                    await self._write(taken)
                    for told in taken:
                        self._carry_out(told)
                    self._plan_anew()
            except BaseException:
                self._abandoned = True
                raise
            finally:
                if self._planning is not None:
                    self._planning.cancel()

    async def _write(self, taken: list[StepResult]) -> None:
        if self._journal is not None and self._loop is not None:
            append = self._journal.append
            rows, answers = _rows(taken), self._take_answers()
            writing = self._loop.run_in_executor(self._writer, append, *rows, answers)
            writing.add_done_callback(_looked_at)
            await asyncio.shield(writing)  # what was taken is written, even if the run is cancelled

    def _carry_out(self, told: StepResult) -> None:
        for effect in told.effects:
            if isinstance(effect, AnnounceIssue):
                if self._audience.listens:
                    self._announce_issue(told, effect)
            else:
                self._carriers[type(effect)](told.at, effect)

    def _plan_anew(self) -> None:
        """Plan beside the run, if it is time to."""
        if (
            self._replanner.is_interested
            and self._planning is None
            and self._replanner.is_due(self._clock(), self._state)
        ):
            self._planning = self._group.create_task(self._plan())

    async def _plan(self) -> None:
        """Have the order of admission planned in a thread, and tell what comes of it.

        Without a plan the wave goes on as well, so what goes wrong here ends nothing.
        """
        assert self._loop is not None
        try:
            with self._lock:
                question = self._replanner.question(self._clock(), self._state, self._recorder)
            if question is not None:
                answer = await self._loop.run_in_executor(None, answered, question)
                plan = self._replanner.told(answer)
                with self._lock:
                    if plan is not None and not self._has_ended:
                        self._tell(plan)
        except Exception as error:
            log.warning("the order of admission cannot be planned", exc_info=error)
        finally:
            self._planning = None

    def _close(self) -> None:
        """Leave nothing behind: no timer, no waiter, no writer, no unwritten event.

        A plan that is being worked out is worked out to its end, and nobody is told.
        """
        self._finished = True
        with self._lock:
            self._over = True
        if self._bell is not None:
            self._bell.take_down()
        self._timers.cancel()
        self._turns.end()
        self._audience.end()
        if self._writer is not None:
            self._writer.shutdown()
        if self._journal is not None:
            try:
                taken = self._take_outbox()
                if taken or self._journal.has_failed:
                    # raises again what a write failed with
                    self._journal.append(*_rows(taken), self._take_answers())
            finally:
                self._journal.close()

    # Carrying out orders

    def _start(self, at: float, order: StartOrder) -> None:
        session = _Session(order.session, self._group.create_task(self._run_session(order)))
        self._sessions[order.issue] = session

    async def _run_session(self, order: StartOrder) -> None:
        session = self._sessions[order.issue]
        with self._lock:
            if instead := start_veto(self._state, order.issue, order.session):
                del self._sessions[order.issue]
                self._tell(instead)
                return
            issue = self._assignment(self._state.find(order.issue))
        session.started = True
        outcome = await self._outcome(session, order, issue)
        del self._sessions[order.issue]
        self._tell(SessionEnded(order.issue, order.session, outcome))

    async def _outcome(self, session: _Session, order: StartOrder, issue: Assignment) -> Outcome:
        call, timeout = self._calls[type(order)]
        try:
            outcome = await outcome_of(KINDS[type(order)], call, issue, timeout)
        except asyncio.CancelledError:
            if session.ending:
                return Stopped()
            if self._is_abandoned():
                raise
            return Failed(f"{KINDS[type(order)].step} was cancelled, and not by the scheduler")
        if isinstance(outcome, Postponed) and outcome.until is None:
            return replace(outcome, until=self._clock() + self._limits.postpone_delay)
        return outcome

    def _is_abandoned(self) -> bool:
        """Whether the run is being given up, so that its sessions are cancelled."""
        cancels = self._runner.cancelling() if self._runner else 0
        return self._abandoned or cancels > self._cancels_before

    def _assignment(self, record: Record) -> Assignment:
        return assignment(
            self.wave.issues[record.position],
            session=record.session,
            attempt=record.attempts,
            round=record.rounds,
            checkpoint=record.checkpoints,
            failures=record.failures,
            feedback=record.feedback,
        )

    def _end_session(self, at: float, order: EndSession) -> None:
        session = self._sessions.get(order.issue)
        if session is not None and session.number == order.session:
            session.ending = True
            if session.started:
                session.task.cancel()

    def _wake_at(self, at: float, order: WakeAt) -> None:
        until = order.until
        if until is None:
            until = self._clock() + self._limits.postpone_delay
        self._timers.set(until, PostponementEnded(order.issue), order.issue)

    def _resume_at(self, at: float, order: ResumeAt) -> None:
        self._timers.set(order.until, PauseEnded(order.until))

    def _end_reservation_at(self, at: float, order: EndReservationAt) -> None:
        self._timers.set(order.until, ReservationEnded(order.issue, order.until), order.issue)

    def _tell_what_is_due(self) -> None:
        for event in self._timers.take_due():
            with suppress(IllegalEvent):  # somebody asked for something else in the meantime
                self._tell(event)

    def _grant_turn(self, at: float, order: GrantMergeTurn) -> None:
        self._turns.grant(order.ticket)

    def _announce_issue(self, told: StepResult, order: AnnounceIssue) -> None:
        issue = self.wave[order.issue]
        standing = told.standings.get(order.issue)
        self._audience.tell(
            Notice(
                told.at,
                "issue",
                issue.id,
                issue.repo,
                order.trigger,
                order.source,
                order.target,
                standing.reason if standing else self._state.find(order.issue).reason,
            )
        )

    def _announce_cap(self, at: float, order: AnnounceCap) -> None:
        self._audience.tell(Notice(at, "cap", level=order.level))

    def _finish(self, at: float, order: FinishWave) -> None:
        self._finished = True
        self._audience.tell(Notice(at, "end", reason=order.outcome))


def _rows(taken: list[StepResult]) -> tuple[list[RecordedEvent], list[tuple[str, Standing]]]:
    """The journal's rows: the events, and where the issues stand after them."""
    standings: dict[str, Standing] = {}
    for told in taken:
        standings.update(told.standings)
    return [RecordedEvent(told.at, told.event) for told in taken], list(standings.items())


def _looked_at(writing: asyncio.Future[None]) -> None:
    """Take note of a write's error; where nobody waits for it any more, `_close` raises it."""
    if not writing.cancelled():
        writing.exception()


def _single(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error in a group of one, however deep; else the group."""
    while len(group.exceptions) == 1:
        error = group.exceptions[0]
        if not isinstance(error, BaseExceptionGroup):
            return error
        group = error
    return group
