"""How long each issue of a wave is expected to take.

What is expected where an estimate is missing is the model's to say (`wavelane_model.order`): its
order of admission depends on it. In a wave without any estimate each issue counts 1: what is
forecast then is in *sessions*, as many as follow one another, and no time.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from wavelane.times import duration
from wavelane_model.order import expected_lengths
from wavelane_model.wave import Wave

Unit = Literal["seconds", "sessions"]


class Expected(NamedTuple):
    """What each issue is expected to take, by position in the wave, and in which unit.

    `known`: how many issues have an estimate of their own.
    """

    lengths: tuple[float, ...]
    unit: Unit
    known: int


def expected_seconds(wave: Wave) -> Expected:
    """What each issue of `wave` is expected to take."""
    known = sum(issue.estimate is not None for issue in wave.issues)
    return Expected(tuple(expected_lengths(wave)), "seconds" if known else "sessions", known)


def amount(value: float, unit: Unit) -> str:
    """A length in its unit: 2:05 min, or 3 sessions."""
    if unit == "seconds":
        return duration(value)
    return f"{value:g} session{'' if value == 1 else 's'}"
