"""The planner: in which order to admit issues, so that the wave ends soon.

It orders admissions within what the rules allow; what starts is decided by the model alone. What it
predicts is what the model would do if every session took as long as is expected.

1. *List schedule*: whenever slot and lane are free, the first ready issue by rank starts.
2. *Forward and backward*: what ends last in a schedule is scheduled first on the way back from
   the end, and what must start early on the way back is scheduled first on the way forward. From
   order to order this straightens a schedule (justification; Li and Willis 1992). It begins anew
   from blurred copies of the best schedule, with a fixed seed.
3. *Swaps*, where lanes may be held idle for a more urgent issue: a tabu search swaps neighbours at
   the ends of the blocks of a longest chain (Nowicki and Smutnicki 1996); a chain runs through
   dependencies, lanes and slots. The best order is taken if it ends sooner, lanes held as it needs.
4. *Scenarios*, where estimates are known to scatter: of the orders found above, and of some found
   for blurred estimates, that is taken which ends soonest on average over blurred estimates.

An issue holds its lane until it is done; with `lane_release="review"` the wave may end sooner.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace, nlargest
from itertools import pairwise
from typing import Final, NamedTuple

from wavelane_model.order import AdmissionKey, admission_keys
from wavelane_model.wave import Wave

PASSES: Final = 20
"""Forward and backward, before the first new beginning."""
EFFORT: Final = 60_000
"""How many issues are looked at in the search by swaps; half as many in new beginnings."""

_PASSES_AFRESH: Final = 3
_PASSES_ELSEWHERE: Final = 6
_SCENARIOS: Final = 30
_JUDGES: Final = 40
_BEGINNINGS: Final = 30
_TENURE: Final = 8
_OVERDUE_SHARE: Final = 0.1
_SHORTEST_SECONDS: Final = 0.001
"""Something, so that what depends on an issue never starts together with it."""
_NOBODY: Final = -1
"""An index for "no issue before" or "after": the last place of a list, which stays 0."""


class Span(NamedTuple):
    """From start to end, in seconds from the moment of planning."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Plan:
    """An order of admission, and what is predicted of it.

    `order` holds positions of issues that are not in flight yet, first to be admitted first.
    `held_for` are those for which their lane is held idle: while one of them is queued, none that
    comes later in `order` is admitted in its repo. `spans` are of all issues still to do.
    """

    order: tuple[int, ...]
    held_for: frozenset[int]
    spans: Mapping[int, Span]
    makespan: float
    sooner: float
    """By how many seconds the wave ends sooner than in the order that it started from; on average,
    where estimates scatter."""


def planned(
    wave: Wave,
    seconds: Sequence[float],
    cap: int,
    *,
    elapsed: Mapping[int, float] | None = None,
    todo: Collection[int] | None = None,
    start_from: Sequence[int] | None = None,
    may_hold: bool = False,
    holds: Collection[int] = (),
    scatter: float = 0.0,
    effort: int = EFFORT,
) -> Plan:
    """Plan what is left of a wave; the same question has the same answer.

    `seconds` is how long each issue is expected to take, by position. `elapsed`: for issues in
    flight, how long they have been. `todo`: what is left, in flight or not (default: all); other
    issues count as done. `start_from`: the order to start from, e.g. that of the plan before
    (default: the model's); by `seconds`, the plan ends no later than it would. `holds`: for which
    issues lanes are held now. `may_hold`: whether lanes may be held idle. `scatter`: the standard
    deviation of the logarithm of what sessions take by what was expected; with it, the plan ends no
    later than `start_from` on average.
    Raises `ValueError` for a cap below 1.
    """
    if cap < 1:
        raise ValueError(f"the cap is {cap}; give 1 or more")
    running = dict(elapsed or {})
    queued = sorted(set(range(len(wave)) if todo is None else todo).difference(running))
    keys = admission_keys(wave)
    shop = _shop([*sorted(running), *queued], running, wave, seconds, cap, keys)
    first = sorted(queued, key=keys.__getitem__) if start_from is None else start_from
    rank = {at: place for place, at in enumerate(first)}
    given = shop.ranks([rank.get(at, len(wave)) for at in shop.ids])
    found = [_improved(shop, given, effort)]
    if may_hold and len(set(shop.urgency[shop.running :])) == 1:
        found.append(_with_holds(shop, found[0], effort))
    held = frozenset(at for at, position in enumerate(shop.ids) if position in holds)
    best, sooner = _steadiest(shop, _scheduled(shop, given, held), given, found, scatter)
    return Plan(
        order=tuple(shop.ids[at] for at in best.order() if at >= shop.running),
        held_for=frozenset(shop.ids[at] for at in best.held_for),
        spans={
            shop.ids[at]: Span(start, start + shop.seconds[at])
            for at, start in enumerate(best.start)
        },
        makespan=best.makespan,
        sooner=sooner,
    )


# What is to be scheduled


class _Shop(NamedTuple):
    """What is left, numbered anew: those in flight come first."""

    ids: list[int]
    """Positions in the wave."""
    running: int
    """How many are in flight."""
    lane: list[int]
    lanes: int
    seconds: list[float]
    needs: list[list[int]]
    dependents: list[list[int]]
    urgency: list[int]
    """Smaller is more urgent; no plan goes against it."""
    cap: int

    def backward(self) -> _Shop:
        """The same, seen from its end."""
        return self._replace(
            needs=self.dependents,
            dependents=self.needs,
            running=0,
            urgency=[-one for one in self.urgency],
        )

    def ranks(self, wish: Sequence[float]) -> list[int]:
        """Who comes how early: those in flight, then the urgent, then by `wish`, smallest first."""
        order = sorted(
            range(len(self.ids)),
            key=lambda at: (at >= self.running, self.urgency[at], wish[at], at),
        )
        rank = [0] * len(order)
        for place, at in enumerate(order):
            rank[at] = place
        return rank


def _shop(
    ids: list[int],
    running: Mapping[int, float],
    wave: Wave,
    seconds: Sequence[float],
    cap: int,
    keys: Sequence[AdmissionKey],
) -> _Shop:
    place = {position: at for at, position in enumerate(ids)}
    needs = [
        [place[need] for need in wave.dependencies[position] if need in place]
        if position not in running
        else []
        for position in ids
    ]
    dependents: list[list[int]] = [[] for _ in ids]
    for at, needed in enumerate(needs):
        for need in needed:
            dependents[need].append(at)
    return _Shop(
        ids,
        len(running),
        [wave.repo_of[position] for position in ids],
        len(wave.repos),
        [_left(seconds[position], running.get(position, 0.0)) for position in ids],
        needs,
        dependents,
        [keys[position].minus_priority for position in ids],
        min(cap, max(1, len(ids))),
    )


def _left(expected: float, elapsed: float) -> float:
    """What is left of a session; one that is overdue is taken to need a little longer."""
    return max(expected - elapsed, expected * _OVERDUE_SHARE, _SHORTEST_SECONDS)


# List schedules


class _Schedule(NamedTuple):
    """When each issue starts if issues are admitted by rank."""

    makespan: float
    start: list[float]
    rank: list[int]
    held_for: frozenset[int] = frozenset()

    def order(self) -> list[int]:
        """The issues as they start; admitted in this order, they start at the same times."""
        return sorted(range(len(self.rank)), key=lambda at: (self.start[at], self.rank[at]))


def _scheduled(shop: _Shop, rank: list[int], held_for: frozenset[int] = frozenset()) -> _Schedule:
    """What the model would do: start what may start, first by rank, until nothing more may."""
    by_rank = sorted(range(len(rank)), key=rank.__getitem__)
    lane_of, seconds, cap = shop.lane, shop.seconds, shop.cap
    unmet = [len(needed) for needed in shop.needs]
    ready: list[list[int]] = [[] for _ in range(shop.lanes)]
    awaited: list[list[int]] = [[] for _ in range(shop.lanes)]
    for at in held_for:
        heappush(awaited[lane_of[at]], rank[at])
    start = [0.0] * len(rank)
    holders = [0] * shop.lanes
    idle: list[tuple[int, int]] = []
    ends: list[tuple[float, int]] = []
    clock = 0.0

    def propose(lane: int) -> None:
        first = ready[lane]
        if first and not holders[lane] and not (awaited[lane] and awaited[lane][0] < first[0]):
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
                if awaited[lane] and awaited[lane][0] == first:
                    heappop(awaited[lane])
                begin(by_rank[first])
        if not ends:
            return _Schedule(clock, start, rank, held_for)
        clock, at = heappop(ends)
        holders[lane_of[at]] -= 1
        propose(lane_of[at])
        for dependent in shop.dependents[at]:
            unmet[dependent] -= 1
            if unmet[dependent] == 0:
                heappush(ready[lane_of[dependent]], rank[dependent])
                propose(lane_of[dependent])


# Forward and backward


def _improved(shop: _Shop, rank: Sequence[float], effort: int) -> _Schedule:
    """The best list schedule found, `rank` being where it starts."""
    best = _straightened(shop, shop.ranks(rank), PASSES)
    chance = random.Random(0)
    beginnings = min(_BEGINNINGS, effort // (4 * _PASSES_AFRESH * (len(shop.ids) + 1)))
    for _ in range(beginnings):
        blurred = [
            start + chance.gauss(0.0, length)
            for start, length in zip(best.start, shop.seconds, strict=True)
        ]
        found = _straightened(shop, shop.ranks(blurred), _PASSES_AFRESH)
        if found.makespan <= best.makespan:
            best = found
    return best


def _straightened(shop: _Shop, rank: list[int], passes: int) -> _Schedule:
    """The best of the schedules from `rank` on, forward and backward in turn."""
    backward = shop.backward()
    best = schedule = _scheduled(shop, rank)
    for _ in range(passes):
        last_first = backward.ranks([-end for end in _ends(shop, schedule.start)])
        mirrored = _scheduled(backward, last_first)
        rank = shop.ranks([-end for end in _ends(shop, mirrored.start)])
        if rank == schedule.rank:
            break
        schedule = _scheduled(shop, rank)
        best = min(best, schedule, key=lambda one: one.makespan)
    return best


def _ends(shop: _Shop, start: Sequence[float]) -> list[float]:
    return [begin + length for begin, length in zip(start, shop.seconds, strict=True)]


# Swaps


class _Heads(NamedTuple):
    """When each issue starts and ends if all start in a given order, and who came before it."""

    start: list[float]
    end: list[float]
    in_lane: list[int]
    in_slot: list[int]


class _Tails(NamedTuple):
    """How much is left from the start of each issue to the end, and who comes after it."""

    length: list[float]
    in_lane: list[int]
    in_slot: list[int]


def _with_holds(shop: _Shop, best: _Schedule, effort: int) -> _Schedule:
    """The schedule of the best order that swaps find, if it ends sooner than `best`."""
    order = _searched(shop, best.order(), effort // (len(best.rank) + 1))
    heads = _heads(shop, order)
    rank = [0] * len(order)
    for place, at in enumerate(order):
        rank[at] = place
    found = _scheduled(shop, rank, frozenset(_held_for(shop, order, heads)))
    return min(best, found, key=lambda one: one.makespan)


def _searched(shop: _Shop, order: list[int], rounds: int) -> list[int]:
    """The order of the shortest schedule that a tabu search from `order` comes by."""
    chance = random.Random(0)
    tabu: dict[tuple[int, int], int] = {}
    best, shortest = order, float("inf")
    for now in range(rounds):
        heads = _heads(shop, order)
        order = sorted(order, key=heads.start.__getitem__)
        makespan = max(heads.end)
        if makespan < shortest:
            best, shortest = order.copy(), makespan
        tails = _tails(shop, order, heads)
        swaps = list(_swaps(shop, heads, _longest_chain(shop, heads, makespan, chance)))
        if not swaps:
            break
        guesses = {swap: _guess(shop, heads, tails, *swap) for swap in swaps}
        free = [swap for swap in swaps if tabu.get(swap, 0) <= now or guesses[swap] < shortest]
        earlier, later = min(free or [chance.choice(swaps)], key=guesses.__getitem__)
        tabu[later, earlier] = now + _TENURE + chance.randrange(_TENURE)
        _swap(order, heads.start, earlier, later)
    return best


def _heads(shop: _Shop, order: Sequence[int]) -> _Heads:
    """Start in `order`, each as early as needs, lane and slot allow."""
    count = len(order) + 1
    heads = _Heads([0.0] * count, [0.0] * count, [_NOBODY] * count, [_NOBODY] * count)
    start, end, in_lane, in_slot = heads
    last = [_NOBODY] * shop.lanes
    has_slots_for_all = shop.cap >= shop.lanes
    for at in range(shop.running):
        end[at] = shop.seconds[at]
        if end[at] > end[last[shop.lane[at]]]:
            last[shop.lane[at]] = at
    slots = nlargest(
        shop.cap,
        [*((end[at], at) for at in range(shop.running)), *[(0.0, _NOBODY)] * shop.cap],
    )
    heapify(slots)
    for at in order:
        if at < shop.running:
            continue
        lane = shop.lane[at]
        before = in_lane[at] = last[lane]
        last[lane] = at
        clock = end[before]
        for need in shop.needs[at]:
            if end[need] > clock:
                clock = end[need]
        if not has_slots_for_all:
            free, in_slot[at] = slots[0]
            clock = max(clock, free)
            heapreplace(slots, (clock + shop.seconds[at], at))
        start[at] = clock
        end[at] = clock + shop.seconds[at]
    return heads


def _tails(shop: _Shop, order: Sequence[int], heads: _Heads) -> _Tails:
    count = len(order) + 1
    tails = _Tails([0.0] * count, [_NOBODY] * count, [_NOBODY] * count)
    length, in_lane, in_slot = tails
    for at in reversed(order):
        longest = max(length[in_lane[at]], length[in_slot[at]])
        for dependent in shop.dependents[at]:
            if length[dependent] > longest:
                longest = length[dependent]
        length[at] = longest + shop.seconds[at]
        if heads.in_lane[at] != _NOBODY:
            in_lane[heads.in_lane[at]] = at
        if heads.in_slot[at] != _NOBODY:
            in_slot[heads.in_slot[at]] = at
    return tails


def _longest_chain(shop: _Shop, heads: _Heads, makespan: float, chance: random.Random) -> list[int]:
    """Issues that follow one another without a gap up to the end; one such chain by chance."""
    at = chance.choice([at for at, end in enumerate(heads.end[:-1]) if end == makespan])
    chain = [at]
    while heads.start[at] > 0.0:
        before = (*shop.needs[at], heads.in_lane[at], heads.in_slot[at])
        at = chance.choice([one for one in before if heads.end[one] == heads.start[at]])
        chain.append(at)
    chain.reverse()
    return chain


def _swaps(shop: _Shop, heads: _Heads, chain: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Neighbours of the chain whose swap may shorten it.

    Inside a block of one lane only the first two and the last two; and not the first two of the
    chain or its last two, as long as there are slots for all lanes.
    """
    blocks = [shop.lane[at] for at in chain]
    for place, (earlier, later) in enumerate(pairwise(chain)):
        if earlier < shop.running or earlier in shop.needs[later]:
            continue
        if blocks[place] != blocks[place + 1]:
            yield earlier, later
            continue
        opens = place > 0 and blocks[place - 1] != blocks[place]
        closes = place + 2 < len(chain) and blocks[place + 2] != blocks[place]
        at_an_end = place == 0 or place + 2 == len(chain)
        if opens or closes or (at_an_end and shop.cap < shop.lanes):
            yield earlier, later


def _guess(shop: _Shop, heads: _Heads, tails: _Tails, earlier: int, later: int) -> float:
    """How long the longest chain through either of two neighbours would be if they were swapped."""
    first = heads.start[earlier]
    if shop.lane[earlier] == shop.lane[later]:
        before = heads.end[heads.in_lane[earlier]]
        first = _latest(heads.end, shop.needs[later], before)
        second = _latest(heads.end, shop.needs[earlier], first + shop.seconds[later])
        after = tails.length[tails.in_lane[later]]
        behind = _latest(tails.length, shop.dependents[earlier], after) + shop.seconds[earlier]
        whole = _latest(tails.length, shop.dependents[later], behind) + shop.seconds[later]
        return max(first + whole, second + behind)
    before = max(first, heads.end[heads.in_lane[later]])
    first = _latest(heads.end, shop.needs[later], before)
    return first + max(tails.length[later], shop.seconds[later] + tails.length[earlier])


def _latest(times: Sequence[float], among: Iterable[int], at_least: float) -> float:
    for at in among:
        if times[at] > at_least:
            at_least = times[at]
    return at_least


def _swap(order: list[int], start: Sequence[float], earlier: int, later: int) -> None:
    """Put `earlier` right after `later`; nothing that needs it starts before `later`."""
    order.remove(later)
    place = bisect_left(order, start[later], key=start.__getitem__)
    order.insert(place, later)
    order.remove(earlier)
    order.insert(place, earlier)


def _held_for(shop: _Shop, order: Sequence[int], heads: _Heads) -> Iterator[int]:
    """Issues before whose start another could have started in their idle lane."""
    queues: dict[int, list[int]] = {}
    for at in order:
        if at >= shop.running:
            queues.setdefault(shop.lane[at], []).append(at)
    for queue in queues.values():
        earliest = float("inf")
        for at in reversed(queue):
            free = heads.end[heads.in_lane[at]]
            if max(free, earliest) < heads.start[at]:
                yield at
            earliest = min(earliest, _latest(heads.end, shop.needs[at], 0.0))


# Scenarios


def _steadiest(
    shop: _Shop,
    usual: _Schedule,
    given: list[int],
    found: Sequence[_Schedule],
    scatter: float,
) -> tuple[_Schedule, float]:
    """The schedule whose order ends soonest on average, over scenarios of what sessions take.

    And by how much sooner than as `usual`: in the order that is `given`, with the lanes that are
    held now. It is judged by scenarios that did not choose it.
    """
    if not scatter:
        return found[-1], usual.makespan - found[-1].makespan
    chance = random.Random(0)
    candidates = [usual, _scheduled(shop, given), *found]
    for _ in range(_SCENARIOS):
        elsewhere = _straightened(_blurred(shop, scatter, chance), given, _PASSES_ELSEWHERE)
        candidates.append(_scheduled(shop, elsewhere.rank))
    choosing = [_blurred(shop, scatter, chance) for _ in range(_SCENARIOS)]
    best = min(candidates, key=lambda one: _mean_makespan(one, choosing))
    judging = [_blurred(shop, scatter, chance) for _ in range(_JUDGES)]
    return best, _mean_makespan(usual, judging) - _mean_makespan(best, judging)


def _mean_makespan(candidate: _Schedule, scenarios: Sequence[_Shop]) -> float:
    ends = [
        _scheduled(scenario, candidate.rank, candidate.held_for).makespan for scenario in scenarios
    ]
    return sum(ends) / len(ends)


def _blurred(shop: _Shop, scatter: float, chance: random.Random) -> _Shop:
    return shop._replace(
        seconds=[one * math.exp(chance.gauss(0.0, scatter)) for one in shop.seconds]
    )
