"""The view of a wave's state: the executor reads nothing else of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers import Model, wave_of

import wavelane
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    AttemptUnclear,
    MergeTurnRequested,
    OrderPlanned,
    ParkRequested,
    Reservation,
    UnparkRequested,
)
from wavelane_model.lifecycle import State
from wavelane_model.limits import Limits
from wavelane_model.outcomes import Blocked, Postponed
from wavelane_model.records import Record
from wavelane_model.state import WaveState
from wavelane_model.view import (
    READABLE,
    READABLE_OF_RECORD,
    assumed_finding,
    backlog,
    in_order,
    is_planned,
    issues_in_flight,
    next_in,
    open_sessions,
    reservations,
    waiting_tickets,
)

EXECUTOR = Path(wavelane.__file__).parent


def test_a_lane_starts_the_first_that_is_ready_next() -> None:
    model = Model(wave_of("a#1", "b#1 < a#1", "b#2", "b#3"), cap=1)

    assert next_in(model.state, 0) is None
    assert next_in(model.state, 1) == "b#2"


def test_where_nothing_is_ready_the_first_that_is_queued_is_next() -> None:
    model = Model(wave_of("a#1", "b#1 < a#1", "b#2 < b#1"), cap=1)

    assert next_in(model.state, 1) == "b#1"


def test_what_is_parked_is_not_next_and_is_again_when_it_is_queued_again() -> None:
    model = Model(wave_of("a#1", "b#1 < a#1", "b#2 < a#1"), cap=1)

    model.take(ParkRequested("b#1", "why?"))
    assert next_in(model.state, 1) == "b#2"

    model.take(UnparkRequested("b#1"))
    assert next_in(model.state, 1) == "b#1"


def test_a_postponed_issue_lets_those_behind_it_go_next() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=1)

    model.end("a#1", Postponed())
    model.end("a#2", Blocked("which?"))

    assert next_in(model.state, 0) == "a#1"


def test_a_plan_its_reservations_and_what_is_left_to_plan_can_be_read() -> None:
    model = Model(wave_of("api#1", "web#1 < api#1", "web#2"), cap=2)
    assert not is_planned(model.state)

    model.take(OrderPlanned(("web#1", "web#2"), (Reservation("web#1", 9.0),)))

    assert is_planned(model.state)
    assert in_order(model.state) == ("web#1", "web#2", "api#1")
    assert reservations(model.state) == {"web#1": 9.0}
    left = backlog(model.state)
    assert (left.queued, left.in_flight, left.reserved) == ((1,), (0, 2), {1: 9.0})


def test_what_is_under_way_can_be_read() -> None:
    model = Model(wave_of("a#1", "b#1"), cap=2)
    model.take(MergeTurnRequested("a", "release"))

    assert issues_in_flight(model.state) == ("a#1", "b#1")
    assert [*open_sessions(model.state)] == [("a#1", 1), ("b#1", 1)]
    assert waiting_tickets(model.state) == [("a", "release")]


@pytest.mark.parametrize(
    ("state", "was_open", "finding"),
    [
        ("running", True, AttemptDiscarded("a#1")),
        ("review", True, AttemptResumed("a#1")),
        ("merging", True, AttemptUnclear("a#1", "look")),
        ("merging", False, AttemptResumed("a#1")),
        ("admitted", False, AttemptResumed("a#1")),
    ],
)
def test_what_is_assumed_of_an_attempt_of_which_nothing_is_known(
    state: State, was_open: bool, finding: object
) -> None:
    assert assumed_finding("a#1", state, was_open=was_open, unclear="look") == finding


def test_a_postponed_issue_is_tried_again_when_it_said_or_after_the_delay() -> None:
    limits = Limits(postpone_delay=60)

    assert limits.tried_again_at(1_000.0, 1_200.0) == 1_200.0
    assert limits.tried_again_at(1_000.0) == 1_060.0


# What the executor reads


def test_what_may_be_read_is_there() -> None:
    model = Model(wave_of("a#1"))

    assert [name for name in READABLE if not hasattr(model.state, name)] == []
    assert [name for name in READABLE_OF_RECORD if not hasattr(model.record("a#1"), name)] == []


@pytest.mark.parametrize(
    "path", sorted(EXECUTOR.rglob("*.py")), ids=lambda path: str(path.relative_to(EXECUTOR))
)
def test_the_executor_reads_of_a_state_only_what_the_view_names(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))

    assert [*trespasses(tree)] == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("state.started", []),
        ("self._state.find(issue).state", []),
        ("state.records[0]", ["state.records"]),
        ("self._core.state.lanes", ["state.lanes"]),
        ("self._state().flight", ["_state.flight"]),
        ("state.find(issue).lane", ["find.lane"]),
        ("record.listed", ["record.listed"]),
        ("record.state = 'done'", ["record.state is set"]),
        ("state.cap = cap", ["state.cap is set"]),
        ("from wavelane_model.lanes import Lane", ["wavelane_model.lanes"]),
    ],
)
def test_a_trespass_is_seen(code: str, found: list[str]) -> None:
    assert [*trespasses(ast.parse(code))] == found


INSIDES = {f"wavelane_model.{name}" for name in ("lanes", "ready_queue", "reservations", "guards")}
"""Modules of the model that are about the inside of a state."""
NAMES = {"state": READABLE, "_state": READABLE, "record": READABLE_OF_RECORD}
"""What is called so is a `WaveState`, or a `Record`; the rest is seen by `find(…)`."""
OWN = {name for name in (*dir(WaveState), *dir(Record)) if not name.startswith("__")}
"""The attributes of a state and of a record."""


def trespasses(tree: ast.AST) -> Iterator[str]:
    """Attributes of a model's state that are set, or read without being in the view."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in INSIDES:
            yield node.module
        if not isinstance(node, ast.Attribute) or node.attr not in OWN:
            continue
        base = name_of(node.value)
        readable = READABLE_OF_RECORD if base == "find" else NAMES.get(base)
        if readable is None:
            continue
        if node.attr not in readable:
            yield f"{base}.{node.attr}"
        elif isinstance(node.ctx, ast.Store):
            yield f"{base}.{node.attr} is set"


def name_of(node: ast.expr) -> str:
    """The last name of an expression: of `self._core.state` and of `state` it is "state"."""
    match node:
        case ast.Call(function):
            return name_of(function)
        case ast.Attribute(_, name) | ast.Name(name):
            return name
        case _:
            return ""
