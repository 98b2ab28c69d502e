"""Gantt pictures of a wave: a history or a forecast becomes a chart, and a chart becomes an SVG.

A chart is plain data in charting terms: rows, bars, lines, markers. Nothing outside this wing knows
how it looks.
"""

from wavelane.gantt.chart import Bar, Chart, ChartRow, Marker, Outline, Shade, WaitLine
from wavelane.gantt.charts import forecast_chart, history_chart
from wavelane.gantt.drawing import WIDTH, svg

__all__ = [
    "WIDTH",
    "Bar",
    "Chart",
    "ChartRow",
    "Marker",
    "Outline",
    "Shade",
    "WaitLine",
    "forecast_chart",
    "history_chart",
    "svg",
]
