"""How long each issue of a wave is expected to take.

An issue is expected to take its estimate. One without takes

1. the median of the estimates in its repo, else
2. the median of all estimates of the wave.

In a wave without any estimate each issue counts 1: what is forecast then is in *sessions*, as many
as follow one another, and no time.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import Literal, NamedTuple

from wavelane.times import duration
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
    by_repo: defaultdict[str, list[float]] = defaultdict(list)
    for issue in wave.issues:
        if issue.estimate is not None:
            by_repo[issue.repo].append(issue.estimate)
    known = [one for estimates in by_repo.values() for one in estimates]
    if not known:
        return Expected((1.0,) * len(wave), "sessions", 0)
    of_all = median(known)
    of_repo = {repo: median(estimates) for repo, estimates in by_repo.items()}
    lengths = tuple(
        of_repo.get(issue.repo, of_all) if issue.estimate is None else issue.estimate
        for issue in wave.issues
    )
    return Expected(lengths, "seconds", len(known))


def amount(value: float, unit: Unit) -> str:
    """A length in its unit: 2:05 min, or 3 sessions."""
    if unit == "seconds":
        return duration(value)
    return f"{value:g} session{'' if value == 1 else 's'}"
