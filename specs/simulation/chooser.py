"""Choosers: they make all choices of a schedule, as numbers, and remember them.

A choice is a number from 0 to below the count of options. Option 0 is the plainest everywhere: the
first callback in line, no wait, the good ending, nobody who acts. So a list of choices that ends
early goes on with zeros, a shorter list is a plainer schedule, and so is one of lower numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Chooser(ABC):
    """Chooses, and keeps in `made` what it chose."""

    def __init__(self) -> None:
        self.made: list[int] = []
        self._rests = False

    @abstractmethod
    def pick(self, count: int) -> int:
        """A number from 0 to below `count`, which is 2 or more."""

    def number(self, count: int) -> int:
        """A number from 0 to below `count`. Where there is no choice, none is made."""
        if count < 2 or self._rests:
            return 0
        picked = self.pick(count)
        self.made.append(picked)
        return picked

    def rest(self) -> None:
        """From now on the answer is 0, and is not kept: the schedule is over."""
        self._rests = True

    def one_of(self, options: Sequence[T]) -> T:
        """One of `options`, the first being the plainest."""
        return options[self.number(len(options))]

    def once_in(self, count: int) -> bool:
        """True once in `count` times."""
        return self.number(count) == count - 1


class SeededChooser(Chooser):
    """Chooses by a seed: every option is as likely as the others."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = Random(seed).random

    def pick(self, count: int) -> int:
        return int(self._random() * count)


class RecordedChooser(Chooser):
    """Chooses what a list says, then 0. A number that is too high means the last option."""

    def __init__(self, choices: Sequence[int]) -> None:
        super().__init__()
        self._left = iter(choices)

    def pick(self, count: int) -> int:
        return min(next(self._left, 0), count - 1)


class HypothesisChooser(Chooser):
    """Chooses as Hypothesis wants it: `data` is what its strategy `data()` gave."""

    def __init__(self, data: st.DataObject) -> None:
        super().__init__()
        self._data = data

    def pick(self, count: int) -> int:
        return self._data.draw(st.integers(0, count - 1))
