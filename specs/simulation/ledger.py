"""The ledger: what is durably in the journal, and what may therefore happen.

It receives every committed transaction, folds its events through the model, and so knows which
orders are due. Everything that happens in the world has to follow from it:

durable   a session, a merge and a turn start, and a notice is sent, once, after the events that
          caused it were written
ended     a session is cancelled only because that was ordered, its time is up, or the run is given
          up; then it is cancelled at once, and none starts
recorded  every session that ended by itself is in the journal, once, with its own outcome
plan      a run without planning follows no plan

`Lanes` (specs/simulation/lanes.py) checks what the events mean for the lanes.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from specs.endings import counts_as
from specs.observers import RuleBroken, Step
from specs.simulation.case import Case
from specs.simulation.lanes import Lanes
from wavelane.journal import RecordedEvent
from wavelane.scheduler.notices import Notice
from wavelane_model.cap import Cap
from wavelane_model.effects import (
    AnnounceCap,
    AnnounceIssue,
    Effect,
    EndSession,
    FinishWave,
    GrantMergeTurn,
    StartImplementing,
    StartMerging,
    StartReviewing,
)
from wavelane_model.events import SessionEnded
from wavelane_model.outcomes import Failed, Outcome
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent, step

_STEPS: dict[type[Effect], Step] = {
    StartImplementing: "implement",
    StartReviewing: "review",
    StartMerging: "merge",
}


class SessionId(NamedTuple):
    """A session or merge of an issue, by its number."""

    issue: str
    number: int


class Ledger:
    """What is committed of one run, and which events of the world do not follow from it.

    `seconds` gives the virtual time; `complain` is called with each broken property, as
    "property: what", and `log` with each line for the trace.
    """

    def __init__(
        self,
        case: Case,
        *,
        seconds: Callable[[], float],
        log: Callable[[str], None],
        complain: Callable[[str], None],
    ) -> None:
        self._case = case
        self._seconds = seconds
        self.log = log
        self.complain = complain
        self._state = WaveState(
            case.wave,
            cap=Cap.at(case.ceiling),
            lane_release=case.lane_release,
            limits=case.limits,
        )
        self.lanes = Lanes(case.wave, case.lane_release, case.ceiling, complain)
        self.entries: list[RecordedEvent] = []
        """All that was committed, in order."""
        self.given_up: float | None = None
        """When the run was given up: cancelled, or informed that a write had failed."""
        self._is_late = False
        self._starts: set[tuple[Step, SessionId]] = set()
        self._ends: dict[SessionId, float | None] = {}
        """Sessions whose end was ordered, and when the run learned that the order was written."""
        self._turns: Counter[str] = Counter()
        self._notices: deque[tuple[str, str]] = deque()
        self._outcomes: dict[SessionId, Outcome] = {}
        self._own_ends: dict[SessionId, type[Outcome]] = {}
        self._taken_out: set[str] = set()
        self._waiting: list[asyncio.Future[None]] = []

    # Reports from the disk and its thread

    def committed(self, entries: Iterable[RecordedEvent]) -> None:
        """A transaction is on the disk."""
        for entry in entries:
            self.log(f"on disk: {entry.event}")
            self._take(entry)
            if self._case.plan is False and self.lanes.follows_a_plan:
                self.complain("plan: a run without planning follows a plan")

    def write_acknowledged(self) -> None:
        """The run learns that everything committed is on the disk."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.set_result(None)
        for session, since in self._ends.items():
            if since is None:
                self._ends[session] = self._seconds()

    def look(self, now: float, *, returned: bool) -> None:
        """Check the lanes when all is written and nothing moves until virtual time goes on.

        `returned`: whether `run()` has returned.
        """
        self.lanes.look(now)
        if self.lanes.over and not returned and not self._is_late:
            self._is_late = True
            self.complain("ending: the wave has ended, and run() has not returned")

    def next_write(self) -> asyncio.Future[None]:
        """A future that is done when the run learns of the next write."""
        self._waiting.append(asyncio.get_running_loop().create_future())
        return self._waiting[-1]

    def replay(self, entries: Iterable[RecordedEvent]) -> None:
        """Fold what earlier processes committed; the orders that they left open are void."""
        for entry in entries:
            self._take(entry)
        self.lanes.start_life()
        self._starts.clear()
        self._ends.clear()
        self._turns.clear()
        self._notices.clear()
        self._outcomes.clear()

    def give_up(self) -> None:
        """The run has to end from now on."""
        if self.given_up is None:
            self.given_up = self._seconds()

    # Events of the world

    def call_started(self, step: Step, session: SessionId) -> None:
        """A call of the pipeline starts."""
        if (step, session) not in self._starts:
            self.complain(
                f"durable: {step} of {session.issue} started as session {session.number}, but its "
                "order is not in the journal, or was carried out before"
            )
        self._starts.discard((step, session))
        if session.issue in self._taken_out:
            self.complain(f"ended: {step} of {session.issue} started after it was taken out")
        if self._is_past(self.given_up):
            self.complain(f"ended: {step} of {session.issue} started after the run was given up")

    def call_cancelled(self, step: Step, session: SessionId, began: float) -> None:
        """A call of the pipeline that started at `began` is cancelled."""
        end = self._end_of_time(step, began)
        timed_out = end is not None and self._seconds() >= end
        if session not in self._ends and not timed_out and self.given_up is None:
            self.complain(f"ended: {step} of {session.issue} was cancelled without a reason")

    def call_continues(self, step: Step, session: SessionId, began: float) -> None:
        """A call of the pipeline that started at `began` is running, and was not cancelled."""
        ends = (self._ends.get(session), self.given_up, self._end_of_time(step, began))
        if any(map(self._is_past, ends)):
            self.complain(f"ended: {step} of {session.issue} had to end and was not cancelled")

    def call_ended(self, step: Step, session: SessionId, ending: object) -> None:
        """A call of the pipeline returned or raised `ending`, uncancelled."""
        self._own_ends[session] = counts_as(step, ending)

    def complain_of(self, error: Exception) -> None:
        """An observer raised this: a rule was broken, or the observer itself failed."""
        self.complain(
            str(error) if isinstance(error, RuleBroken) else f"crash: the observer: {error!r}"
        )

    def turn_started(self, repo: str) -> None:
        """A merge of the engine's own has the turn of `repo`."""
        self._turns[repo] -= 1
        if self._turns[repo] < 0:
            self.complain(f"durable: a merge turn of {repo} started that is not in the journal")

    def notice_sent(self, notice: Notice) -> None:
        """A notice is sent."""
        what = _of_notice(notice)
        if not self._notices or self._notices.popleft() != what:
            self.complain(f"durable: notice of {' '.join(what)} is not the next one by the journal")
        if notice.target in ("parked", "cancelled", "queued", "done"):
            self._taken_out.discard(notice.issue)

    def taken_out(self, issue: str) -> None:
        """An operator parked or cancelled an issue."""
        self._taken_out.add(issue)

    def check_recorded(self, *, all_written: bool) -> None:
        """At the end: is everything in the journal that has happened?"""
        for session, kind in self._own_ends.items():
            outcome = self._outcomes.get(session)
            if outcome is None and all_written:
                self.complain(
                    f"recorded: the end of session {session.number} of {session.issue} is missing"
                )
            if outcome is not None and type(outcome) is not kind:
                self.complain(
                    f"recorded: session {session.number} of {session.issue} ended as {outcome}; "
                    f"it should be {kind.__name__}"
                )

    def seen(self) -> set[str]:
        """The events and outcomes that are in the journal, in words."""
        outcomes = self._outcomes.values()
        seen = {type(entry.event).__name__ for entry in self.entries}
        seen.update(type(outcome).__name__ for outcome in outcomes)
        if any(isinstance(one, Failed) and "took longer" in one.error for one in outcomes):
            seen.add("a time-out")
        return seen

    def _take(self, entry: RecordedEvent) -> None:
        self.entries.append(entry)
        try:
            effects = step(self._state, entry.event)
        except IllegalEvent as refusal:
            self.complain(f"journal: {entry.event} is written and illegal: {refusal}")
            return
        if isinstance(entry.event, SessionEnded):
            session = SessionId(entry.event.issue, entry.event.session)
            self._outcomes[session] = entry.event.outcome
        self.lanes.take(entry, effects)
        for effect in effects:
            self._order(effect)

    def _order(self, effect: Effect) -> None:
        match effect:
            case StartImplementing(issue, number) | StartReviewing(issue, number):
                self._starts.add((_STEPS[type(effect)], SessionId(issue, number)))
            case StartMerging(issue, number):
                self._starts.add(("merge", SessionId(issue, number)))
            case EndSession(issue, number):
                self._ends[SessionId(issue, number)] = None
            case GrantMergeTurn(repo, _):
                self._turns[repo] += 1
            case AnnounceIssue(issue, trigger, _, target):
                self._notices.append((issue, f"{trigger} to {target}"))
            case AnnounceCap(level):
                self._notices.append(("the cap", str(level)))
            case FinishWave(outcome):
                self._notices.append(("the end", outcome))
            case _:
                pass

    def _end_of_time(self, step: Step, began: float) -> float | None:
        limit: float | None = getattr(self._case.limits, f"{step}_timeout")
        return None if limit is None else round(began + limit, 3)

    def _is_past(self, time: float | None) -> bool:
        return time is not None and time < self._seconds()


def _of_notice(notice: Notice) -> tuple[str, str]:
    if notice.kind == "issue":
        return notice.issue, f"{notice.trigger} to {notice.target}"
    if notice.kind == "cap":
        return "the cap", str(notice.level)
    return "the end", notice.reason
