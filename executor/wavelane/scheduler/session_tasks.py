"""The sessions of a run: each is a task, from its order until its end is reported.

1. Right before a session starts, the model is asked whether it still may. Nothing is awaited
   between that and the call of the pipeline.
2. A session is cancelled, never killed; its end is applied only when its task is over.
3. A cancellation that the run did not request is a failure of the session.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from wavelane.pipeline import Assignment, Pipeline, assignment
from wavelane.scheduler.core import Core, RunPhase
from wavelane.scheduler.sessions import outcome_of
from wavelane.steps import KINDS, StartOrder
from wavelane_model.effects import EndSession, StartImplementing, StartMerging, StartReviewing
from wavelane_model.events import SessionEnded
from wavelane_model.limits import Limits
from wavelane_model.outcomes import Failed, Outcome, Postponed, Stopped
from wavelane_model.records import Record
from wavelane_model.step import start_veto
from wavelane_model.wave import Wave


@dataclass(slots=True)
class Session:
    """A session whose task exists."""

    number: int
    task: asyncio.Task[None]
    started: bool = False
    ending: bool = False


class SessionTasks:
    """Starts and ends the sessions of a run."""

    def __init__(
        self, core: Core, tasks: asyncio.TaskGroup, pipeline: Pipeline, limits: Limits
    ) -> None:
        self._core = core
        self._tasks = tasks
        self._limits = limits
        self._sessions: dict[str, Session] = {}
        self._runner: asyncio.Task[object] | None = None
        self._cancels_before = 0
        self._calls = {
            StartImplementing: (pipeline.implement, limits.implement_timeout),
            StartReviewing: (pipeline.review, limits.review_timeout),
            StartMerging: (pipeline.merge, limits.merge_timeout),
        }

    def bind(self) -> None:
        """Bind to the running task: when it is cancelled, so are the sessions."""
        self._runner = asyncio.current_task()
        self._cancels_before = self._runner.cancelling() if self._runner else 0

    def start(self, at: float, order: StartOrder) -> None:
        """Start a session."""
        session = Session(order.session, self._tasks.create_task(self._run_session(order)))
        self._sessions[order.issue] = session

    def end(self, at: float, order: EndSession) -> None:
        """End a session, if it is still there."""
        session = self._sessions.get(order.issue)
        if session is not None and session.number == order.session:
            session.ending = True
            if session.started:
                session.task.cancel()

    async def _run_session(self, order: StartOrder) -> None:
        session, core = self._sessions[order.issue], self._core
        with core.lock:
            if instead := start_veto(core.state, order.issue, order.session):
                del self._sessions[order.issue]
                core.apply(instead)
                return
            issue = assignment_of(core.state.wave, core.state.find(order.issue))
        session.started = True
        outcome = await self._outcome(session, order, issue)
        del self._sessions[order.issue]
        core.apply(SessionEnded(order.issue, order.session, outcome))

    async def _outcome(self, session: Session, order: StartOrder, issue: Assignment) -> Outcome:
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
            return replace(outcome, until=self._limits.tried_again_at(self._core.clock()))
        return outcome

    def _is_abandoned(self) -> bool:
        """Whether the run is being abandoned, so that its sessions are cancelled."""
        cancels = self._runner.cancelling() if self._runner else 0
        return self._core.phase is RunPhase.ABANDONED or cancels > self._cancels_before


def assignment_of(wave: Wave, record: Record) -> Assignment:
    """What the pipeline receives to work on an issue."""
    return assignment(
        wave.issues[record.position],
        session=record.session,
        attempt=record.attempts,
        round=record.rounds,
        checkpoint=record.checkpoints,
        failures=record.failures,
        feedback=record.feedback,
    )
