"""The life of an issue, as one table.

Rules, most important first:

1. What is not in `TABLE` is illegal and changes nothing.
2. A row applies when its issue is in `source`, every guard in `guards` holds and none in
   `unless` does. At most one row of a trigger and source applies at a time, so their order does not
   matter.
3. Guards are names. `wavelane_model.guards` says what each means on a state.
4. What a row does to slots, lanes, queues and counters follows from `source` and `target`
   (`IN_FLIGHT`, `lane_states`) and from the trigger (`OPENS`); `wavelane_model.state` does it.

The `transitions` machine, the diagrams and the step function are made from this table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from transitions import Machine

State = Literal["queued", "admitted", "running", "review", "merging", "done", "parked", "cancelled"]
"""Where an issue stands. Queued, parked and cancelled issues hold neither slot nor lane."""
Trigger = Literal[
    "admit",
    "take_lane",
    "begin",
    "implemented",
    "checkpoint",
    "begin_review",
    "approve",
    "request_changes",
    "begin_merge",
    "merged",
    "conflict",
    "fail",
    "postpone",
    "withhold",
    "block",
    "reset",
    "resume",
    "find_merged",
    "unpark",
    "cancel",
]
"""What moves an issue from one state to another."""
Guard = Literal[
    "sessions_allowed",
    "below_cap",
    "lane_free",
    "has_lane",
    "dependencies_done",
    "due",
    "reserved",
    "is_implemented",
    "has_merge_turn",
    "session_open",
    "start_revoked",
    "untouched",
    "checkpoints_left",
    "rounds_left",
    "conflicts_left",
    "failures_left",
]
LaneRelease = Literal["done", "review"]
"""When an issue gives its lane back: when it is done, or as soon as it is under review. In both
cases it does so when it leaves flight."""

STATES: Final[dict[State, str]] = {
    "queued": "waits to be admitted; holds neither slot nor lane",
    "admitted": "holds a cap slot; its implementing session has yet to start",
    "running": "its implementing session is under way",
    "review": "is implemented; its reviewing session is under way or has yet to start",
    "merging": "is approved; its merge is under way or waits for its turn",
    "done": "is merged; its dependents may start",
    "parked": "waits for a human, with a reason; holds neither slot nor lane",
    "cancelled": "was given up",
}
GUARDS: Final[dict[Guard, str]] = {
    "sessions_allowed": "the cap is above 0 and no stop was requested",
    "below_cap": "fewer issues are in flight than the cap allows",
    "lane_free": "no issue holds the lane of its repo",
    "has_lane": "it holds the lane of its repo",
    "dependencies_done": "everything it depends on is done",
    "due": "it is not postponed, or its time has come",
    "reserved": "its lane is reserved for an issue that comes before it in the order",
    "is_implemented": "it is implemented already, and only its review is left",
    "has_merge_turn": "it is first in its repo's merge queue and no merge is under way there",
    "session_open": "its session or merge is under way",
    "start_revoked": "the cap or a stop no longer allows the ordered start",
    "untouched": "none of its sessions has ended since it was admitted",
    "checkpoints_left": "one more checkpoint is allowed",
    "rounds_left": "one more round of requested changes is allowed",
    "conflicts_left": "one more merge conflict is allowed",
    "failures_left": "one more failure is allowed",
}
TRIGGERS: Final[dict[Trigger, str]] = {
    "admit": "takes a cap slot and the lane",
    "take_lane": "rework takes the lane, before a new admission does",
    "begin": "the implementing session starts",
    "implemented": "the implementing session has finished",
    "checkpoint": "the session stopped early; a fresh one continues",
    "begin_review": "the reviewing session starts",
    "approve": "joins its repo's merge queue",
    "request_changes": "the review wants changes",
    "begin_merge": "its turn has come; the merge starts",
    "merged": "the merge is in; leaves the queue",
    "conflict": "the merge did not apply",
    "fail": "an exception, a time-out or a wrong return value",
    "postpone": "throttled from outside: no charge, slot and lane freed",
    "withhold": "the cap fell before the ordered session started: it does not start",
    "block": "only a human can help",
    "reset": "after a crash: the attempt is discarded",
    "resume": "after a crash: the step is repeated on what is left",
    "find_merged": "after a crash: its merge went in",
    "unpark": "the human answered: counters start anew",
    "cancel": "is given up",
}


class Row(NamedTuple):
    """One line of the table: `trigger` moves `source` to `target` when its guards allow it."""

    trigger: Trigger
    source: State
    target: State
    guards: tuple[Guard, ...] = ()
    unless: tuple[Guard, ...] = ()


TABLE: Final[tuple[Row, ...]] = (
    Row(
        "admit",
        "queued",
        "admitted",
        ("sessions_allowed", "below_cap", "lane_free", "dependencies_done", "due"),
        ("reserved",),
    ),
    Row("take_lane", "admitted", "admitted", ("lane_free",)),
    Row("begin", "admitted", "running", ("sessions_allowed", "has_lane"), ("is_implemented",)),
    Row("begin", "admitted", "review", ("sessions_allowed", "has_lane", "is_implemented")),
    Row("implemented", "running", "review", ("session_open",)),
    Row("checkpoint", "running", "admitted", ("session_open", "checkpoints_left")),
    Row("checkpoint", "running", "parked", ("session_open",), ("checkpoints_left",)),
    Row("begin_review", "review", "review", ("sessions_allowed",), ("session_open",)),
    Row("approve", "review", "merging", ("session_open",)),
    Row("request_changes", "review", "admitted", ("session_open", "rounds_left")),
    Row("request_changes", "review", "parked", ("session_open",), ("rounds_left",)),
    Row("begin_merge", "merging", "merging", ("has_merge_turn",), ("session_open",)),
    Row("merged", "merging", "done", ("session_open",)),
    Row("conflict", "merging", "admitted", ("session_open", "conflicts_left")),
    Row("conflict", "merging", "parked", ("session_open",), ("conflicts_left",)),
    Row("fail", "running", "admitted", ("session_open", "failures_left")),
    Row("fail", "running", "parked", ("session_open",), ("failures_left",)),
    Row("fail", "review", "review", ("session_open", "failures_left")),
    Row("fail", "review", "parked", ("session_open",), ("failures_left",)),
    Row("fail", "merging", "merging", ("session_open", "failures_left")),
    Row("fail", "merging", "parked", ("session_open",), ("failures_left",)),
    Row("postpone", "running", "queued", ("session_open",)),
    Row("postpone", "review", "queued", ("session_open",)),
    Row("withhold", "running", "queued", ("session_open", "start_revoked", "untouched")),
    Row("withhold", "running", "admitted", ("session_open", "start_revoked"), ("untouched",)),
    Row("withhold", "review", "queued", ("session_open", "start_revoked", "untouched")),
    Row("withhold", "review", "review", ("session_open", "start_revoked"), ("untouched",)),
    Row("block", "queued", "parked"),
    Row("block", "admitted", "parked"),
    Row("block", "running", "parked"),
    Row("block", "review", "parked"),
    Row("block", "merging", "parked"),
    Row("reset", "admitted", "queued"),
    Row("reset", "running", "queued"),
    Row("reset", "review", "queued"),
    Row("reset", "merging", "queued"),
    Row("resume", "admitted", "admitted"),
    Row("resume", "running", "admitted"),
    Row("resume", "review", "review"),
    Row("resume", "merging", "merging"),
    Row("find_merged", "admitted", "done"),
    Row("find_merged", "running", "done"),
    Row("find_merged", "review", "done"),
    Row("find_merged", "merging", "done"),
    Row("unpark", "parked", "queued"),
    Row("cancel", "queued", "cancelled"),
    Row("cancel", "admitted", "cancelled"),
    Row("cancel", "running", "cancelled"),
    Row("cancel", "review", "cancelled"),
    Row("cancel", "merging", "cancelled"),
    Row("cancel", "parked", "cancelled"),
)

IN_FLIGHT: Final[frozenset[State]] = frozenset(("admitted", "running", "review", "merging"))
TAKEN_OUT: Final[frozenset[State]] = frozenset(("parked", "cancelled"))
"""The states that only a human can bring an issue out of, if at all."""
OPENS: Final[frozenset[tuple[Trigger, State]]] = frozenset(
    (("begin", "running"), ("begin_review", "review"), ("begin_merge", "merging"))
)
"""Trigger and target of the rows that open a session or merge; every other row closes an open
one."""


def lane_states(lane_release: LaneRelease) -> frozenset[State]:
    """The states in which an issue is active in its lane, by policy."""
    return IN_FLIGHT if lane_release == "done" else frozenset(("admitted", "running"))


def machine(model: Any = None) -> Machine:
    """The table as a `transitions` machine, to inspect, to draw, and to ask `may_…`.

    `model` has a method for each guard. Default: an issue that nothing stands in the way of.
    """
    from transitions import Machine

    found = Machine(
        model=model if model is not None else _NothingInTheWay(),
        states=list(STATES),
        initial="queued",
        auto_transitions=False,
    )
    for row in TABLE:
        found.add_transition(
            row.trigger,
            row.source,
            row.target,
            conditions=list(row.guards),
            unless=list(row.unless),
        )
    return found


class _NothingInTheWay:
    """An issue for which every guard holds, except those that only forbid."""

    def __getattr__(self, name: str) -> Any:
        if name in get_args(Guard):
            return lambda: any(name in row.guards for row in TABLE)
        raise AttributeError(name)
