"""From times to coordinates on an axis, and the positions of its ticks.

Times in which nothing could happen, because no process ran the wave, may be *squeezed*: a weekend
between two runs of ten minutes takes no more room than a word.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from wavelane.timeline.estimates import Unit

SQUEEZED: Final = 30.0
"""The width of a squeezed time."""
_WORTH: Final = 0.08
"""A time is squeezed if it takes a larger share than this of the time of all else."""
_SECONDS: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800),
)
"""Distances of ticks that people can easily count with."""


class Tick(NamedTuple):
    """A tick: its time, its x, and its label."""

    at: float
    x: float
    text: str


class Scale:
    """Maps times from 0 to `end` to x coordinates from `left` to `right`.

    `away` are times, from and until, that may be squeezed, in order.
    """

    def __init__(
        self, end: float, left: float, right: float, away: Sequence[tuple[float, float]] = ()
    ) -> None:
        end = end if end > 0 else 1.0
        active = end - sum(until - since for since, until in away)
        self.squeezed = tuple(
            (since, until) for since, until in away if until - since > _WORTH * active
        )
        shown = end - sum(until - since for since, until in self.squeezed)
        self._per_unit = (right - left - SQUEEZED * len(self.squeezed)) / (shown or end)
        self._times, self._xs = [0.0], [left]
        for since, until in self.squeezed:
            self._knot(since)
            self._times.append(until)
            self._xs.append(self._xs[-1] + SQUEEZED)
        self._knot(end)

    def _knot(self, at: float) -> None:
        self._xs.append(self._xs[-1] + (at - self._times[-1]) * self._per_unit)
        self._times.append(at)

    def x(self, at: float) -> float:
        """The x of a time; times before or after the axis are put at its edge."""
        after = min(max(bisect_right(self._times, at), 1), len(self._times) - 1)
        since, until = self._times[after - 1], self._times[after]
        left, right = self._xs[after - 1], self._xs[after]
        if until <= since:
            return left
        return left + (right - left) * min(1.0, max(0.0, (at - since) / (until - since)))

    def ticks(self, unit: Unit, apart: float = 76.0) -> Iterator[Tick]:
        """Ticks at least `apart` from each other."""
        step = _distance(apart / self._per_unit, unit)
        last = float("-inf")
        for since, until in self._shown():
            for number in range(-int(-since // step), int(until / step + 1e-9) + 1):
                x = self.x(number * step)
                if x - last >= 0.7 * apart:
                    yield Tick(number * step, x, tick_text(number * step, unit))
                    last = x

    def _shown(self) -> Iterable[tuple[float, float]]:
        since = 0.0
        for squeezed in self.squeezed:
            yield since, squeezed[0]
            since = squeezed[1]
        yield since, self._times[-1]


def _distance(least: float, unit: Unit) -> float:
    """The smallest round distance that is not below `least`."""
    if unit == "seconds":
        for distance in _SECONDS:
            if distance >= least:
                return float(distance)
        weeks = 604_800.0
        return weeks * -int(-least // weeks)
    decade = 1.0
    while decade * 5 < least:
        decade *= 10
    return next(decade * one for one in (1, 2, 5) if decade * one >= least)


def tick_text(at: float, unit: Unit) -> str:
    """A time on an axis, as short as possible: 0, 30 s, 1:30 min, 2 h, 1 d 6:30."""
    if unit == "sessions" or at == 0:
        return f"{at:g}"
    if at < 60:
        return f"{at:.3g} s"
    whole = round(at)
    if whole < 3600:
        return _with_rest(whole // 60, whole % 60, "min")
    if whole < 86_400:
        return _with_rest(whole // 3600, whole % 3600 // 60, "h")
    days, rest = divmod(whole, 86_400)
    hour, minute = divmod(rest // 60, 60)
    return f"{days} d {hour}:{minute:02}" if rest else f"{days} d"


def _with_rest(whole: int, rest: int, unit: str) -> str:
    return f"{whole}:{rest:02} {unit}" if rest else f"{whole} {unit}"
