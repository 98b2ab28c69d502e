"""List schedules: whenever a slot and a lane are free, the first ready issue by rank starts.

*Forward and backward*: issues that end last in a schedule are scheduled first in the backward pass
from the end, and issues that must start early in the backward pass are scheduled first in the
forward pass. Alternating the two justifies a schedule (Li and Willis 1992). The search restarts
from perturbed copies of the best schedule, with a fixed seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple

from wavelane.planning.job_shop import JobShop

PASSES: Final = 20
"""Forward and backward passes before the first restart."""

_PASSES_AFTER_RESTART: Final = 3
_COST_OF_A_PASS: Final = 13
"""The cost of a restart for each issue, in issues that the tabu search looks at."""


class Schedule(NamedTuple):
    """When each issue starts if issues are admitted by rank."""

    makespan: float
    start: list[float]
    rank: list[int]
    reserved_for: frozenset[int] = frozenset()

    def by_rank(self) -> list[int]:
        """The issues by rank; if they are admitted in this order, they start at the same times."""
        return sorted(range(len(self.rank)), key=self.rank.__getitem__)

    def by_start(self) -> list[int]:
        """The issues in the order in which they start."""
        return sorted(range(len(self.rank)), key=lambda at: (self.start[at], self.rank[at]))


def scheduled(
    shop: JobShop, rank: list[int], reserved_for: frozenset[int] = frozenset()
) -> Schedule:
    """What the model would do: start whatever may start, by rank, until nothing more may."""
    by_rank = sorted(range(len(rank)), key=rank.__getitem__)
    lane_of, seconds, cap = shop.lane, shop.seconds, shop.cap
    unmet = [len(needed) for needed in shop.needs]
    ready: list[list[int]] = [[] for _ in range(shop.lanes)]
    reserved: list[list[int]] = [[] for _ in range(shop.lanes)]
    for at in reserved_for:
        heappush(reserved[lane_of[at]], rank[at])
    start = [0.0] * len(rank)
    holders = [0] * shop.lanes
    idle: list[tuple[int, int]] = []
    ends: list[tuple[float, int]] = []
    clock = 0.0

    def propose(lane: int) -> None:
        first = ready[lane]
        if first and not holders[lane] and not (reserved[lane] and reserved[lane][0] < first[0]):
            heappush(idle, (first[0], lane))

    def begin(at: int) -> None:
        holders[lane_of[at]] += 1
        start[at] = clock
        heappush(ends, (clock + seconds[at], at))

    for at, count in enumerate(unmet):
        if at < shop.running:
            begin(at)
        elif count == 0:
            heappush(ready[lane_of[at]], rank[at])
    for lane in range(shop.lanes):
        propose(lane)
    while True:
        while idle and len(ends) < cap:
            first, lane = heappop(idle)
            if not holders[lane] and ready[lane] and ready[lane][0] == first:
                heappop(ready[lane])
                if reserved[lane] and reserved[lane][0] == first:
                    heappop(reserved[lane])
                begin(by_rank[first])
        if not ends:
            return Schedule(clock, start, rank, reserved_for)
        clock, at = heappop(ends)
        holders[lane_of[at]] -= 1
        propose(lane_of[at])
        for dependent in shop.dependents[at]:
            unmet[dependent] -= 1
            if unmet[dependent] == 0:
                heappush(ready[lane_of[dependent]], rank[dependent])
                propose(lane_of[dependent])


def reserved_in_time(
    shop: JobShop, rank: list[int], reserved_for: frozenset[int], latest: Mapping[int, float]
) -> Schedule:
    """Like `scheduled`, but reserves no lane for an issue that would start after its `latest`."""
    found = scheduled(shop, rank, reserved_for)
    while late := {at for at in reserved_for if found.start[at] > latest.get(at, math.inf)}:
        reserved_for -= late
        found = scheduled(shop, rank, reserved_for)
    return found


# Forward and backward


def improved(shop: JobShop, rank: Sequence[float], effort: int, restarts: int) -> Schedule:
    """The best list schedule found, starting from `rank`.

    It restarts `restarts` times, or less often if that would exceed the `effort`.
    """
    best = justified(shop, shop.ranks(rank), PASSES)
    chance = random.Random(0)
    affordable = effort // (_COST_OF_A_PASS * _PASSES_AFTER_RESTART * (len(shop.ids) + 1))
    for _ in range(min(restarts, affordable)):
        perturbed = [
            start + chance.gauss(0.0, length)
            for start, length in zip(best.start, shop.seconds, strict=True)
        ]
        found = justified(shop, shop.ranks(perturbed), _PASSES_AFTER_RESTART)
        if found.makespan <= best.makespan:
            best = found
    return best


def justified(shop: JobShop, rank: list[int], passes: int) -> Schedule:
    """The best of the schedules from `rank` on, alternating forward and backward passes."""
    backward = shop.backward()
    best = schedule = scheduled(shop, rank)
    for _ in range(passes):
        last_first = backward.ranks([-end for end in _ends(shop, schedule.start)])
        mirrored = scheduled(backward, last_first)
        rank = shop.ranks([-end for end in _ends(shop, mirrored.start)])
        if rank == schedule.rank:
            break
        schedule = scheduled(shop, rank)
        best = min(best, schedule, key=lambda one: one.makespan)
    return best


def _ends(shop: JobShop, start: Sequence[float]) -> list[float]:
    return [begin + length for begin, length in zip(start, shop.seconds, strict=True)]
