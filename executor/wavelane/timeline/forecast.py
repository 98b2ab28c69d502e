"""A forecast: how a wave goes if every session takes as long as expected and ends well.

The real model is stepped in simulated time, so the rules of `wavelane_model.step` alone decide what
starts when. A session starts at the instant it is ordered; sessions that end at the same instant
are reported in the order in which they started.

A forecast is not a promise. Admission is greedy: whatever may start, starts. So a higher cap, or a
shorter session, can make the whole wave end later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Final, Literal, NamedTuple, TypeGuard

from wavelane.replay.replay import Replay, StepResult
from wavelane.timeline.waits import Wait, Waits
from wavelane_model.cap import Cap
from wavelane_model.effects import (
    AnnounceIssue,
    Effect,
    EndReservationAt,
    EndSession,
    ResumeAt,
    RunOutcome,
    StartImplementing,
    StartMerging,
    StartReviewing,
)
from wavelane_model.events import (
    Event,
    PauseEnded,
    Reservation,
    ReservationEnded,
    SessionEnded,
    WaveStarted,
)
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.outcomes import Approved, Implemented, Merged, Outcome, Stopped
from wavelane_model.state import WaveState
from wavelane_model.view import gives_lane_back, reservations
from wavelane_model.wave import Wave

Awaited = Literal["start", "dependency", "lane", "slot", "turn", "pause", "reservation"]
"""What an issue waited for: the wave's start, a dependency's merge, its lane, a slot under the cap,
its turn to merge, the end of a pause, or the end of a reservation of its lane."""


class Cause(NamedTuple):
    """What an issue waited for last, and the issue that released it, if any."""

    awaited: Awaited
    issue: str | None = None


@dataclass(frozen=True, slots=True)
class IssueSpan:
    """When one issue is worked on, in seconds since the wave's start.

    It is implemented from `began`, reviewed from `implemented`, approved at `approved`, merged from
    `merging` to `ended`. `cause`: what it waited for before it began. `turn_of`: the issue whose
    merge it waited for after its approval, if it did.
    """

    issue: str
    repo: str
    began: float
    implemented: float
    approved: float
    merging: float
    ended: float
    cause: Cause
    turn_of: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "id": self.issue,
            "repo": self.repo,
            "began": self.began,
            "implemented": self.implemented,
            "approved": self.approved,
            "merging": self.merging,
            "ended": self.ended,
            "waited_for": self.cause.awaited,
            "of": self.cause.issue,
            "turn_of": self.turn_of,
        }


class RepoSpan(NamedTuple):
    """How one repo spends the time from the wave's start to its end, in seconds.

    `busy`: one of its issues is in flight. `idle`: none is, and it has more to do. `after`: all its
    work is done.
    """

    repo: str
    busy: float
    idle: float
    after: float


class Link(NamedTuple):
    """An issue of the deciding chain, and its wait for the issue before it in the chain."""

    issue: str
    awaited: Awaited


@dataclass(frozen=True, slots=True)
class Forecast:
    """How a wave is expected to go at one cap, the level after the opening.

    `end`: seconds from the start to the end. `spans`: the issues done by then, in the order in
    which they begin. `chain`: the issues that determine the end, first to last: each waited for the
    one before it. `repos`: in the wave's order. `gaps`: when a repo is idle, and what its next
    issue waits for. `peak`: the most issues in flight at a time. `outcome`: "complete", or the
    wave's outcome if not all issues can be done; "unfinished": nothing more would happen.
    """

    cap: int
    end: float
    spans: tuple[IssueSpan, ...]
    chain: tuple[Link, ...]
    repos: tuple[RepoSpan, ...]
    gaps: tuple[Wait, ...]
    peak: int
    outcome: RunOutcome

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "cap": self.cap,
            "end": self.end,
            "outcome": self.outcome,
            "in_flight_at_most": self.peak,
            "decided_by": [link._asdict() for link in self.chain],
            "repos": [repo._asdict() for repo in self.repos],
            "issues": [span.to_dict() for span in self.spans],
            "gaps": [gap.to_dict() for gap in self.gaps],
        }


def forecast(
    wave: Wave,
    seconds: Sequence[float],
    cap: int,
    *,
    lane_release: LaneRelease = "done",
    review_seconds: float = 0.0,
    merge_seconds: float = 0.0,
    opening: Sequence[Event] = (WaveStarted(),),
    start: float = 0.0,
    gaps: bool = True,
) -> Forecast:
    """How `wave` is expected to go at `cap`.

    `seconds` is the time to implement each issue, by position in the wave; a review and a merge
    take `review_seconds` and `merge_seconds`. `opening` is what happens at the start, before any
    session ends: the start itself, and anything applied right before or after it, e.g. a move of
    the cap, or a plan. `start`, in seconds since the epoch, is needed only if a pause or a
    reservation ends by itself. Without `gaps`, which is faster, idle repos get no reason.

    Raises `ValueError` for a cap below 1 and for lengths that do not fit, and `IllegalEvent` for an
    opening that the model does not allow.
    """
    if len(seconds) != len(wave):
        raise ValueError(f"{len(seconds)} lengths were given for {len(wave)} issues; give one each")
    if any(not 0 <= one < float("inf") for one in (*seconds, review_seconds, merge_seconds)):
        raise ValueError("a length is below 0 or no number; give seconds, 0 or more")
    state = WaveState(wave, cap=Cap.at(cap), lane_release=lane_release)
    waits = Waits() if gaps else None
    simulation = _Simulation(state, seconds, review_seconds, merge_seconds, start, waits)
    for event in opening:
        simulation.take(event)
    simulation.run()
    return simulation.result()


def forecasts(
    wave: Wave,
    seconds: Sequence[float],
    caps: Iterable[int],
    *,
    lane_release: LaneRelease = "done",
    opening: Callable[[int], Sequence[Event]] = lambda cap: (WaveStarted(),),
) -> tuple[Forecast, ...]:
    """The forecasts at `caps`, which rise, without gaps. `opening` returns the one at a cap.

    They end with the first cap that is never reached: from there on a higher one changes nothing.
    """
    found: list[Forecast] = []
    for cap in caps:
        found.append(
            forecast(
                wave, seconds, cap, lane_release=lane_release, opening=opening(cap), gaps=False
            )
        )
        if found[-1].peak < cap:
            break
    return tuple(found)


_GOOD: Final[dict[type[Effect], Outcome]] = {
    StartImplementing: Implemented(),
    StartReviewing: Approved(),
    StartMerging: Merged(),
}
"""The outcome of every session: all goes well."""


class _Simulation:
    """One run of the model in simulated time, and a record of it."""

    def __init__(
        self,
        state: WaveState,
        seconds: Sequence[float],
        review_seconds: float,
        merge_seconds: float,
        start: float,
        waits: Waits | None,
    ) -> None:
        self._replay = Replay(state, self._follow)
        self._state = state
        self._seconds = seconds
        self._review_seconds = review_seconds
        self._merge_seconds = merge_seconds
        self._start = start
        self._clock = 0.0
        self._count = 0
        self._due: list[tuple[float, int, SessionEnded | PauseEnded | Reservation]] = []
        self._ending: dict[str, int] = {}
        """Sessions ended before their time, by issue."""
        self._times: dict[str, list[float]] = {}
        """For each issue: when it began, was implemented, approved, its merge began and ended."""
        self._causes: dict[str, Cause] = {}
        self._turn_of: dict[str, str] = {}
        self._peak = 0
        self._waits = waits

    def run(self) -> None:
        """Advance time until nothing more is due."""
        while self._due and not self._state.ended:
            self._clock, _, event = heappop(self._due)
            if isinstance(event, PauseEnded):
                if event.until == self._state.resume_at:
                    self.take(event)
            elif isinstance(event, Reservation):
                if reservations(self._state).get(event.issue) == event.until:
                    self.take(ReservationEnded(event.issue, event.until))
            elif self._ending.get(event.issue) != event.session or event.outcome == Stopped():
                self.take(event)

    def take(self, event: Event) -> None:
        """Apply an event at the simulated time."""
        self._replay.apply(self._clock, event)

    def _follow(self, state: WaveState, result: StepResult) -> None:
        """Record what has happened, and start what follows from it."""
        _, event, effects, _ = result
        if self._waits is not None:
            self._waits.wait_until(self._clock)
            self._waits.follow(state, event, effects)
        self._peak = max(self._peak, state.in_flight)
        self._note(event, effects)
        for effect in effects:
            match effect:
                case StartImplementing() | StartReviewing() | StartMerging():
                    self._begin(effect)
                case EndSession(issue, session):
                    self._ending[issue] = session
                    self._set(0.0, SessionEnded(issue, session, Stopped()))
                case ResumeAt(until):
                    self._set(max(0.0, until - self._start - self._clock), PauseEnded(until))
                case EndReservationAt(issue, until):
                    self._set(
                        max(0.0, until - self._start - self._clock), Reservation(issue, until)
                    )
                case _:
                    pass

    def _begin(self, order: StartImplementing | StartReviewing | StartMerging) -> None:
        times = self._times.setdefault(order.issue, [])
        if not isinstance(order, StartReviewing):
            times.append(self._clock)
        ended = SessionEnded(order.issue, order.session, _GOOD[type(order)])
        self._set(self._length(order), ended)

    def _length(self, order: StartImplementing | StartReviewing | StartMerging) -> float:
        match order:
            case StartImplementing(issue, _):
                return self._seconds[self._state.wave.position[issue]]
            case StartReviewing():
                return self._review_seconds
            case StartMerging():
                return self._merge_seconds

    def _set(self, seconds: float, event: SessionEnded | PauseEnded | Reservation) -> None:
        self._count += 1
        heappush(self._due, (self._clock + seconds, self._count, event))

    def _note(self, event: Event, effects: Iterable[Effect]) -> None:
        """Record what ended, and the causes of the waits that it ended."""
        if isinstance(event, SessionEnded) and event.outcome != Stopped():
            self._times[event.issue].append(self._clock)
        moves = [effect for effect in effects if isinstance(effect, AnnounceIssue)]
        for move in moves:
            if move.trigger == "admit":
                self._causes[move.issue] = self._cause(move.issue, event, moves)
            elif move.trigger == "begin_merge" and _is_of_another(event, move.issue):
                self._turn_of[move.issue] = event.issue

    def _cause(self, admitted: str, event: Event, moves: Sequence[AnnounceIssue]) -> Cause:
        """What `admitted` waited for, given the event that admitted it."""
        if isinstance(event, PauseEnded):
            return Cause("pause")
        if isinstance(event, ReservationEnded):
            return Cause("reservation")
        if not isinstance(event, SessionEnded):
            return Cause("start")
        wave, giver = self._state.wave, event.issue
        if giver in wave[admitted].depends_on:
            return Cause("dependency", giver)
        if wave[giver].repo == wave[admitted].repo and any(
            move.issue == giver and gives_lane_back(self._state, move) for move in moves
        ):
            return Cause("lane", giver)
        return Cause("slot", giver)

    # The result

    def result(self) -> Forecast:
        """The forecast, once nothing more happens."""
        if self._waits is not None:
            self._waits.close(self._state, running=False)
        spans = tuple(self._spans())
        end = max((span.ended for span in spans), default=0.0)
        return Forecast(
            cap=self._state.cap.level,
            end=end,
            spans=spans,
            chain=_chain(spans),
            repos=_repos(self._state.wave.repos, spans, end),
            gaps=() if self._waits is None else tuple(self._waits.gaps),
            peak=self._peak,
            outcome=self._state.outcome or "unfinished",
        )

    def _spans(self) -> Iterator[IssueSpan]:
        wave = self._state.wave
        for issue, times in self._times.items():
            if self._state.find(issue).state == "done":
                began, implemented, approved, merging, ended = times
                yield IssueSpan(
                    issue=issue,
                    repo=wave[issue].repo,
                    began=began,
                    implemented=implemented,
                    approved=approved,
                    merging=merging,
                    ended=ended,
                    cause=self._causes[issue],
                    turn_of=self._turn_of.get(issue),
                )


def _is_of_another(event: Event, issue: str) -> TypeGuard[SessionEnded]:
    return isinstance(event, SessionEnded) and event.issue != issue


def _chain(spans: Sequence[IssueSpan]) -> tuple[Link, ...]:
    """The chain back from the issue that ends last, through what it waited for."""
    by_id = {span.issue: span for span in spans}
    at = max(spans, key=lambda span: span.ended, default=None)
    chain: list[Link] = []
    while at is not None:
        waited_for_turn = at.turn_of is not None and at.merging > at.approved
        cause = Cause("turn", at.turn_of) if waited_for_turn else at.cause
        chain.append(Link(at.issue, cause.awaited))
        at = None if cause.issue is None else by_id.get(cause.issue)
    return tuple(reversed(chain))


def _repos(repos: Sequence[str], spans: Sequence[IssueSpan], end: float) -> tuple[RepoSpan, ...]:
    by_repo: defaultdict[str, list[IssueSpan]] = defaultdict(list)
    for span in spans:  # in the order in which they begin
        by_repo[span.repo].append(span)
    return tuple(_repo(repo, by_repo[repo], end) for repo in repos)


def _repo(repo: str, spans: Sequence[IssueSpan], end: float) -> RepoSpan:
    busy = covered((span.began, span.ended) for span in spans)
    last = max((span.ended for span in spans), default=0.0)
    return RepoSpan(repo, busy, last - busy, end - last)


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """The length of the union of the intervals, given in the order of their starts."""
    total, until = 0.0, float("-inf")
    for began, ended in intervals:
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total
