"""The state of a wave, and what a move of the table does to it.

What can be derived from the records is stored a second time only where a step needs it at once:
counters, and indexes of what may start next. The indexes *propose*; the guards of the table
decide. `move` is the one place where a record changes its state, and it keeps all of them.

Entries of the heaps may be out of date: they are checked when they come up, and dropped.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from copy import copy
from heapq import heappop, heappush
from typing import Final, Literal, NamedTuple

from wavelane_model.cap import Cap
from wavelane_model.effects import (
    AnnounceIssue,
    Effect,
    RunOutcome,
    StartImplementing,
    StartMerging,
    StartReviewing,
)
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
from wavelane_model.wave import Wave

_START: Final[dict[Trigger, type[StartImplementing | StartReviewing | StartMerging]]] = {
    "begin": StartImplementing,
    "begin_review": StartReviewing,
    "begin_merge": StartMerging,
}


class PendingRemoval(NamedTuple):
    """What was asked for an issue whose session is still to be ended first."""

    trigger: Literal["block", "cancel"]
    reason: str


class Record:
    """Where one issue stands."""

    __slots__ = (
        "attempts",
        "checkpoints",
        "conflicts",
        "failures",
        "feedback",
        "had_reservation",
        "implemented",
        "lane",
        "listed",
        "open",
        "pending_removal",
        "position",
        "postponed",
        "reason",
        "rounds",
        "session",
        "state",
        "unmet",
        "until",
        "untouched",
    )

    def __init__(self, position: int, lane: int, unmet: int) -> None:
        self.position = position
        self.lane = lane
        self.unmet = unmet
        """How many of its dependencies are not done."""
        self.state: State = "queued"
        self.session = 0
        """The number of sessions and merges so far; also the name of the latest."""
        self.open = False
        """Whether that session or merge is under way."""
        self.untouched = False
        self.implemented = False
        self.postponed = False
        self.until: float | None = None
        self.attempts = 0
        """How many implementing sessions were started."""
        self.checkpoints = 0
        self.rounds = 0
        self.conflicts = 0
        self.failures = 0
        self.feedback = ""
        """What the next session of it should know."""
        self.reason = ""
        """Why it is parked or postponed."""
        self.pending_removal: PendingRemoval | None = None
        self.had_reservation = False
        """Whether a lane is or was reserved for it, since a human queued it last."""
        self.listed = False
        """Whether it has an entry in its lane's heap of ready issues."""

    @property
    def ready(self) -> bool:
        """Whether nothing but slot, lane and cap stands between it and its admission."""
        return self.state == "queued" and self.unmet == 0 and not self.postponed

    def key(self) -> tuple[object, ...]:
        """All that tells two records apart, texts and times left out."""
        return (
            self.state,
            self.open,
            self.untouched,
            self.implemented,
            self.postponed,
            self.checkpoints,
            self.rounds,
            self.conflicts,
            self.failures,
            self.pending_removal and self.pending_removal.trigger,
            self.had_reservation,
        )


class Lane:
    """One repo: who is active in it, and who merges into it."""

    __slots__ = ("holder", "merges", "ready", "rework", "turn")

    def __init__(self) -> None:
        self.holder: int | None = None
        self.rework: OrderedDict[int, None] = OrderedDict()
        """Issues in flight that wait for the lane to be worked on again."""
        self.merges: OrderedDict[int | str, None] = OrderedDict()
        """The merge queue: positions of issues, and tickets of others."""
        self.turn: int | str | None = None
        """Who has the merge turn."""
        self.ready: list[int] = []
        """Heap of the ranks of issues that are ready."""

    def next_merge(self) -> int | str | None:
        """Who is first in the merge queue."""
        return next(iter(self.merges), None)

    def clone(self) -> Lane:
        """An independent copy."""
        twin = copy(self)
        twin.rework = self.rework.copy()
        twin.merges = self.merges.copy()
        twin.ready = self.ready.copy()
        return twin


class WaveState:
    """A wave on its way: one record an issue, one lane a repo, the cap, and what follows."""

    __slots__ = (
        "by_rank",
        "cap",
        "done",
        "flight",
        "highest_cap",
        "idle",
        "lane_release",
        "lane_states",
        "lanes",
        "lanes_due",
        "limits",
        "open_sessions",
        "outcome",
        "plan",
        "postponed",
        "rank",
        "ready",
        "records",
        "reservations",
        "resume_at",
        "startable",
        "started",
        "stopping",
        "tickets",
        "turns_due",
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
        self.wave = wave
        self.limits = limits or Limits()
        self.lane_release: LaneRelease = lane_release
        self.lane_states = lane_states(lane_release)
        self.cap = cap or Cap.at(max(1, len(wave.repos)))
        self.resume_at: float | None = None
        """When a pause ends by itself, in seconds since the epoch."""
        self.highest_cap = 0
        """The highest level in force since the run began."""
        self.started = False
        self.stopping = False
        self.outcome: RunOutcome | None = None
        """How the run ended, once it has."""
        self.flight: dict[int, None] = {}
        """Issues in flight, in the order of their admission."""
        self.open_sessions = 0
        self.done = 0
        self.ready = 0
        self.postponed = 0
        self.tickets = 0
        """Turns that others wait for or hold."""
        self.lanes = [Lane() for _ in wave.repos]
        self.records = [
            Record(at, wave.repo_of[at], len(wave.dependencies[at])) for at in range(len(wave))
        ]
        self.plan: tuple[int, ...] = ()
        """Issues in the order that was planned."""
        self.reservations: dict[int, float] = {}
        """Queued issues for which their lane is reserved, and until when at the latest."""
        self.by_rank: list[int] = []
        self.rank: list[int] = []
        self.idle: list[tuple[int, int]] = []
        """Heap of (rank of an issue that is ready, its lane), for lanes that may be free."""
        self.startable: OrderedDict[int, None] = OrderedDict()
        """Issues whose session may start as soon as sessions are allowed."""
        self.lanes_due: OrderedDict[int, None] = OrderedDict()
        """Lanes that are free and have rework waiting."""
        self.turns_due: OrderedDict[int, None] = OrderedDict()
        """Lanes whose merge queue has somebody and whose turn is free."""
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
        """The id of the issue that `record` is about."""
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
            self._update_merge_queue(record, source, target)
            if target == "queued" or was_ready:
                self._update_ready_index(record, was_ready)
            if self.reservations:
                self._update_reservations(record)
        elif row.trigger == "take_lane":
            self._take_lane(record)
        effects.append(AnnounceIssue(self.issue_id(record), row.trigger, source, target))
        if (row.trigger, target) in OPENS:
            self._open(record, row.trigger, effects)
        self._update_startable_index(record)
        if target == "done":
            self._settle_dependents(record)

    def postpone(self, record: Record, until: float | None) -> None:
        """Let `record`, which is about to be queued, wait for a time."""
        record.postponed = True
        record.until = until
        self.postponed += 1

    def come_due(self, record: Record) -> None:
        """End the wait of a postponed record."""
        record.postponed = False
        record.until = None
        self.postponed -= 1
        if record.ready:
            self._list(record)

    def candidate(self) -> Record | None:
        """The first issue by rank that is ready in a lane that is free."""
        while self.idle:
            rank, at = self.idle[0]
            lane = self.lanes[at]
            first = self._offered(lane)
            if first == rank:
                return self.records[self.by_rank[rank]]
            heappop(self.idle)
            if first is not None and first > rank:
                heappush(self.idle, (first, at))
        return None

    def adopt_plan(self, plan: Iterable[int], reservations: dict[int, float]) -> None:
        """Admit in the order of `plan` from now on, and reserve lanes as it asks for.

        Those are left out for which no lane may be reserved, and no reservation is put off.
        """
        self.plan = tuple(plan)
        self.reservations = {
            position: min(until, self.reservations.get(position, until))
            for position, until in reservations.items()
            if self.may_be_reserved_for(self.records[position])
            and not self.reservation_spent(self.records[position])
        }
        for position in self.reservations:
            self.records[position].had_reservation = True
        self._rank()

    def end_reservations(self) -> None:
        """Reserve no lane any longer."""
        for position in [*self.reservations]:
            self.end_reservation(position)

    def end_reservation(self, position: int) -> None:
        """Reserve the lane of an issue for it no longer."""
        del self.reservations[position]
        lane = self.lanes[self.records[position].lane]
        if lane.holder is None and not lane.rework:
            self._propose(self.records[position].lane)

    def may_be_reserved_for(self, record: Record) -> bool:
        """Whether a lane may be reserved for an issue: it is queued and waits for no human."""
        return record.state == "queued" and not any(
            needed.state in TAKEN_OUT for needed in self._still_needed(record)
        )

    def reservation_spent(self, record: Record) -> bool:
        """Whether a lane was reserved for an issue and is no longer; none is a second time."""
        return record.had_reservation and record.position not in self.reservations

    def reserved_for(self, record: Record) -> list[int]:
        """The issues that come before `record` and for which its lane is reserved."""
        if not self.reservations:
            return []
        rank = self.rank[record.position]
        return [
            reserved
            for reserved in self.reservations
            if self.rank[reserved] < rank and self.records[reserved].lane == record.lane
        ]

    def join_merges(self, at: int, who: int | str) -> None:
        """Put somebody at the end of a repo's merge queue."""
        lane = self.lanes[at]
        lane.merges[who] = None
        if lane.turn is None:
            self.turns_due[at] = None

    def leave_merges(self, at: int, who: int | str) -> None:
        """Take somebody out of a repo's merge queue, with or without the turn."""
        del self.lanes[at].merges[who]
        self.free_turn(at, who)

    def free_turn(self, at: int, who: int | str) -> None:
        """Take the turn back from `who`, if it has it; a place in the queue is kept."""
        lane = self.lanes[at]
        if lane.turn == who:
            lane.turn = None
        if lane.turn is None and lane.merges:
            self.turns_due[at] = None
        else:
            self.turns_due.pop(at, None)

    def _open(self, record: Record, trigger: Trigger, effects: list[Effect]) -> None:
        record.session += 1
        record.open = True
        self.open_sessions += 1
        if trigger == "begin":
            record.attempts += 1
        elif trigger == "begin_merge":
            self.lanes[record.lane].turn = record.position
        effects.append(_START[trigger](self.issue_id(record), record.session))

    def _close(self, record: Record) -> None:
        record.open = False
        self.open_sessions -= 1
        if record.state == "merging":
            self.free_turn(record.lane, record.position)

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
                self._await_lane(record)
        elif source in self.lane_states:
            self._leave_lane(record)

    def _await_lane(self, record: Record) -> None:
        lane = self.lanes[record.lane]
        lane.rework[record.position] = None
        if lane.holder is None:
            self.lanes_due[record.lane] = None

    def _take_lane(self, record: Record) -> None:
        lane = self.lanes[record.lane]
        lane.holder = record.position
        del lane.rework[record.position]
        self.lanes_due.pop(record.lane, None)

    def _leave_lane(self, record: Record) -> None:
        lane = self.lanes[record.lane]
        if lane.holder == record.position:
            lane.holder = None
        else:
            del lane.rework[record.position]
        if lane.holder is None:
            if lane.rework:
                self.lanes_due[record.lane] = None
            else:
                self.lanes_due.pop(record.lane, None)
                self._propose(record.lane)

    def _update_merge_queue(self, record: Record, source: State, target: State) -> None:
        if target == "merging":
            self.join_merges(record.lane, record.position)
        elif source == "merging":
            self.leave_merges(record.lane, record.position)

    def _update_ready_index(self, record: Record, was_ready: bool) -> None:
        if was_ready:
            self.ready -= 1
        if record.ready:
            self._list(record)

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
                self._list(dependent)

    def _list(self, record: Record) -> None:
        """Count a record that has become ready, and propose it."""
        self.ready += 1
        lane = self.lanes[record.lane]
        rank = self.rank[record.position]
        if not record.listed:
            record.listed = True
            heappush(lane.ready, rank)
        if lane.holder is None and not lane.rework and self._first_ready(lane) == rank:
            heappush(self.idle, (rank, record.lane))

    def _propose(self, at: int) -> None:
        """Propose the first ready issue of a lane that has become free."""
        first = self._first_ready(self.lanes[at])
        if first is not None:
            heappush(self.idle, (first, at))

    def _update_reservations(self, record: Record) -> None:
        """A reservation ends when its issue goes, and when what that waits for needs a human."""
        if record.position in self.reservations:
            self.end_reservation(record.position)
        if record.state in TAKEN_OUT:
            for position in [*self.reservations]:
                if not self.may_be_reserved_for(self.records[position]):
                    self.end_reservation(position)

    def _still_needed(self, record: Record) -> Iterator[Record]:
        """All that an issue depends on, directly or not, and that is not done."""
        ahead = [record.position]
        known = {record.position}
        while ahead:
            for needed in self.wave.dependencies[ahead.pop()]:
                if needed not in known and self.records[needed].state != "done":
                    known.add(needed)
                    ahead.append(needed)
                    yield self.records[needed]

    def _offered(self, lane: Lane) -> int | None:
        """The rank of the issue that a lane has to offer, if it is free and not held."""
        if lane.holder is not None or lane.rework:
            return None
        first = self._first_ready(lane)
        if (
            self.reservations
            and first is not None
            and self.reserved_for(self.records[self.by_rank[first]])
        ):
            return None
        return first

    def _first_ready(self, lane: Lane) -> int | None:
        while lane.ready:
            record = self.records[self.by_rank[lane.ready[0]]]
            if record.ready:
                return lane.ready[0]
            heappop(lane.ready)
            record.listed = False
        return None

    def waiting_tickets(self) -> list[tuple[str, str]]:
        """Repo and ticket of all others who wait for a merge turn or have one."""
        return [
            (repo, who)
            for repo, lane in zip(self.wave.repos, self.lanes, strict=True)
            for who in lane.merges
            if isinstance(who, str)
        ]

    def drop_tickets(self) -> None:
        """Take all others out of the merge queues: whoever waited or merged there is gone."""
        for at, lane in enumerate(self.lanes):
            for who in [who for who in lane.merges if isinstance(who, str)]:
                self.leave_merges(at, who)
        self.tickets = 0

    def amend(self, wave: Wave, changed: Iterable[int]) -> None:
        """Go on with `wave`: this one with issues added, or `changed` while they were queued."""
        self.wave = wave
        self.records.extend(
            Record(at, wave.repo_of[at], 0) for at in range(len(self.records), len(wave))
        )
        for at in changed:
            self.reservations.pop(at, None)
            record = self.records[at]
            record.lane = wave.repo_of[at]
            record.unmet = sum(
                self.records[needed].state != "done" for needed in wave.dependencies[at]
            )
        for at in [*self.reservations]:
            if not self.may_be_reserved_for(self.records[at]):
                del self.reservations[at]
        self._rank()

    def _rank(self) -> None:
        """Put all that is ready in the order of admission."""
        self.by_rank = admission_order(self.wave, self.plan)
        self.rank = [0] * len(self.by_rank)
        for rank, position in enumerate(self.by_rank):
            self.rank[position] = rank
        self.ready = 0
        self.idle = []
        for lane in self.lanes:
            lane.ready = []
        for record in self.records:
            record.listed = False
        for record in self.records:
            if record.ready:
                self._list(record)

    # For planning

    def within_reach(self) -> set[int]:
        """Issues that can be done without a human and without a wait for a time; O(issues)."""
        found: set[int] = set()
        for at in self.wave.topological():
            record = self.records[at]
            if record.state in TAKEN_OUT or record.state == "done" or record.postponed:
                continue
            needs = self.wave.dependencies[at]
            if all(one in found or self.records[one].state == "done" for one in needs):
                found.add(at)
        return found

    # For exploration

    def clone(self) -> WaveState:
        """An independent copy; wave, limits and order are shared."""
        twin = copy(self)
        twin.records = [copy(record) for record in self.records]
        twin.lanes = [lane.clone() for lane in self.lanes]
        twin.idle = self.idle.copy()
        twin.reservations = self.reservations.copy()
        twin.flight = self.flight.copy()
        twin.startable = self.startable.copy()
        twin.lanes_due = self.lanes_due.copy()
        twin.turns_due = self.turns_due.copy()
        return twin

    def key(self) -> tuple[object, ...]:
        """Equal for two states of one wave that no future can tell apart."""
        return (
            self.cap,
            self.resume_at is not None,
            self.highest_cap,
            self.started,
            self.stopping,
            self.outcome,
            tuple(record.key() for record in self.records),
            tuple(
                (lane.holder, tuple(lane.rework), tuple(lane.merges), lane.turn)
                for lane in self.lanes
            ),
            tuple(self.startable),
            self.plan,
            tuple(sorted(self.reservations.items())),
        )
