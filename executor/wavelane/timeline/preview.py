"""A preview of a wave: its order, what could run in parallel, and its longest path.

The order is the usual one, which applies unless it is planned. The rounds come from the model
itself: they are the forecast of a wave of equal sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from wavelane.timeline.estimates import Expected, Unit, expected_seconds
from wavelane.timeline.forecast import forecast
from wavelane_model.lengths import Origin
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.order import admission_keys, admission_order
from wavelane_model.wave import Wave


@dataclass(frozen=True, slots=True)
class OrderedIssue:
    """One issue in the order of admission, with the key that put it there."""

    id: str
    repo: str
    title: str
    labels: tuple[str, ...]
    priority: int
    """Inherited: the highest priority of the issue and of all that depend on it."""
    tail: float
    """The least time the wave goes on from the issue's start, in the unit of the preview."""
    hops: int
    """The length of the longest path of dependents behind it."""
    depends_on: tuple[str, ...]
    expected: float
    """What it is expected to take, in the unit of the preview."""
    origin: Origin
    """How that is known."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A wave before it starts.

    `order` is the order of admission among issues that are ready, with tails in `unit`. `rounds`
    are the issues that would start together if all sessions took equally long. `longest_path` is
    the longest chain of dependencies, first to last: by estimates (seconds), given or learned, if
    every issue has one, else by count.
    """

    cap: int
    unit: Unit
    order: tuple[OrderedIssue, ...]
    rounds: tuple[tuple[str, ...], ...]
    longest_path: tuple[str, ...]
    longest_seconds: float | None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "cap": self.cap,
            "unit": self.unit,
            "order": [
                {
                    "id": issue.id,
                    "repo": issue.repo,
                    "title": issue.title,
                    "labels": list(issue.labels),
                    "priority": issue.priority,
                    "tail": issue.tail,
                    "hops": issue.hops,
                    "depends_on": list(issue.depends_on),
                    "expected": issue.expected,
                    "origin": issue.origin,
                }
                for issue in self.order
            ],
            "rounds": [list(one) for one in self.rounds],
            "longest_path": list(self.longest_path),
            "longest_seconds": self.longest_seconds,
        }


def preview(wave: Wave, *, cap: int | None = None, lane_release: LaneRelease = "done") -> Preview:
    """Preview a wave. `cap` defaults to the number of its repos."""
    keys = admission_keys(wave)
    expected = expected_seconds(wave)
    path, seconds = _longest_path(wave, expected)
    ceiling = cap or max(1, len(wave.repos))
    return Preview(
        cap=ceiling,
        unit=expected.unit,
        order=tuple(
            OrderedIssue(
                issue.id,
                issue.repo,
                issue.title,
                tuple(issue.labels),
                -keys[at].minus_priority,
                -keys[at].minus_tail,
                -keys[at].minus_hops,
                tuple(issue.depends_on),
                expected.lengths[at],
                expected.origins[at],
            )
            for at in admission_order(wave)
            for issue in (wave.issues[at],)
        ),
        rounds=_rounds(wave, ceiling, lane_release),
        longest_path=path,
        longest_seconds=seconds,
    )


def _rounds(wave: Wave, cap: int, lane_release: LaneRelease) -> tuple[tuple[str, ...], ...]:
    """The issues that start together if every session takes one unit of time."""
    equal = forecast(wave, [1.0] * len(wave), cap, lane_release=lane_release, gaps=False)
    rounds = groupby(equal.spans, key=lambda span: span.began)
    return tuple(tuple(span.issue for span in together) for _, together in rounds)


def _longest_path(wave: Wave, expected: Expected) -> tuple[tuple[str, ...], float | None]:
    in_seconds = expected.unit == "seconds" and not expected.missing
    weights = expected.lengths if in_seconds else [1.0] * len(wave)
    length = [0.0] * len(wave)
    before: list[int | None] = [None] * len(wave)
    for at in wave.topological():
        before[at] = max(wave.dependencies[at], key=length.__getitem__, default=None)
        earlier = before[at]
        length[at] = weights[at] + (0.0 if earlier is None else length[earlier])
    path: list[str] = []
    last = max(range(len(wave)), key=length.__getitem__, default=None)
    total = 0.0 if last is None else length[last]
    while last is not None:
        path.append(wave.issues[last].id)
        last = before[last]
    return tuple(reversed(path)), total if in_seconds else None
