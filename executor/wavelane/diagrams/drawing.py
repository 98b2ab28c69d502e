"""A drawing: its content, independent of any format.

Each node is in at most one group, and edges lead between nodes or away from a whole group.
Everything in a drawing is in a fixed order, so that the same code always gives the same text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Role = Literal["path", "forward", "rework", "back", "halt", "final"]
"""A part's meaning to the reader. `path`: the way on which nothing goes wrong; `forward`: a
shortcut on it; `rework`: a step back on it; `back`: a return to its beginning; `halt`: off it,
waiting for an answer; `final`: off it for good."""


class Label(NamedTuple):
    """One line at an edge: the name of a move and its conditions."""

    name: str
    conditions: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} [{', '.join(self.conditions)}]" if self.conditions else self.name


@dataclass(frozen=True, slots=True)
class Node:
    """A box: its name, a sentence about it, and the moves that stay in it.

    `title` is the text in the box if that is not the name.
    """

    name: str
    sentence: str = ""
    stays: tuple[Label, ...] = ()
    group: str = ""
    role: Role = "path"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow from a node or a group to a node or a group.

    `shapes_layers` is False if the arrow should go around the layers that the others make.
    """

    source: str
    target: str
    labels: tuple[Label, ...] = ()
    role: Role = "path"
    shapes_layers: bool = True


@dataclass(frozen=True, slots=True)
class Drawing:
    """Nodes and edges with their groups (name to title), and a caption below, line by line."""

    name: str
    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    groups: dict[str, str]
    caption: tuple[str, ...] = ()
    direction: Literal["TB", "LR"] = "TB"
    kind: Literal["states", "modules"] = "states"

    def members(self, group: str) -> tuple[Node, ...]:
        """The nodes of a group; for an empty name, the nodes without a group."""
        return tuple(node for node in self.nodes if node.group == group)
