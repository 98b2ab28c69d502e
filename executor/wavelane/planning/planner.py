"""The planner: in which order to admit issues, so that the wave ends soon.

It orders admissions within the rules; the model alone decides what starts. Its predictions are what
the model would do if every session took as long as expected.

1. *List schedules*, alternating forward and backward passes (`wavelane.planning.list_schedule`).
2. *Tabu search*, in which a lane may be reserved for a more urgent issue
   (`wavelane.planning.tabu_search`). The best order is taken if it ends sooner, with the
   reservations that it needs.
3. *Scenarios*, if estimates are known to scatter: of the orders found above, and of some found for
   perturbed estimates, the planner takes the one that ends soonest on average over perturbed
   estimates.

An issue holds its lane until it is done; with `lane_release="review"` the wave may end sooner.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from wavelane.planning.job_shop import JobShop, job_shop_of
from wavelane.planning.list_schedule import (
    Schedule,
    improved,
    justified,
    reserved_in_time,
    scheduled,
)
from wavelane.planning.tabu_search import with_reservations
from wavelane_model.order import admission_keys
from wavelane_model.wave import Wave

EFFORT: Final = 200_000
"""The largest number of issues to look at in the tabu search and in restarts."""

_RESTARTS: Final = 40
_RESTARTS_BEFORE_TABU_SEARCH: Final = 5
"""The same if there is a slot for each lane: there the tabu search finds more in the same time."""
_SCENARIOS: Final = 30
_JUDGES: Final = 40
_PASSES_ELSEWHERE: Final = 6


class Span(NamedTuple):
    """A start and an end, in seconds from the moment of planning."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Plan:
    """An order of admission, and its prediction.

    `order` has the positions of issues not in flight yet; the first one that is ready is admitted
    first. `reserved_for` are the issues with a reservation: while one of them is queued, no issue
    that comes later in `order` is admitted in its repo. `spans` cover all issues still to do.
    """

    order: tuple[int, ...]
    reserved_for: frozenset[int]
    spans: Mapping[int, Span]
    makespan: float
    sooner: float
    """Seconds by which the wave ends sooner than in the order that the search started from; an
    average if estimates scatter."""


def planned(
    wave: Wave,
    seconds: Sequence[float],
    cap: int,
    *,
    elapsed: Mapping[int, float] | None = None,
    todo: Collection[int] | None = None,
    start_from: Sequence[int] | None = None,
    may_reserve: bool = False,
    reservations: Mapping[int, float] | None = None,
    unreservable: Collection[int] = (),
    scatter: float = 0.0,
    effort: int = EFFORT,
) -> Plan:
    """Plan the rest of a wave; the same question always has the same answer.

    `seconds` is how long each issue is expected to take, by position. `elapsed`: for issues in
    flight, how long they have been in flight. `todo`: what is left, in flight or not (default:
    all); other issues count as done. `start_from`: the order to start from, e.g. that of the last
    plan (default: the model's); by `seconds`, the plan never ends later. `reservations`: the issues
    that have a reservation now, and for how many more seconds at most. `unreservable`: issues that
    may not have one. `may_reserve`: whether lanes may be reserved at all. `scatter`: the standard
    deviation of the logarithm of actual over expected lengths; with it, the plan ends no later than
    `start_from` on average. Raises `ValueError` for a cap below 1.
    """
    if cap < 1:
        raise ValueError(f"the cap is {cap}; give 1 or more")
    running = dict(elapsed or {})
    queued = sorted(set(range(len(wave)) if todo is None else todo).difference(running))
    keys = admission_keys(wave)
    shop = job_shop_of([*sorted(running), *queued], running, wave, seconds, cap, keys)
    first = sorted(queued, key=keys.__getitem__) if start_from is None else start_from
    rank = {at: place for place, at in enumerate(first)}
    given = shop.ranks([rank.get(at, len(wave)) for at in shop.ids])
    until = {**(reservations or {}), **dict.fromkeys(unreservable, 0.0)}
    latest = {at: until[one] for at, one in enumerate(shop.ids) if one in until}
    reserved = frozenset(at for at, one in enumerate(shop.ids) if one in (reservations or {}))
    may_search = may_reserve and len(set(shop.urgency[shop.running :])) == 1
    few = may_search and shop.cap >= shop.lanes
    found = [improved(shop, given, effort, _RESTARTS_BEFORE_TABU_SEARCH if few else _RESTARTS)]
    if may_search:
        found.append(with_reservations(shop, found[0], effort, latest))
    usual = reserved_in_time(shop, given, reserved, latest)
    best, sooner = _most_robust(shop, usual, given, found, scatter)
    return Plan(
        order=tuple(shop.ids[at] for at in best.by_rank() if at >= shop.running),
        reserved_for=frozenset(shop.ids[at] for at in best.reserved_for),
        spans={
            shop.ids[at]: Span(start, start + shop.seconds[at])
            for at, start in enumerate(best.start)
        },
        makespan=best.makespan,
        sooner=sooner,
    )


# Scenarios


def _most_robust(
    shop: JobShop,
    usual: Schedule,
    given: list[int],
    found: Sequence[Schedule],
    scatter: float,
) -> tuple[Schedule, float]:
    """The schedule whose order ends soonest on average, over scenarios of session lengths.

    Also by how much sooner than `usual`: the `given` order, with the lanes reserved now. It is
    judged by scenarios that had no part in choosing it.
    """
    if not scatter:
        return found[-1], usual.makespan - found[-1].makespan
    chance = random.Random(0)
    candidates = [usual, scheduled(shop, given), *found]
    for _ in range(_SCENARIOS):
        elsewhere = justified(_perturbed(shop, scatter, chance), given, _PASSES_ELSEWHERE)
        candidates.append(scheduled(shop, elsewhere.rank))
    choosing = [_perturbed(shop, scatter, chance) for _ in range(_SCENARIOS)]
    best = min(candidates, key=lambda one: _mean_makespan(one, choosing))
    judging = [_perturbed(shop, scatter, chance) for _ in range(_JUDGES)]
    return best, _mean_makespan(usual, judging) - _mean_makespan(best, judging)


def _mean_makespan(candidate: Schedule, scenarios: Sequence[JobShop]) -> float:
    ends = [
        scheduled(scenario, candidate.rank, candidate.reserved_for).makespan
        for scenario in scenarios
    ]
    return sum(ends) / len(ends)


def _perturbed(shop: JobShop, scatter: float, chance: random.Random) -> JobShop:
    return shop._replace(
        seconds=[one * math.exp(chance.gauss(0.0, scatter)) for one in shop.seconds]
    )
