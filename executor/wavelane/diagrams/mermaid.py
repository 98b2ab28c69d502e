"""Drawings in Mermaid, which GitHub and many editors render inside a page.

Mermaid lays a drawing out by itself and has one style for all edges, so roles are not shown. Its
layout reads better if the states come in the order of the path, and the path before other edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from wavelane.diagrams.drawing import Drawing, Edge, Node


def mermaid_source(drawing: Drawing) -> str:
    """The drawing in Mermaid: a state diagram, or a flow chart for modules."""
    lines = _state_diagram(drawing) if drawing.kind == "states" else _flow_chart(drawing)
    return "\n".join(["---", f"title: {drawing.title}", "---", *lines, ""])


def _state_diagram(drawing: Drawing) -> Iterator[str]:
    edges = sorted(drawing.edges, key=lambda edge: edge.role != "path")
    home = {node.name: node.group for node in drawing.nodes}
    yield "stateDiagram-v2"
    yield f"    direction {drawing.direction}"
    for group, nodes in groupby(drawing.nodes, key=lambda node: node.group):
        lines = list(_states(nodes))
        if group:
            inner = (e for e in edges if home.get(e.source) == home[e.target] == group)
            yield f'    state "{drawing.groups[group]}" as {group} {{'
            yield from (f"        {line}" for line in [*lines, *map(_transition, inner)])
            yield "    }"
        else:
            yield from (f"    {line}" for line in lines)
    for edge in edges:
        if not home.get(edge.source) or home[edge.source] != home[edge.target]:
            yield f"    {_transition(edge)}"
    if drawing.caption:
        yield f"    note right of {_id(drawing.nodes[-1].name)}"
        yield from (f"        {line}" for line in drawing.caption)
        yield "    end note"


def _states(nodes: Iterable[Node]) -> Iterator[str]:
    for node in nodes:
        name = _id(node.name)
        yield f'state "{node.name}" as {name}'
        yield from (f"{name} : ↺ {label}" for label in node.stays)


def _transition(edge: Edge) -> str:
    text = "<br/>".join(str(label) for label in edge.labels)
    return f"{_id(edge.source)} --> {_id(edge.target)} : {text}"


def _flow_chart(drawing: Drawing) -> Iterator[str]:
    yield f"flowchart {drawing.direction}"
    for group, nodes in groupby(drawing.nodes, key=lambda node: node.group):
        if group:
            yield f'    subgraph {_id(group)}["{drawing.groups[group]}"]'
        yield from (f'        {_id(node.name)}["{node.title or node.name}"]' for node in nodes)
        if group:
            yield "    end"
    yield from (f"    {_id(edge.source)} --> {_id(edge.target)}" for edge in drawing.edges)


def _id(name: str) -> str:
    """A name that Mermaid accepts as an identifier."""
    return f"level_{name}" if name.isdigit() else name.replace(".", "_")
