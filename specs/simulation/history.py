"""A history: all lives of one wave, from the first process to a run that ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from specs.simulation.history_observer import HistoryObserver
from specs.simulation.scenarios import Scenario
from wavelane.journal import RecordedEvent
from wavelane.testing.virtual import EPOCH


@dataclass
class History:
    """Plain data, which a dying process hands to the next one.

    Attributes:
        scenario: The scenario.
        observer: What was observed in the lives so far.
        crashes: The points at which the lives so far died.
        now: Virtual time, in seconds since the epoch.
        points: How many points the last life has passed.
        recovery: How many of these came before its first session started; None if none started.
        entries: All that was committed, in order.
        trace: What happened, a line for each event.
        complaints: What was broken, as "property: what"; the first is the cause.
        seen: The remarkable things that happened, in words.
        done: The issues that are done, once a run has ended.
        left: The state that the last life left, as text; lives that start from equal states are
            equal, except for the time.
    """

    scenario: Scenario
    observer: HistoryObserver
    crashes: list[int] = field(default_factory=list)
    now: float = EPOCH
    points: int = 0
    recovery: int | None = None
    entries: list[RecordedEvent] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    done: frozenset[str] | None = None
    left: str = ""

    @classmethod
    def of(cls, scenario: Scenario) -> History:
        """The history of a scenario before its first life."""
        observer = HistoryObserver(
            scenario.wave, scenario.lane_release, scenario.ceiling, ceiling=scenario.ceiling
        )
        return cls(scenario, observer)

    @property
    def broken(self) -> str | None:
        """The property that was broken first."""
        return self.complaints[0].partition(":")[0] if self.complaints else None

    def log(self, line: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{round(self.now - EPOCH, 3):>4g} s  {line}")

    def complain(self, what: str) -> None:
        """Record that a property is broken."""
        self.log(f"BROKEN {what}")
        self.complaints.append(what)

    def __str__(self) -> str:
        return "\n".join([*self.trace, *(f"BROKEN {one}" for one in self.complaints)])
