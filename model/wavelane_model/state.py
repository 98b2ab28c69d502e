"""The state of a wave, and what a move of the table does to it.

Its parts have files of their own:

- one record per issue (`wavelane_model.records`), from which the rest could be derived;
- one lane per repo, with its merge queue (`wavelane_model.lanes`);
- the lanes kept idle for issues of a plan (`wavelane_model.reservations`);
- the issues to admit next, in order (`wavelane_model.ready_queue`).

Beside the records, a state stores only what a step needs at once: counters, and indexes of what may
start next. The indexes *propose*; the guards of the table decide. Only `move` changes the state of
a record, and it updates all of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Final

from wavelane_model.cap import Cap
from wavelane_model.effects import (
    AnnounceIssue,
    Effect,
    RunOutcome,
    StartImplementing,
    StartMerging,
    StartReviewing,
)
from wavelane_model.lanes import Lanes
from wavelane_model.lifecycle import (
    IN_FLIGHT,
    OPENS,
    TAKEN_OUT,
    LaneRelease,
    Row,
    State,
    Trigger,
    lane_states,
)
from wavelane_model.limits import Limits
from wavelane_model.order import admission_order
from wavelane_model.ready_queue import ReadyQueue
from wavelane_model.records import Record
from wavelane_model.reservations import Reservations
from wavelane_model.wave import Wave

_START: Final[dict[Trigger, type[StartImplementing | StartReviewing | StartMerging]]] = {
    "begin": StartImplementing,
    "begin_review": StartReviewing,
    "begin_merge": StartMerging,
}


class WaveState:
    """Where a wave stands: one record per issue, one lane per repo, the cap, and indexes.

    Code outside the model reads only what `wavelane_model.view.READABLE` names, and sets nothing.

    Attributes:
        wave: the issues, and what depends on what.
        limits: how often a step may be repeated.
        lane_release: when an issue gives its lane back.
        lane_states: the states in which an issue is active in its lane.
        cap: how many issues may be in flight.
        resume_at: when a pause ends by itself, in seconds since the epoch.
        highest_cap: the highest level in force since the run began.
        started: whether a first run has begun.
        stopping: whether a stop was requested.
        outcome: how the run ended, once it has.
        flight: positions of the issues in flight, in the order of their admission.
        open_sessions: how many sessions and merges are under way.
        done: how many issues are done.
        postponed: how many issues are postponed.
        records: where each issue stands, by position.
        lanes: where each repo stands, by number.
        reservations: the issues whose lanes are reserved for them.
        queue: the issues to admit next.
        startable: positions of the issues whose session may start once sessions are allowed.
        plan: positions of issues in the planned order.
    """

    __slots__ = (
        "cap",
        "done",
        "flight",
        "highest_cap",
        "lane_release",
        "lane_states",
        "lanes",
        "limits",
        "open_sessions",
        "outcome",
        "plan",
        "postponed",
        "queue",
        "records",
        "reservations",
        "resume_at",
        "startable",
        "started",
        "stopping",
        "wave",
    )

    def __init__(
        self,
        wave: Wave,
        *,
        cap: Cap | None = None,
        lane_release: LaneRelease = "done",
        limits: Limits | None = None,
    ) -> None:
        if lane_release not in ("done", "review"):
            raise ValueError(f'lane_release is {lane_release!r}; give "done" or "review"')
        self.wave, self.limits = wave, limits or Limits()
        self.lane_release: LaneRelease = lane_release
        self.lane_states = lane_states(lane_release)
        self.cap = cap or Cap.at(max(1, len(wave.repos)))
        self.resume_at: float | None = None
        self.highest_cap = self.open_sessions = self.done = self.postponed = 0
        self.started = self.stopping = False
        self.outcome: RunOutcome | None = None
        self.flight: dict[int, None] = {}
        self.startable: OrderedDict[int, None] = OrderedDict()
        self.plan: tuple[int, ...] = ()
        self.records = [
            Record(one, wave.repo_of[one], len(wave.dependencies[one])) for one in range(len(wave))
        ]
        self.lanes = Lanes(len(wave.repos))
        self.reservations = Reservations(wave, self.records)
        self.queue = ReadyQueue(self.records, self.lanes, self.reservations)
        self._rank()

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.outcome is not None

    @property
    def in_flight(self) -> int:
        """How many issues hold a slot."""
        return len(self.flight)

    @property
    def sessions_allowed(self) -> bool:
        """Whether an implementing or a reviewing session may start at all."""
        return self.cap.level > 0 and not self.stopping

    def find(self, issue_id: str) -> Record:
        """The record of an issue. Raises `KeyError` for an unknown id."""
        return self.records[self.wave.position[issue_id]]

    def issue_id(self, record: Record) -> str:
        """The id of the issue of `record`."""
        return self.wave.issues[record.position].id

    # What a move does

    def move(self, record: Record, row: Row, effects: list[Effect]) -> None:
        """Apply one row of the table to `record`, whose guards have been checked."""
        source, target = record.state, row.target
        if record.open:
            self._close(record)
        was_ready = source == "queued" and record.ready
        record.state = target
        if source != target:
            self._update_flight(record, source, target)
            self._update_lane(record, row.trigger, source, target)
            if target == "merging":
                self.lanes.join_merges(record.lane, record.position)
            elif source == "merging":
                self.lanes.leave_merges(record.lane, record.position)
            if target == "queued" or was_ready:
                self._update_queue(record, was_ready)
            if self.reservations:
                self._update_reservations(record)
        elif row.trigger == "take_lane":
            self.lanes.take(record)
        issue_id = self.wave.issues[record.position].id
        effects.append(AnnounceIssue(issue_id, row.trigger, source, target))
        if (row.trigger, target) in OPENS:
            self._open(record, row.trigger)
            effects.append(_START[row.trigger](issue_id, record.session))
        self._update_startable_index(record)
        if target == "done":
            self._settle_dependents(record)

    def postpone(self, record: Record, until: float | None) -> None:
        """Make `record`, which is about to be queued, wait for a time."""
        record.postponed = True
        record.until = until
        self.postponed += 1

    def come_due(self, record: Record) -> None:
        """End the wait of a postponed record."""
        record.postponed = False
        record.until = None
        self.postponed -= 1
        if record.ready:
            self.queue.add(record)

    def adopt_plan(self, plan: Iterable[int], wanted: Mapping[int, float]) -> None:
        """Admit in the order of `plan` from now on, and reserve the lanes that it asks for."""
        self.plan = tuple(plan)
        self.reservations.adopt(wanted)
        self._rank()

    def end_reservations(self) -> None:
        """End all reservations."""
        for position in [*self.reservations]:
            self.end_reservation(position)

    def end_reservation(self, position: int) -> None:
        """End the reservation for an issue."""
        del self.reservations[position]
        lane = self.records[position].lane
        if self.lanes[lane].is_free:
            self.queue.propose(lane)

    def reserved_for(self, record: Record) -> list[int]:
        """The issues before `record` in the order for which its lane is reserved."""
        if not self.reservations:
            return []
        return self.reservations.ahead_of(record, self.queue.rank)

    def amend(self, wave: Wave, changed: Iterable[int]) -> None:
        """Continue with `wave`: this one with issues added, or `changed` before they began."""
        self.wave = self.reservations.wave = wave
        self.records.extend(
            Record(one, wave.repo_of[one], 0) for one in range(len(self.records), len(wave))
        )
        for position in changed:
            self.reservations.pop(position, None)
            record = self.records[position]
            record.lane = wave.repo_of[position]
            record.unmet = sum(
                self.records[needed].state != "done" for needed in wave.dependencies[position]
            )
        for position in self.reservations.in_vain():
            del self.reservations[position]
        self._rank()

    def _open(self, record: Record, trigger: Trigger) -> None:
        record.session += 1
        record.open = True
        self.open_sessions += 1
        if trigger == "begin":
            record.attempts += 1
        elif trigger == "begin_merge":
            self.lanes[record.lane].turn = record.position

    def _close(self, record: Record) -> None:
        record.open = False
        self.open_sessions -= 1
        if record.state == "merging":
            self.lanes.free_turn(record.lane, record.position)

    def _update_flight(self, record: Record, source: State, target: State) -> None:
        if target in IN_FLIGHT:
            self.flight[record.position] = None
        elif source in IN_FLIGHT:
            del self.flight[record.position]
        if target == "done":
            self.done += 1

    def _update_lane(self, record: Record, trigger: Trigger, source: State, target: State) -> None:
        if target in self.lane_states:
            if trigger == "admit":
                self.lanes[record.lane].holder = record.position
            elif source not in self.lane_states:
                self.lanes.await_(record)
        elif source in self.lane_states and self.lanes.leave(record):
            self.queue.propose(record.lane)

    def _update_queue(self, record: Record, was_ready: bool) -> None:
        if was_ready:
            self.queue.count -= 1
        if record.state == "queued":
            self.queue.requeue(record)
            if record.ready:
                self.queue.add(record)

    def _update_startable_index(self, record: Record) -> None:
        if not record.open and (
            record.state == "review"
            or (record.state == "admitted" and self.lanes[record.lane].holder == record.position)
        ):
            self.startable[record.position] = None
        else:
            self.startable.pop(record.position, None)

    def _settle_dependents(self, record: Record) -> None:
        for position in self.wave.dependents[record.position]:
            dependent = self.records[position]
            dependent.unmet -= 1
            if dependent.ready:
                self.queue.add(dependent)

    def _update_reservations(self, record: Record) -> None:
        """End the reservation for an issue that has moved, and those that now wait for a human."""
        if record.position in self.reservations:
            self.end_reservation(record.position)
        if record.state in TAKEN_OUT:
            for position in self.reservations.in_vain():
                self.end_reservation(position)

    def _rank(self) -> None:
        """Put everything queued in the order of admission."""
        self.queue.rank_anew(admission_order(self.wave, self.plan))

    # For exploration

    def clone(self) -> WaveState:
        """An independent copy; wave, limits and order are shared."""
        twin = copy(self)
        twin.records = [copy(record) for record in self.records]
        twin.lanes = self.lanes.clone()
        twin.reservations = self.reservations.clone(twin.records)
        twin.queue = self.queue.clone(twin.records, twin.lanes, twin.reservations)
        twin.flight = self.flight.copy()
        twin.startable = self.startable.copy()
        return twin

    def key(self) -> tuple[object, ...]:
        """Equal for two states of one wave that behave alike from now on."""
        return (
            self.cap,
            self.resume_at is not None,
            self.highest_cap,
            self.started,
            self.stopping,
            self.outcome,
            tuple(record.key() for record in self.records),
            tuple(lane.key() for lane in self.lanes),
            tuple(self.startable),
            self.plan,
            tuple(sorted(self.reservations.items())),
        )
