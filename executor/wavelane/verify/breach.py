"""A breach: the rule that an event of a journal breaks, and how."""

from __future__ import annotations

from typing import NamedTuple


class Breach(NamedTuple):
    """A rule that was broken: its name, and a sentence."""

    rule: str
    text: str
