"""When the order of admission is planned, from what, and when a plan is worth applying.

1. It is planned before the start, and again when the wave deviates from the plan: an issue was done
   early or late, parked, cancelled, or queued again; the cap has moved; issues were added.
2. The model says what an issue is expected to take (`wavelane_model.lengths`), using also what the
   issues done by then have taken.
3. Estimates are assumed to scatter, so the search is for an order that ends the wave sooner on
   average. Only such an order is applied. The model then admits by it, within its rules. Issues in
   flight come before all others in it: one that is queued again continues first.
4. A lane is reserved for an issue until a while after its planned start; then the issue counts as
   late. The planner knows which reservations the model would refuse, so its predictions hold.

`Replanner` knows no clock and no thread: the run asks it and passes its questions to `solve`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Final, NamedTuple

from wavelane.replay.experience import finished_in
from wavelane.replay.replay import Replay, StepResult
from wavelane_model.cap import Cap
from wavelane_model.effects import AnnounceIssue
from wavelane_model.events import (
    CapMoved,
    Event,
    OrderPlanned,
    PauseEnded,
    PostponementEnded,
    Reservation,
    ReservationEnded,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.lengths import are_seconds, lengths
from wavelane_model.lifecycle import TAKEN_OUT, LaneRelease, State
from wavelane_model.state import WaveState
from wavelane_model.view import backlog
from wavelane_model.wave import Wave

if TYPE_CHECKING:
    from wavelane.planning.planner import Plan

LARGEST: Final = 500
"""The largest number of issues in a wave that is planned. A larger one keeps the usual order."""
SCATTER: Final = 0.3
"""The standard deviation of the logarithm of actual over expected session lengths."""
EFFORT: Final = 4_000
"""The effort of a search; see `wavelane.planning.planner`."""

_LEAST_GAIN: Final = 0.01
"""The share of its length by which a wave must end sooner for a plan to be applied."""
_TOLERANCE: Final = 0.1
"""The share of its length by which an issue may be early or late."""
_LATENESS: Final = 0.3
"""The share of the time up to its planned start by which an issue may be late before its
reservation ends."""
_LEAST_LATENESS: Final = 1.0
"""Seconds by which it may be late in any case."""
_REST: Final = 20.0
"""No new planning starts for this many times as long as the last one took."""
_CAUSES: Final = (WaveAmended, CapMoved, PauseEnded, PostponementEnded, ReservationEnded)
_CHANGES: Final[frozenset[State]] = frozenset((*TAKEN_OUT, "queued"))


class Question(NamedTuple):
    """What to plan, as of `at` (seconds since the epoch)."""

    at: float
    wave: Wave
    seconds: Sequence[float]
    cap: int
    elapsed: Mapping[int, float]
    todo: frozenset[int]
    order: tuple[int, ...]
    reservations: Mapping[int, float]
    unreservable: frozenset[int]
    may_reserve: bool


class Solution(NamedTuple):
    """The plan, and how many seconds planning took."""

    question: Question
    plan: Plan
    took: float


def solve(question: Question, *, scatter: float = SCATTER, effort: int = EFFORT) -> Solution:
    """Search for a plan: some tenths of a second for 100 issues, one or two seconds for 500.

    With less `effort`, or without `scatter`, it takes less time, and the plan is not as good.
    """
    from wavelane.planning.planner import planned

    began = perf_counter()
    plan = planned(
        question.wave,
        question.seconds,
        question.cap,
        elapsed=question.elapsed,
        todo=question.todo,
        start_from=question.order,
        reservations={one: until - question.at for one, until in question.reservations.items()},
        unreservable=question.unreservable,
        may_reserve=question.may_reserve,
        scatter=scatter,
        effort=effort,
    )
    return Solution(question, plan, perf_counter() - began)


def opening(
    wave: Wave, cap: int, *, lane_release: LaneRelease = "done", wanted: bool | None = None
) -> tuple[Event, ...]:
    """The opening of a run of `wave`: its plan, if it has one, and the start, at time 0."""
    replay = Replay(WaveState(wave, cap=Cap.at(cap), lane_release=lane_release))
    replanner = Replanner(wave, wanted)
    question = replanner.question(0.0, replay)
    plan = None if question is None else replanner.decide(solve(question))
    return (WaveStarted(),) if plan is None else (plan, WaveStarted())


class Replanner:
    """Decides when to plan. `wanted`: always, never, or (None) if there are estimates.

    Estimates may be given, or learned from earlier waves.
    """

    def __init__(self, wave: Wave, wanted: bool | None = None) -> None:
        self._wanted = wanted
        self._active = bool(wanted)
        self._consider(wave)
        self._due = True
        self._not_before = 0.0
        self._ends: dict[str, tuple[float, float]] = {}
        """By issue: its planned end, and by how much it may be early or late."""

    def _consider(self, wave: Wave) -> None:
        if self._wanted is None:
            given = any(issue.estimate is not None for issue in wave.issues)
            self._active = given or bool(wave.experience)

    def follow(self, state: WaveState, result: StepResult) -> None:
        """Follow one step; see `wavelane.replay.replay.Follower`."""
        if type(result.event) is WaveAmended:
            self._consider(state.wave)
        if self._active and not self._due:
            self._due = isinstance(result.event, _CAUSES) or any(
                isinstance(effect, AnnounceIssue) and self._matters(result.at, effect)
                for effect in result.effects
            )

    def _matters(self, at: float, effect: AnnounceIssue) -> bool:
        if effect.target != "done":
            return effect.target in _CHANGES
        expected, tolerance = self._ends.get(effect.issue, (at, -1.0))
        return abs(at - expected) > tolerance

    @property
    def is_interested(self) -> bool:
        """Whether anything has happened that may call for a new plan."""
        return self._active and self._due

    def is_due(self, at: float, state: WaveState) -> bool:
        """Whether it is time to ask for a `question`. Cheap, whatever the size of the wave."""
        return (
            self.is_interested
            and at >= self._not_before
            and len(state.wave) <= LARGEST
            and state.sessions_allowed
        )

    def question(self, at: float, replay: Replay) -> Question | None:
        """What to plan now, if anything."""
        state, recorder = replay.state, replay.recorder
        if not self.is_due(at, state):
            return None
        self._due = False
        left = backlog(state)
        if not left.queued:
            return None
        ids = [issue.id for issue in state.wave.issues]
        found = lengths(state.wave, finished_in(state, recorder))
        in_seconds = are_seconds(found)
        return Question(
            at=at,
            wave=state.wave,
            seconds=[length.expected for length in found],
            cap=state.cap.level,
            elapsed={
                one: recorder.worked(ids[one], at) if in_seconds else 0.0 for one in left.in_flight
            },
            todo=left.todo,
            order=left.queued,
            reservations=left.reserved,
            unreservable=left.spent,
            may_reserve=state.lane_release == "done" and in_seconds,
        )

    def decide(self, solution: Solution) -> OrderPlanned | None:
        """The event that makes a solution the plan of the wave, if it is worth applying."""
        question, plan, took = solution
        at, issues = question.at, question.wave.issues
        self._not_before = at + _REST * took
        self._ends = {
            issues[one].id: (at + span.end, _TOLERANCE * question.seconds[one])
            for one, span in plan.spans.items()
        }
        if not plan.sooner > _LEAST_GAIN * plan.makespan:
            return None
        order = (*question.elapsed, *plan.order)  # an issue in flight may be queued again
        return OrderPlanned(
            tuple(issues[one].id for one in order),
            tuple(
                Reservation(issues[one].id, at + _reserved_seconds(plan.spans[one].start))
                for one in sorted(plan.reserved_for)
            ),
        )


def _reserved_seconds(start: float) -> float:
    """For how long a lane is reserved for an issue planned to start in `start` seconds."""
    return start + max(_LATENESS * start, _LEAST_LATENESS)
