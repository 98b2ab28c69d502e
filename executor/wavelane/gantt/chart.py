"""What a Gantt picture shows, as plain data: rows, and the items in them with their times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from wavelane.gantt.look import BarLook, WaitLook
from wavelane.steps import Step
from wavelane.timeline.estimates import Unit


class Bar(NamedTuple):
    """A session: in row number `row`, on track number `track` of it. Times as in the chart.

    `visit` joins the bars that share a label. `strong`: it determines the end of all.
    """

    row: int
    track: int
    began: float
    ended: float
    step: Step
    look: BarLook
    visit: int
    label: str
    title: str
    strong: bool = False


class WaitLine(NamedTuple):
    """A wait: a thin line in a row, with a `label` if there is room.

    `aside`: the issue is not in flight meanwhile.
    """

    row: int
    began: float
    ended: float
    look: WaitLook
    title: str
    label: str = ""
    aside: bool = False


class Outline(NamedTuple):
    """The prediction for a row."""

    row: int
    began: float
    ended: float
    title: str


class Shade(NamedTuple):
    """A special time: no process ran the wave, or it was paused."""

    began: float
    ended: float
    what: Literal["down", "paused"]
    title: str


class Marker(NamedTuple):
    """A line across all rows at a time, with a word."""

    at: float
    what: Literal["planned", "real"]
    text: str


class ChartRow(NamedTuple):
    """A row: the repo, a short note, and how many bars may be stacked in it."""

    repo: str
    note: str = ""
    tracks: int = 1


@dataclass(frozen=True, slots=True)
class Chart:
    """The content of the picture. All times are in `unit`, from 0 to `end`.

    `cap` and `flight` are levels that hold from a time on; `ceiling` is the highest level of the
    cap.
    """

    title: str
    subtitle: str
    unit: Unit
    end: float
    rows: Sequence[ChartRow]
    bars: Sequence[Bar]
    waits: Sequence[WaitLine] = ()
    outlines: Sequence[Outline] = ()
    shades: Sequence[Shade] = ()
    markers: Sequence[Marker] = ()
    cap: Sequence[tuple[float, int]] = ()
    flight: Sequence[tuple[float, int]] = ()
    ceiling: int = 1
    notes: Sequence[str] = ()
