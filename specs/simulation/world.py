"""The world of a wave: what git and the machine would say. It outlives the process that runs it.

It keeps, of each issue, whether a session has left work, whether that was approved, and how often
its merge went in; and which sessions are alive. A process that dies leaves all of it as it is. Its
sessions die with it, or live on until `recover` ends them, as the plan has it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from specs.observers import Step


class Alive(NamedTuple):
    """A session that is alive: what it does, and in which life it was started."""

    step: Step
    life: int


@dataclass
class World:
    """Plain data, so that it can be handed from a process that dies to the next one."""

    work: set[str] = field(default_factory=set)
    """Issues of which there is work on their branch."""
    approved: set[str] = field(default_factory=set)
    """Issues whose work was reviewed and found good."""
    merges: Counter[str] = field(default_factory=Counter)
    """How often the merge of an issue went in."""
    alive: dict[str, Alive] = field(default_factory=dict)
    """The sessions that are alive, by issue."""
    ended: Counter[tuple[Step, str]] = field(default_factory=Counter)
    """How many calls have ended by themselves, by step and issue."""

    def discard(self, issue: str) -> None:
        """Take away all work on an issue that is not merged."""
        self.work.discard(issue)
        self.approved.discard(issue)
