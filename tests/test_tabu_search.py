"""The tabu search: what a move does to an order, and how good the resulting order is."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from wavelane import Issue, Wave
from wavelane.planning.job_shop import JobShop, job_shop_of
from wavelane.planning.planner import planned
from wavelane.planning.tabu_search import Timing, moves
from wavelane_model.order import admission_keys

SIX_BY_SIX = """
    2 1  0 3  1 6  3 7  5 3  4 6
    1 8  2 5  4 10 5 10 0 10 3 4
    2 5  3 4  5 8  0 9  1 1  4 7
    1 5  0 5  2 5  3 3  4 8  5 9
    2 9  1 3  4 5  5 4  0 3  3 1
    1 3  3 3  5 9  0 10 4 4  2 1
"""
"""Fisher and Thompson (1963): a job a line, repo and length of each step; the optimum is 55."""


def six_by_six() -> Wave:
    issues: list[Issue] = []
    for job, line in enumerate(SIX_BY_SIX.split("\n")[1:-1]):
        numbers = [int(one) for one in line.split()]
        for step in range(6):
            repo, length = numbers[2 * step : 2 * step + 2]
            needs = [issues[-1].id] if step else []
            issues.append(Issue(f"r{repo}#{job}", f"r{repo}", needs, estimate=float(length)))
    return Wave(issues)


@st.composite
def shops(draw: st.DrawFn) -> JobShop:
    """Some issues in one to four lanes, the first of them in flight or none."""
    chance = random.Random(draw(st.integers(0, 10_000)))
    issues: list[Issue] = []
    for at in range(draw(st.integers(2, 14))):
        needs = chance.sample(issues, min(len(issues), chance.randrange(3)))
        lane = f"r{chance.randrange(4)}"
        issues.append(Issue(f"i{at}", lane, [one.id for one in needs]))
    wave = Wave(issues)
    seconds = [float(chance.randrange(1, 6)) for _ in issues]
    running = {0: 0.0} if draw(st.booleans()) else {}
    return job_shop_of([*range(len(wave))], running, wave, seconds, 4, admission_keys(wave))


@given(shops(), st.integers(0, 10_000))
@settings(deadline=None, max_examples=100)
def test_after_any_move_all_times_are_as_if_looked_at_anew(shop: JobShop, seed: int) -> None:
    chance = random.Random(seed)
    timing = Timing(shop, range(len(shop.ids)))

    for _ in range(12):
        if not (possible := moves(timing)):
            break
        timing.take(chance.choice(possible))

        place = {at: place for place, at in enumerate(timing.order)}
        assert all(place.get(need, -1) < place[at] for at in place for need in shop.needs[at])
        anew = Timing(shop, timing.order)
        assert (timing.start, timing.end, timing.left) == (anew.start, anew.end, anew.left)


@given(shops())
@settings(deadline=None, max_examples=100)
def test_no_wave_ends_before_what_is_guessed_of_a_move(shop: JobShop) -> None:
    timing = Timing(shop, range(len(shop.ids)))

    for move in moves(timing):
        if len(move.issues) == 2:
            swapped = Timing(shop, timing.order)
            swapped.take(move)
            assert max(swapped.end) >= timing.guess(move)


def test_the_classic_six_by_six_ends_as_soon_as_it_can() -> None:
    wave = six_by_six()
    seconds = [issue.estimate or 0.0 for issue in wave.issues]

    assert planned(wave, seconds, 6, may_reserve=True).makespan == 55.0


def test_a_lane_is_held_for_what_is_ready_at_the_instant_when_another_is() -> None:
    needs, seconds = [[], [], [0], [1]], [2.0, 2.0, 1.0, 5.0]
    dependents = [[2], [3], [], []]
    shop = JobShop([0, 1, 2, 3], 0, [0, 1, 2, 2], 3, seconds, needs, dependents, [0] * 4, 3)

    assert list(Timing(shop, [0, 1, 3, 2]).reserved_for()) == [3]


def test_lanes_are_held_too_where_slots_are_fewer_than_lanes() -> None:
    wave = six_by_six()
    seconds = [issue.estimate or 0.0 for issue in wave.issues]

    greedy = planned(wave, seconds, 5)
    holding = planned(wave, seconds, 5, may_reserve=True)

    assert holding.makespan < greedy.makespan
    assert holding.reserved_for
