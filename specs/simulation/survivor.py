"""An observer that outlives the process, and judges all its lives as one history.

Beside what happens in the world it reads the rows of each transaction that was committed: where
the issues stand, and what an operator asked for. So it knows, when the process dies, what is in
flight, at which level the cap is, and what was asked for, as anybody could read it in the journal.

recovery  each life asks about exactly what was in flight by the journal when the one before ended,
          once each, no more than the highest level in force then, and before anything starts
kept      what an operator asked for holds in later lives, once it was committed
stages    what is reviewed has work in the world, and what merges was approved in the world
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from specs.observers import Step
from specs.simulation.patient import PatientObserver
from specs.simulation.world import World
from wavelane.journal import RecordedEvent, Standing
from wavelane_model.cap import Cap, moved
from wavelane_model.events import (
    CancelRequested,
    CapMoved,
    ParkRequested,
    SessionEnded,
    UnparkRequested,
    WaveStarted,
)
from wavelane_model.lifecycle import IN_FLIGHT, State
from wavelane_model.outcomes import Conflicted


@dataclass
class Survivor(PatientObserver):
    """Sees every life of the process. It is plain data, and is handed on with the world."""

    world: World = field(default_factory=World)
    standing: dict[str, State] = field(default_factory=dict)
    """Where the issues stand by the journal, if they ever moved."""
    cap_on_disk: Cap | None = None
    """The cap by the journal, if it was ever moved."""
    asked_for: dict[str, str] = field(default_factory=dict)
    """Issues that were to be parked or cancelled, by the journal."""
    to_ask: set[str] = field(default_factory=set)
    """What was in flight when the life before ended, and is yet to be asked about in this one."""
    unanswered: set[str] = field(default_factory=set)
    """What was asked about in this life and is not answered."""
    most_to_ask: int = 0
    """The highest level in force in the life before."""
    life: int = 0
    """Number of the life, from 1; before the first it is 0."""
    ceiling: int = 1

    def begins_a_life(self) -> None:
        """The process before is gone. What of its sessions is still alive stands in the world."""
        level = self._cap.level
        self.life += 1
        self.over = True
        self.stopping = False
        self.underway = self.in_flight_on_disk
        self.aside.clear()
        self.out.clear()
        self.open = {issue: alive.step for issue, alive in self.world.alive.items()}
        self.turns = {
            self.wave[issue].repo: issue for issue, step in self.open.items() if step == "merge"
        }
        for queue in self.queues.values():
            queue[:] = [one for one in queue if self.standing.get(one) == "merging"]
        self.to_ask = self.in_flight_on_disk
        self.unanswered = set()
        self.most_to_ask = self.highest
        self.level = level

    @property
    def in_flight_on_disk(self) -> set[str]:
        """The issues in flight by the journal."""
        return {issue for issue, state in self.standing.items() if state in IN_FLIGHT}

    @property
    def _cap(self) -> Cap:
        return self.cap_on_disk or Cap.at(self.ceiling)

    # What the journal says

    def committed(
        self, entries: Sequence[RecordedEvent], standings: Iterable[tuple[str, Standing]]
    ) -> None:
        """A transaction is on the disk."""
        self.written(entries)
        for entry in entries:
            match entry.event:
                case CapMoved(move, level):
                    self.cap_on_disk = moved(self._cap, move, level) or self._cap
                    self._was_in_force(self._cap.level)
                case ParkRequested(issue, _):
                    self.asked_for[issue] = "parked"
                case CancelRequested(issue):
                    self.asked_for[issue] = "cancelled"
                case UnparkRequested(issue):
                    self.asked_for.pop(issue, None)
                case WaveStarted():
                    self.run_started()
                    self._was_in_force(self._cap.level)
                case SessionEnded(issue, _, Conflicted()):
                    if issue in self.queues[self.wave[issue].repo]:
                        self.left_queue(issue)
                case _:
                    pass
        for issue, (state, *_) in standings:
            self.standing[issue] = state
            self.told_of(issue)
            if state not in IN_FLIGHT:
                self.left_flight(issue)

    def _was_in_force(self, level: int) -> None:
        if not self.over:
            self.highest = max(self.highest, level)

    # What happens in the world

    def asked(self, issue: str, state: State) -> None:
        """`recover` is asked about an issue."""
        self._require(issue in self.to_ask, "recovery", f"asked about {issue}, out of turn")
        self._require(
            state == self.standing.get(issue),
            "recovery",
            f"asked about {issue} as {state}; by the journal it is {self.standing.get(issue)}",
        )
        self.to_ask.remove(issue)
        self.unanswered.add(issue)

    def answered(self, issue: str) -> None:
        """`recover` has answered: no session of the issue lives."""
        self.unanswered.discard(issue)
        if self.open.pop(issue, None) == "merge":
            self.turns.pop(self.wave[issue].repo, None)

    def merge_is_in(self, issue: str) -> None:
        """A merge went in."""
        self._require(self.world.merges[issue] == 1, "once", f"{issue} is merged again")
        self.merged.add(issue)

    def started(self, step: Step, issue_id: str) -> None:
        self._require(
            not self.to_ask and not self.unanswered,
            "recovery",
            f"{step} of {issue_id} starts before it is told what is left of "
            f"{sorted(self.to_ask | self.unanswered)}",
        )
        self._require(
            issue_id not in self.asked_for,
            "kept",
            f"{step} of {issue_id} starts, which was to be {self.asked_for.get(issue_id)}",
        )
        super().started(step, issue_id)
        if step == "review":
            self._require(issue_id in self.world.work, "stages", f"{issue_id} has no work")
        if step == "merge":
            self._require(issue_id in self.world.approved, "stages", f"{issue_id} is not approved")

    def check_birth(self) -> None:
        """At the start of a life: is it asked about no more than it may be?"""
        self._require(
            len(self.to_ask) <= self.most_to_ask,
            "recovery",
            f"{sorted(self.to_ask)} were in flight at a cap of at most {self.most_to_ask}",
        )

    def check_end(self, states: Mapping[str, State]) -> None:
        """At the end: the world, and what was asked for, beside how the issues ended."""
        for issue, state in states.items():
            merges = self.world.merges[issue]
            self._require(merges <= 1, "once", f"{issue} is merged {merges} times")
            self._require(state != "done" or merges > 0, "once", f"{issue} is done and not merged")
            self._require(
                state == "parked" or state == "done" or not merges,
                "told",
                f"{issue} is merged and {state}",
            )
            wanted = self.asked_for.get(issue)
            self._require(
                wanted is None or state in (wanted, "done"),
                "kept",
                f"{issue} is {state}; it was to be {wanted}",
            )
