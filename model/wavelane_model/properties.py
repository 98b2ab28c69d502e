"""The rules of the scheduler as named predicates on a state, computed from the records alone.

They trust no counter and no index of the state: those are checked here too. A failing property says
what is broken. `bookkeeping` and `fixpoint` are not promises to users; they say that the indexes
agree with the records and that a step has started all that may start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from wavelane_model.lifecycle import IN_FLIGHT
from wavelane_model.state import WaveState
from wavelane_model.step import enabled_row


def lane(state: WaveState) -> Iterator[str]:
    """A repo has at most one active issue."""
    active = Counter(
        record.lane
        for record in state.records
        if record.state in state.lane_states
        and record.position not in state.lanes[record.lane].rework
    )
    for at, count in active.items():
        if count > 1:
            yield f"repo {state.wave.repos[at]} has {count} active issues"


def bound(state: WaveState) -> Iterator[str]:
    """Never more issues in flight than the highest cap in force since the run began."""
    in_flight = sum(record.state in IN_FLIGHT for record in state.records)
    if state.started and in_flight > state.highest_cap:
        yield f"{in_flight} issues are in flight; the highest cap was {state.highest_cap}"


def merge(state: WaveState) -> Iterator[str]:
    """A repo has at most one merge under way, and it is the first in the queue."""
    for at, of_lane in enumerate(state.lanes):
        under_way = [
            record.position
            for record in state.records
            if record.lane == at and record.state == "merging" and record.open
        ]
        if len(under_way) > 1:
            yield f"repo {state.wave.repos[at]} has {len(under_way)} merges under way"
        if under_way and (of_lane.turn != under_way[0] or of_lane.next_merge() != under_way[0]):
            yield f"repo {state.wave.repos[at]} has a merge under way out of turn"


def order(state: WaveState) -> Iterator[str]:
    """An issue is admitted only when everything it depends on is done."""
    for record in state.records:
        if record.state in IN_FLIGHT or record.state == "done":
            for needed in state.wave.dependencies[record.position]:
                if state.records[needed].state != "done":
                    yield (
                        f"{state.issue_id(record)} is {record.state}, but what it depends on, "
                        f"{state.wave.issues[needed].id}, is {state.records[needed].state}"
                    )


def bookkeeping(state: WaveState) -> Iterator[str]:
    """Counters and indexes agree with the records."""
    records = state.records
    counters = {
        "in_flight": (state.in_flight, sum(record.state in IN_FLIGHT for record in records)),
        "open_sessions": (state.open_sessions, sum(record.open for record in records)),
        "done": (state.done, sum(record.state == "done" for record in records)),
        "ready": (state.queue.count, sum(record.ready for record in records)),
        "postponed": (state.postponed, sum(record.postponed for record in records)),
        "tickets": (
            state.lanes.tickets,
            sum(isinstance(who, str) for one in state.lanes for who in one.merges),
        ),
    }
    for name, (counted, value) in counters.items():
        if counted != value:
            yield f"{name} is {counted} and should be {value}"
    for record in records:
        unmet = sum(
            records[needed].state != "done" for needed in state.wave.dependencies[record.position]
        )
        if record.unmet != unmet:
            yield f"{state.issue_id(record)} counts {record.unmet} unmet dependencies, not {unmet}"
        if record.postponed and record.state != "queued":
            yield f"{state.issue_id(record)} is {record.state} and postponed"
        if (record.state == "merging") != (record.position in state.lanes[record.lane].merges):
            yield f"{state.issue_id(record)} is {record.state}: wrong place in the merge queue"
        if record.state == "running" and not record.open:
            yield f"{state.issue_id(record)} is running without a session"
        if record.open and record.state not in ("running", "review", "merging"):
            yield f"{state.issue_id(record)} is {record.state} with an open session"
        active = record.state in state.lane_states
        waits = record.position in state.lanes[record.lane].rework
        holds = state.lanes[record.lane].holder == record.position
        if active != (waits or holds) or (waits and holds):
            yield f"{state.issue_id(record)} is {record.state}: wrong holder of its lane"


def fixpoint(state: WaveState) -> Iterator[str]:
    """After a step, nothing is left that may start."""
    if not state.started or state.ended:
        return
    for record in state.records:
        for trigger in ("admit", "begin", "begin_review", "begin_merge"):
            if enabled_row(state, record, trigger) is not None:
                yield f"{state.issue_id(record)} may {trigger} and did not"
        waits = record.position in state.lanes[record.lane].rework
        if waits and enabled_row(state, record, "take_lane") is not None:
            yield f"{state.issue_id(record)} may take_lane and did not"
    for at, of_lane in enumerate(state.lanes):
        if of_lane.turn is None and of_lane.merges:
            yield f"the merge queue of {state.wave.repos[at]} waits although its turn is free"


ALWAYS: Final[dict[str, Callable[[WaveState], Iterator[str]]]] = {
    "lane": lane,
    "bound": bound,
    "merge": merge,
    "order": order,
    "bookkeeping": bookkeeping,
    "fixpoint": fixpoint,
}
"""The properties that hold in every state between two steps."""


class BrokenProperty(NamedTuple):
    """A property that a state breaks: its name, and what is wrong."""

    property: str
    what: str

    def __str__(self) -> str:
        return f"{self.property}: {self.what}"


def broken(state: WaveState) -> list[BrokenProperty]:
    """Every property that `state` breaks."""
    return [BrokenProperty(name, what) for name, check in ALWAYS.items() for what in check(state)]
