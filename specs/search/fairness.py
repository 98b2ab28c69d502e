"""What must happen in the end: `eventually` properties, by a search for fair cycles.

# The assumptions

1. What is due is settled, or is no longer due: a session or merge that is open is over in the
   end; a postponed issue's time comes; a merge turn that was given is returned; a wave is started.
   After a run that was cut off there is in the end a recovery finding for each session that was
   open, and then the next run starts.
   (*Weak fairness*: nothing is due all the while and never settled.) How a session ends is free:
   it may fail, conflict, be sent back or stop at a checkpoint each time. That this stops is up to
   the limits.
2. The `rare` actions happen finitely often: postponements, starts withheld because the cap fell
   at that instant, what people ask for, cut-offs. So they are on no cycle. Neither are further
   runs after one that has ended by itself: nothing has to start them.
3. For `progress`: the cap is above 0 again and again. It may be moved up and down for ever, and
   plans may come for ever.
4. For `drain` nothing is assumed of the cap: it is about runs in which no session may start.

# The method

A run that goes on for ever ends up in one strongly connected part of the graph without the rare
actions, each state taken as a part by itself in which nothing may happen for ever. Such a part
has a run that keeps to the assumptions exactly when everything that may be due in it is, somewhere
in it, settled or not due: a run through the whole part meets these conditions, and if the whole
part fails one of them, every part of it does. So one pass over the strongly connected
parts (Tarjan's algorithm, without recursion) decides.

progress    such a part with the cap above 0 somewhere and without an end is a wave that never ends
drain       such a part of the states in which no session may start, with a session open or
            a merge queue that is not empty, is a pause or stop that never comes to rest
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from specs.search.actions import Due
from specs.search.explore import Graph, Violation


class Edge(NamedTuple):
    """A transition within a part: the number of the action, and where it leads."""

    action: int
    target: int


@dataclass(frozen=True)
class Part:
    """Some states, and the transitions between them that are not rare."""

    graph: Graph
    states: frozenset[int]

    def edges(self, state: int) -> Iterator[Edge]:
        """The transitions from `state` that stay in the part."""
        return (edge for edge in frequent(self.graph, state) if edge.target in self.states)

    def is_fair(self) -> bool:
        """Whether a run may stay in here for ever and keep to the assumptions."""
        neglected = set(self._always_due())
        for state in self.states:
            if not neglected:
                return True
            neglected.difference_update(self._settled(edge) for edge in self.edges(state))
        return not neglected

    def cycle(self, start: int) -> list[int]:
        """Actions from `start` back to it that meet every fairness condition on the way."""
        walk: list[int] = []
        here = start
        always = self._always_due()
        for one in sorted(always):
            way, here = self._way(here, partial(self._settles, one))
            walk += way
        for one in sorted(self._ever_due() - always):
            if one in self.graph.due[here]:
                way, here = self._way(here, partial(self._leads_out_of, one))
                walk += way
        if here != start:
            walk += self._way(here, lambda edge: edge.target == start)[0]
        return walk

    def violation(self, name: str, what: str, start: int) -> Violation:
        """A run that gets to `start` and goes round in here for ever."""
        path = self.graph.path(start)
        events = self.graph.events([*path, *self.cycle(start)])
        return Violation(name, what, events[: len(path)], events[len(path) :])

    def _always_due(self) -> frozenset[Due]:
        return frozenset.intersection(*(self.graph.due[state] for state in self.states))

    def _ever_due(self) -> frozenset[Due]:
        return frozenset.union(*(self.graph.due[state] for state in self.states))

    def _settled(self, edge: Edge) -> Due | None:
        return self.graph.actions[edge.action].settles

    def _settles(self, one: Due, edge: Edge) -> bool:
        return self._settled(edge) == one

    def _leads_out_of(self, one: Due, edge: Edge) -> bool:
        return one not in self.graph.due[edge.target]

    def _way(self, start: int, last: Callable[[Edge], bool]) -> tuple[list[int], int]:
        """A shortest way from `start` whose last transition is as asked; and where it ends."""
        came: dict[int, tuple[int, int]] = {}
        ahead = deque([start])
        while ahead:
            here = ahead.popleft()
            for edge in self.edges(here):
                if last(edge):
                    way = [edge.action]
                    while here != start:
                        here, action = came[here]
                        way.append(action)
                    return way[::-1], edge.target
                if edge.target != start and edge.target not in came:
                    came[edge.target] = (here, edge.action)
                    ahead.append(edge.target)
        raise AssertionError("a part is strongly connected and meets its conditions")


def never_ends(graph: Graph) -> Violation | None:
    """A fair run with the cap above 0 again and again in which the wave does not end."""
    what = "the wave does not end, though sessions end and the cap is above 0 again"
    for part in parts(graph, lambda state: not graph.ended[state]):
        wanted = [one for one in part.states if graph.above_zero[one]]
        if wanted and part.is_fair():
            return part.violation("progress", what, min(wanted))
    return None


def never_drains(graph: Graph) -> Violation | None:
    """A fair run in which no session may start, and which does not come to rest."""
    what = "paused or stopping, the run does not come to rest though sessions end"
    for part in parts(graph, lambda state: bool(graph.reserved[state] and not graph.ended[state])):
        wanted = [one for one in part.states if graph.busy[one]]
        if wanted and part.is_fair():
            return part.violation("drain", what, min(wanted))
    return None


def frequent(graph: Graph, state: int) -> Iterator[Edge]:
    """The transitions from `state` that may be taken again and again."""
    if graph.ended[state]:
        return
    for at in range(graph.first_edge[state], graph.first_edge[state + 1]):
        if not graph.actions[graph.taken[at]].rare:
            yield Edge(graph.taken[at], graph.targets[at])


def parts(graph: Graph, keeps: Callable[[int], bool]) -> Iterator[Part]:
    """The strongly connected parts of the states that `keeps` holds of, single states too."""
    number: dict[int, int] = {}
    lowest: dict[int, int] = {}
    open_states: dict[int, None] = {}
    for root in range(len(graph)):
        if root in number or not keeps(root):
            continue
        walk: list[tuple[int, Iterator[Edge]]] = []
        enter: int | None = root
        while True:
            if enter is not None:
                number[enter] = lowest[enter] = len(number)
                open_states[enter] = None
                walk.append((enter, frequent(graph, enter)))
                enter = None
            here, ahead = walk[-1]
            for _, target in ahead:
                if target not in number:
                    if keeps(target):
                        enter = target
                        break
                elif target in open_states:
                    lowest[here] = min(lowest[here], number[target])
            if enter is not None:
                continue
            walk.pop()
            if walk:
                above = walk[-1][0]
                lowest[above] = min(lowest[above], lowest[here])
            if lowest[here] == number[here]:
                yield Part(graph, _closed(open_states, here))
            if not walk:
                break


def _closed(open_states: dict[int, None], root: int) -> frozenset[int]:
    found: list[int] = []
    while not found or found[-1] != root:
        found.append(open_states.popitem()[0])
    return frozenset(found)
