"""What a wave will look like: its order, what could run side by side, and its longest path.

The rounds come from the model itself: a wave of equal sessions is stepped through to its end.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from wavelane_model.cap import Cap
from wavelane_model.effects import Effect, StartImplementing, StartMerging, StartReviewing
from wavelane_model.events import SessionEnded, WaveStarted
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.order import admission_keys, admission_order
from wavelane_model.outcomes import Approved, Implemented, Merged
from wavelane_model.state import WaveState
from wavelane_model.step import step
from wavelane_model.wave import Wave


@dataclass(frozen=True, slots=True)
class PlannedIssue:
    """One issue in the order of admission, with the key that put it there."""

    id: str
    repo: str
    title: str
    priority: int
    """Inherited: the highest of its own and of all that depends on it."""
    hops: int
    """The length of the longest path of dependents behind it."""
    depends_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A wave before it starts.

    `order` is the order of admission among issues that are ready. `rounds` are the issues that
    would start together, if all sessions took equally long. `longest_path` is the longest chain of
    dependencies, first to last: by estimates (seconds) where every issue has one, else by count.
    """

    cap: int
    order: tuple[PlannedIssue, ...]
    rounds: tuple[tuple[str, ...], ...]
    longest_path: tuple[str, ...]
    longest_seconds: float | None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "cap": self.cap,
            "order": [
                {
                    "id": issue.id,
                    "repo": issue.repo,
                    "title": issue.title,
                    "priority": issue.priority,
                    "hops": issue.hops,
                    "depends_on": list(issue.depends_on),
                }
                for issue in self.order
            ],
            "rounds": [list(one) for one in self.rounds],
            "longest_path": list(self.longest_path),
            "longest_seconds": self.longest_seconds,
        }


def plan(wave: Wave, *, cap: int | None = None, lane_release: LaneRelease = "done") -> Plan:
    """Look ahead at a wave. `cap` defaults to the number of its repos."""
    keys = admission_keys(wave)
    path, seconds = _longest_path(wave)
    ceiling = cap or max(1, len(wave.repos))
    return Plan(
        cap=ceiling,
        order=tuple(
            PlannedIssue(
                issue.id,
                issue.repo,
                issue.title,
                -keys[at].minus_priority,
                -keys[at].minus_hops,
                tuple(issue.depends_on),
            )
            for at in admission_order(wave)
            for issue in (wave.issues[at],)
        ),
        rounds=_rounds(wave, Cap.at(ceiling), lane_release),
        longest_path=path,
        longest_seconds=seconds,
    )


def _rounds(wave: Wave, cap: Cap, lane_release: LaneRelease) -> tuple[tuple[str, ...], ...]:
    """Step the wave to its end; reviews and merges take no time, sessions one round each."""
    state = WaveState(wave, cap=cap, lane_release=lane_release)
    rounds: list[tuple[str, ...]] = []
    started = _settled(state, step(state, WaveStarted()))
    while started:
        rounds.append(tuple(order.issue for order in started))
        started = [
            follower
            for order in started
            for follower in _settled(
                state, step(state, SessionEnded(order.issue, order.session, Implemented()))
            )
        ]
    return tuple(rounds)


def _settled(state: WaveState, effects: list[Effect]) -> list[StartImplementing]:
    """End the reviews and merges among `effects` at once; what starts implementing is left."""
    started: list[StartImplementing] = []
    waiting = deque(effects)
    while waiting:
        match waiting.popleft():
            case StartReviewing(issue, session):
                waiting += step(state, SessionEnded(issue, session, Approved()))
            case StartMerging(issue, session):
                waiting += step(state, SessionEnded(issue, session, Merged()))
            case StartImplementing() as order:
                started.append(order)
            case _:
                pass
    return started


def _longest_path(wave: Wave) -> tuple[tuple[str, ...], float | None]:
    estimates = [issue.estimate for issue in wave.issues]
    known = [one for one in estimates if one is not None]
    in_seconds = bool(known) and len(known) == len(estimates)
    weights = known if in_seconds else [1.0] * len(estimates)
    length = [0.0] * len(wave)
    before: list[int | None] = [None] * len(wave)
    for at in wave.topological():
        before[at] = max(wave.dependencies[at], key=length.__getitem__, default=None)
        earlier = before[at]
        length[at] = weights[at] + (0.0 if earlier is None else length[earlier])
    path: list[str] = []
    last = max(range(len(wave)), key=length.__getitem__, default=None)
    total = 0.0 if last is None else length[last]
    while last is not None:
        path.append(wave.issues[last].id)
        last = before[last]
    return tuple(reversed(path)), total if in_seconds else None
