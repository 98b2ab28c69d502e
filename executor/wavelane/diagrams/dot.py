"""Drawings in DOT, and as SVG and PNG through the program `dot`.

SVG and PNG have a white background, so that they can be read on a dark page too.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

import graphviz

from wavelane.diagrams.drawing import Drawing, Edge, Label, Node, Role

FONT: Final = "Helvetica,Arial,sans-serif"
_GUARDS_WIDTH: Final = 26
_SENTENCE_WIDTH: Final = {"states": 34, "modules": 24}
"""The widths, in characters, of a list of guards and of a sentence before a line break."""
_SENTENCE_SIZE: Final = {"states": "9", "modules": "12"}
"""In points. A picture of modules is mostly sentences, and is shown 800 pixels wide."""


class DotMissing(RuntimeError):
    """The program `dot`, which draws SVG and PNG, is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "the program 'dot' was not found; it draws SVG and PNG. Install graphviz "
            "(Debian, Ubuntu: apt install graphviz; macOS: brew install graphviz), "
            "or use --format dot or --format mermaid, which do not need it"
        )


class _Ink(NamedTuple):
    line: str
    text: str
    fill: str


_INKS: Final[dict[Role, _Ink]] = {
    "path": _Ink("#1e293b", "#0f172a", "#eef2ff"),
    "forward": _Ink("#818cf8", "#3730a3", "#eef2ff"),
    "rework": _Ink("#f59e0b", "#92400e", "#fffbeb"),
    "back": _Ink("#94a3b8", "#334155", "#f8fafc"),
    "halt": _Ink("#f87171", "#991b1b", "#fef2f2"),
    "final": _Ink("#c4bfba", "#57534e", "#f5f5f4"),
}
_QUIET: Final = "#64748b"


def dot_source(drawing: Drawing) -> str:
    """The drawing in DOT."""
    graph = graphviz.Digraph(drawing.name)
    graph.attr(
        "graph",
        bgcolor="white",
        compound="true",
        fontcolor=_QUIET,
        fontname=FONT,
        fontsize="10",
        label=" \N{MIDDLE DOT} ".join(drawing.caption),
        labelloc="b",
        nodesep="0.25",
        pad="0.2",
        rankdir=drawing.direction,
        ranksep="0.35",
        tooltip=drawing.title,
    )
    graph.attr("node", fontname=FONT, fontsize="14", shape="box", style="rounded,filled")
    graph.attr("edge", arrowsize="0.8", fontname=FONT, fontsize="10")
    for name, title in drawing.groups.items():
        _add_group(graph, drawing, name, title)
    for node in drawing.members(""):
        _add_node(graph, drawing, node)
    for edge in drawing.edges:
        _add_edge(graph, drawing, edge)
    return str(graph.source)


def picture(drawing: Drawing, kind: Literal["svg", "png"]) -> bytes:
    """The drawing as `dot` draws it. Raises `DotMissing` if that program is not installed."""
    try:
        return bytes(graphviz.Source(dot_source(drawing)).pipe(format=kind))
    except graphviz.ExecutableNotFound:
        raise DotMissing from None


def _add_group(graph: Any, drawing: Drawing, name: str, title: str) -> None:
    with graph.subgraph(name=f"cluster_{name}") as cluster:
        cluster.attr(
            color="#cbd5e1",
            fontcolor=_QUIET,
            fontsize="12",
            label=title,
            labeljust="l",
            labelloc="b" if drawing.kind == "states" else "t",
            style="rounded",
            tooltip=title,
        )
        for node in drawing.members(name):
            _add_node(cluster, drawing, node)


def _add_node(graph: Any, drawing: Drawing, node: Node) -> None:
    ink = _INKS[node.role]
    graph.node(
        node.name,
        label=_node_label(drawing, node, ink),
        color="#6366f1" if node.role == "path" else ink.line,
        fillcolor=ink.fill,
        group=node.role,
        tooltip=node.sentence or node.name,
    )


def _node_label(drawing: Drawing, node: Node, ink: _Ink) -> str:
    title = html.escape(node.title or node.name)
    rows = [f'<tr><td><font color="{ink.text}"><b>{title}</b></font></td></tr>']
    if node.sentence:
        size = _SENTENCE_SIZE[drawing.kind]
        sentence = _balanced(node.sentence, _SENTENCE_WIDTH[drawing.kind])
        lines = "<br/>".join(html.escape(line) for line in sentence)
        rows.append(f'<tr><td><font point-size="{size}" color="#475569">{lines}</font></td></tr>')
    if node.stays:
        rows.append(
            '<hr/><tr><td align="left" balign="left"><font point-size="10">'
            f"{_lines(node.stays, ink, mark='↺ ')}</font></td></tr>"
        )
    return _table(rows)


def _add_edge(graph: Any, drawing: Drawing, edge: Edge) -> None:
    ink = _INKS[edge.role]
    more = {}
    ends = [edge.source, edge.target]
    for at, clip in enumerate(("ltail", "lhead")):
        if ends[at] in drawing.groups:
            more[clip] = f"cluster_{ends[at]}"
            ends[at] = _nearest(drawing, ends[at], other=ends[1 - at])
            more["weight"] = "0"
    if edge.role == "path":
        more |= {"penwidth": "2", "weight": "100"}
    if not edge.shapes_layers:
        more["constraint"] = "false"
    if edge.labels:
        lines = _lines(edge.labels, ink)
        more["label"] = _table([f'<tr><td align="left" balign="left">{lines}</td></tr>'])
    graph.edge(*ends, color=ink.line, **more)


def _nearest(drawing: Drawing, group: str, other: str) -> str:
    """The member of a group to which its edge to or from another node is attached."""
    members = [node.name for node in drawing.members(group)]
    names = [node.name for node in drawing.nodes]
    return members[-1] if names.index(other) > names.index(members[0]) else members[0]


def _lines(labels: Iterable[Label], ink: _Ink, mark: str = "") -> str:
    """Each label with its conditions below it, flush left."""
    lines: list[str] = []
    for label in labels:
        lines.append(f'<font color="{ink.text}">{mark}<b>{html.escape(label.name)}</b></font>')
        lines += (
            f'<font point-size="9" color="{_QUIET}">{html.escape(line)}</font>'
            for line in _wrapped(label.conditions)
        )
    return '<br align="left"/>'.join(lines)


def _balanced(sentence: str, most: int) -> list[str]:
    """The sentence in as few lines of at most `most` characters as possible, about equally long."""
    count = len(textwrap.wrap(sentence, most))
    for width in range(len(sentence) // count, most):
        lines = textwrap.wrap(sentence, width, break_long_words=False)
        if len(lines) <= count:
            return lines
    return textwrap.wrap(sentence, most)


def _wrapped(conditions: tuple[str, ...]) -> list[str]:
    """The conditions in brackets, with line breaks only between them."""
    if not conditions:
        return []
    lines = [""]
    for word in f"[{', '.join(conditions)}]".split(", "):
        joined = f"{lines[-1]}, {word}" if lines[-1] else word
        if len(joined) <= _GUARDS_WIDTH or not lines[-1]:
            lines[-1] = joined
        else:
            lines[-1] += ","
            lines.append(word)
    return lines


def _table(rows: list[str]) -> str:
    body = "".join(rows)
    return f'<<table border="0" cellborder="0" cellpadding="3" cellspacing="0">{body}</table>>'
