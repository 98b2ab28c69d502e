"""An instance: a wave whose sessions' lengths are known, and how soon it can end.

The length of a session is its issue's estimate, so estimates are exact unless `blurred`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from wavelane import Wave


class Best(NamedTuple):
    """The earliest end that is known, and a time before which no schedule ends."""

    makespan: float
    bound: float


@dataclass(frozen=True, slots=True)
class Instance:
    """A wave, and for each cap under which it is run the best that is known."""

    name: str
    wave: Wave
    best: Mapping[int, Best]

    @property
    def seconds(self) -> list[float]:
        """How long each session takes, by position in the wave."""
        return [issue.estimate or 0.0 for issue in self.wave.issues]


def with_estimates(wave: Wave, estimates: Iterable[float | None]) -> Wave:
    """The same wave, estimated anew."""
    return Wave(
        [
            replace(issue, estimate=estimate)
            for issue, estimate in zip(wave.issues, estimates, strict=True)
        ],
        repos=wave.repos,
    )


def without_estimates(wave: Wave) -> Wave:
    """The same wave, with nothing known about its sessions."""
    return with_estimates(wave, [None] * len(wave))


def blurred(seconds: Sequence[float], sigma: float, chance: random.Random) -> list[float]:
    """Estimates that are off by a log-normal factor of median 1."""
    return [one * math.exp(chance.gauss(0.0, sigma)) for one in seconds]
