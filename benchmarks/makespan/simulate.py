"""A wave through the real model, in simulated time.

Every order the model gives is carried out at once and ends after its time: `step` alone decides
what starts when. Sessions that end at the same instant are reported in the order in which they
started. A replanner is asked whenever all that happened at an instant has been applied, as in a
real run.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

from wavelane import Wave
from wavelane.planning.replanner import Replanner, solve
from wavelane.replay.replay import Replay
from wavelane_model.cap import Cap
from wavelane_model.effects import (
    Effect,
    EndReservationAt,
    StartImplementing,
    StartMerging,
    StartReviewing,
)
from wavelane_model.events import Event, ReservationEnded, SessionEnded, WaveStarted
from wavelane_model.outcomes import Approved, Implemented, Merged
from wavelane_model.state import WaveState


def simulated(
    wave: Wave,
    seconds: Sequence[float],
    cap: int,
    *,
    opening: Sequence[Event] = (),
    replanner: Replanner | None = None,
) -> float:
    """When `wave` ends whose implementing sessions take `seconds`, by position; the rest no time.

    `opening`: the events before the start. Raises `RuntimeError` when not every issue was done.
    """
    simulation = _Simulation(wave, seconds, cap, replanner)
    for event in opening:
        simulation.take(event)
    return simulation.run()


class _Simulation:
    def __init__(
        self, wave: Wave, seconds: Sequence[float], cap: int, replanner: Replanner | None
    ) -> None:
        self._seconds = seconds
        followers = () if replanner is None else (replanner.follow,)
        self._replay = Replay(WaveState(wave, cap=Cap.at(cap)), *followers)
        self._state = self._replay.state
        self._replanner = replanner
        self._clock = 0.0
        self._count = 0
        self._due: list[tuple[float, int, SessionEnded | ReservationEnded]] = []

    def run(self) -> float:
        """Start the wave, and go on to its end."""
        self._plan()
        self.take(WaveStarted())
        while self._due and not self._state.ended:
            self._clock, _, event = heappop(self._due)
            if isinstance(event, SessionEnded) or self._is_held(event):
                self.take(event)
            if not self._due or self._due[0][0] > self._clock:
                self._plan()
        if self._state.outcome != "complete":
            raise RuntimeError(f"{self._state.done} of {len(self._state.wave)} issues were done")
        return self._clock

    def take(self, event: Event) -> None:
        """Step an event and carry out what follows."""
        for effect in self._replay.apply(self._clock, event).effects:
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case StartImplementing(issue, session):
                took = self._seconds[self._state.wave.position[issue]]
                self._set(self._clock + took, SessionEnded(issue, session, Implemented()))
            case StartReviewing(issue, session):
                self._set(self._clock, SessionEnded(issue, session, Approved()))
            case StartMerging(issue, session):
                self._set(self._clock, SessionEnded(issue, session, Merged()))
            case EndReservationAt(issue, until):
                self._set(until, ReservationEnded(issue, until))
            case _:
                pass

    def _set(self, at: float, event: SessionEnded | ReservationEnded) -> None:
        self._count += 1
        heappush(self._due, (at, self._count, event))

    def _is_held(self, event: ReservationEnded) -> bool:
        return self._state.reservations.get(self._state.wave.position[event.issue]) == event.until

    def _plan(self) -> None:
        """Ask and apply; planning takes no simulated time."""
        if self._replanner is None:
            return
        question = self._replanner.question(self._clock, self._replay)
        if question is not None:
            plan = self._replanner.decide(solve(question)._replace(took=0.0))
            if plan is not None:
                self.take(plan)
