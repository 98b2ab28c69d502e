"""Each property can fail, on a state that was broken by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.helpers import Model, wave_of

from wavelane_model.lifecycle import State
from wavelane_model.outcomes import Conflicted, Postponed
from wavelane_model.properties import ALWAYS, BrokenProperty, broken
from wavelane_model.state import WaveState

WAVE = ("a#1", "a#2", "b#1", "c#1 < b#1")


def merging() -> WaveState:
    """a#1 is being merged, b#1 implemented, a#2 and c#1 are queued."""
    model = Model(wave_of(*WAVE), cap=2)
    model.end("a#1")
    model.end("a#1")
    return model.state


def set_state(issue_id: str, target: State) -> Callable[[WaveState], None]:
    return lambda state: setattr(state.find(issue_id), "state", target)


def set_on(issue_id: str, **values: object) -> Callable[[WaveState], None]:
    def change(state: WaveState) -> None:
        for name, value in values.items():
            setattr(state.find(issue_id), name, value)

    return change


def set_counter(name: str) -> Callable[[WaveState], None]:
    return lambda state: setattr(state, name, getattr(state, name) + 1)


def count_ready(state: WaveState) -> None:
    state.queue.count += 1


def count_tickets(state: WaveState) -> None:
    state.lanes.tickets += 1


def take_merge_turn(state: WaveState) -> None:
    state.lanes[0].turn = None


def stranger_in_the_queue(state: WaveState) -> None:
    state.lanes[0].merges["t"] = None
    state.lanes[0].merges.move_to_end("t", last=False)


def free_lane(state: WaveState) -> None:
    state.lanes[0].holder = None


def hold_lane_twice(state: WaveState) -> None:
    state.lanes[0].rework[0] = None


def slot_is_free(state: WaveState) -> None:
    state.cap = state.cap._replace(level=4, ceiling=4)


def forgotten_turn(state: WaveState) -> None:
    state.lanes[1].merges["t"] = None
    state.lanes.tickets += 1


def highest_cap_forgotten(state: WaveState) -> None:
    state.highest_cap = 1


def second_merge(state: WaveState) -> None:
    record = state.find("a#2")
    record.state, record.open = "merging", True


def both(*damages: Callable[[WaveState], None]) -> Callable[[WaveState], None]:
    def change(state: WaveState) -> None:
        for damage in damages:
            damage(state)

    return change


BREAKS: list[tuple[str, str, Callable[[WaveState], None]]] = [
    ("lane", "repo a has 2 active issues", set_state("a#2", "running")),
    ("bound", "2 issues are in flight; the highest cap was 1", highest_cap_forgotten),
    ("merge", "repo a has 2 merges under way", second_merge),
    ("merge", "repo a has a merge under way out of turn", take_merge_turn),
    ("merge", "repo a has a merge under way out of turn", stranger_in_the_queue),
    (
        "order",
        "c#1 is review, but what it depends on, b#1, is running",
        set_state("c#1", "review"),
    ),
    ("order", "c#1 is done, but what it depends on, b#1, is running", set_state("c#1", "done")),
    ("bookkeeping", "in_flight is 2 and should be 1", set_state("b#1", "parked")),
    ("bookkeeping", "done is 1 and should be 0", set_counter("done")),
    ("bookkeeping", "ready is 2 and should be 1", count_ready),
    ("bookkeeping", "open_sessions is 3 and should be 2", set_counter("open_sessions")),
    ("bookkeeping", "postponed is 1 and should be 0", set_counter("postponed")),
    ("bookkeeping", "tickets is 1 and should be 0", count_tickets),
    ("bookkeeping", "c#1 counts 0 unmet dependencies, not 1", set_on("c#1", unmet=0)),
    ("bookkeeping", "b#1 is running and postponed", set_on("b#1", postponed=True)),
    ("bookkeeping", "a#1 is review: wrong place in the merge queue", set_state("a#1", "review")),
    ("bookkeeping", "b#1 is running without a session", set_on("b#1", open=False)),
    ("bookkeeping", "c#1 is queued with an open session", set_on("c#1", open=True)),
    ("bookkeeping", "a#1 is merging: wrong holder of its lane", free_lane),
    ("bookkeeping", "a#1 is merging: wrong holder of its lane", hold_lane_twice),
    (
        "fixpoint",
        "a#2 may admit and did not",
        both(free_lane, slot_is_free),
    ),
    ("fixpoint", "b#1 may begin and did not", set_state("b#1", "admitted")),
    ("fixpoint", "b#1 may begin_review and did not", set_on("b#1", state="review", open=False)),
    (
        "fixpoint",
        "a#1 may begin_merge and did not",
        both(take_merge_turn, set_on("a#1", open=False)),
    ),
    ("fixpoint", "the merge queue of b waits although its turn is free", forgotten_turn),
]


@pytest.mark.parametrize(
    ("name", "what", "damage"), BREAKS, ids=lambda one: getattr(one, "__name__", str(one))[:40]
)
def test_a_broken_state_is_named_by_the_property_that_it_breaks(
    name: str, what: str, damage: Callable[[WaveState], None]
) -> None:
    state = merging()
    assert broken(state) == []

    damage(state)

    assert what in [*ALWAYS[name](state)]
    assert BrokenProperty(name, what) in broken(state)


def test_rework_that_could_take_its_lane_and_does_not_is_seen() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=2, lane_release="review")
    model.end("a#1")
    model.end("a#1")
    model.end("a#1", Conflicted())

    model.state.lanes[0].holder = None

    assert BrokenProperty("fixpoint", "a#1 may take_lane and did not") in broken(model.state)


def test_every_property_has_an_example_that_breaks_it() -> None:
    assert {name for name, _, _ in BREAKS} == {*ALWAYS}


def test_no_property_expects_starts_before_the_run() -> None:
    model = Model(wave_of("a#1"), started=False)

    assert broken(model.state) == []


def test_a_healthy_state_breaks_nothing_at_any_step() -> None:
    model = Model(wave_of(*WAVE), cap=2)
    model.end("a#1", Postponed())

    assert broken(model.state) == []
