"""Lengths: how long each issue is expected to take, in seconds. The first of these that is known:

1. its estimate;
2. the median length of the finished issues of its repo that share all of its labels; if there are
   fewer than 3, of those that share all but one, and so on, down to one label;
3. the median length of the finished issues of its repo;
4. the median estimate in its repo;
5. the median length of all finished issues;
6. the median of all estimates.

So nearer issues count before farther ones, and times taken before estimates. If nothing is known,
each length is 1, and the unit is a session.

The finished issues are those of the wave's experience, and those of the wave that the caller gives.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, Literal, NamedTuple

from wavelane_model.wave import Finished, Issue, Wave

Origin = Literal["estimate", "labels", "repo", "estimates", "all", "nothing"]
"""How a length is known: by the issue's estimate; learned from finished issues of its repo that
share labels, from those of its repo, or from all; by the estimates of others; or not at all."""

LEARNED: Final[frozenset[Origin]] = frozenset(("labels", "repo", "all"))
"""The origins from which a length is learned."""
FEWEST: Final = 3
"""How many finished issues with the same labels are enough to learn from."""


class Length(NamedTuple):
    """How long an issue is expected to take, and how that is known."""

    expected: float
    origin: Origin


def lengths(wave: Wave, finished: Iterable[Finished] = ()) -> list[Length]:
    """The length of each issue, by position. `finished`: issues of the wave itself."""
    evidence = _Evidence(wave.issues, (*wave.experience, *finished))
    learned: dict[tuple[str, Sequence[str]], Length] = {}
    found: list[Length] = []
    for issue in wave.issues:
        if issue.estimate is not None:
            found.append(Length(issue.estimate, "estimate"))
            continue
        alike = (issue.repo, issue.labels)
        if alike not in learned:
            learned[alike] = evidence.of(*alike)
        found.append(learned[alike])
    return found


def expected_lengths(wave: Wave, finished: Iterable[Finished] = ()) -> list[float]:
    """The expected length of each issue, by position."""
    return [length.expected for length in lengths(wave, finished)]


def are_seconds(found: Iterable[Length]) -> bool:
    """Whether lengths are in seconds rather than in sessions."""
    return any(length.origin != "nothing" for length in found)


def median(values: Sequence[float]) -> float:
    """The middle value; the higher one if there are two."""
    return sorted(values)[len(values) // 2]


class _Evidence:
    """What is known of lengths apart from an issue's own estimate."""

    def __init__(self, issues: Iterable[Issue], finished: Iterable[Finished]) -> None:
        self._estimates: defaultdict[str, list[float]] = defaultdict(list)
        self._taken: defaultdict[str, list[float]] = defaultdict(list)
        self._labelled: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        """By repo and label: the places of finished issues with that label among those of the
        repo."""
        for issue in issues:
            if issue.estimate is not None:
                self._estimates[issue.repo].append(issue.estimate)
        for one in finished:
            for label in one.labels:
                self._labelled[one.repo, label].append(len(self._taken[one.repo]))
            self._taken[one.repo].append(one.seconds)
        self._elsewhere = self._of_all()

    def of(self, repo: str, labels: Sequence[str]) -> Length:
        """The length of an issue without an estimate."""
        for alike in self._sharing(repo, labels):
            if len(alike) >= FEWEST:
                return Length(median(alike), "labels")
        if taken := self._taken.get(repo):
            return Length(median(taken), "repo")
        if estimates := self._estimates.get(repo):
            return Length(median(estimates), "estimates")
        return self._elsewhere

    def _sharing(self, repo: str, labels: Sequence[str]) -> Iterator[list[float]]:
        """The lengths of the repo's issues that share all of the labels, all but one, …, one."""
        shared = Counter(at for label in labels for at in self._labelled.get((repo, label), ()))
        for least in range(len(labels), 0, -1):
            yield [self._taken[repo][at] for at, count in shared.items() if count >= least]

    def _of_all(self) -> Length:
        if taken := [*chain.from_iterable(self._taken.values())]:
            return Length(median(taken), "all")
        if estimates := [*chain.from_iterable(self._estimates.values())]:
            return Length(median(estimates), "estimates")
        return Length(1.0, "nothing")
