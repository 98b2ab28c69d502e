"""The rule monitor over whole journals: their events, and the effects that the step has for them.

`wavelane verify` folds a journal through the step, and finds what the model does not allow. This
module judges the model itself: the monitor knows the rules without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from specs.monitor import RuleMonitor
from wavelane.journal import JournalReader
from wavelane_model.cap import Cap
from wavelane_model.state import WaveState
from wavelane_model.step import step


class BrokenRule(NamedTuple):
    """A property that an event of a journal breaks, counted from 1."""

    property: str
    what: str
    seq: int

    def __str__(self) -> str:
        return f"event {self.seq}: {self.property}: {self.what}"


def broken_rules(path: Path) -> list[BrokenRule]:
    """The properties that the first offending event of a journal breaks; empty if there is none.

    Raises `JournalError` and `IllegalEvent` for a journal that cannot be folded.
    """
    with JournalReader(path) as reader:
        settings = reader.settings()
        state = WaveState(
            settings.wave,
            cap=Cap.at(settings.ceiling),
            lane_release=settings.lane_release,
            limits=settings.limits,
        )
        monitor = RuleMonitor(settings.wave, state.cap, settings.lane_release, settings.limits)
        for seq, (_, event) in enumerate(reader.recorded_events(), 1):
            if found := monitor.watch(event, step(state, event)):
                return [_broken_rule(line, seq) for line in found]
    return []


def _broken_rule(line: str, seq: int) -> BrokenRule:
    name, _, what = line.partition(": ")
    return BrokenRule(name, what, seq)
