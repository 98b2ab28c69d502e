"""The order of admission: one key, computed before the wave starts and for each new plan.

Of the issues that may be admitted, the first by this key has:

1. the higher *inherited priority*: the highest priority among the issue itself and everything
   that depends on it, directly or through others;
2. the earlier place in the plan, if there is one; issues that it does not name come after;
3. the longer *tail*: the least time from the start of the issue to the end of the wave. Dependents
   follow the issue, and the issues of a repo follow each other, longer tails first. Each takes its
   expected length (`wavelane_model.lengths`);
4. the more *hops to the end*: the length of the longest path of dependents behind it;
5. the earlier place in the file.

Dependents cannot be done before the issue itself, so progress never changes the key of a queued
issue. A cancelled dependent still counts, so the order stays as it was shown before the wave
started.

In job-shop scheduling the tail is known as Jackson's bound: the work left on one machine, each
operation with what has to follow it on others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from wavelane_model.lengths import expected_lengths
from wavelane_model.wave import Wave

_ROUNDS: Final = 2
"""How many rounds over the repos compute the tails; a third orders waves no better."""


class AdmissionKey(NamedTuple):
    """Smaller goes first."""

    minus_priority: int
    place: int
    minus_tail: float
    minus_hops: int
    position: int


def admission_keys(wave: Wave, plan: Sequence[int] = ()) -> list[AdmissionKey]:
    """The key of every issue, by position in the wave. `plan`: positions, in order."""
    backward = wave.topological()[::-1]
    priority = [issue.priority for issue in wave.issues]
    hops = [0] * len(wave)
    for at in backward:
        for dependent in wave.dependents[at]:
            priority[at] = max(priority[at], priority[dependent])
            hops[at] = max(hops[at], hops[dependent] + 1)
    tails = _tails(wave, backward, expected_lengths(wave))
    place = [len(plan)] * len(wave)
    for at, planned in enumerate(plan):
        place[planned] = at
    return [
        AdmissionKey(-priority[at], place[at], -tails[at], -hops[at], at) for at in range(len(wave))
    ]


def admission_order(wave: Wave, plan: Sequence[int] = ()) -> list[int]:
    """Positions of all issues, first to be admitted first."""
    return [key.position for key in sorted(admission_keys(wave, plan))]


def _tails(wave: Wave, backward: Sequence[int], lengths: Sequence[float]) -> list[float]:
    """The tail of each issue."""
    tails = _along_dependents(wave, backward, lengths, list(lengths))
    lanes: list[list[int]] = [[] for _ in wave.repos]
    for at, repo in enumerate(wave.repo_of):
        lanes[repo].append(at)
    for _ in range(_ROUNDS):
        tails = _along_dependents(wave, backward, lengths, _through_lanes(lanes, lengths, tails))
    return tails


def _along_dependents(
    wave: Wave, backward: Sequence[int], lengths: Sequence[float], tails: list[float]
) -> list[float]:
    """Extend tails along dependents: an issue goes before them."""
    for at in backward:
        behind = 0.0
        for dependent in wave.dependents[at]:
            if tails[dependent] > behind:
                behind = tails[dependent]
        if lengths[at] + behind > tails[at]:
            tails[at] = lengths[at] + behind
    return tails


def _through_lanes(
    lanes: Sequence[list[int]], lengths: Sequence[float], tails: Sequence[float]
) -> list[float]:
    """Extend tails through lanes: one issue after another, the longest tail less length first."""
    through = [*tails]
    for lane in lanes:
        lane.sort(key=lambda at: (lengths[at] - tails[at], at))
        behind = 0.0
        for at in reversed(lane):
            behind = through[at] = max(tails[at], lengths[at] + behind)
    return through
