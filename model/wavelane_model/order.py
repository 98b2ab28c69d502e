"""The order of admission: one key, decided before the wave starts.

Of the issues that may be admitted, the first by this key is:

1. the higher *inherited priority*: the highest priority among the issue itself and everything
   that depends on it, directly or through others;
2. the more *hops to the end*: the length of the longest path of dependents behind it;
3. the earlier place in the file.

Dependents cannot be done before the issue itself, so "still to do" never changes the key while
the issue is queued. A cancelled dependent keeps counting, so that the order stays the one that
was shown before the wave started.
"""

from __future__ import annotations

from typing import NamedTuple

from wavelane_model.wave import Wave


class AdmissionKey(NamedTuple):
    """Smaller goes first."""

    minus_priority: int
    minus_hops: int
    position: int


def admission_keys(wave: Wave) -> list[AdmissionKey]:
    """The key of every issue, by position in the wave."""
    priority = [issue.priority for issue in wave.issues]
    hops = [0] * len(wave)
    for at in reversed(wave.topological()):
        for dependent in wave.dependents[at]:
            priority[at] = max(priority[at], priority[dependent])
            hops[at] = max(hops[at], hops[dependent] + 1)
    return [AdmissionKey(-priority[at], -hops[at], at) for at in range(len(wave))]


def admission_order(wave: Wave) -> list[int]:
    """Positions of all issues, first to be admitted first."""
    return [key.position for key in sorted(admission_keys(wave))]
