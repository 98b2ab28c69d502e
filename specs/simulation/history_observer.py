"""An observer that outlives the process, and judges all its lives as one history.

It sees the world, and the rows of each committed transaction: the states of the issues, and the
requests of the operator. So when the process dies it knows what any reader of the journal could:
the issues in flight, the level of the cap, and the pending requests.

recovery  each life calls recover for exactly the issues that were in flight by the journal when the
          previous one ended, once each, for no more than the highest level then, before any start
kept      a committed request of the operator stays in force in later lives
stages    a reviewed issue has work in the world, and a merging one is approved in the world
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
class HistoryObserver(PatientObserver):
    """Observes every life of the process. It is plain data, and is handed on with the world."""

    world: World = field(default_factory=World)
    standing: dict[str, State] = field(default_factory=dict)
    """The states by the journal, of the issues that ever moved."""
    cap_on_disk: Cap | None = None
    """The cap by the journal, if it ever moved."""
    requested: dict[str, str] = field(default_factory=dict)
    """Issues to be parked or cancelled, by the journal."""
    to_recover: set[str] = field(default_factory=set)
    """Issues that were in flight when the previous life ended, and still have to be recovered."""
    recovering: set[str] = field(default_factory=set)
    """Issues whose `recover` was called in this life, and has not returned."""
    most_to_recover: int = 0
    """The highest level in force in the previous life."""
    life: int = 0
    """Number of the life, from 1; 0 before the first."""
    ceiling: int = 1

    def start_life(self) -> None:
        """The previous process is gone; the world knows which of its sessions are still alive."""
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
        self.to_recover = self.in_flight_on_disk
        self.recovering = set()
        self.most_to_recover = self.highest
        self.level = level

    @property
    def in_flight_on_disk(self) -> set[str]:
        """The issues in flight by the journal."""
        return {issue for issue, state in self.standing.items() if state in IN_FLIGHT}

    @property
    def _cap(self) -> Cap:
        return self.cap_on_disk or Cap.at(self.ceiling)

    # The journal

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
                    self.requested[issue] = "parked"
                case CancelRequested(issue):
                    self.requested[issue] = "cancelled"
                case UnparkRequested(issue):
                    self.requested.pop(issue, None)
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
            self.announced(issue)
            if state not in IN_FLIGHT:
                self.left_flight(issue)

    def _was_in_force(self, level: int) -> None:
        if not self.over:
            self.highest = max(self.highest, level)

    # The world

    def recover_called(self, issue: str, state: State) -> None:
        """`recover` is called for an issue."""
        self._require(issue in self.to_recover, "recovery", f"called for {issue} out of turn")
        self._require(
            state == self.standing.get(issue),
            "recovery",
            f"called for {issue} as {state}; by the journal it is {self.standing.get(issue)}",
        )
        self.to_recover.remove(issue)
        self.recovering.add(issue)

    def recover_returned(self, issue: str) -> None:
        """`recover` has returned: no session of the issue is alive."""
        self.recovering.discard(issue)
        if self.open.pop(issue, None) == "merge":
            self.turns.pop(self.wave[issue].repo, None)

    def merge_is_in(self, issue: str) -> None:
        """The issue was merged."""
        self._require(self.world.merges[issue] == 1, "once", f"{issue} is merged again")
        self.merged.add(issue)

    def started(self, step: Step, issue_id: str) -> None:
        self._require(
            not self.to_recover and not self.recovering,
            "recovery",
            f"{step} of {issue_id} starts before recovery has finished for "
            f"{sorted(self.to_recover | self.recovering)}",
        )
        self._require(
            issue_id not in self.requested,
            "kept",
            f"{step} of {issue_id} starts, which has to be {self.requested.get(issue_id)}",
        )
        super().started(step, issue_id)
        if step == "review":
            self._require(issue_id in self.world.work, "stages", f"{issue_id} has no work")
        if step == "merge":
            self._require(issue_id in self.world.approved, "stages", f"{issue_id} is not approved")

    def check_birth(self) -> None:
        """At the start of a life: no more issues were in flight than the cap allowed."""
        self._require(
            len(self.to_recover) <= self.most_to_recover,
            "recovery",
            f"{sorted(self.to_recover)} were in flight at a cap of at most {self.most_to_recover}",
        )

    def check_end(self, states: Mapping[str, State]) -> None:
        """At the end: compare the states of the issues with the world and with the requests."""
        for issue, state in states.items():
            merges = self.world.merges[issue]
            self._require(merges <= 1, "once", f"{issue} is merged {merges} times")
            self._require(state != "done" or merges > 0, "once", f"{issue} is done and not merged")
            self._require(
                state == "parked" or state == "done" or not merges,
                "recorded",
                f"{issue} is merged and {state}",
            )
            wanted = self.requested.get(issue)
            self._require(
                wanted is None or state in (wanted, "done"),
                "kept",
                f"{issue} is {state}; it had to be {wanted}",
            )
