"""The world of a wave: what git and the operating system know. It outlives the process.

For each issue it records whether a session has left work, whether that was approved, how often it
was merged, and which session is alive. A process that dies leaves all of it as it is. Its sessions
die with it, or live on until `recover` ends them, as the scenario says.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from specs.observers import Step


class Alive(NamedTuple):
    """A live session: its step, and the life that started it."""

    step: Step
    life: int


@dataclass
class World:
    """Plain data, which a dying process hands to the next one."""

    work: set[str] = field(default_factory=set)
    """Issues with work on their branch."""
    approved: set[str] = field(default_factory=set)
    """Issues whose work was approved."""
    merges: Counter[str] = field(default_factory=Counter)
    """How often an issue was merged."""
    alive: dict[str, Alive] = field(default_factory=dict)
    """The live sessions, by issue."""
    ended: Counter[tuple[Step, str]] = field(default_factory=Counter)
    """How many calls ended by themselves, by step and issue."""

    def discard(self, issue: str) -> None:
        """Remove all work on an issue that is not merged."""
        self.work.discard(issue)
        self.approved.discard(issue)
