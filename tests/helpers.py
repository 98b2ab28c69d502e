"""Shared by the tests of model and executor: waves as lines of text, and a model whose effects are
text."""

from __future__ import annotations

from typing import Any

from wavelane import Scheduler
from wavelane.testing import ScriptedPipeline, virtual_clock
from wavelane_model.cap import Cap
from wavelane_model.effects import (
    Effect,
    EndSession,
    FinishWave,
    GrantMergeTurn,
    StartImplementing,
    StartMerging,
    StartReviewing,
    WakeAt,
)
from wavelane_model.events import Event, SessionEnded, WaveStarted
from wavelane_model.lifecycle import LaneRelease, State
from wavelane_model.limits import Limits
from wavelane_model.outcomes import Approved, Implemented, Merged, Outcome
from wavelane_model.properties import broken
from wavelane_model.records import Record
from wavelane_model.state import WaveState
from wavelane_model.step import step
from wavelane_model.wave import Issue, Wave
from wavelane_model.why import why

GOOD: dict[State, Outcome] = {
    "running": Implemented(),
    "review": Approved(),
    "merging": Merged(),
}
"""What a session ends with when all is well, by the state of its issue."""


def wave_of(*lines: str, repos: list[str] | None = None) -> Wave:
    """A wave, one issue per line: "web#1 !2 < api#1 api#2" has priority 2 and two dependencies.

    The repo is the part before the "#".
    """
    issues = []
    for line in lines:
        head, _, needed = line.partition("<")
        issue_id, *priority = head.split()
        repo = issue_id.partition("#")[0]
        urgency = int(priority[0].removeprefix("!")) if priority else 0
        issues.append(Issue(issue_id, repo, needed.split(), priority=urgency))
    return Wave(issues, repos=repos)


def scheduler_of(wave: Wave, pipeline: Any = None, **settings: Any) -> Scheduler:
    """A scheduler in virtual time; by default each step takes a minute and succeeds."""
    return Scheduler(wave, pipeline or ScriptedPipeline(), **{"clock": virtual_clock, **settings})


LATER_AT_CAP_3 = Wave(
    [
        Issue("a#1", "a", estimate=1),
        Issue("b#1", "b", ["a#1"], estimate=5),
        Issue("c#1", "c", ["b#1"], estimate=5),
        Issue("c#2", "c", estimate=5),
        Issue("b#2", "b", estimate=2),
    ]
)
"""With a third slot b#2 starts at once, and is in the way of b#1 when that is ready."""


class Model:
    """A state that takes events and returns its effects as text, e.g. "implement api#1".

    After every event all properties of the model hold.
    """

    def __init__(
        self,
        wave: Wave,
        *,
        cap: int | None = None,
        lane_release: LaneRelease = "done",
        limits: Limits | None = None,
        started: bool = True,
    ) -> None:
        ceiling = None if cap is None else Cap.at(cap)
        self.state = WaveState(wave, cap=ceiling, lane_release=lane_release, limits=limits)
        self.first = self.take(WaveStarted()) if started else []

    def take(self, event: Event) -> list[str]:
        """Step an event; its effects."""
        effects = step(self.state, event)
        assert broken(self.state) == []
        return [said for effect in effects if (said := in_words(effect))]

    def end(self, issue_id: str, outcome: Outcome | None = None) -> list[str]:
        """End the session of an issue, by default successfully."""
        record = self.state.find(issue_id)
        return self.take(SessionEnded(issue_id, record.session, outcome or GOOD[record.state]))

    def finish(self, issue_id: str) -> list[str]:
        """Take an issue from its state to done; the effects of the last step."""
        orders: list[str] = []
        while self.state.find(issue_id).state != "done":
            orders = self.end(issue_id)
        return orders

    def record(self, issue_id: str) -> Record:
        return self.state.find(issue_id)

    def states(self) -> list[State]:
        return [record.state for record in self.state.records]

    def why(self, issue_id: str) -> str:
        return why(self.state, issue_id).text


def in_words(effect: Effect) -> str | None:
    """An effect as text; None for an announcement."""
    match effect:
        case StartImplementing(issue, _):
            return f"implement {issue}"
        case StartReviewing(issue, _):
            return f"review {issue}"
        case StartMerging(issue, _):
            return f"merge {issue}"
        case EndSession(issue, _):
            return f"end {issue}"
        case WakeAt(issue, until):
            return f"wake {issue} at {until}"
        case GrantMergeTurn(repo, ticket):
            return f"turn in {repo} for {ticket}"
        case FinishWave(outcome):
            return f"finish {outcome}"
        case _:
            return None
