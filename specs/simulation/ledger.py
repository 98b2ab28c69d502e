"""The ledger: what is in the journal for good, and what may therefore happen.

It is told of every transaction that was committed, folds its events through the model, and knows
so which orders are due. Whatever happens in the world has to follow from it:

durable  a session, a merge and a turn begin, and a notice is sent, after the events that led to it
         were written, and once
ended    a session is cancelled because that was ordered, its time is up, or the run is given up;
         and when that is so, it is cancelled at once, and none begins
told     every session that ended by itself is in the journal, once, with the outcome that it had
plan     a run that is not to plan follows no plan

What the events come to for the lanes is watched by `Lanes` (specs/simulation/lanes.py).
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from specs.endings import counts_as
from specs.observers import Step
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


class Session(NamedTuple):
    """A session or merge of an issue, by its number."""

    issue: str
    number: int


class Ledger:
    """What is committed of one run, and what is wrong with the world.

    `seconds` is virtual time, `complain` is called with what is broken, "property: what", and `say`
    with what is to be told.
    """

    def __init__(
        self,
        case: Case,
        *,
        seconds: Callable[[], float],
        say: Callable[[str], None],
        complain: Callable[[str], None],
    ) -> None:
        self._case = case
        self._seconds = seconds
        self.say = say
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
        """When the run was given up: cancelled, or told that a write had failed."""
        self._is_late = False
        self._starts: set[tuple[Step, Session]] = set()
        self._ends: dict[Session, float | None] = {}
        """The sessions that are to end, and when the run heard that this was written."""
        self._turns: Counter[str] = Counter()
        self._notices: deque[tuple[str, str]] = deque()
        self._outcomes: dict[Session, Outcome] = {}
        self._own_ends: dict[Session, type[Outcome]] = {}
        self._taken_out: set[str] = set()
        self._waiting: list[asyncio.Future[None]] = []

    # What is told by the disk and the thread

    def committed(self, entries: Iterable[RecordedEvent]) -> None:
        """A transaction is on the disk."""
        for entry in entries:
            self.say(f"on disk: {entry.event}")
            self._take(entry)
            if self._case.plan is False and self.lanes.follows_a_plan:
                self.complain("plan: a run that is not to plan follows a plan")

    def heard(self) -> None:
        """The run hears that all that was committed is on the disk."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.set_result(None)
        for session, since in self._ends.items():
            if since is None:
                self._ends[session] = self._seconds()

    def look(self, now: float, *, returned: bool) -> None:
        """All is written and heard of, and nothing moves until a time comes.

        `returned`: run() has.
        """
        self.lanes.look(now)
        if self.lanes.over and not returned and not self._is_late:
            self._is_late = True
            self.complain("ending: the wave has ended, and run() goes on")

    def next_write(self) -> asyncio.Future[None]:
        """What is done when the run hears of a write."""
        self._waiting.append(asyncio.get_running_loop().create_future())
        return self._waiting[-1]

    def remember(self, entries: Iterable[RecordedEvent]) -> None:
        """All that earlier processes committed. What they did not carry out never will be."""
        for entry in entries:
            self._take(entry)
        self.lanes.begins_a_life()
        self._starts.clear()
        self._ends.clear()
        self._turns.clear()
        self._notices.clear()
        self._outcomes.clear()

    def give_up(self) -> None:
        """From now on the run is to end."""
        if self.given_up is None:
            self.given_up = self._seconds()

    # What happens in the world

    def begins(self, step: Step, session: Session) -> None:
        """The pipeline is called."""
        if (step, session) not in self._starts:
            self.complain(
                f"durable: {step} of {session.issue} began as session {session.number}: its order "
                "is not in the journal, or was carried out before"
            )
        self._starts.discard((step, session))
        if session.issue in self._taken_out:
            self.complain(f"ended: {step} of {session.issue} began after it was taken out")
        if self._is_past(self.given_up):
            self.complain(f"ended: {step} of {session.issue} began after the run was given up")

    def is_cancelled(self, step: Step, session: Session, began: float) -> None:
        """A call of the pipeline that began at `began` gets a cancellation."""
        end = self._end_of_time(step, began)
        timed_out = end is not None and self._seconds() >= end
        if session not in self._ends and not timed_out and self.given_up is None:
            self.complain(f"ended: {step} of {session.issue} was cancelled without a reason")

    def goes_on(self, step: Step, session: Session, began: float) -> None:
        """A call of the pipeline that began at `began` is alive, and nobody has cancelled it."""
        ends = (self._ends.get(session), self.given_up, self._end_of_time(step, began))
        if any(map(self._is_past, ends)):
            self.complain(f"ended: {step} of {session.issue} was to end and was not cancelled")

    def ended_by_itself(self, step: Step, session: Session, ending: object) -> None:
        """A call of the pipeline returned or raised `ending`, uncancelled."""
        self._own_ends[session] = counts_as(step, ending)

    def turn_begins(self, repo: str) -> None:
        """Somebody else has the merge turn of `repo`."""
        self._turns[repo] -= 1
        if self._turns[repo] < 0:
            self.complain(f"durable: a merge turn of {repo} began that is not in the journal")

    def noticed(self, notice: Notice) -> None:
        """A notice goes out."""
        what = _of_notice(notice)
        if not self._notices or self._notices.popleft() != what:
            self.complain(f"durable: notice of {' '.join(what)} is not what the journal says next")
        if notice.target in ("parked", "cancelled", "queued", "done"):
            self._taken_out.discard(notice.issue)

    def taken_out(self, issue: str) -> None:
        """An operator parked or cancelled an issue."""
        self._taken_out.add(issue)

    def check_told(self, *, all_written: bool) -> None:
        """At the end: is everything told that has happened?"""
        for session, kind in self._own_ends.items():
            outcome = self._outcomes.get(session)
            if outcome is None and all_written:
                self.complain(f"told: session {session.number} of {session.issue} ended untold")
            if outcome is not None and type(outcome) is not kind:
                self.complain(
                    f"told: session {session.number} of {session.issue} ended as {outcome}; "
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
            session = Session(entry.event.issue, entry.event.session)
            self._outcomes[session] = entry.event.outcome
        self.lanes.take(entry, effects)
        for effect in effects:
            self._order(effect)

    def _order(self, effect: Effect) -> None:
        match effect:
            case StartImplementing(issue, number) | StartReviewing(issue, number):
                self._starts.add((_STEPS[type(effect)], Session(issue, number)))
            case StartMerging(issue, number):
                self._starts.add(("merge", Session(issue, number)))
            case EndSession(issue, number):
                self._ends[Session(issue, number)] = None
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
