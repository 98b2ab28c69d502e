"""Shrinking: a schedule that breaks a property, made simpler.

Choices are left out, in blocks, and lowered, one after the other, until no change helps. A change
is kept if the same property is still broken first, and the list is shorter, or of equal length and
lower. The result need not be the simplest of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from specs.simulation.schedule import Played

PLAYS: Final = 1_500
"""Schedules that are played at most, to shrink one."""
_BLOCKS: Final = (64, 32, 16, 8, 4, 3, 2, 1)


def shrink(played: Played, again: Callable[[Sequence[int]], Played], plays: int = PLAYS) -> Played:
    """The simplest schedule found; `again` plays a list of choices."""
    shrinker = _Shrinker(played, again, plays)
    while shrinker.plays_left and shrinker.improves():
        pass
    return shrinker.best


class _Shrinker:
    def __init__(
        self, played: Played, again: Callable[[Sequence[int]], Played], plays: int
    ) -> None:
        self.best = played
        self.plays_left = plays
        self._again = again

    def improves(self) -> bool:
        """Try all changes once; whether one of them was kept."""
        before = self.best
        for block in _BLOCKS:
            self._leave_out(block)
        self._lower()
        return self.best is not before

    def _leave_out(self, block: int) -> None:
        at = len(self.best.simplest) - block
        while at >= 0:
            choices = self.best.simplest
            self._try([*choices[:at], *choices[at + block :]])
            at = min(at, len(self.best.simplest)) - block

    def _lower(self) -> None:
        for at in reversed(range(len(self.best.simplest))):
            for change in (lambda _: 0, lambda _: 1, lambda of: of // 2, lambda of: of - 1):
                choices = self.best.simplest
                if at < len(choices) and 0 <= (lower := change(choices[at])) < choices[at]:
                    self._try([*choices[:at], lower, *choices[at + 1 :]])

    def _try(self, choices: list[int]) -> None:
        if not self.plays_left:
            return
        self.plays_left -= 1
        found = self._again(choices)
        if found.broken == self.best.broken and _size(found) < _size(self.best):
            self.best = found


def _size(played: Played) -> tuple[int, list[int]]:
    return len(played.simplest), played.simplest
