"""The drawing: a chart becomes the text of an SVG file.

From back to front: the rows' bands; shaded times; predictions, as outlines; gaps and waits, as thin
lines; sessions, as bars; their endings, as signs. Below are the cap, the number of issues in
flight, and a legend of what occurs. A tooltip on each item says more.

The text depends on the chart alone. It names no font file and nothing outside itself, and looks
right on light and dark backgrounds. If there are too many bars to tell apart, neighbours that would
be thinner than a line are drawn as one, and the picture says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol, TypeVar

from wavelane.gantt.chart import Bar, Chart, ChartRow, Outline, WaitLine
from wavelane.gantt.legend import entries_of
from wavelane.gantt.look import DEFS, SIGNS, STYLE
from wavelane.gantt.scale import Scale
from wavelane.gantt.svg import (
    escaped,
    line,
    moved,
    rect,
    short,
    shortened,
    tag,
    text_at,
    text_width,
    titled,
)

WIDTH: Final = 1200.0
"""The width of each picture."""
_RIGHT: Final = WIDTH - 28.0
_BAR: Final = 18.0
_TRACK: Final = 22.0
_PAD: Final = 6.0
_STRIP: Final = 64.0
_MOST_ROWS: Final = 200
"""The most rows to draw; a picture of more is not legible."""
_LEGIBLE: Final = 3000
"""Up to this many bars, each is drawn, however thin."""
_THIN: Final = 2.0


class _Span(Protocol):
    """Anything that lasts from one time to another."""

    @property
    def began(self) -> float: ...

    @property
    def ended(self) -> float: ...


_T = TypeVar("_T", bound=_Span)


def svg(chart: Chart) -> str:
    """The picture of a chart, as the text of an SVG file."""
    return _Drawing(chart).text()


class _Drawing:
    """A picture being drawn: its coordinates, and its elements so far."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._rows = chart.rows[:_MOST_ROWS]
        self._notes = [*chart.notes]
        if len(chart.rows) > _MOST_ROWS:
            self._notes.append(
                f"Only the first {_MOST_ROWS} of {len(chart.rows)} repos are drawn; "
                "the others are in --json."
            )
        widest = max((_name_width(row) for row in self._rows), default=0.0)
        self._left = 24.0 + min(190.0, max(70.0, widest + 8.0))
        away = [(one.began, one.ended) for one in chart.shades if one.what == "down"]
        self._scale = Scale(chart.end, self._left, _RIGHT, away)
        self._top = 84.0 + (14.0 if len(chart.markers) > 1 else 0.0)
        self._row_tops: list[float] = []
        y = self._top
        for row in self._rows:
            self._row_tops.append(y)
            y += row.tracks * _TRACK + 2 * _PAD
        self._bottom = y
        self._drawn: Sequence[Bar] = ()
        self._out: list[str] = []

    def text(self) -> str:
        """Draw everything, and return the text."""
        self._bands()
        self._axis()
        self._shades()
        self._outlines()
        self._waits()
        self._bars()
        self._markers()
        y = self._legend(self._counts())
        for note in self._notes:
            y += 16.0
            self._text(self._left, y, note, "quiet")
        return self._framed(y + 18.0)

    def _framed(self, height: float) -> str:
        chart = self._chart
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{short(height)}" '
            f'viewBox="0 0 {WIDTH:g} {short(height)}" role="img" '
            f'aria-label="{escaped(chart.title)}">'
        )
        parts = (
            head,
            tag("style", STYLE),
            tag("defs", DEFS),
            rect(0, 0, WIDTH, height, "paper"),
            text_at(24.0, 32.0, chart.title, "title"),
            text_at(24.0, 52.0, chart.subtitle, "quiet"),
        )
        return "\n".join((*parts, *self._out, "</svg>")) + "\n"

    # The background

    def _bands(self) -> None:
        for number, (row, y) in enumerate(zip(self._rows, self._row_tops, strict=True)):
            height = row.tracks * _TRACK + 2 * _PAD
            if number % 2 == 0:
                width = _RIGHT - self._left
                self._add(rect(self._left, y, width, height, "band"))
            middle = y + height / 2 + (-1.0 if row.note else 4.5)
            name = shortened(row.repo, self._left - 32.0, 13)
            self._text(24.0, middle, name, "repo", title=row.repo if name != row.repo else "")
            if row.note:
                self._text(24.0, middle + 13.0, row.note, "quiet small")

    def _axis(self) -> None:
        bottom = self._bottom + (12.0 + _STRIP if self._chart.cap else 0.0)
        for tick in self._scale.ticks(self._chart.unit):
            self._add(line(tick.x, self._top, tick.x, bottom, "grid"))
        self._add(line(self._left, self._top, _RIGHT, self._top, "axis"))

    def _shades(self) -> None:
        bottom = self._bottom + (12.0 + _STRIP if self._chart.cap else 0.0)
        for shade in self._chart.shades:
            x, until = self._scale.x(shade.began), self._scale.x(shade.ended)
            kind = "down" if shade.what == "down" else "pause"
            width = max(1.0, until - x)
            self._add(rect(x, self._top, width, bottom - self._top, kind, title=shade.title))

    def _outlines(self) -> None:
        by_row: defaultdict[int, list[Outline]] = defaultdict(list)
        for outline in self._chart.outlines:
            by_row[outline.row].append(outline)
        for number, row in enumerate(self._rows):
            y, height = self._row_tops[number] + 2.0, row.tracks * _TRACK + 2 * _PAD - 4.0
            for outline in map(_joined_outlines, self._together(by_row[number])):
                x, width = self._extent(outline.began, outline.ended)
                self._add(rect(x, y, width, height, "plan", title=outline.title, round_by=4))

    def _waits(self) -> None:
        for wait in self._legible_waits():
            x, width = self._extent(wait.began, wait.ended)
            top = self._row_tops[wait.row]
            tracks = self._rows[wait.row].tracks
            y = top + (tracks * _TRACK + 2 * _PAD - 3.0 if wait.aside else _PAD + _TRACK / 2)
            self._add(
                tag(
                    "g",
                    titled(wait.title),
                    line(x, y, x + width, y, f"wait for-{wait.look}"),
                    rect(x, y - 4.0, width, 8.0, "over"),
                )
            )
            if not wait.aside and (label := self._fitting(wait.label, width - 8.0)):
                self._text(x + width / 2, y - 4.0, label, "quiet small apart", anchor="middle")

    def _fitting(self, label: str, room: float) -> str:
        """A label, cut if need be; "" if too little of it would be left."""
        return shortened(label, room, 10) if room >= min(text_width(label, 10), 100.0) else ""

    def _legible_waits(self) -> Iterator[WaitLine]:
        """The waits of the drawn rows; if there are too many, only those that are not thin."""
        drawn = [one for one in self._chart.waits if one.row < len(self._rows)]
        for wait in drawn:
            if len(drawn) <= _LEGIBLE or self._extent(wait.began, wait.ended)[1] >= _THIN:
                yield wait

    # Sessions

    def _bars(self) -> None:
        bars = [bar for bar in self._chart.bars if bar.row < len(self._rows)]
        drawn = bars
        if len(bars) > _LEGIBLE:
            drawn = [*self._thinned(bars)]
            self._notes.append(
                f"There are {len(bars)} sessions, too many to tell apart: neighbours that would "
                f"be thinner than a line are drawn as one ({len(drawn)} bars)."
            )
        self._drawn = drawn
        for bar in drawn:
            self._bar(bar)
        if len(bars) <= _LEGIBLE:
            self._labels(drawn)
        self._signs(drawn)

    def _thinned(self, bars: Iterable[Bar]) -> Iterator[Bar]:
        """The bars, with thin ones that touch each other merged into one."""
        by_track: defaultdict[tuple[int, int], list[Bar]] = defaultdict(list)
        for bar in bars:
            by_track[bar.row, bar.track].append(bar)
        for track in by_track.values():
            yield from map(_joined_bars, self._together(track))

    def _together(self, spans: Iterable[_T]) -> Iterator[list[_T]]:
        """Groups of neighbours that would each be thinner than a line, in order."""
        together: list[_T] = []
        for span in spans:
            x, until = self._x(span.began), self._x(span.ended)
            thin = until - x < _THIN
            if together and not (thin and x - self._x(together[-1].ended) < 1.0):
                yield together
                together = []
            if thin:
                together.append(span)
            else:
                yield [span]
        if together:
            yield together

    def _bar(self, bar: Bar) -> None:
        x, width = self._extent(bar.began, bar.ended)
        y = self._bar_top(bar)
        kinds: list[str] = [bar.step if bar.look != "many" else "many"]
        kinds += ["strong"] if bar.strong else []
        if bar.look in ("stopped", "cut off", "under way"):
            kinds.append(bar.look.replace(" ", ""))
        width -= 0.8 if width > 4.0 else 0.0  # so that neighbours can be seen apart
        body = rect(x, y, width, _BAR, " ".join(kinds), round_by=min(3.0, width / 2))
        over = ""
        if bar.look in ("failed", "cut off"):
            over = rect(x, y, width, _BAR, "", round_by=min(3.0, width / 2), fill="url(#hatch)")
        self._add(tag("g", titled(bar.title), body, over, class_="session"))

    def _labels(self, bars: Iterable[Bar]) -> None:
        """A label for each visit, in the widest of its bars, if it fits there."""
        widest: dict[tuple[int, str, int], Bar] = {}
        for bar in bars:
            visit = (bar.row, bar.label, bar.visit)
            if visit not in widest or self._width(bar) > self._width(widest[visit]):
                widest[visit] = bar
        for bar in widest.values():
            room = self._width(bar) - 8.0
            for label in (bar.label, bar.label[bar.label.find("#") :]):
                if text_width(label, 11) <= room:
                    x = self._x(bar.began) + self._width(bar) / 2
                    self._text(x, self._bar_top(bar) + 13.0, label, "label", anchor="middle")
                    break

    def _signs(self, bars: Iterable[Bar]) -> None:
        """Signs for sessions that did not end well; if two would overlap, the first."""
        taken: dict[tuple[int, int], float] = {}
        for bar in bars:
            sign = SIGNS.get(bar.look)
            x = self._x(bar.ended)
            if sign and x - taken.get((bar.row, bar.track), float("-inf")) >= 7.0:
                y = self._bar_top(bar) + 1.0
                self._add(moved(x, y, sign))
                taken[bar.row, bar.track] = x

    # The foreground, and below

    def _markers(self) -> None:
        """The markers, and all text above the rows, which goes in front of the lines."""
        written: list[tuple[float, float, str, str]] = [
            (tick.x, self._top - 6.0, tick.text, "quiet apart")
            for tick in self._scale.ticks(self._chart.unit)
        ]
        for number, marker in enumerate(sorted(self._chart.markers, key=lambda one: one.what)):
            x, y = self._x(marker.at), self._top - 22.0 - 14.0 * number
            self._add(line(x, y + 3.0, x, self._bottom, marker.what))
            half = text_width(marker.text, 11) / 2
            middle = min(max(x, self._left + half), WIDTH - 8.0 - half)
            written.append((middle, y, marker.text, "apart"))
        for x, y, text, kind in written:
            self._text(x, y, text, kind, anchor="middle")

    def _counts(self) -> float:
        """Draw the strip of the cap; returns where it ends."""
        chart = self._chart
        if not chart.cap:
            return self._bottom
        top = self._bottom + 12.0
        base = top + _STRIP
        highest = max((level for _, level in (*chart.cap, *chart.flight)), default=1)
        highest = max(highest, chart.ceiling, 1)
        per_level = (_STRIP - 6.0) / highest
        for level in sorted({0, highest, *(range(highest) if highest <= 4 else (highest // 2,))}):
            y = base - level * per_level
            self._add(line(self._left, y, _RIGHT, y, "grid"))
            self._text(self._left - 6.0, y + 3.5, f"{level}", "quiet small", anchor="end")
        area = self._stepped(chart.flight, base, per_level)
        if area:
            self._add(f'<path class="flight" d="{area}V{short(base)}H{short(self._left)}Z"/>')
        self._add(tag("path", class_="level", d=self._stepped(chart.cap, base, per_level)))
        self._text(24.0, top + _STRIP / 2 - 2.0, "cap", "repo")
        self._text(24.0, top + _STRIP / 2 + 11.0, "and in flight", "quiet small")
        return base

    def _stepped(self, counts: Sequence[tuple[float, int]], base: float, per_level: float) -> str:
        """A line in steps; if several are at one point, the last one counts."""
        path: list[str] = []
        drawn: dict[str, float] = {}
        for at, level in counts:
            drawn[short(self._x(at))] = base - level * per_level
        for number, (x, y) in enumerate(drawn.items()):
            path.append(f"H{x}V{short(y)}" if number else f"M{x} {short(y)}")
        return "".join(path) + f"H{short(self._x(self._chart.end))}" if path else ""

    def _legend(self, y: float) -> float:
        """Draw the legend of what occurs; returns where it ends."""
        x, y = self._left, y + 24.0
        for drawn, words in entries_of(self._chart, self._drawn):
            width = 28.0 + text_width(words, 11) + 16.0
            if x + width > WIDTH and x > self._left:
                x, y = self._left, y + 20.0
            self._add(moved(x, y, drawn))
            self._text(x + 28.0, y + 4.0, words, "")
            x += width
        return y + 6.0

    # Helpers

    def _x(self, at: float) -> float:
        return self._scale.x(at)

    def _width(self, bar: Bar) -> float:
        return self._x(bar.ended) - self._x(bar.began)

    def _extent(self, began: float, ended: float) -> tuple[float, float]:
        """The position and width of an item, wide enough to be seen."""
        x = self._x(began)
        return x, max(1.5, self._x(ended) - x)

    def _bar_top(self, bar: Bar) -> float:
        return self._row_tops[bar.row] + _PAD + bar.track * _TRACK + (_TRACK - _BAR) / 2

    def _add(self, element: str) -> None:
        self._out.append(element)

    def _text(self, x: float, y: float, text: str, kind: str = "", **more: str) -> None:
        self._add(text_at(x, y, text, kind, **more))


def _name_width(row: ChartRow) -> float:
    return max(text_width(row.repo, 13), text_width(row.note, 10))


def _joined_bars(bars: Sequence[Bar]) -> Bar:
    if len(bars) == 1:
        return bars[0]
    ids = len({bar.label for bar in bars})
    title = f"{len(bars)} sessions of {ids} issue{'s' if ids > 1 else ''}"
    return bars[0]._replace(ended=bars[-1].ended, look="many", title=title)


def _joined_outlines(outlines: Sequence[Outline]) -> Outline:
    if len(outlines) == 1:
        return outlines[0]
    title = f"{len(outlines)} issues predicted"
    return outlines[0]._replace(ended=outlines[-1].ended, title=title)
