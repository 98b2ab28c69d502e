"""Who waited when, and why, as the steps of a fold tell it.

- A *wait* is that of an issue which holds a slot and has no session, is parked, or is postponed.
- A *gap* is that of a lane: nothing of the repo is in flight, and the issue that is next says why.
- What each issue *waited* is added up by the code of the reason.

The reasons are those of `wavelane_model.why`. They are asked for where something has changed that
they depend on, and nowhere else. Issues that stand in line in their lane are not looked at one by
one: how long the lane was in the way, and how long nothing could start, is added up once for all of
them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Final, Literal, NamedTuple

from wavelane_model.effects import AnnounceCap, AnnounceIssue, Effect
from wavelane_model.events import Event, MergeTurnRequested, MergeTurnReturned, PostponementEnded
from wavelane_model.lifecycle import IN_FLIGHT
from wavelane_model.state import Record, WaveState
from wavelane_model.why import Reason, ReasonCode, why

_Phase = Literal["dependencies", "postponed", "in line", "held", "parked"]
_BETWEEN_RUNS: Final[ReasonCode] = "ended"


@dataclass(frozen=True, slots=True)
class Wait:
    """A time in which an issue waited, and why; its times are those that the steps were given.

    `ended` is None where it still waits.
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
    """Follows the steps of a fold from the start of its first run on."""

    def __init__(self) -> None:
        self.waits: list[Wait] = []
        self.gaps: list[Wait] = []
        self.waited: defaultdict[str, defaultdict[ReasonCode, float]] = defaultdict(
            lambda: defaultdict(float)
        )
        """Seconds that an issue waited, by the code of the reason."""
        self._now = 0.0
        self._begun = False
        self._standstill: ReasonCode | None = None
        """Why nothing starts in any lane, if so."""
        self._stood_still: defaultdict[ReasonCode, float] = defaultdict(float)
        self._went: float = 0.0
        """Seconds in which something could start."""
        self._lanes: list[_Lane] = []
        self._phases: dict[int, _Spell] = {}
        self._ranking: list[int] = []
        self._holds: frozenset[int] = frozenset()
        self._watched: defaultdict[str, set[int]] = defaultdict(set)
        """Lanes with a gap that an issue may end, by that issue."""

    def wait_until(self, at: float) -> None:
        """Let time pass with all as it is."""
        seconds = at - self._now if self._begun else 0.0
        self._now, self._begun = at, True
        if self._standstill is None:
            self._went += seconds
        else:
            self._stood_still[self._standstill] += seconds

    def follow(self, state: WaveState, event: Event, effects: Sequence[Effect]) -> None:
        """Take in a step that has just happened."""
        moves = [effect for effect in effects if isinstance(effect, AnnounceIssue)]
        touched = _touched(state, event, moves)
        lanes = {state.records[at].lane for at in touched}
        for move in moves:
            lanes |= self._watched.get(move.issue, set())
        if isinstance(event, (MergeTurnRequested, MergeTurnReturned)):
            lanes.add(state.wave.repos.index(event.repo))
        holds, self._holds = self._holds, frozenset(state.reservations)
        anew = self._ranking is not state.by_rank or holds != self._holds
        if anew:
            self._rank(state)
            touched = list(range(len(state.records)))
        if self._general_change(state, effects) or anew:
            lanes = set(range(len(state.lanes)))
        for move in moves:
            self._count(state, move)
        for at in lanes:
            self._lanes[at].block(_obstacle(state, at), self._went)
        for at in touched:
            self._look_at_issue(state, at)
        for at in sorted(lanes):
            self._look_at_lane(state, at)

    def close(self, state: WaveState, *, running: bool) -> None:
        """The journal is at its end, and its run goes on or not."""
        for at in sorted(self._phases):
            self._end_spell(state, at, still=running or state.records[at].state == "parked")
        for at in range(len(self._lanes)):
            self._end_gap(state, at, still=running)

    def _rank(self, state: WaveState) -> None:
        self._ranking = state.by_rank
        self._lanes += [_Lane() for _ in state.lanes[len(self._lanes) :]]
        for lane in self._lanes:
            lane.queue = []
        for rank, at in enumerate(state.by_rank):
            if state.records[at].state == "queued":
                self._lanes[state.records[at].lane].queue.append(rank)

    def _general_change(self, state: WaveState, effects: Sequence[Effect]) -> bool:
        before, self._standstill = self._standstill, _standstill(state)
        moved = any(isinstance(effect, AnnounceCap) for effect in effects)
        return moved or before != self._standstill

    def _count(self, state: WaveState, move: AnnounceIssue) -> None:
        record = state.find(move.issue)
        lane = self._lanes[record.lane]
        lane.in_flight += (move.target in IN_FLIGHT) - (move.source in IN_FLIGHT)
        if move.target == "queued":
            heappush(lane.queue, state.rank[record.position])

    # Issues

    def _look_at_issue(self, state: WaveState, at: int) -> None:
        record = state.records[at]
        phase = _phase(state, record)
        spell = self._phases.get(at)
        if spell is not None and spell.phase == phase and phase != "held":
            return
        reason = None if phase in (None, "in line") else _reason(state, record)
        if spell is not None:
            if spell.phase == phase and _same(spell.reason, reason):
                return
            self._end_spell(state, at)
        if phase is not None:
            self._begin_spell(record, phase, reason)

    def _begin_spell(self, record: Record, phase: _Phase, reason: Reason | None) -> None:
        lane = self._lanes[record.lane]
        line = _Line(dict(self._stood_still), self._went, lane.blocked_until(self._went))
        self._phases[record.position] = _Spell(phase, self._now, reason, line)
        if phase == "held":
            lane.waiting[record.position] = None

    def _end_spell(self, state: WaveState, at: int, *, still: bool = False) -> None:
        record, spell = state.records[at], self._phases.pop(at)
        issue = state.wave.issues[at]
        lane = self._lanes[record.lane]
        lane.waiting.pop(at, None)
        waited = self.waited[issue.id]
        if spell.reason is None:
            blocked = lane.blocked_until(self._went)
            so_far = spell.line.blocked
            waited["cap"] += self._went - spell.line.went
            waited["cap"] -= sum(blocked.values()) - sum(so_far.values())
            for code, seconds in blocked.items():
                waited[code] += seconds - so_far.get(code, 0.0)
            for code, seconds in self._stood_still.items():
                waited[code] += seconds - spell.line.stood_still.get(code, 0.0)
            return
        waited[spell.reason.code] += self._now - spell.began
        if spell.phase == "dependencies" or spell.reason.code == _BETWEEN_RUNS:
            return  # gaps and the time between runs tell it
        if still or self._now > spell.began:
            ended = None if still else self._now
            self.waits.append(_wait(issue.id, issue.repo, spell.began, ended, spell.reason))

    # Lanes

    def _look_at_lane(self, state: WaveState, at: int) -> None:
        lane = self._lanes[at]
        for position in [*lane.waiting]:
            self._look_at_issue(state, position)
        next_up = None if lane.in_flight else self._next(state, at)
        reason = None if next_up is None else why(state, state.issue_id(next_up))
        if reason is not None and reason.code == _BETWEEN_RUNS:
            next_up = reason = None
        if lane.gap is not None:
            if next_up is not None and _same(lane.gap.reason, reason):
                return
            self._end_gap(state, at)
        if next_up is not None and reason is not None:
            lane.gap = _Gap(next_up.position, self._now, reason)
            for issue in reason.issues:
                self._watched[issue].add(at)

    def _next(self, state: WaveState, at: int) -> Record | None:
        """The issue that a lane starts next: the first that is ready, or the first in order."""
        ready, queue = state.lanes[at].ready, self._lanes[at].queue
        if ready and (first := state.records[state.by_rank[ready[0]]]).ready:
            return first
        while queue:
            record = state.records[state.by_rank[queue[0]]]
            if record.state == "queued":
                return record
            heappop(queue)
        return None

    def _end_gap(self, state: WaveState, at: int, *, still: bool = False) -> None:
        lane = self._lanes[at]
        gap, lane.gap = lane.gap, None
        if gap is None:
            return
        for issue in gap.reason.issues:
            self._watched[issue].discard(at)
        if still or self._now > gap.began:
            issue_id = state.wave.issues[gap.position].id
            ended = None if still else self._now
            repo = state.wave.repos[at]
            self.gaps.append(_wait(issue_id, repo, gap.began, ended, gap.reason))


class _Line(NamedTuple):
    """What had been added up when an issue got into line."""

    stood_still: dict[ReasonCode, float]
    went: float
    blocked: dict[ReasonCode, float]


class _Spell(NamedTuple):
    """What an issue is waiting for, since when; no reason: it stands in line."""

    phase: _Phase
    began: float
    reason: Reason | None
    line: _Line


class _Gap(NamedTuple):
    """The issue that is next in an idle lane, since when it is for this reason."""

    position: int
    began: float
    reason: Reason


@dataclass(slots=True)
class _Lane:
    """Of one lane: how long it was in the way, who waits in it, and what stands in line."""

    in_flight: int = 0
    gap: _Gap | None = None
    waiting: dict[int, None] = field(default_factory=dict)
    """Issues in flight without a session."""
    queue: list[int] = field(default_factory=list)
    """Heap of the ranks of its queued issues, and of some that were."""
    blocked: dict[ReasonCode, float] = field(default_factory=dict)
    obstacle: ReasonCode | None = None
    since: float = 0.0

    def block(self, obstacle: ReasonCode | None, went: float) -> None:
        """From now on `obstacle` is in the way; None: nothing is."""
        self.blocked = self.blocked_until(went)
        self.obstacle, self.since = obstacle, went

    def blocked_until(self, went: float) -> dict[ReasonCode, float]:
        """Seconds for which nothing but the lane was in the way, by what was."""
        if self.obstacle is None:
            return self.blocked
        so_far = self.blocked.get(self.obstacle, 0.0)
        return {**self.blocked, self.obstacle: so_far + went - self.since}


def _touched(state: WaveState, event: Event, moves: Iterable[AnnounceIssue]) -> list[int]:
    """Positions of the issues that may wait for something else after a step."""
    touched: dict[int, None] = {}
    for move in moves:
        at = state.wave.position[move.issue]
        touched[at] = None
        if move.target == "done":
            touched.update(dict.fromkeys(state.wave.dependents[at]))
    if isinstance(event, PostponementEnded):
        touched[state.wave.position[event.issue]] = None
    if state.ended:
        touched.update(state.flight)
    return [*touched]


def _phase(state: WaveState, record: Record) -> _Phase | None:
    """How an issue waits, if it does."""
    if record.state in ("done", "cancelled") or (record.open and not state.ended):
        return None
    if record.state == "parked":
        return "parked"
    if record.state != "queued":
        return "held"
    if record.unmet:
        return "dependencies"
    return "postponed" if record.postponed else "in line"


def _reason(state: WaveState, record: Record) -> Reason:
    reason = why(state, state.issue_id(record))
    if record.open:  # its session was cut off, and nobody has said yet what is left of it
        return Reason(_BETWEEN_RUNS, reason.text)
    return reason


def _same(one: Reason | None, other: Reason | None) -> bool:
    """Whether two reasons are one to a reader: how far a dependency has come makes no other."""
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


def _standstill(state: WaveState) -> ReasonCode | None:
    """Why nothing starts in any lane, if so."""
    if state.ended:
        return _BETWEEN_RUNS
    if state.stopping:
        return "stopping"
    return "paused" if state.cap.level == 0 else None


def _obstacle(state: WaveState, at: int) -> ReasonCode | None:
    """What keeps those in line in a lane from it: who has it or goes first, or a reservation."""
    lane = state.lanes[at]
    if lane.holder is not None or lane.rework:
        return "lane"
    return "reserved" if any(state.records[one].lane == at for one in state.reservations) else None
