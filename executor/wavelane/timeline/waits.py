"""Which issue waited when, and why, from the steps of a fold.

- A *wait* is the wait of an issue that has a slot but no session, is parked, or is postponed.
- A *gap* belongs to a lane: nothing of the repo is in flight, and the next issue gives the reason.
- The time that each issue *waited* is added up by the code of the reason.

The reasons are those of `wavelane_model.why`. They are queried only when something has changed on
which they depend. Issues in line in their lane are not examined one by one: the time for which
their lane was held, and the time for which nothing could start, are added up once for all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from wavelane_model.effects import AnnounceCap, AnnounceIssue, Effect
from wavelane_model.events import (
    Event,
    MergeTurnRequested,
    MergeTurnReturned,
    OrderPlanned,
    PostponementEnded,
    WaveAmended,
)
from wavelane_model.lifecycle import IN_FLIGHT
from wavelane_model.obstacles import free_lane_obstacle, lane_obstacle, standstill
from wavelane_model.state import WaveState
from wavelane_model.view import issues_in_flight, next_in, reservations
from wavelane_model.why import Reason, ReasonCode, why

_Phase = Literal["dependencies", "postponed", "in line", "without a session", "parked"]
_BETWEEN_RUNS: Final[ReasonCode] = "ended"


@dataclass(frozen=True, slots=True)
class Wait:
    """A time in which an issue waited, and why; its times are those given with the steps.

    `ended` is None while it still waits.
    """

    issue: str
    repo: str
    began: float
    ended: float | None
    code: ReasonCode
    text: str

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "id": self.issue,
            "repo": self.repo,
            "began": self.began,
            "ended": self.ended,
            "code": self.code,
            "text": self.text,
        }


class Waits:
    """Follows the steps of a fold from the start of its first run on.

    Attributes:
        waits: the waits that are over, or that last to the end.
        gaps: the same for lanes.
        waited: seconds that each issue waited, by the code of the reason.
    """

    def __init__(self) -> None:
        self.waits: list[Wait] = []
        self.gaps: list[Wait] = []
        self.waited: defaultdict[str, defaultdict[ReasonCode, float]] = defaultdict(
            lambda: defaultdict(float)
        )
        self._now = 0.0
        self._begun = False
        self._standstill: ReasonCode | None = None
        """The reason why nothing starts in any lane, if so."""
        self._stood_still: defaultdict[ReasonCode, float] = defaultdict(float)
        self._went: float = 0.0
        """Seconds in which something could start."""
        self._lanes: list[_Lane] = []
        self._spells: dict[str, _Spell] = {}
        self._reserved: frozenset[str] | None = None
        """The issues for which lanes are reserved; None: no step was followed yet."""
        self._watched: defaultdict[str, set[int]] = defaultdict(set)
        """Lanes with a gap that an issue may end, by that issue."""

    def wait_until(self, at: float) -> None:
        """Advance the time with nothing changed."""
        seconds = at - self._now if self._begun else 0.0
        self._now, self._begun = at, True
        if self._standstill is None:
            self._went += seconds
        else:
            self._stood_still[self._standstill] += seconds

    def follow(self, state: WaveState, event: Event, effects: Sequence[Effect]) -> None:
        """Follow a step that has just happened."""
        moves = [effect for effect in effects if isinstance(effect, AnnounceIssue)]
        reordered = self._is_reordered(state, event)
        touched: Iterable[str] = _touched(state, event, moves)
        if reordered:
            touched = [issue.id for issue in state.wave.issues]
        if self._general_change(state, effects) or reordered:
            lanes = set(range(len(self._lanes)))
        else:
            lanes = self._lanes_to_look_at(state, event, moves, touched)
        for move in moves:
            lane = self._lanes[_lane_of(state, move.issue)]
            lane.in_flight += (move.target in IN_FLIGHT) - (move.source in IN_FLIGHT)
        for number in lanes:
            held = lane_obstacle(state, number) is not None
            self._lanes[number].note(held, self._went)
        for issue in touched:
            self._look_at_issue(state, issue)
        for number in sorted(lanes):
            self._look_at_lane(state, number)

    def close(self, state: WaveState, *, running: bool) -> None:
        """Close at the end of the journal; its run goes on or not."""
        for issue in sorted(self._spells, key=state.wave.position.__getitem__):
            self._end_spell(state, issue, still=running or state.find(issue).state == "parked")
        for number in range(len(self._lanes)):
            self._end_gap(state, number, still=running)

    def _is_reordered(self, state: WaveState, event: Event) -> bool:
        """Whether the order of admission or the reservations have changed."""
        before, self._reserved = self._reserved, frozenset(reservations(state))
        self._lanes += [_Lane() for _ in state.wave.repos[len(self._lanes) :]]
        return isinstance(event, (OrderPlanned, WaveAmended)) or before != self._reserved

    def _general_change(self, state: WaveState, effects: Sequence[Effect]) -> bool:
        found = standstill(state)
        before, self._standstill = self._standstill, None if found is None else found.code
        moved = any(isinstance(effect, AnnounceCap) for effect in effects)
        return moved or before != self._standstill

    def _lanes_to_look_at(
        self,
        state: WaveState,
        event: Event,
        moves: Iterable[AnnounceIssue],
        touched: Iterable[str],
    ) -> set[int]:
        lanes = {_lane_of(state, issue) for issue in touched}
        for move in moves:
            lanes |= self._watched.get(move.issue, set())
        if isinstance(event, (MergeTurnRequested, MergeTurnReturned)):
            lanes.add(state.wave.repos.index(event.repo))
        return lanes

    # Issues

    def _look_at_issue(self, state: WaveState, issue: str) -> None:
        phase = _phase(state, issue)
        spell = self._spells.get(issue)
        if phase == "in line":
            self._look_at_place(state, issue, spell)
            return
        if spell is not None and spell.phase == phase and phase != "without a session":
            return
        reason = None if phase is None else _reason(state, issue)
        if spell is not None:
            if spell.phase == phase and _same(spell.reason, reason):
                return
            self._end_spell(state, issue)
        if phase is not None:
            self._begin_spell(state, issue, phase, reason)

    def _look_at_place(self, state: WaveState, issue: str, spell: _Spell | None) -> None:
        """Update what an issue in line waits for beyond its lane; only the order changes that."""
        lane, then = _lane_of(state, issue), free_lane_obstacle(state, issue).code
        if spell is not None:
            if spell.phase == "in line" and (spell.line.lane, spell.line.then) == (lane, then):
                return
            self._end_spell(state, issue)
        self._begin_spell(state, issue, "in line", None, then)

    def _begin_spell(
        self,
        state: WaveState,
        issue: str,
        phase: _Phase,
        reason: Reason | None,
        then: ReasonCode = "cap",
    ) -> None:
        number = _lane_of(state, issue)
        lane = self._lanes[number]
        held = lane.held_until(self._went)
        line = _Line(number, then, dict(self._stood_still), self._went, held)
        self._spells[issue] = _Spell(phase, self._now, reason, line)
        if phase == "without a session":
            lane.waiting[issue] = None

    def _end_spell(self, state: WaveState, issue: str, *, still: bool = False) -> None:
        spell = self._spells.pop(issue)
        self._lanes[spell.line.lane].waiting.pop(issue, None)
        if spell.reason is None:
            self._add_up_line(issue, spell.line)
            return
        self.waited[issue][spell.reason.code] += self._now - spell.began
        if spell.phase == "dependencies" or spell.reason.code == _BETWEEN_RUNS:
            return  # gaps and the time between runs cover it
        if still or self._now > spell.began:
            ended = None if still else self._now
            repo = state.wave[issue].repo
            self.waits.append(_wait(issue, repo, spell.began, ended, spell.reason))

    def _add_up_line(self, issue: str, line: _Line) -> None:
        """Add up an issue's time in line: for its lane, then for whatever else it waits for."""
        waited = self.waited[issue]
        held = self._lanes[line.lane].held_until(self._went) - line.held
        waited["lane"] += held
        waited[line.then] += self._went - line.went - held
        for code, seconds in self._stood_still.items():
            waited[code] += seconds - line.stood_still.get(code, 0.0)

    # Lanes

    def _look_at_lane(self, state: WaveState, number: int) -> None:
        lane = self._lanes[number]
        for issue in [*lane.waiting]:
            self._look_at_issue(state, issue)
        next_up = None if lane.in_flight else next_in(state, number)
        reason = None if next_up is None else why(state, next_up)
        if reason is not None and reason.code == _BETWEEN_RUNS:
            next_up = reason = None
        if lane.gap is not None:
            if next_up is not None and _same(lane.gap.reason, reason):
                return
            self._end_gap(state, number)
        if next_up is not None and reason is not None:
            lane.gap = _Gap(next_up, self._now, reason)
            for issue in reason.issues:
                self._watched[issue].add(number)

    def _end_gap(self, state: WaveState, number: int, *, still: bool = False) -> None:
        lane = self._lanes[number]
        gap, lane.gap = lane.gap, None
        if gap is None:
            return
        for issue in gap.reason.issues:
            self._watched[issue].discard(number)
        if still or self._now > gap.began:
            ended = None if still else self._now
            repo = state.wave.repos[number]
            self.gaps.append(_wait(gap.issue, repo, gap.began, ended, gap.reason))


class _Line(NamedTuple):
    """Where an issue stands in line, and what had been added up when it got there.

    Attributes:
        lane: the number of its repo.
        then: what it waits for when its lane is free.
        stood_still: seconds in which nothing could start, by reason.
        went: seconds in which something could.
        held: seconds of those in which its lane was held.
    """

    lane: int
    then: ReasonCode
    stood_still: dict[ReasonCode, float]
    went: float
    held: float


class _Spell(NamedTuple):
    """What an issue is waiting for, and since when; no reason: it is in line."""

    phase: _Phase
    began: float
    reason: Reason | None
    line: _Line


class _Gap(NamedTuple):
    """The next issue in an idle lane, and since when it has been so for this reason."""

    issue: str
    began: float
    reason: Reason


@dataclass(slots=True)
class _Lane:
    """One lane: what is in flight, who waits without a session, and how long it was held."""

    in_flight: int = 0
    gap: _Gap | None = None
    waiting: dict[str, None] = field(default_factory=dict)
    is_held: bool = False
    since: float = 0.0
    seconds: float = 0.0

    def note(self, is_held: bool, went: float) -> None:
        """Record that the lane is held, or not, from now on."""
        self.seconds = self.held_until(went)
        self.is_held, self.since = is_held, went

    def held_until(self, went: float) -> float:
        """Seconds for which something could start elsewhere while the lane was held."""
        return self.seconds + (went - self.since if self.is_held else 0.0)


def _lane_of(state: WaveState, issue: str) -> int:
    return state.wave.repo_of[state.wave.position[issue]]


def _touched(state: WaveState, event: Event, moves: Iterable[AnnounceIssue]) -> list[str]:
    """The issues that may wait for something else after a step."""
    wave = state.wave
    touched: dict[str, None] = {}
    for move in moves:
        touched[move.issue] = None
        if move.target == "done":
            behind = wave.dependents[wave.position[move.issue]]
            touched.update((wave.issues[one].id, None) for one in behind)
    if isinstance(event, PostponementEnded):
        touched[event.issue] = None
    if state.ended:
        touched.update(dict.fromkeys(issues_in_flight(state)))
    return [*touched]


def _phase(state: WaveState, issue: str) -> _Phase | None:
    """How an issue waits, if it does."""
    record = state.find(issue)
    if record.state in ("done", "cancelled") or (record.open and not state.ended):
        return None
    if record.state == "parked":
        return "parked"
    if record.state != "queued":
        return "without a session"
    if record.unmet:
        return "dependencies"
    return "postponed" if record.postponed else "in line"


def _reason(state: WaveState, issue: str) -> Reason:
    reason = why(state, issue)
    if state.find(issue).open:  # its session was cut off, with no recovery finding yet
        return Reason(_BETWEEN_RUNS, reason.text)
    return reason


def _same(one: Reason | None, other: Reason | None) -> bool:
    """Whether two reasons are the same to a reader: a dependency's progress makes no difference."""
    if one is None or other is None:
        return False
    if one.code == "cap" and one.text != other.text:
        return False
    return (one.code, one.issues, one.until) == (other.code, other.issues, other.until)


def _wait(issue: str, repo: str, began: float, ended: float | None, reason: Reason) -> Wait:
    text = reason.text
    if reason.code == "dependencies":
        text = f"waits for {', '.join(reason.issues)}"
    return Wait(issue, repo, began, ended, reason.code, text)
