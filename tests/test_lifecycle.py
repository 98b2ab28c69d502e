from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelane.testing.strategies import lane_releases, limits, waves
from wavelane_model.cap import Cap
from wavelane_model.events import (
    AttemptDiscarded,
    CancelRequested,
    CapMoved,
    Event,
    MergeTurnRequested,
    MergeTurnReturned,
    ParkRequested,
    PostponementEnded,
    SessionEnded,
    SessionWithheld,
    StopRequested,
    UnparkRequested,
    WaveStarted,
)
from wavelane_model.guards import PREDICATES
from wavelane_model.lifecycle import (
    GUARDS,
    IN_FLIGHT,
    OPENS,
    STATES,
    TABLE,
    TRIGGERS,
    Guard,
    Row,
    State,
    Trigger,
    lane_states,
    machine,
)
from wavelane_model.outcomes import (
    Approved,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Conflicted,
    Failed,
    Implemented,
    Merged,
    Postponed,
    Stopped,
)
from wavelane_model.records import Record
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent, enabled_row, step

OUTCOMES = (
    *(Implemented(), Checkpoint(), Approved(), ChangesRequested(), Merged(), Conflicted()),
    *(Blocked("?"), Postponed(), Failed("!"), Stopped()),
    *(Implemented(), Approved(), Merged()),
)


def test_every_name_in_the_table_has_its_sentence() -> None:
    assert {*STATES} == {*get_args(State)}
    assert {*TRIGGERS} == {*get_args(Trigger)} == {row.trigger for row in TABLE}
    assert {*GUARDS} == {*get_args(Guard)} == {*PREDICATES}
    assert {guard for row in TABLE for guard in (*row.guards, *row.unless)} == {*GUARDS}
    assert {state for row in TABLE for state in (row.source, row.target)} == {*STATES}


def test_every_state_can_be_reached_from_queued() -> None:
    reached = {"queued"}
    for _ in STATES:
        reached |= {row.target for row in TABLE if row.source in reached}

    assert reached == {*STATES}


def test_only_done_and_cancelled_are_final() -> None:
    assert {*STATES} - {row.source for row in TABLE} == {"done", "cancelled"}


def test_no_row_is_there_twice() -> None:
    assert len(TABLE) == len(set(TABLE))


def test_no_row_both_needs_and_forbids_a_guard() -> None:
    assert [row for row in TABLE if {*row.guards} & {*row.unless}] == []


@pytest.mark.parametrize(
    ("trigger", "source"), sorted({(row.trigger, row.source) for row in TABLE})
)
def test_of_one_trigger_and_source_one_row_at_most_applies(trigger: str, source: str) -> None:
    rows = [row for row in TABLE if (row.trigger, row.source) == (trigger, source)]
    names: list[str] = sorted({guard for row in rows for guard in (*row.guards, *row.unless)})

    for answers in itertools.product((True, False), repeat=len(names)):
        holds = dict(zip(names, answers, strict=True))
        assert sum(applies(row, holds) for row in rows) <= 1


def applies(row: Row, holds: Mapping[str, bool]) -> bool:
    return all(holds[guard] for guard in row.guards) and not any(holds[one] for one in row.unless)


def test_only_rows_of_the_table_open_sessions() -> None:
    assert {(row.trigger, row.target) for row in TABLE} >= OPENS


def test_an_outcome_needs_the_session_that_it_is_the_outcome_of() -> None:
    of_sessions = {"implemented", "checkpoint", "approve", "request_changes", "merged", "conflict"}
    of_sessions |= {"fail", "postpone", "withhold"}

    assert all("session_open" in row.guards for row in TABLE if row.trigger in of_sessions)


def test_every_state_but_done_and_cancelled_can_be_cancelled() -> None:
    cancelled = {row.source for row in TABLE if row.trigger == "cancel"}

    assert cancelled == {*STATES} - {"done", "cancelled"}


def test_what_is_in_flight_can_be_parked_and_reset_from_anywhere() -> None:
    assert {row.source for row in TABLE if row.trigger == "reset"} == IN_FLIGHT
    assert {row.source for row in TABLE if row.trigger == "block"} == {*IN_FLIGHT, "queued"}


def test_only_an_admission_takes_an_issue_into_flight() -> None:
    entering = {
        row.trigger for row in TABLE if row.source not in IN_FLIGHT and row.target in IN_FLIGHT
    }

    assert entering == {"admit"}


def test_a_lane_is_held_in_flight_or_only_while_it_is_worked_on() -> None:
    assert lane_states("done") == IN_FLIGHT
    assert lane_states("review") == {"admitted", "running"}


def test_the_machine_is_the_table() -> None:
    found = machine()

    rows = {
        (transition.source, trigger, transition.dest)
        for trigger, event in found.events.items()
        for transitions in event.transitions.values()
        for transition in transitions
    }
    assert rows == {(row.source, row.trigger, row.target) for row in TABLE}
    assert found.initial == "queued"
    assert {*found.states} == {*STATES}


class GuardedIssue:
    """The machine's model: its guards are the predicates on a real state."""

    def __init__(self) -> None:
        self.wave_state: WaveState
        self.record: Record
        self.state: State = "queued"
        for name, predicate in PREDICATES.items():
            setattr(self, name, self.guard(predicate))

    def guard(self, predicate: Callable[[WaveState, Record], bool]) -> Callable[[], bool]:
        return lambda: predicate(self.wave_state, self.record)

    def look_at(self, state: WaveState, record: Record) -> None:
        self.wave_state, self.record, self.state = state, record, record.state


ISSUE = GuardedIssue()
machine(ISSUE)


def assert_machine_and_step_agree(state: WaveState) -> None:
    issue: Any = ISSUE
    for record in state.records:
        for trigger in TRIGGERS:
            issue.look_at(state, record)
            row = enabled_row(state, record, trigger)
            assert getattr(issue, f"may_{trigger}")() == (row is not None), (trigger, record.state)
            if row is not None:
                issue.trigger(trigger)
                assert issue.state == row.target


def events_of(state: WaveState, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Event:
    """Any event: mostly about what is under way, sometimes one that the model must refuse."""
    issue = draw(st.sampled_from(state.wave.issues)).id
    record = state.find(issue)
    repo = state.wave.repos[record.lane]
    ends = [SessionEnded(issue, record.session, outcome) for outcome in OUTCOMES]
    event: Event = draw(
        st.sampled_from(
            [
                *ends,
                SessionWithheld(issue, record.session),
                PostponementEnded(issue),
                AttemptDiscarded(issue),
                CapMoved("set", draw(st.integers(0, state.cap.ceiling))),
                CapMoved("step_down"),
                CapMoved("resume"),
                ParkRequested(issue, "?"),
                UnparkRequested(issue),
                CancelRequested(issue),
                MergeTurnRequested(repo, "t"),
                MergeTurnReturned(repo, "t"),
                StopRequested() if draw(st.integers(0, 9)) == 0 else WaveStarted(),
            ]
        )
    )
    return event


@given(
    wave=waves(max_issues=4),
    cap=st.integers(1, 3),
    lane_release=lane_releases,
    limits=limits,
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_the_machine_and_the_compiled_table_never_disagree(
    wave: Any, cap: int, lane_release: Any, limits: Any, data: st.DataObject
) -> None:
    state = WaveState(wave, cap=Cap.at(cap), lane_release=lane_release, limits=limits)
    assert_machine_and_step_agree(state)
    step(state, WaveStarted())

    for _ in range(25):
        try:
            step(state, events_of(state, data.draw))
        except IllegalEvent:
            continue
        assert_machine_and_step_agree(state)
