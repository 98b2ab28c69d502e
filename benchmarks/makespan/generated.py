"""Seeded waves of two shapes.

*agent*: 3–12 repos, 20–120 issues; each issue depends on 1–3 earlier ones (the first few on fewer),
half of the time in its own repo.

*hard*: 4–10 repos, 1–2 features a repo; each feature crosses 2–6 repos, each repo once, in an order
of its own, and each of its issues depends on the one before. Issues are filed feature by feature.

Sessions take 5–90 minutes, log-normal, with a median of 22.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Final, Literal

from wavelane import Issue, Wave

Shape = Literal["agent", "hard"]
SEEDS: Final = range(40)
_MEDIAN_SECONDS: Final = 22 * 60
_SPREAD: Final = 0.7
_SHORTEST_SECONDS: Final = 5 * 60
_LONGEST_SECONDS: Final = 90 * 60


def wave_of(shape: Shape, seed: int) -> Wave:
    """The wave of that shape and seed, with the lengths of its sessions as estimates."""
    return _SHAPES[shape](random.Random(f"{shape} {seed}"))


def caps(wave: Wave) -> list[int]:
    """A slot for each repo, for half of them, and two."""
    repos = len(wave.repos)
    return sorted({repos, max(2, repos // 2), 2}, reverse=True)


def _agent(chance: random.Random) -> Wave:
    repos = chance.randint(3, 12)
    size = chance.randint(20, 120)
    repo_of = [chance.randrange(repos) for _ in range(size)]
    return Wave(
        [
            Issue(
                _id(at, repo_of[at]),
                f"r{repo_of[at]}",
                [_id(need, repo_of[need]) for need in _needs(at, repo_of, chance)],
                estimate=_length(chance),
            )
            for at in range(size)
        ]
    )


def _needs(at: int, repo_of: list[int], chance: random.Random) -> list[int]:
    inside = [earlier for earlier in range(at) if repo_of[earlier] == repo_of[at]]
    outside = [earlier for earlier in range(at) if repo_of[earlier] != repo_of[at]]
    found: set[int] = set()
    for _ in range(chance.randint(1, 3)):
        pool = inside if chance.random() < 0.5 else outside
        if pool:
            found.add(chance.choice(pool))
    return sorted(found)


def _hard(chance: random.Random) -> Wave:
    repos = chance.randint(4, 10)
    issues: list[Issue] = []
    for _ in range(chance.randint(repos, 2 * repos)):
        crossed = chance.sample(range(repos), chance.randint(2, min(6, repos)))
        for step, repo in enumerate(crossed):
            needs = [issues[-1].id] if step else []
            issues.append(
                Issue(_id(len(issues), repo), f"r{repo}", needs, estimate=_length(chance))
            )
    return Wave(issues)


def _id(at: int, repo: int) -> str:
    return f"r{repo}#{at}"


def _length(chance: random.Random) -> float:
    seconds = _MEDIAN_SECONDS * math.exp(chance.gauss(0.0, _SPREAD))
    return float(round(min(max(seconds, _SHORTEST_SECONDS), _LONGEST_SECONDS)))


_SHAPES: Final[dict[Shape, Callable[[random.Random], Wave]]] = {"agent": _agent, "hard": _hard}
