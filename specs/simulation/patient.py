"""An observer that does not judge what it cannot know yet.

Whether an issue is still in flight after its session has ended, or after an operator has taken it
out, is announced when it is on disk. The scheduler knows it before, and may by then start what it
had ordered earlier. So until the announcement such an issue does not count against the cap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from specs.observers import Observer
from wavelane.journal import RecordedEvent
from wavelane_model.events import WaveAmended


@dataclass
class PatientObserver(Observer):
    """Sets issues aside until a notice tells of them."""

    aside: set[str] = field(default_factory=set)
    """Issues whose session has ended, and of which no notice has come since."""
    out: set[str] = field(default_factory=set)
    """Issues that were taken out while no session was open, until a notice says so."""

    def written(self, entries: Iterable[RecordedEvent]) -> None:
        """These events are on disk. What they say of the wave itself holds from now on."""
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

    def told_of(self, issue_id: str) -> None:
        """A notice tells where the issue is now; if it has left flight, that is told next."""
        if issue_id in self.aside:
            self.aside.remove(issue_id)
            if issue_id not in self.out:
                self.underway.add(issue_id)

    def left_flight(self, issue_id: str) -> None:
        super().left_flight(issue_id)
        self.out.discard(issue_id)
