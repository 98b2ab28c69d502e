from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelane import Issue, Wave
from wavelane.planning.planner import Plan, planned
from wavelane_model.cap import Cap
from wavelane_model.effects import StartImplementing, StartMerging, StartReviewing
from wavelane_model.events import OrderPlanned, SessionEnded, WaveStarted
from wavelane_model.outcomes import Approved, Implemented, Merged
from wavelane_model.state import WaveState
from wavelane_model.step import step

EFFORT = 1_000


@st.composite
def waves(draw: st.DrawFn) -> Wave:
    """Small waves in one to four repos; each issue may depend on any earlier ones."""
    repos = draw(st.integers(1, 4))
    issues: list[Issue] = []
    for at in range(draw(st.integers(1, 12))):
        needs = draw(st.sets(st.sampled_from(issues), max_size=2)) if issues else set()
        issues.append(
            Issue(
                f"i{at}",
                f"r{draw(st.integers(0, repos - 1))}",
                sorted(need.id for need in needs),
                estimate=float(draw(st.integers(1, 9))),
            )
        )
    return Wave(issues)


def seconds_of(wave: Wave) -> list[float]:
    return [issue.estimate or 0.0 for issue in wave.issues]


def end_in_the_model(wave: Wave, cap: int, order: Sequence[int] = ()) -> float:
    """The end of the wave if every session takes its estimate and all else takes no time."""
    state = WaveState(wave, cap=Cap.at(cap))
    step(state, OrderPlanned(tuple(wave.issues[at].id for at in order)))
    clock = 0.0
    under_way: dict[SessionEnded, tuple[float, int]] = {}
    effects = step(state, WaveStarted())
    while True:
        for effect in effects:
            match effect:
                case StartImplementing(issue, session):
                    ended = SessionEnded(issue, session, Implemented())
                    length = wave[issue].estimate or 0.0
                    under_way[ended] = (clock + length, wave.position[issue])
                case StartReviewing(issue, session):
                    under_way[SessionEnded(issue, session, Approved())] = (clock, -1)
                case StartMerging(issue, session):
                    under_way[SessionEnded(issue, session, Merged())] = (clock, -1)
                case _:
                    pass
        if not under_way:
            return clock
        first = min(under_way, key=under_way.__getitem__)
        clock, _ = under_way.pop(first)
        effects = step(state, first)


def assert_keeps_the_rules(wave: Wave, plan: Plan, cap: int) -> None:
    spans = plan.spans
    for at, needed in enumerate(wave.dependencies):
        for need in needed:
            if at in spans and need in spans:
                assert spans[at].start >= spans[need].end
    by_lane = defaultdict(list)
    for at, span in spans.items():
        by_lane[wave.repo_of[at]].append(span)
    for lane in by_lane.values():
        lane.sort()
        assert all(one.end <= other.start for one, other in pairwise(lane))
    for moment in {span.start for span in spans.values()}:
        assert sum(span.start <= moment < span.end for span in spans.values()) <= cap
    assert plan.makespan == max((span.end for span in spans.values()), default=0.0)


@given(waves(), st.integers(1, 5), st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_plan_keeps_dependencies_lanes_and_cap(wave: Wave, cap: int, may_reserve: bool) -> None:
    plan = planned(wave, seconds_of(wave), cap, may_reserve=may_reserve, effort=EFFORT)

    assert_keeps_the_rules(wave, plan, cap)
    assert sorted(plan.order) == sorted(plan.spans) == list(range(len(wave)))


@given(waves(), st.integers(1, 5), st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_plan_never_ends_later_than_the_model_would_without_it(
    wave: Wave, cap: int, may_reserve: bool
) -> None:
    plan = planned(wave, seconds_of(wave), cap, may_reserve=may_reserve, effort=EFFORT)

    assert plan.makespan <= end_in_the_model(wave, cap)


@given(waves(), st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_the_model_ends_when_the_plan_says(wave: Wave, cap: int) -> None:
    plan = planned(wave, seconds_of(wave), cap, effort=EFFORT)

    assert end_in_the_model(wave, cap, plan.order) == plan.makespan


@given(waves(), st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_the_same_question_has_the_same_answer(wave: Wave, cap: int) -> None:
    first, second = (
        planned(wave, seconds_of(wave), cap, may_reserve=True, effort=EFFORT) for _ in range(2)
    )

    assert first == second


@given(waves(), st.integers(1, 5), st.data())
@settings(deadline=None, max_examples=60)
def test_what_is_in_flight_goes_on_and_what_is_done_is_left_out(
    wave: Wave, cap: int, data: st.DataObject
) -> None:
    before = planned(wave, seconds_of(wave), cap, effort=0)
    now = data.draw(st.sampled_from(sorted(span.end for span in before.spans.values())))
    todo = [at for at, span in before.spans.items() if span.end > now]
    elapsed = {at: now - before.spans[at].start for at in todo if before.spans[at].start < now}

    plan = planned(
        wave, seconds_of(wave), cap, elapsed=elapsed, todo=todo, may_reserve=True, effort=EFFORT
    )

    assert_keeps_the_rules(wave, plan, cap)
    assert set(plan.spans) == set(todo)
    assert set(plan.order) == set(todo) - set(elapsed)
    assert all(plan.spans[at].start == 0.0 for at in elapsed)


def test_a_lane_is_held_for_what_the_end_of_the_wave_waits_for() -> None:
    wave = Wave(
        [
            Issue("api#1", "api", estimate=1),
            Issue("web#1", "web", ["api#1"], estimate=5),
            Issue("api#2", "api", ["web#1"], estimate=5),
            Issue("web#2", "web", estimate=5),
        ]
    )

    greedy = planned(wave, seconds_of(wave), 2)
    holding = planned(wave, seconds_of(wave), 2, may_reserve=True)

    assert (greedy.makespan, holding.makespan) == (15.0, 11.0)
    assert holding.reserved_for == {wave.position["web#1"]}


@given(waves(), st.integers(1, 5), st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_plan_for_scattering_estimates_keeps_the_rules_too(
    wave: Wave, cap: int, may_reserve: bool
) -> None:
    plan = planned(wave, seconds_of(wave), cap, may_reserve=may_reserve, scatter=0.3, effort=EFFORT)

    assert_keeps_the_rules(wave, plan, cap)
    assert sorted(plan.order) == list(range(len(wave)))


def test_a_session_that_is_overdue_is_expected_to_end_soon() -> None:
    wave = Wave([Issue("api#1", "api", estimate=10), Issue("api#2", "api", estimate=10)])

    plan = planned(wave, seconds_of(wave), 1, elapsed={0: 60.0})

    assert plan.spans[0] == (0.0, 1.0)
    assert plan.spans[1] == (1.0, 11.0)


def test_the_more_urgent_goes_first_whatever_it_costs() -> None:
    wave = Wave(
        [
            Issue("api#1", "api", estimate=10, priority=1),
            Issue("api#2", "api", estimate=1),
            Issue("web#1", "web", ["api#2"], estimate=20),
        ]
    )

    plan = planned(wave, seconds_of(wave), 2, may_reserve=True)

    assert plan.order[0] == 0


def test_more_in_flight_than_a_lowered_cap_allows_are_all_expected_to_end() -> None:
    wave = Wave([Issue(f"r{at}#1", f"r{at}", estimate=10) for at in range(4)])

    plan = planned(wave, seconds_of(wave), 1, elapsed={0: 2.0, 1: 4.0, 2: 6.0}, may_reserve=True)

    assert plan.spans[3] == (8.0, 18.0)


def test_nothing_left_to_do_is_an_empty_plan() -> None:
    plan = planned(Wave([Issue("api#1", "api")]), [1.0], 1, todo=(), may_reserve=True)

    assert (plan.order, plan.makespan) == ((), 0.0)


def test_a_cap_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="the cap is 0; give 1 or more"):
        planned(Wave([Issue("api#1", "api")]), [1.0], 0)


def test_sessions_that_take_no_time_are_planned_too() -> None:
    wave = Wave([Issue("api#1", "api"), Issue("web#1", "web", ["api#1"]), Issue("api#2", "api")])

    plan = planned(wave, [0.0, 0.0, 5.0], 1, may_reserve=True)

    assert plan.makespan == pytest.approx(5.0, abs=0.01)
