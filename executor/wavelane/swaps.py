"""Swaps: an order in which lanes are held idle for a more urgent issue, where that ends sooner.

A tabu search swaps neighbours at the ends of the blocks of a longest chain (Nowicki and Smutnicki
1996); a chain runs through dependencies, lanes and slots.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heapreplace, nlargest
from itertools import pairwise
from typing import Final, NamedTuple

from wavelane.listschedule import Schedule, held_in_time
from wavelane.shop import Shop

_TENURE: Final = 8
_NOBODY: Final = -1
"""An index for "no issue before" or "after": the last place of a list, which stays 0."""


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


def with_holds(shop: Shop, best: Schedule, effort: int, latest: Mapping[int, float]) -> Schedule:
    """The schedule of the best order that swaps find, if it ends sooner than `best`.

    `latest`: for some issues, when they have to start for a lane to be held for them.
    """
    order = _searched(shop, best.order(), effort // (len(best.rank) + 1))
    heads = _heads(shop, order)
    rank = [0] * len(order)
    for place, at in enumerate(order):
        rank[at] = place
    found = held_in_time(shop, rank, frozenset(_held_for(shop, order, heads)), latest)
    return min(best, found, key=lambda one: one.makespan)


def _searched(shop: Shop, order: list[int], rounds: int) -> list[int]:
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


def _heads(shop: Shop, order: Sequence[int]) -> _Heads:
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


def _tails(shop: Shop, order: Sequence[int], heads: _Heads) -> _Tails:
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


def _longest_chain(shop: Shop, heads: _Heads, makespan: float, chance: random.Random) -> list[int]:
    """Issues that follow one another without a gap up to the end; one such chain by chance."""
    at = chance.choice([at for at, end in enumerate(heads.end[:-1]) if end == makespan])
    chain = [at]
    while heads.start[at] > 0.0:
        before = (*shop.needs[at], heads.in_lane[at], heads.in_slot[at])
        at = chance.choice([one for one in before if heads.end[one] == heads.start[at]])
        chain.append(at)
    chain.reverse()
    return chain


def _swaps(shop: Shop, heads: _Heads, chain: Sequence[int]) -> Iterator[tuple[int, int]]:
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


def _guess(shop: Shop, heads: _Heads, tails: _Tails, earlier: int, later: int) -> float:
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


def _held_for(shop: Shop, order: Sequence[int], heads: _Heads) -> Iterator[int]:
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
