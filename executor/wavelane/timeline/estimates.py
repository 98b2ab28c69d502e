"""How long each issue of a wave is expected to take, and how that is known.

The model has the rule (`wavelane_model.lengths`), because its order of admission depends on it. In
a wave about which nothing is known each issue counts 1: the forecast is then a number of successive
*sessions*, not a time.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from wavelane.times import duration
from wavelane_model.lengths import LEARNED, Origin, are_seconds, lengths
from wavelane_model.wave import Wave

Unit = Literal["seconds", "sessions"]


class Expected(NamedTuple):
    """What each issue is expected to take, by position in the wave, and how that is known.

    `finished`: from how many issues of earlier waves it could be learned.
    """

    lengths: tuple[float, ...]
    unit: Unit
    origins: tuple[Origin, ...]
    finished: int

    @property
    def given(self) -> int:
        """How many issues have an estimate of their own."""
        return self.origins.count("estimate")

    @property
    def learned(self) -> int:
        """For how many issues the length is learned from finished ones."""
        return sum(origin in LEARNED for origin in self.origins)

    @property
    def missing(self) -> int:
        """How many issues have neither."""
        return len(self.origins) - self.given - self.learned


def expected_seconds(wave: Wave) -> Expected:
    """What each issue of `wave` is expected to take."""
    found = lengths(wave)
    return Expected(
        tuple(length.expected for length in found),
        "seconds" if are_seconds(found) else "sessions",
        tuple(length.origin for length in found),
        len(wave.experience),
    )


def provenance(expected: Expected) -> str:
    """The sources of the estimates, in words."""
    finished = f"{expected.finished} finished issue{'' if expected.finished == 1 else 's'}"
    return f"estimates: {expected.given} given, {expected.learned} learned from {finished}"


def amount(value: float, unit: Unit) -> str:
    """A length in its unit: 2:05 min, or 3 sessions."""
    if unit == "seconds":
        return duration(value)
    return f"{value:g} session{'' if value == 1 else 's'}"
