"""Gantt pictures: a chart, which is plain data, becomes an SVG."""

from wavelane.gantt.chart import Bar, Chart, Lane, Mark, Outline, Shade, Thread
from wavelane.gantt.drawing import WIDTH, svg

__all__ = ["WIDTH", "Bar", "Chart", "Lane", "Mark", "Outline", "Shade", "Thread", "svg"]
