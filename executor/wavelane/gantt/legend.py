"""The legend of a chart: what occurs in it, and its meaning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wavelane.gantt.chart import Bar, Chart
from wavelane.gantt.look import LOOKS, STEPS, WAITS, swatch
from wavelane.gantt.svg import line, rect


def entries_of(chart: Chart, drawn: Sequence[Bar]) -> Iterator[tuple[str, str]]:
    """A sample and its meaning for each thing that occurs; `drawn` are the bars as drawn."""
    steps = {bar.step for bar in drawn if bar.look != "many"}
    yield from ((sample, words) for step, sample, words in STEPS if step in steps)
    if any(bar.strong for bar in drawn):
        yield rect(0, -6, 22, 12, "implement strong", round_by=3), "decides the end"
    looks = {bar.look for bar in drawn}
    for look, words in LOOKS:
        if look in looks:
            yield swatch(look), words
    waits = {wait.look for wait in chart.waits}
    for wait, words in WAITS:
        if wait in waits:
            yield line(0, 0, 22, 0, f"wait for-{wait}"), words
    if chart.outlines:
        yield rect(0, -6, 22, 12, "plan", round_by=3), "predicted"
    shades = {shade.what for shade in chart.shades}
    if "paused" in shades:
        yield rect(0, -6, 22, 12, "pause"), "paused"
    if "down" in shades:
        yield rect(0, -6, 22, 12, "down"), "no run"
