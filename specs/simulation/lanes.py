"""The lanes of a wave, by the events on the disk: which are idle, and whether they may be.

It adds up the written events and the moves that follow from them, and uses no guard and no index of
the model. It checks these properties, the last one when all is written and nothing moves until
virtual time goes on:

reservation
      nothing is admitted into a lane that is reserved for an earlier issue of the plan; a
      reservation ends when its issue starts, is taken out or changed, when a direct or indirect
      dependency is taken out, when its time has come, and with the run; and not before. It is not
      prolonged, and an issue gets no second one unless a human has unparked it
plan  the first issue by priority and plan is admitted before the others that could be; no plan is
      recorded after the end of the run
idle  a ready issue starts if its lane is free and not reserved, and the cap has room
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

from wavelane.journal import RecordedEvent
from wavelane_model.effects import AnnounceCap, AnnounceIssue, Effect, FinishWave
from wavelane_model.events import (
    CapMoved,
    Event,
    OrderPlanned,
    PostponementEnded,
    Reservation,
    ReservationEnded,
    RunCutOff,
    StopRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.lifecycle import IN_FLIGHT, TAKEN_OUT, LaneRelease, State, lane_states
from wavelane_model.wave import Issue, Wave

EndOfReservation = Literal[
    "its issue is admitted",
    "its issue is parked",
    "its issue is cancelled",
    "its issue is changed",
    "what it waits for is taken out",
    "its time has come",
    "another plan comes",
    "its run ends",
]
"""Why a reservation ends."""
_ENDS: Final[dict[State, EndOfReservation]] = {
    "admitted": "its issue is admitted",
    "parked": "its issue is parked",
    "cancelled": "its issue is cancelled",
}
_TOLERANCE: Final = 0.001
"""Seconds; times that are closer to each other count as equal."""


class Lanes:
    """The lanes of a wave over its runs. `complain` is called with each broken property."""

    def __init__(
        self, wave: Wave, lane_release: LaneRelease, level: int, complain: Callable[[str], None]
    ) -> None:
        self._lane_states = lane_states(lane_release)
        self._level = level
        self._complain = complain
        self._state: dict[str, State] = {issue.id: "queued" for issue in wave.issues}
        self._postponed: set[str] = set()
        self._place: dict[str, int] = {}
        """The place of each issue in the plan, from 0."""
        self._stopping = False
        self._complained: set[str] = set()
        self._take_wave(wave)
        self.reservations: dict[str, float] = {}
        """The issues with a reservation, and its latest end."""
        self._had_reservation: set[str] = set()
        """Issues whose lane is or was reserved for them since a human last queued them."""
        self.under_way = False
        """Whether a run has started and not ended."""
        self.over = False
        """Whether the last run has ended by itself."""
        self.seen: set[str] = set()
        """The remarkable things that happened to plans and reservations, in words."""

    # The written events

    def take(self, entry: RecordedEvent, effects: Sequence[Effect]) -> None:
        """Add an event and its effects."""
        self._add(entry.at, entry.event)
        for effect in effects:
            if isinstance(effect, AnnounceIssue):
                self._moved(effect)
            elif isinstance(effect, AnnounceCap):
                self._level = effect.level
            elif isinstance(effect, FinishWave):
                self._run_over()
                self.over = True

    @property
    def follows_a_plan(self) -> bool:
        """Whether a run is under way that has a plan."""
        return self.under_way and bool(self._place)

    def _add(self, at: float, event: Event) -> None:
        match event:
            case WaveStarted():
                self.under_way, self.over = True, False
            case RunCutOff():
                self._run_over()
            case CapMoved():
                self._note_reservation("the cap moves during a reservation")
            case StopRequested():
                self._stopping = True
            case PostponementEnded(issue):
                self._postponed.discard(issue)
            case WaveAmended(issues, done):
                self._amended(issues, done)
            case OrderPlanned(order, reservations):
                self._planned(order, reservations)
            case ReservationEnded(issue, until):
                self._reservation_ended(at, issue, until)
            case _:
                pass

    def _take_wave(self, wave: Wave) -> None:
        self._wave = wave
        self._urgency = [issue.priority for issue in wave.issues]
        for position in reversed(wave.topological()):
            behind = [self._urgency[one] for one in wave.dependents[position]]
            self._urgency[position] = max([self._urgency[position], *behind])

    def _amended(self, issues: Sequence[Issue], done: Sequence[str]) -> None:
        self._note_reservation("the wave is amended during a reservation")
        for issue in issues:
            self._state.setdefault(issue.id, "queued")
            self._end_reservation(issue.id, "its issue is changed")
        self._take_wave(self._wave.amended(issues, done))
        self._end_pointless_reservations()

    def _planned(self, order: Sequence[str], reservations: Sequence[Reservation]) -> None:
        if self.over:
            self._complain("plan: a plan is recorded after the end of the run")
        if order:
            when = "mid-run" if self.under_way else "before the start"
            self.seen.add(f"a plan is recorded {when}")
        elif self._place:
            self.seen.add("a plan is withdrawn")
        self._place = {issue: place for place, issue in enumerate(order)}
        before = self.reservations.copy()
        for issue in before.keys() - {one.issue for one in reservations}:
            self._end_reservation(issue, "another plan comes")
        for one in reservations:
            issue, until = one.issue, one.until
            if issue in before:
                self.reservations[issue] = min(until, before[issue])
            elif issue not in self._had_reservation and self._may_be_reserved_for(issue):
                self.reservations[issue] = until
                self._had_reservation.add(issue)

    def _may_be_reserved_for(self, issue: str) -> bool:
        return self._state[issue] == "queued" and not any(
            self._state[one] in TAKEN_OUT for one in self._still_needed(issue)
        )

    def _still_needed(self, issue: str) -> set[str]:
        """Its direct and indirect dependencies that are not done."""
        found: set[str] = set()
        ahead = [issue]
        while ahead:
            for one in self._wave[ahead.pop()].depends_on:
                if one not in found and not self._is_done(one):
                    found.add(one)
                    ahead.append(one)
        return found

    def _end_pointless_reservations(self) -> None:
        for issue in [one for one in self.reservations if not self._may_be_reserved_for(one)]:
            self._end_reservation(issue, "what it waits for is taken out")

    def _reservation_ended(self, at: float, issue: str, until: float) -> None:
        if self.reservations.get(issue) != until or at < until - _TOLERANCE:
            self._complain(
                f"reservation: the lane of {issue} is reserved no longer, before its time"
            )
        self._end_reservation(issue, "its time has come")

    def _run_over(self) -> None:
        self.under_way = self._stopping = False
        for issue in [*self.reservations]:
            self._end_reservation(issue, "its run ends")

    def _moved(self, move: AnnounceIssue) -> None:
        issue, trigger, target = move.issue, move.trigger, move.target
        if trigger == "admit":
            self._admitted(issue)
        self._state[issue] = target
        self._postponed.discard(issue)
        if trigger == "postpone" and target == "queued":
            self._postponed.add(issue)
        if target in _ENDS:
            self._end_reservation(issue, _ENDS[target])
        if trigger == "unpark":
            self._had_reservation.discard(issue)
        if target in TAKEN_OUT:
            self._end_pointless_reservations()

    def _admitted(self, issue: str) -> None:
        if reserved := self._reserved_for(issue):
            self._complain(
                f"reservation: {issue} is admitted while its lane is reserved for {reserved}"
            )
        for other in self._could_be_admitted():
            if self._comes_before(other, issue) and not self._reserved_for(other):
                self._complain(f"plan: {issue} is admitted before {other}, which comes first")

    def _end_reservation(self, issue: str, why: EndOfReservation) -> None:
        if self.reservations.pop(issue, None) is not None:
            self.seen.add(f"a reservation ends: {why}")

    def _note_reservation(self, what: str) -> None:
        if self.reservations and self.under_way:
            self.seen.add(what)

    def start_life(self) -> None:
        """The previous process is gone; the next events say what became of its run."""
        self.under_way = self.over = False

    # Checks while nothing moves

    def look(self, now: float) -> None:
        """Check the lanes when all is written and nothing moves until virtual time goes on."""
        if not self.under_way:
            return
        for issue, until in [*self.reservations.items()]:
            if until < now - _TOLERANCE:
                self._complain(f"reservation: the lane of {issue} is reserved beyond its time")
                del self.reservations[issue]
        for issue in [*self._could_be_admitted()]:
            if self._reserved_for(issue):
                self.seen.add("a reservation makes an issue wait")
            elif issue not in self._complained:
                self._complained.add(issue)
                self._complain(f"idle: {issue} is ready, and its lane is free and not reserved")

    def _could_be_admitted(self) -> Iterator[str]:
        """The ready issues in free lanes, reserved or not, if the cap has room."""
        in_flight = sum(state in IN_FLIGHT for state in self._state.values())
        if self._stopping or in_flight >= self._level:
            return
        busy = {
            self._wave[issue].repo
            for issue, state in self._state.items()
            if state in self._lane_states
        }
        for issue, state in self._state.items():
            if state == "queued" and issue not in self._postponed:
                free = self._wave[issue].repo not in busy
                if free and all(map(self._is_done, self._wave[issue].depends_on)):
                    yield issue

    def _is_done(self, issue: str) -> bool:
        return issue in self._wave.done or self._state[issue] == "done"

    def _reserved_for(self, issue: str) -> list[str]:
        """The issues for which the lane of `issue` is reserved."""
        repo = self._wave[issue].repo
        return [
            one
            for one in self.reservations
            if self._wave[one].repo == repo and self._comes_before(one, issue)
        ]

    def _comes_before(self, first: str, second: str) -> bool:
        """Whether `first` has to be admitted before `second`, by priority and then by the plan."""
        return self._key(first) < self._key(second)

    def _key(self, issue: str) -> tuple[int, int]:
        urgency = self._urgency[self._wave.position[issue]]
        return -urgency, self._place.get(issue, len(self._place))
