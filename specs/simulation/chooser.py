"""Choosers: they make all choices of a schedule, as numbers, and record them.

A choice is a number from 0 to below the count of options. Option 0 is the simplest everywhere: the
first callback in line, no wait, the good ending, no act of the operator. A list of choices that
ends early continues with zeros; a shorter list, or one of lower numbers, is a simpler schedule.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Chooser(ABC):
    """Makes choices, and records them in `made`."""

    def __init__(self) -> None:
        self.made: list[int] = []
        self._rests = False

    @abstractmethod
    def pick(self, count: int) -> int:
        """A number from 0 to below `count`, which is 2 or more."""

    def number(self, count: int) -> int:
        """A number from 0 to below `count`. With a single option, no choice is recorded."""
        if count < 2 or self._rests:
            return 0
        picked = self.pick(count)
        self.made.append(picked)
        return picked

    def rest(self) -> None:
        """The schedule is over: choose 0 from now on, and record nothing."""
        self._rests = True

    def one_of(self, options: Sequence[T]) -> T:
        """One of `options`, the first being the simplest."""
        return options[self.number(len(options))]

    def once_in(self, count: int) -> bool:
        """Whether the last of `count` options is chosen."""
        return self.number(count) == count - 1


class SeededChooser(Chooser):
    """Chooses by a seed; all options are equally likely."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = Random(seed).random

    def pick(self, count: int) -> int:
        return int(self._random() * count)


class RecordedChooser(Chooser):
    """Chooses from a list, then 0. A number that is too high means the last option."""

    def __init__(self, choices: Sequence[int]) -> None:
        super().__init__()
        self._left = iter(choices)

    def pick(self, count: int) -> int:
        return min(next(self._left, 0), count - 1)


class HypothesisChooser(Chooser):
    """Lets Hypothesis choose: `data` comes from its strategy `data()`."""

    def __init__(self, data: st.DataObject) -> None:
        super().__init__()
        self._data = data

    def pick(self, count: int) -> int:
        return self._data.draw(st.integers(0, count - 1))
