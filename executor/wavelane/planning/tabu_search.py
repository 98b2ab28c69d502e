"""Tabu search for an order with lanes reserved for more urgent issues, if it ends sooner.

The search changes the blocks of a longest chain. A chain is a sequence of issues that follow one
another without a gap up to the end, through dependencies and lanes; a block is the part of it in
one lane. Only a change at an end of a block can shorten the chain: an issue moves behind the last
of its block or ahead of the first (Balas and Vazacopoulos 1998). The most promising change is made,
better or worse, and is not reversed for a while (Nowicki and Smutnicki 1996).

The search ignores slots. Its result is scheduled with the available slots, and is taken only if it
still ends sooner.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Final, NamedTuple

from wavelane.planning.job_shop import JobShop
from wavelane.planning.list_schedule import Schedule, reserved_in_time

_MOST_ROUNDS: Final = 1_000
"""Rounds of the search; small waves gain nothing from more."""
_TENURE: Final = 8
_NO_ISSUE: Final = -1
"""The index for "no issue before" or "after": the last place of a list, which stays 0."""


def with_reservations(
    shop: JobShop, best: Schedule, effort: int, latest: Mapping[int, float]
) -> Schedule:
    """The schedule of the best order that the search finds, if it ends sooner than `best`.

    `latest`: for some issues, the latest start for which a lane may be reserved.
    """
    rounds = min(_MOST_ROUNDS, effort // (len(best.rank) + 1))
    timing = Timing(shop, _searched(shop, best.by_start(), rounds))
    rank = [0] * len(best.rank)
    for place, at in enumerate((*range(shop.running), *timing.order)):
        rank[at] = place
    found = reserved_in_time(shop, rank, frozenset(timing.reserved_for()), latest)
    return min(best, found, key=lambda one: one.makespan)


def _searched(shop: JobShop, order: Sequence[int], rounds: int) -> list[int]:
    """The order of the shortest schedule that a tabu search from `order` finds."""
    chance = random.Random(0)
    tabu: dict[tuple[int, int], int] = {}
    timing = Timing(shop, order)
    best, shortest = timing.order, float("inf")
    for now in range(rounds):
        makespan = max(timing.end)
        if makespan < shortest:
            best, shortest = timing.order.copy(), makespan
        guesses = [(timing.guess(move), move) for move in moves(timing)]
        if not guesses:
            break
        guesses.sort(key=itemgetter(0))
        free = (
            move
            for guess, move in guesses
            if guess < shortest or all(tabu.get(pair, 0) <= now for pair in move.turned())
        )
        move = next(free, None) or chance.choice(guesses)[1]
        until = now + _TENURE + chance.randrange(_TENURE)
        for earlier, later in move.turned():
            tabu[later, earlier] = until
        timing.take(move)
    return best


# Moves


class Insertion(NamedTuple):
    """A move of one issue to the other end of a sequence of issues in a lane.

    The first goes `behind` the last, or else the last goes ahead of the first.
    """

    issues: list[int]
    behind: bool

    def after(self) -> list[int]:
        """The issues in their order after the move."""
        first, last = self.issues[:1], self.issues[-1:]
        return self.issues[1:] + first if self.behind else last + self.issues[:-1]

    def turned(self) -> Iterator[tuple[int, int]]:
        """The pairs whose order the move reverses, in their present order."""
        if self.behind:
            return ((self.issues[0], later) for later in self.issues[1:])
        return ((earlier, self.issues[-1]) for earlier in self.issues[:-1])


def moves(timing: Timing) -> list[Insertion]:
    """The feasible moves that may shorten a longest chain."""
    blocks = [list(block) for _, block in groupby(timing.chain(), timing.shop.lane.__getitem__)]
    found: list[Insertion] = []
    for place, block in enumerate(blocks):
        opens, closes = place > 0, place + 1 < len(blocks)
        if opens:
            found += [Insertion(block[:count], False) for count in range(2, len(block) + 1)]
        if closes:
            found += [Insertion(block[at:], True) for at in range(len(block) - 2)]
        if closes and len(block) > (2 if opens else 1):
            found.append(Insertion(block[-2:], False))
    return [move for move in found if timing.allows(move)]


class Timing:
    """An order, and when each issue starts and ends if all start as early as that order allows.

    After a move, only what can have changed is updated: forward from the move on, backward from it
    to the beginning.
    """

    def __init__(self, shop: JobShop, order: Sequence[int]) -> None:
        count = len(shop.ids) + 1
        self.shop = shop
        self.order = [at for at in order if at >= shop.running]
        self.start = [0.0] * count
        """When each issue starts; the place after the last belongs to no issue, here and below."""
        self.end = [*shop.seconds[: shop.running], *[0.0] * (count - shop.running)]
        self.left = [0.0] * count
        """The time from the start of each issue to the end."""
        self._in_lane = [_NO_ISSUE] * count
        """The issue before each one; below, the one after it."""
        self._next_in_lane = [_NO_ISSUE] * count
        self._line_up()
        self._look_ahead(0)
        self._look_back(len(self.order))

    def _line_up(self) -> None:
        last = [_NO_ISSUE] * self.shop.lanes
        for at in sorted(range(self.shop.running), key=self.end.__getitem__):
            last[self.shop.lane[at]] = at
        for at in self.order:
            lane = self.shop.lane[at]
            self._follow(last[lane], at)
            last[lane] = at

    def _follow(self, before: int, at: int) -> None:
        """Put `at` right after `before` in their lane; either may be `_NO_ISSUE`."""
        if at != _NO_ISSUE:
            self._in_lane[at] = before
        if before != _NO_ISSUE:
            self._next_in_lane[before] = at

    def _look_ahead(self, since: int) -> None:
        """From this place of the order on, start each issue as early as needs and lane allow."""
        needs, seconds, in_lane = self.shop.needs, self.shop.seconds, self._in_lane
        start, end = self.start, self.end
        for at in self.order[since:]:
            clock = end[in_lane[at]]
            for need in needs[at]:
                if end[need] > clock:
                    clock = end[need]
            start[at] = clock
            end[at] = clock + seconds[at]

    def _look_back(self, until: int) -> None:
        """Update the time to the end of each issue up to this place of the order."""
        dependents, seconds = self.shop.dependents, self.shop.seconds
        next_in_lane, left = self._next_in_lane, self.left
        for at in reversed(self.order[:until]):
            longest = left[next_in_lane[at]]
            for dependent in dependents[at]:
                if left[dependent] > longest:
                    longest = left[dependent]
            left[at] = longest + seconds[at]

    def chain(self) -> list[int]:
        """A longest chain, first to last."""
        start, end = self.start, self.end
        at = end.index(max(end))
        chain = [at]
        while start[at] > 0.0:
            begun = start[at]
            before = (*self.shop.needs[at], self._in_lane[at])
            at = next(one for one in before if end[one] == begun)
            chain.append(at)
        chain.reverse()
        return chain

    def allows(self, move: Insertion) -> bool:
        """Whether no issue would have to start before its needs, as far as the times show."""
        first, last = move.issues[0], move.issues[-1]
        if first < self.shop.running or first in self.shop.needs[last]:
            return False
        if move.behind:
            return _latest(self.left, self.shop.dependents[first], 0.0) <= self.left[last]
        return len(move.issues) == 2 or (
            _latest(self.end, self.shop.needs[last], 0.0) <= self.end[first]
        )

    def guess(self, move: Insertion) -> float:
        """The length of the longest chain through any of the issues after the move."""
        shop, end, left, after = self.shop, self.end, self.left, move.after()
        first, last = move.issues[0], move.issues[-1]
        clock = end[self._in_lane[first]]
        starts: list[float] = []
        for at in after:
            for need in shop.needs[at]:
                if end[need] > clock:
                    clock = end[need]
            starts.append(clock)
            clock += shop.seconds[at]
        longest, behind = 0.0, left[self._next_in_lane[last]]
        for at in reversed(after):
            for dependent in shop.dependents[at]:
                if left[dependent] > behind:
                    behind = left[dependent]
            behind += shop.seconds[at]
            whole = starts.pop() + behind
            if whole > longest:
                longest = whole
        return longest

    def take(self, move: Insertion) -> None:
        """Make the move in the order, and update the times.

        What the last may need goes ahead of both; what may need the first goes behind them.
        """
        first, last = move.issues[0], move.issues[-1]
        since = self.order.index(first)
        until = self.order.index(last, since) + 1
        between = [at for at in self.order[since:until] if at not in (first, last)]
        if move.behind:
            least = self.left[last]
            ahead = [at for at in between if self.left[at] > least]
            behind = [at for at in between if self.left[at] <= least]
        else:
            latest = self.end[first]
            ahead = [at for at in between if self.start[at] < latest]
            behind = [at for at in between if self.start[at] >= latest]
        self.order[since:until] = [*ahead, last, first, *behind]
        line = (self._in_lane[first], *move.after(), self._next_in_lane[last])
        for one, following in pairwise(line):
            self._follow(one, following)
        self._look_ahead(since)
        self._look_back(until)

    def reserved_for(self) -> Iterator[int]:
        """Issues that start when their needs are done, although others could have started before.

        Or at the same time: events of one instant are applied one after another.
        """
        queues: dict[int, list[int]] = {}
        for at in self.order:
            queues.setdefault(self.shop.lane[at], []).append(at)
        for queue in queues.values():
            earliest = float("inf")
            for at in reversed(queue):
                ready = _latest(self.end, self.shop.needs[at], 0.0)
                if earliest <= self.start[at] == ready > 0.0:
                    yield at
                earliest = min(earliest, ready)


def _latest(times: Sequence[float], among: Iterable[int], at_least: float) -> float:
    for at in among:
        if times[at] > at_least:
            at_least = times[at]
    return at_least
