"""Where issues and lanes stand: views of a running wave, made from the model's state."""

from __future__ import annotations

from dataclasses import dataclass

from wavelane.replay.replay import Replay
from wavelane_model.lifecycle import State
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
        next: The first of the issues that wait for it.
        waiting: How many issues wait.
        done: How many are done.
        parked: How many are parked.
        total: How many there are.
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
    """Where a wave stands, for a display; it looks at every issue."""
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
    """Where all repos stand, in the wave's order. Looks at every issue."""
    state = replay.state
    by_lane: list[list[int]] = [[] for _ in state.lanes]
    for position in state.by_rank:
        by_lane[state.records[position].lane].append(position)
    return tuple(
        _lane(replay, repo, positions)
        for repo, positions in zip(state.wave.repos, by_lane, strict=True)
    )


def _lane(replay: Replay, repo: str, positions: list[int]) -> LaneStatus:
    state = replay.state
    records = [state.records[position] for position in positions]
    queued = [record for record in records if record.state == "queued"]
    first = next((record for record in queued if record.ready), next(iter(queued), None))
    return LaneStatus(
        repo=repo,
        in_flight=tuple(
            status_of(replay, state.issue_id(record))
            for record in records
            if record.position in state.flight
        ),
        next=None if first is None else status_of(replay, state.issue_id(first)),
        waiting=len(queued),
        done=sum(record.state == "done" for record in records),
        parked=sum(record.state == "parked" for record in records),
        total=len(records),
    )
