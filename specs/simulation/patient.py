"""An observer that does not judge what it cannot know yet.

Whether an issue is still in flight after its session has ended, or after an operator has taken it
out, is announced once it is on disk. The scheduler knows it earlier, and may start an earlier order
by then. So such an issue does not count against the cap until the announcement.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from specs.observers import Observer
from wavelane.journal import RecordedEvent
from wavelane_model.events import WaveAmended


@dataclass
class PatientObserver(Observer):
    """Sets issues aside until a notice announces their state."""

    aside: set[str] = field(default_factory=set)
    """Issues whose session has ended, without a notice since."""
    out: set[str] = field(default_factory=set)
    """Issues that were taken out while no session was open, until a notice announces it."""

    def written(self, entries: Iterable[RecordedEvent]) -> None:
        """These events are on disk; amendments of the wave apply from now on."""
        for entry in entries:
            if isinstance(entry.event, WaveAmended):
                self.wave = self.wave.amended(entry.event.issues, entry.event.done)

    def ended(self, issue_id: str, *, approved: bool = False, merged: bool = False) -> None:
        super().ended(issue_id, approved=approved, merged=merged)
        if issue_id in self.underway:
            self.underway.remove(issue_id)
            self.aside.add(issue_id)

    def taken_out(self, issue_id: str) -> None:
        """An operator parked or cancelled the issue."""
        if issue_id not in self.open:
            self.underway.discard(issue_id)
            self.out.add(issue_id)

    def announced(self, issue_id: str) -> None:
        """A notice announced the state of the issue; a later call reports if it left flight."""
        if issue_id in self.aside:
            self.aside.remove(issue_id)
            if issue_id not in self.out:
                self.underway.add(issue_id)

    def left_flight(self, issue_id: str) -> None:
        super().left_flight(issue_id)
        self.out.discard(issue_id)
