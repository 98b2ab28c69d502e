"""The plot: time an issue as waves grow, both axes logarithmic, as an SVG.

Each line is labelled at its end, so that no legend has to be looked up. Labels that would cover
each other are moved apart. Colours are seen on a light and on a dark page.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final

from benchmarks.contestants import CONTESTANTS, Name
from benchmarks.waves import Row

_WIDTH: Final = 860
_HEIGHT: Final = 520
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 200, 48, 56
_LABEL_DISTANCE: Final = 17.0
_COLOURS: Final = (
    "#7f7f7f",
    "#1a7fd4",
    "#0a9a8a",
    "#b0851a",
    "#d9622b",
    "#9a63d8",
    "#d6478f",
    "#c23b3b",
)
_STYLE: Final = """
  text { font: 13px system-ui, sans-serif; fill: #333; }
  .title { font-size: 15px; font-weight: 600; }
  .grid { stroke: #999; stroke-opacity: .25; }
  .leader { stroke-dasharray: 1 4; }
  .spread, .line { stroke-width: 2; fill: none; }
  .ours { stroke-width: 3.5; font-weight: 600; }
  @media (prefers-color-scheme: dark) { text { fill: #ddd; } }
"""


@dataclass(frozen=True, slots=True)
class _Scale:
    """From a number to a place on the page, logarithmic."""

    least: float
    most: float
    start: float
    end: float

    def at(self, number: float) -> float:
        share = math.log(number / self.least) / math.log(self.most / self.least)
        return self.start + share * (self.end - self.start)

    def decades(self) -> list[float]:
        """The powers of ten within."""
        first, last = math.ceil(math.log10(self.least)), math.floor(math.log10(self.most))
        return [10.0**power for power in range(first, last + 1)]


def svg_of(rows: Sequence[Row]) -> str:
    """The plot of these rows. Raises `ValueError` when there are none."""
    if not rows:
        raise ValueError("nothing was measured, so there is nothing to plot")
    across = _across([row.size for row in rows])
    up = _up([micros for row in rows for micros in _spread(row)])
    parts = [*_frame(across, up), *_lines(rows, across, up), *_labels(rows, across, up)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            f'width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{_TITLE}">',
            f"<style>{_STYLE}</style>",
            *parts,
            "</svg>\n",
        ]
    )


_TITLE: Final = "Time an issue as waves grow"
_CAPTION: Final = "issues (points are medians; bars reach from the fastest run to the slowest)"


def _across(sizes: Sequence[int]) -> _Scale:
    return _Scale(min(sizes) / 1.25, max(sizes) * 1.25, _LEFT, _WIDTH - _RIGHT)


def _up(micros: Sequence[float]) -> _Scale:
    return _Scale(min(micros) / 1.5, max(micros) * 1.5, _HEIGHT - _BOTTOM, _TOP)


def _spread(row: Row) -> tuple[float, float]:
    """The fastest and the slowest run, in µs an issue."""
    return row.fastest / row.size * 1e6, row.slowest / row.size * 1e6


def _frame(across: _Scale, up: _Scale) -> Iterator[str]:
    yield _text(_LEFT, _TOP - 22, _TITLE, "title")
    for size in across.decades():
        x = across.at(size)
        yield _segment(x, up.start, x, up.end, "grid")
        yield _text(x, up.start + 20, f"{size:,.0f}", anchor="middle")
    for micros in up.decades():
        y = up.at(micros)
        yield _segment(across.start, y, across.end, y, "grid")
        yield _text(across.start - 8, y + 4, _duration(micros), anchor="end")
    yield _text((across.start + across.end) / 2, up.start + 42, _CAPTION, anchor="middle")


def _duration(micros: float) -> str:
    return f"{micros:g} µs" if micros < 1_000 else f"{micros / 1_000:g} ms"


def _lines(rows: Sequence[Row], across: _Scale, up: _Scale) -> Iterator[str]:
    for name, own in _by_contestant(rows):
        colour, kind = _colour(name), "line ours" if name.startswith("wavelane") else "line"
        points = [(across.at(row.size), up.at(row.micros_per_issue)) for row in own]
        for (x, y), (to_x, to_y) in pairwise(points):
            yield _segment(x, y, to_x, to_y, kind, colour)
        for row, (x, y) in zip(own, points, strict=True):
            least, most = _spread(row)
            yield _segment(x, up.at(least), x, up.at(most), "spread", colour)
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'


def _labels(rows: Sequence[Row], across: _Scale, up: _Scale) -> Iterator[str]:
    """A label right of each line's last point, or at the edge where a line would be crossed."""
    ends: list[tuple[float, Name, list[Row]]] = sorted(
        (up.at(own[-1].micros_per_issue), name, own) for name, own in _by_contestant(rows)
    )
    for (y, name, own), label_y in zip(ends, _moved_apart([y for y, *_ in ends]), strict=True):
        x = across.at(own[-1].size)
        edge = across.end + 14
        yield _segment(x + 6, y, edge - 3, label_y, "leader", _colour(name))
        kind = "ours" if name.startswith("wavelane") else ""
        yield _text(edge, label_y + 4, name, kind, colour=_colour(name))


def _moved_apart(places: Sequence[float]) -> list[float]:
    """The places, from top to bottom, with a label's distance at least between them."""
    found: list[float] = []
    for place in places:
        found.append(max(place, found[-1] + _LABEL_DISTANCE) if found else place)
    overhang = max(0.0, found[-1] - (_HEIGHT - _BOTTOM))
    found[-1] -= overhang
    for at in range(len(found) - 2, -1, -1):
        found[at] = min(found[at], found[at + 1] - _LABEL_DISTANCE)
    return found


def _by_contestant(rows: Sequence[Row]) -> Iterator[tuple[Name, list[Row]]]:
    for name in CONTESTANTS:
        if own := [row for row in rows if row.contestant == name]:
            yield name, own


def _colour(name: Name) -> str:
    return _COLOURS[list(CONTESTANTS).index(name)]


def _segment(x: float, y: float, to_x: float, to_y: float, kind: str, colour: str = "") -> str:
    place = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line class="{kind}" {place}{_attribute("stroke", colour)}/>'


def _text(
    x: float, y: float, text: str, kind: str = "", *, anchor: str = "start", colour: str = ""
) -> str:
    fill = f' style="fill: {colour}"' if colour else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}{_attribute('class', kind)}{fill}>{escape(text)}</text>"


def _attribute(name: str, value: str) -> str:
    return f' {name}="{value}"' if value else ""
