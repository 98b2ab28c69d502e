"""The job shop behind a wave: the issues still to do, renumbered.

Its machines are the lanes. Issues in flight come first; done issues are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from wavelane_model.order import AdmissionKey
from wavelane_model.wave import Wave

_OVERDUE_SHARE: Final = 0.1
_SHORTEST_SECONDS: Final = 0.001
"""A positive minimum, so that a dependent never starts together with its dependency."""


class JobShop(NamedTuple):
    """The remaining work, with its lanes and the cap."""

    ids: list[int]
    """Positions in the wave."""
    running: int
    """How many are in flight."""
    lane: list[int]
    lanes: int
    seconds: list[float]
    needs: list[list[int]]
    dependents: list[list[int]]
    urgency: list[int]
    """Smaller is more urgent; a plan never goes against it."""
    cap: int

    def backward(self) -> JobShop:
        """The same job shop, with time reversed."""
        return self._replace(
            needs=self.dependents,
            dependents=self.needs,
            running=0,
            urgency=[-one for one in self.urgency],
        )

    def ranks(self, wish: Sequence[float]) -> list[int]:
        """The rank of each issue: those in flight first, then by urgency, then by rising `wish`."""
        order = sorted(
            range(len(self.ids)),
            key=lambda at: (at >= self.running, self.urgency[at], wish[at], at),
        )
        rank = [0] * len(order)
        for place, at in enumerate(order):
            rank[at] = place
        return rank


def job_shop_of(
    ids: list[int],
    running: Mapping[int, float],
    wave: Wave,
    seconds: Sequence[float],
    cap: int,
    keys: Sequence[AdmissionKey],
) -> JobShop:
    """The job shop of the issues at `ids`; `running`: seconds that those in flight have taken."""
    place = {position: at for at, position in enumerate(ids)}
    needs = [
        [place[need] for need in wave.dependencies[position] if need in place]
        if position not in running
        else []
        for position in ids
    ]
    dependents: list[list[int]] = [[] for _ in ids]
    for at, needed in enumerate(needs):
        for need in needed:
            dependents[need].append(at)
    return JobShop(
        ids,
        len(running),
        [wave.repo_of[position] for position in ids],
        len(wave.repos),
        [_left(seconds[position], running.get(position, 0.0)) for position in ids],
        needs,
        dependents,
        [keys[position].minus_priority for position in ids],
        min(cap, max(1, len(ids))),
    )


def _left(expected: float, elapsed: float) -> float:
    """The rest of a session; an overdue one is assumed to need a little longer."""
    return max(expected - elapsed, expected * _OVERDUE_SHARE, _SHORTEST_SECONDS)
