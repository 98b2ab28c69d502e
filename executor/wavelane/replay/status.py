"""Where issues and lanes stand: views of a running wave, made from the model's state."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from wavelane.replay.replay import Replay
from wavelane_model.lifecycle import IN_FLIGHT, State
from wavelane_model.view import in_order, next_in
from wavelane_model.wave import Issue
from wavelane_model.why import Reason, why


@dataclass(frozen=True, slots=True)
class Status:
    """Where one issue stands.

    Attributes:
        issue: The issue.
        state: Its state.
        why: Why it is in that state.
        attempts: How many implementing sessions it has had.
        since: When it entered its state, in seconds since the epoch; None: it never moved.
    """

    issue: Issue
    state: State
    why: Reason
    attempts: int
    since: float | None


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """Where one repo stands.

    Attributes:
        repo: Its name.
        in_flight: Its issues in flight.
        next: The first of its waiting issues.
        waiting: How many of its issues wait.
        done: How many of its issues are done.
        parked: How many of its issues are parked.
        total: How many issues it has.
    """

    repo: str
    in_flight: tuple[Status, ...]
    next: Status | None
    waiting: int
    done: int
    parked: int
    total: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Where a wave stands.

    Attributes:
        lanes: Where each repo stands, in the order of the wave.
        in_flight: How many issues are in flight.
        level: The level of the cap; 0 is paused.
        ceiling: The highest level.
        resumes_at: When a pause ends by itself, in seconds since the epoch.
    """

    lanes: tuple[LaneStatus, ...]
    in_flight: int
    level: int
    ceiling: int
    resumes_at: float | None

    @property
    def waiting(self) -> int:
        """How many issues are queued."""
        return sum(lane.waiting for lane in self.lanes)


def overview_of(replay: Replay) -> Overview:
    """Where a wave stands, for a display; reads every issue."""
    state = replay.state
    return Overview(
        lanes_of(replay),
        state.in_flight,
        state.cap.level,
        state.cap.ceiling,
        state.resume_at,
    )


def status_of(replay: Replay, issue_id: str) -> Status:
    """Where an issue stands. Raises `KeyError` for an unknown id."""
    state = replay.state
    record = state.find(issue_id)
    return Status(
        state.wave[issue_id],
        record.state,
        why(state, issue_id),
        record.attempts,
        replay.recorder.since(issue_id),
    )


def lanes_of(replay: Replay) -> tuple[LaneStatus, ...]:
    """Where all repos stand, in the wave's order. Reads every issue."""
    state = replay.state
    by_repo: dict[str, list[str]] = {repo: [] for repo in state.wave.repos}
    for issue in in_order(state):
        by_repo[state.wave[issue].repo].append(issue)
    return tuple(
        _lane(replay, repo, issues, next_in(state, number))
        for number, (repo, issues) in enumerate(by_repo.items())
    )


def _lane(replay: Replay, repo: str, issues: list[str], next_up: str | None) -> LaneStatus:
    states = {issue: replay.state.find(issue).state for issue in issues}
    counts = Counter(states.values())
    return LaneStatus(
        repo=repo,
        in_flight=tuple(status_of(replay, one) for one in issues if states[one] in IN_FLIGHT),
        next=None if next_up is None else status_of(replay, next_up),
        waiting=counts["queued"],
        done=counts["done"],
        parked=counts["parked"],
        total=len(issues),
    )
