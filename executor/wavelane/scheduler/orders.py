"""Orders: how each effect of a step is carried out, once its event is on disk.

An effect is an order of the model. The model decides which orders are given, and in what sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wavelane.replay.replay import StepResult
from wavelane.scheduler.core import Core, RunPhase
from wavelane.scheduler.merge_turns import MergeTurns
from wavelane.scheduler.notices import Notice
from wavelane.scheduler.session_tasks import SessionTasks
from wavelane.scheduler.timers import Timers
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
from wavelane_model.events import PauseEnded, PostponementEnded, ReservationEnded
from wavelane_model.limits import Limits


class Orders:
    """Carries out the model's decisions.

    Attributes:
        timers: The times that the model waits for.
        turns: The merge turns that issues do not take.
    """

    def __init__(self, core: Core, sessions: SessionTasks, limits: Limits) -> None:
        self.timers = Timers(core.clock, core.awake.set)
        self.turns = MergeTurns()
        self._core = core
        self._audience = core.audience
        self._limits = limits
        self._carriers: dict[type[Effect], Callable[[float, Any], None]] = {
            StartImplementing: sessions.start,
            StartReviewing: sessions.start,
            StartMerging: sessions.start,
            EndSession: sessions.end,
            WakeAt: self._wake_at,
            ResumeAt: self._resume_at,
            EndReservationAt: self._end_reservation_at,
            GrantMergeTurn: self._grant_turn,
            AnnounceCap: self._announce_cap,
            FinishWave: self._finish,
        }

    def carry_out(self, result: StepResult) -> None:
        """Carry out the effects of one step."""
        for effect in result.effects:
            if isinstance(effect, AnnounceIssue):
                if self._audience.listens:
                    self._announce_issue(result, effect)
            else:
                self._carriers[type(effect)](result.at, effect)

    def close(self) -> None:
        """Cancel all timers, and end every wait for a merge turn or a notice."""
        self.timers.cancel()
        self.turns.end()
        self._audience.end()

    def _wake_at(self, at: float, order: WakeAt) -> None:
        until = self._limits.tried_again_at(self._core.clock(), order.until)
        self.timers.set(until, PostponementEnded(order.issue), order.issue)

    def _resume_at(self, at: float, order: ResumeAt) -> None:
        self.timers.set(order.until, PauseEnded(order.until))

    def _end_reservation_at(self, at: float, order: EndReservationAt) -> None:
        self.timers.set(order.until, ReservationEnded(order.issue, order.until), order.issue)

    def _grant_turn(self, at: float, order: GrantMergeTurn) -> None:
        self.turns.grant(order.ticket)

    def _announce_issue(self, result: StepResult, order: AnnounceIssue) -> None:
        issue = self._core.state.wave[order.issue]
        standing = result.standings.get(order.issue)
        self._audience.publish(
            Notice(
                result.at,
                "issue",
                issue.id,
                issue.repo,
                order.trigger,
                order.source,
                order.target,
                standing.reason if standing else self._core.state.find(order.issue).reason,
            )
        )

    def _announce_cap(self, at: float, order: AnnounceCap) -> None:
        self._audience.publish(Notice(at, "cap", level=order.level))

    def _finish(self, at: float, order: FinishWave) -> None:
        self._core.enter(RunPhase.FINISHED)
        self._audience.publish(Notice(at, "end", reason=order.outcome))
