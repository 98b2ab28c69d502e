"""Diagrams: the tables and the imports as pictures, never drawn by hand.

`python -m wavelane.diagrams write` makes the files in ./diagrams, and `check` reports which of them
are out of date.
"""

from __future__ import annotations

from wavelane.diagrams.dot import DotMissing
from wavelane.diagrams.files import differences, write_all
from wavelane.diagrams.pictures import NAMES, Format, Name, render

__all__ = ["NAMES", "DotMissing", "Format", "Name", "differences", "render", "write_all"]
