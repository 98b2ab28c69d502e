"""A history: all lives of one wave, from its first process to a run that ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from specs.simulation.plan import Plan
from specs.simulation.survivor import Survivor
from wavelane.journal import RecordedEvent
from wavelane.testing.virtual import EPOCH


@dataclass
class History:
    """Plain data, which a process that dies hands to the next one.

    `crashes` are the points at which the lives so far died; `points` are those that the last life
    has passed, `recovery` of them before its first session started. `complaints` say what was
    broken, "property: what"; the first is the cause. `left` is what the last life left, in words:
    lives that find the same are the same, but for the time.
    """

    plan: Plan
    survivor: Survivor
    crashes: list[int] = field(default_factory=list)
    now: float = EPOCH
    points: int = 0
    recovery: int | None = None
    entries: list[RecordedEvent] = field(default_factory=list)
    """All that was committed, in order."""
    trace: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    done: frozenset[str] | None = None
    """The issues that are done, once a run has ended."""
    left: str = ""

    @classmethod
    def of(cls, plan: Plan) -> History:
        """The history of a plan before its first life."""
        survivor = Survivor(plan.wave, plan.lane_release, plan.ceiling, ceiling=plan.ceiling)
        return cls(plan, survivor)

    @property
    def broken(self) -> str | None:
        """The property that was broken first."""
        return self.complaints[0].partition(":")[0] if self.complaints else None

    def say(self, line: str) -> None:
        """A line for the trace."""
        self.trace.append(f"{round(self.now - EPOCH, 3):>4g} s  {line}")

    def complain(self, what: str) -> None:
        """Something is broken."""
        self.say(f"BROKEN {what}")
        self.complaints.append(what)

    def __str__(self) -> str:
        return "\n".join([*self.trace, *(f"BROKEN {one}" for one in self.complaints)])
