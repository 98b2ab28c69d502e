"""The planner of a schedule: its answers, and how long they took, are chosen.

It answers as the real one does, or with any order and any reservations, or it fails. So a plan may
be good or bad, recorded or dropped, and may reserve lanes for issues that are ready late or never.

plan  one plan is made at a time, and one that ends the wave sooner is recorded during the run
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from specs.simulation.loop import SimulatedLoop
from wavelane.journal import RecordedEvent
from wavelane.planning import replanner
from wavelane.planning.planner import Plan, Span
from wavelane.planning.replanner import Question, Solution
from wavelane_model.events import OrderPlanned

_EFFORT: Final = 300
"""Effort of the real planner: there are few issues, and many schedules."""
_TOOK: Final = (0.0, 0.05, 0.5)
"""Seconds that planning took; the next plan waits for twenty times as long."""
_STARTS: Final = (4.0, 0.0, 1.0, 15.0, 60.0)
"""Seconds until the planned start of an issue."""


class SimulatedPlanner:
    """Takes the place of `solve` of the replanner.

    `log` is called with each line for the trace, and `complain` with each broken property.
    """

    def __init__(
        self, loop: SimulatedLoop, log: Callable[[str], None], complain: Callable[[str], None]
    ) -> None:
        self._pool = loop.pool
        self._chooser = loop.chooser
        self._log = log
        self._complain = complain
        self._asked_at = 0.0
        self._is_better = False
        """Whether a better plan was made, and is not written yet."""
        self.seen: set[str] = set()
        """What happened to plans, in words."""

    def __call__(self, question: Question) -> Solution:
        """Answer a question. Raises `ValueError` if the chooser lets it fail."""
        self._asked_at = question.at
        answers = (_real, *(self._chosen,) * 6, self._fails)
        plan = self._chooser.one_of(answers)(question)
        self._log(_in_words(question, plan))
        self._is_better = plan.sooner == plan.makespan
        return Solution(question, plan, self._chooser.one_of(_TOOK))

    def written(self, entries: Iterable[RecordedEvent]) -> None:
        """These events are on disk."""
        for entry in entries:
            if isinstance(entry.event, OrderPlanned):
                self._is_better = False
                if entry.at > self._asked_at:
                    self.seen.add("a plan comes late")

    def look(self, *, under_way: bool) -> None:
        """Check at a time when all is written and nothing moves. `under_way`: whether a run is."""
        if self._pool.busy > 1:
            self._complain("plan: two plans are made at once")
        if self._is_better and not self._pool.busy:
            self._is_better = False
            if under_way:
                self._complain("plan: a better plan is not recorded")

    def _fails(self, question: Question) -> Plan:
        self._log("the planner fails")
        self.seen.add("the planner fails")
        raise ValueError("the planner cannot")

    def _chosen(self, question: Question) -> Plan:
        chooser = self._chooser
        order = chooser.one_of((self._shuffled, _from_the_end))(question)
        reserved = frozenset(one for one in order if question.may_reserve and chooser.number(3))
        spans = {one: self._span(question.seconds[one]) for one in sorted(question.todo)}
        makespan = max(span.end for span in spans.values())
        return Plan(order, reserved, spans, makespan, chooser.one_of((makespan, makespan, 0.0)))

    def _shuffled(self, question: Question) -> tuple[int, ...]:
        left = [*question.order]
        return tuple(left.pop(self._chooser.number(len(left))) for _ in question.order)

    def _span(self, seconds: float) -> Span:
        start = self._chooser.one_of(_STARTS)
        return Span(start, start + seconds)


def _real(question: Question) -> Plan:
    return replanner.solve(question, scatter=0.0, effort=_EFFORT).plan


def _in_words(question: Question, plan: Plan) -> str:
    ids = [issue.id for issue in question.wave.issues]
    order = " ".join(
        ids[one] + " (reserved for)" * (one in plan.reserved_for) for one in plan.order
    )
    return f"planned: {order}"


def _from_the_end(question: Question) -> tuple[int, ...]:
    """Dependents before their dependencies: an order that makes lanes wait."""
    place = {one: at for at, one in enumerate(question.wave.topological())}
    return tuple(sorted(question.order, key=place.__getitem__, reverse=True))
