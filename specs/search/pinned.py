"""The size of each world. A count that changes means that other things may happen: find out why.

`views` are the states that differ when seen from outside (`worlds.view`), for the worlds that
layer 3 has too.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from specs.search.explore import Graph


class Counts(NamedTuple):
    """States, the first one included; transitions; states in which the run has ended, and was not
    cut off; views.
    """

    states: int
    transitions: int
    ends: int
    views: int = 0

    def __str__(self) -> str:
        views = f", {self.views} views" if self.views else ""
        return f"{self.states} states, {self.transitions} transitions, {self.ends} ends{views}"


PINNED: Final[dict[str, Counts]] = {
    "three repos, four issues, cap moves": Counts(812, 3180, 6, 756),
    "one repo, three issues, pipelined": Counts(394, 1511, 6, 394),
    "sessions end in every way": Counts(2487, 5950, 1064),
    "sessions end in every way, pipelined": Counts(1498, 5245, 361),
    "rework beside new work": Counts(6951, 30514, 252),
    "starts are withheld": Counts(1371, 6271, 24),
    "starts are withheld, pipelined": Counts(8767, 36211, 2020),
    "people park, unpark and cancel": Counts(4173, 19273, 784),
    "others merge too": Counts(6561, 29163, 240),
    "stops and further runs": Counts(1955, 9494, 660),
    "runs are cut off": Counts(7215, 33787, 432),
    "runs are cut off, pipelined": Counts(2453, 12194, 149),
    "pauses end by themselves": Counts(409, 2265, 16),
    "issues are added": Counts(1479, 5017, 160),
    "lanes are reserved": Counts(4030, 17454, 225),
    "lanes are reserved along a chain": Counts(2772, 16212, 80),
    "before the start": Counts(2182, 20322, 114),
    "plans come and go, and issues change": Counts(1033, 4888, 20),
    "three issues end in every way": Counts(172393, 709201, 31920),
    "three issues come back, pipelined, cap moves": Counts(44129, 165383, 2048),
}


def counted(graph: Graph) -> Counts:
    """The counts of a search that went to its end."""
    return Counts(len(graph), len(graph.targets), sum(graph.ended), len(graph.views))
