"""The rule monitor: which events and effects are right, known from outside of the model.

`RuleMonitor` sees each event and the effects of its step, and nothing of the state behind them. It
shares no code with the step: it keeps its own account of where each issue is, which sessions are
open, who waits for a merge, and where the cap is, and it judges by the rules of the design:

- `legal` says which events must be taken, which must be refused, and leaves open what is neither;
- `take` follows one event and its effects, and returns what is broken: "property: what", a line
  each;
- `watch` is both, for an event that was taken.

The search asks `legal` what may happen next and gives every step to `take`
(specs/search/explore.py). The journals of whole runs, with the effects that the step computes for
their events, are given to `watch` (specs/monitored.py).

The properties that are judged here, at the moment of each order:

rejection    an event is taken only where it may happen
announced    each announced move starts where the issue is, and leads where it should
lane         an issue is admitted into a lane only when no other has it or waits to take it again;
             it begins only with its lane, and a session starts only where no other is at work
plan         what is admitted comes first in the plan of all that could be, and no lane is reserved
             for an issue before it
cap          an issue is admitted only while fewer than the level are in flight
order        an issue is admitted only when all that it depends on is done
pause        no issue is admitted and no session starts at level 0 or after a stop
merge        a turn is given only when the repo has none, and to who was approved first; those who
             waited or merged beside the issues are gone with a run that is cut off
once         an issue has one session at a time, numbered without a gap, and is done by one merge
             that went in
bound        never more in flight than the highest level in force since the run began
glide        a session is ended on order only because its issue is parked or cancelled
outcome      what a session ended with, or what was found of it after its run was cut off, decides
             where its issue goes; what is implemented is reviewed
limits       a step is tried again as often as the limits allow, and then its issue is parked
cap control  the cap moves as its table says, and says so
wake         an issue is admitted only when its wait is over; the start of a run says of each
             postponed issue when it is to be woken, and until when each lane is reserved that is
end          the run ends exactly when, and as, it should; between runs nothing starts
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from wavelane_model.cap import Cap, CapMove
from wavelane_model.effects import (
    AnnounceCap,
    AnnounceIssue,
    Effect,
    EndReservationAt,
    EndSession,
    FinishWave,
    GrantMergeTurn,
    ResumeAt,
    RunOutcome,
    StartImplementing,
    StartMerging,
    StartReviewing,
    WakeAt,
)
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    AttemptUnclear,
    CancelRequested,
    CapMoved,
    Event,
    MergeFound,
    MergeTurnRequested,
    MergeTurnReturned,
    OrderPlanned,
    ParkRequested,
    PauseEnded,
    PostponementEnded,
    ReservationEnded,
    RunCutOff,
    SessionEnded,
    SessionWithheld,
    StopRequested,
    UnparkRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.lifecycle import LaneRelease, State, Trigger
from wavelane_model.limits import Limits
from wavelane_model.outcomes import (
    Approved,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Conflicted,
    Failed,
    Implemented,
    Merged,
    Outcome,
    Postponed,
    Stopped,
)
from wavelane_model.wave import Wave

Step = Literal["implement", "review", "merge"]
Ending = Literal["block", "cancel"]

ALLOWED: Final[dict[Step, frozenset[type[Outcome]]]] = {
    "implement": frozenset((Implemented, Checkpoint, Blocked, Postponed, Failed)),
    "review": frozenset((Approved, ChangesRequested, Blocked, Postponed, Failed)),
    "merge": frozenset((Merged, Conflicted, Blocked, Failed)),
}
"""What each step may end with."""
MEANT: Final[dict[type[Outcome], Trigger]] = {
    Implemented: "implemented",
    Checkpoint: "checkpoint",
    Approved: "approve",
    ChangesRequested: "request_changes",
    Merged: "merged",
    Conflicted: "conflict",
    Blocked: "block",
    Postponed: "postpone",
    Failed: "fail",
}
"""What each outcome does to its issue."""
STEP_STATE: Final[dict[Step, State]] = {
    "implement": "running",
    "review": "review",
    "merge": "merging",
}
RecoveryFinding = AttemptDiscarded | AttemptResumed | MergeFound | AttemptUnclear
FINDING_TRIGGERS: Final[dict[type[RecoveryFinding], Trigger]] = {
    AttemptDiscarded: "reset",
    AttemptResumed: "resume",
    MergeFound: "find_merged",
    AttemptUnclear: "block",
}
"""What is found of an issue between runs, and what that does to it."""
WAYS_BACK: Final = (Failed, Conflicted, ChangesRequested, Checkpoint)
"""What sends an issue back, as often as the limits allow."""
NONE_YET: Final = (0,) * len(WAYS_BACK)
NO_MOVE: Final = AnnounceIssue("", "reset", "done", "done")
IN_FLIGHT: Final[frozenset[State]] = frozenset(("admitted", "running", "review", "merging"))
AT_WORK: Final[frozenset[State]] = frozenset(("admitted", "running"))
STARTS: Final[frozenset[Trigger]] = frozenset(
    ("admit", "take_lane", "begin", "begin_review", "begin_merge")
)
"""The moves by which work starts: there are none between runs."""
LEADS: Final[dict[Trigger, dict[State, tuple[State, ...]]]] = {
    "admit": {"queued": ("admitted",)},
    "take_lane": {"admitted": ("admitted",)},
    "begin": {"admitted": ("running", "review")},
    "implemented": {"running": ("review",)},
    "checkpoint": {"running": ("admitted", "parked")},
    "begin_review": {"review": ("review",)},
    "approve": {"review": ("merging",)},
    "request_changes": {"review": ("admitted", "parked")},
    "begin_merge": {"merging": ("merging",)},
    "merged": {"merging": ("done",)},
    "conflict": {"merging": ("admitted", "parked")},
    "fail": {
        "running": ("admitted", "parked"),
        "review": ("review", "parked"),
        "merging": ("merging", "parked"),
    },
    "postpone": {"running": ("queued",), "review": ("queued",)},
    "withhold": {"running": ("queued", "admitted"), "review": ("queued", "review")},
    "block": dict.fromkeys(("queued", *IN_FLIGHT), ("parked",)),
    "reset": dict.fromkeys(IN_FLIGHT, ("queued",)),
    "resume": {
        "admitted": ("admitted",),
        "running": ("admitted",),
        "review": ("review",),
        "merging": ("merging",),
    },
    "find_merged": dict.fromkeys(IN_FLIGHT, ("done",)),
    "unpark": {"parked": ("queued",)},
    "cancel": dict.fromkeys(("queued", "parked", *IN_FLIGHT), ("cancelled",)),
}
"""Where each trigger leads, written by hand: the model's table is what is judged."""


class RuleMonitor:
    """The account of a wave that is kept from its events and effects alone."""

    __slots__ = (
        "at",
        "before",
        "ceiling",
        "counts",
        "ending",
        "had_reservation",
        "highest",
        "holders",
        "implemented",
        "lane_release",
        "level",
        "lifts",
        "limits",
        "open",
        "outcome",
        "plan",
        "queues",
        "reservations",
        "session",
        "started",
        "stopping",
        "turns",
        "untouched",
        "urgency",
        "waking",
        "wave",
    )

    def __init__(self, wave: Wave, cap: Cap, lane_release: LaneRelease, limits: Limits) -> None:
        count = len(wave)
        self.wave = wave
        self.limits = limits
        self.lane_release: LaneRelease = lane_release
        self.ceiling = cap.ceiling
        self.level = cap.level
        self.before = cap.before_pause
        self.lifts: float | None = None
        """When the pause ends by itself, if it does."""
        self.highest = 0
        self.started = False
        self.stopping = False
        self.outcome: RunOutcome | None = None
        self.plan: tuple[int, ...] = ()
        """The issues in the order in which they are to be admitted."""
        self.reservations: dict[int, float] = {}
        """For which issues their lane is reserved, and until when at the latest."""
        self.had_reservation: frozenset[int] = frozenset()
        """For which issues their lane is or was reserved, since a human queued them last."""
        self.at: list[State] = ["queued"] * count
        self.open: list[Step | None] = [None] * count
        self.session = [0] * count
        self.ending: list[Ending | None] = [None] * count
        self.waking = [False] * count
        self.untouched = [False] * count
        """By issue: in flight, and no session of it has ended since it was admitted."""
        self.implemented = [False] * count
        """By issue: only its review is still to be made."""
        self.counts: list[tuple[int, ...]] = [NONE_YET] * count
        """By issue: how often each of `WAYS_BACK` was taken since a human queued it last; what
        was implemented and reviewed in an attempt that is discarded does not count."""
        self.urgency = inherited_priorities(wave)
        """By issue: the highest priority among itself and all that depends on it."""
        self.holders: list[int | None] = [None for _ in wave.repos]
        """By repo: the issue that has its lane."""
        self.queues: list[list[int | str]] = [[] for _ in wave.repos]
        self.turns: list[int | str | None] = [None for _ in wave.repos]

    def clone(self) -> RuleMonitor:
        """An independent copy; wave and limits are shared."""
        twin = RuleMonitor.__new__(RuleMonitor)
        twin.wave = self.wave
        twin.limits = self.limits
        twin.lane_release = self.lane_release
        twin.ceiling = self.ceiling
        twin.level = self.level
        twin.before = self.before
        twin.lifts = self.lifts
        twin.highest = self.highest
        twin.started = self.started
        twin.stopping = self.stopping
        twin.outcome = self.outcome
        twin.plan = self.plan
        twin.reservations = self.reservations.copy()
        twin.had_reservation = self.had_reservation
        twin.at = self.at[:]
        twin.open = self.open[:]
        twin.session = self.session[:]
        twin.ending = self.ending[:]
        twin.waking = self.waking[:]
        twin.untouched = self.untouched[:]
        twin.implemented = self.implemented[:]
        twin.counts = self.counts[:]
        twin.urgency = self.urgency
        twin.holders = self.holders[:]
        twin.queues = [queue[:] for queue in self.queues]
        twin.turns = self.turns[:]
        return twin

    def key(self) -> tuple[object, ...]:
        """All but the wave, its settings, and the session numbers."""
        return (
            self.level,
            self.before,
            self.lifts,
            self.wave.dependencies,
            self.highest,
            self.started,
            self.stopping,
            self.outcome,
            self.plan,
            tuple(sorted(self.reservations.items())),
            tuple(sorted(self.had_reservation)),
            tuple(self.at),
            tuple(self.open),
            tuple(self.ending),
            tuple(self.waking),
            tuple(self.untouched),
            tuple(self.implemented),
            tuple(self.counts),
            tuple(self.holders),
            tuple(map(tuple, self.queues)),
            tuple(self.turns),
        )

    @property
    def ended(self) -> bool:
        """Whether the run is over, or was cut off."""
        return self.outcome is not None

    @property
    def cut_off(self) -> bool:
        """Whether the latest run was cut off, and none has started since."""
        return self.outcome == "unfinished"

    @property
    def under_way(self) -> bool:
        """Whether a run is under way."""
        return self.started and not self.ended

    @property
    def in_flight(self) -> int:
        """How many issues are in flight."""
        return sum(one in IN_FLIGHT for one in self.at)

    # Which events are right

    def revoked(self, issue: int) -> bool:
        """Whether a session of `issue` that was ordered and has not started may start no longer."""
        return self.open[issue] in ("implement", "review") and (
            self.level == 0
            or self.stopping
            or (self.untouched[issue] and self.in_flight > self.level)
        )

    def legal(self, event: Event) -> bool | None:
        """Whether `event` must be taken; None where either is right."""
        match event:
            case WaveStarted():
                return not self.under_way and not any(self.open)
            case RunCutOff():
                return self.under_way
            case WaveAmended(issues):
                return all(self._may_change(issue.id) for issue in issues)
            case PauseEnded(until):
                return self.under_way and self.lifts == until
            case OrderPlanned(order, reservations):
                reserved = {one.issue for one in reservations}
                known = all(one in self.wave for one in order)
                return known and reserved <= set(order) and len(set(order)) == len(order)
            case CapMoved("pause", _, until) if self.level == 0:
                return until != self.lifts
            case StopRequested():
                return True
            case CapMoved(move, asked):
                return self._level_after(move, asked) is not None
            case MergeTurnRequested(repo, ticket):
                return repo in self.wave.repos and ticket not in self._queue(repo)
            case MergeTurnReturned(repo, ticket):
                return repo in self.wave.repos and ticket in self._queue(repo)
        if event.issue not in self.wave:
            return False
        issue = self.wave.position[event.issue]
        match event:
            case ParkRequested():
                return self.at[issue] not in ("done", "cancelled", "parked") and (
                    self.ending[issue] != "cancel"
                )
            case CancelRequested():
                return self.at[issue] not in ("done", "cancelled") and (
                    self.ending[issue] != "cancel"
                )
            case UnparkRequested():
                return self.at[issue] == "parked"
        if isinstance(event, RecoveryFinding):
            return self.ended and self.at[issue] in IN_FLIGHT
        if not self.under_way:
            return False
        match event:
            case SessionEnded(_, session, outcome):
                return self._may_end(issue, session, outcome)
            case SessionWithheld(_, session):
                return (
                    self.open[issue] is not None
                    and session == self.session[issue]
                    and self.ending[issue] is None
                    and self.revoked(issue)
                )
            case PostponementEnded():
                return self.waking[issue]
            case ReservationEnded(_, until):
                return self.reservations.get(issue) == until

    def _may_change(self, name: str) -> bool:
        if name not in self.wave:
            return True
        issue = self.wave.position[name]
        return self.at[issue] in ("queued", "parked") and self.session[issue] == 0

    def _may_end(self, issue: int, session: int, outcome: Outcome) -> bool | None:
        step = self.open[issue]
        if step is None or session != self.session[issue]:
            return False
        if type(outcome) in ALLOWED[step]:
            return True
        if isinstance(outcome, Stopped):
            return self.ending[issue] is not None
        # On its way out, a session may say what it likes, but not that it was merged.
        return None if self.ending[issue] and not isinstance(outcome, Merged) else False

    def _level_after(self, move: CapMove, asked: int) -> int | None:
        match move:
            case "step_down":
                return self.level - 1 if self.level > 0 else None
            case "step_up":
                return self.level + 1 if self.level < self.ceiling else None
            case "set":
                return asked if 0 <= asked <= self.ceiling and asked != self.level else None
            case "pause":
                return 0 if self.level > 0 else None
            case "resume":
                return self.before if self.level == 0 else None

    def _queue(self, repo: str) -> list[int | str]:
        return self.queues[self.wave.repos.index(repo)]

    # One event and its effects

    def watch(self, event: Event, effects: list[Effect]) -> list[str]:
        """Judge an event that was taken, and follow it where it may happen."""
        if self.legal(event) is False:
            return [f"rejection: {event} is not legal, and it is taken"]
        return self.take(event, effects)

    def take(self, event: Event, effects: list[Effect]) -> list[str]:
        """Follow `event` and `effects`; what is broken, "property: what", a line each."""
        ended = None if isinstance(event, WaveStarted) else self.outcome
        return [
            *self._note(event, effects),
            *(
                self._obey(event, effects)
                if ended is None
                else self._follow_between_runs(event, effects)
            ),
            *self._judge(event, ended),
        ]

    def _note(self, event: Event, effects: list[Effect]) -> Iterator[str]:
        """What the event itself says, and what has to be among its effects."""
        match event:
            case WaveStarted():
                self.started = True
                self.outcome = None
                self.highest = max(self.level, self.in_flight)
                yield from self._level_announced(effects)
                yield from self._waits_announced(effects)
                yield from self._lift_announced(self.lifts, effects)
                yield from self._reservations_announced(effects)
            case RunCutOff():
                self.outcome = "unfinished"
                self.reservations = {}
                self.stopping = False
                for at, queue in enumerate(self.queues):
                    self.queues[at] = [who for who in queue if isinstance(who, int)]
                    if isinstance(self.turns[at], str):
                        self.turns[at] = None
            case StopRequested():
                self.stopping = True
            case CapMoved(move, asked, until):
                level = self._level_after(move, asked)
                yield from self._cap_goes_to(0 if level is None else level, effects)
                self.lifts = until if move == "pause" else None
                yield from self._lift_announced(self.lifts if self.under_way else None, effects)
            case PauseEnded():
                self.lifts = None
                yield from self._cap_goes_to(self.before, effects)
            case OrderPlanned(order, reservations):
                self.plan = tuple(self.wave.position[one] for one in order)
                wished = {self.wave.position[one.issue]: one.until for one in reservations}
                self._reserve(wished)
                yield from self._reservations_announced(effects)
            case ReservationEnded(name, _):
                del self.reservations[self.wave.position[name]]
            case WaveAmended(issues, done):
                for one in issues:
                    self.reservations.pop(self.wave.position.get(one.id, -1), None)
                self._grow(self.wave.amended(issues, done))
                self._let_go()
            case MergeTurnRequested(repo, ticket):
                self._queue(repo).append(ticket)
            case MergeTurnReturned(repo, ticket):
                at = self.wave.repos.index(repo)
                self.queues[at].remove(ticket)
                self._give_back(at, ticket)
            case SessionEnded(name, _, outcome):
                issue = self.wave.position[name]
                ending = self.ending[issue]
                meant = ending if ending and not isinstance(outcome, Merged) else None
                self._close(issue)
                yield from self._moved_by(name, meant or MEANT[type(outcome)], effects)
                self.untouched[issue] = False
                if meant is None:
                    yield from self._counts_on(issue, type(outcome), effects)
            case SessionWithheld(name):
                issue = self.wave.position[name]
                self._close(issue)
                yield from self._moved_by(name, "withhold", effects)
                if self.untouched[issue] != (_first_move(effects).target == "queued"):
                    yield f"outcome: {name} was withheld and has not the place that it had before"
            case AttemptDiscarded() | AttemptResumed() | MergeFound() | AttemptUnclear():
                yield from self._found_between_runs(event, effects)
            case PostponementEnded(name):
                self.waking[self.wave.position[name]] = False
            case UnparkRequested(name):
                self.counts[self.wave.position[name]] = NONE_YET
                self.had_reservation = self.had_reservation.difference((self.wave.position[name],))
                self.implemented[self.wave.position[name]] = False
                yield from self._moved_by(name, "unpark", effects)
            case ParkRequested(name):
                yield from self._taken_out(name, "block", effects)
            case CancelRequested(name):
                yield from self._taken_out(name, "cancel", effects)

    def _cap_goes_to(self, level: int, effects: list[Effect]) -> Iterator[str]:
        self.before = level or self.level or self.before
        self.level = level
        if self.under_way:
            self.highest = max(self.highest, level)
        yield from self._level_announced(effects)

    def _grow(self, wave: Wave) -> None:
        more = len(wave) - len(self.wave)
        self.wave = wave
        self.urgency = inherited_priorities(wave)
        queued: list[State] = ["queued"] * more
        self.at += queued
        self.open += [None] * more
        self.session += [0] * more
        self.ending += [None] * more
        for flags in (self.waking, self.untouched, self.implemented):
            flags += [False] * more
        self.counts += [NONE_YET] * more

    def _found_between_runs(self, event: RecoveryFinding, effects: list[Effect]) -> Iterator[str]:
        """What is left of an issue is reported. What was asked for it goes before, but not before
        a merge that is in.
        """
        issue = self.wave.position[event.issue]
        meant = None if isinstance(event, MergeFound) else self.ending[issue]
        self._close(issue)
        yield from self._moved_by(event.issue, meant or FINDING_TRIGGERS[type(event)], effects)
        self.untouched[issue] = False
        if isinstance(event, AttemptDiscarded) and meant is None:
            self.implemented[issue] = False
            counts = zip(WAYS_BACK, self.counts[issue], strict=True)
            gone = (ChangesRequested, Checkpoint)
            self.counts[issue] = tuple(0 if way in gone else times for way, times in counts)

    def _counts_on(
        self, issue: int, outcome: type[Outcome], effects: list[Effect]
    ) -> Iterator[str]:
        if outcome in (Implemented, ChangesRequested, Conflicted):
            self.implemented[issue] = outcome is Implemented
        counts = list(self.counts[issue])
        if outcome is Implemented:
            counts[WAYS_BACK.index(Checkpoint)] = 0
        elif outcome in WAYS_BACK:
            at = WAYS_BACK.index(outcome)
            parks = counts[at] == self._allowed()[at]
            counts[at] += not parks
            if parks != (_first_move(effects).target == "parked"):
                name = self.wave.issues[issue].id
                what = "does not park it" if parks else "parks it"
                yield f"limits: {outcome.__name__} after {self.counts[issue][at]} of {name} {what}"
        self.counts[issue] = tuple(counts)

    def _allowed(self) -> tuple[int, ...]:
        """How often each of `WAYS_BACK` may be taken; the next one parks."""
        of = self.limits
        return (of.failures, of.conflicts, of.review_rounds, of.checkpoints - 1)

    def _taken_out(self, name: str, how: Ending, effects: list[Effect]) -> Iterator[str]:
        issue = self.wave.position[name]
        if self.open[issue] is None:
            self.waking[issue] = False
            yield from self._moved_by(name, how, effects)
            return
        ordered = EndSession(name, self.session[issue]) in effects
        if ordered == (self.ending[issue] is not None):
            yield f"glide: {name} is to be taken out, and its end is ordered twice or never"
        self.ending[issue] = how

    def _close(self, issue: int) -> None:
        self.open[issue] = None
        self.ending[issue] = None
        self._give_back(self.wave.repo_of[issue], issue)

    def _give_back(self, at: int, who: int | str) -> None:
        if self.turns[at] == who:
            self.turns[at] = None

    def _level_announced(self, effects: list[Effect]) -> Iterator[str]:
        announced = [one.level for one in effects if isinstance(one, AnnounceCap)]
        if announced != [self.level]:
            yield f"cap control: the cap is at {self.level}, and {announced} is announced"

    def _waits_announced(self, effects: list[Effect]) -> Iterator[str]:
        waiting = [
            issue.id for issue, waits in zip(self.wave.issues, self.waking, strict=True) if waits
        ]
        announced = sorted(one.issue for one in effects if isinstance(one, WakeAt))
        if announced != sorted(waiting):
            yield f"wake: a run starts with {waiting} postponed, and {announced} is to be woken"

    def _reservations_announced(self, effects: list[Effect]) -> Iterator[str]:
        announced = {one.issue: one.until for one in effects if isinstance(one, EndReservationAt)}
        ids = self.wave.issues
        due = {ids[one].id: at for one, at in self.reservations.items() if self.under_way}
        if announced != due:
            yield f"wake: lanes are to be reserved until {due}, and {announced} is announced"

    def _reserve(self, wished: dict[int, float]) -> None:
        """Reserve lanes anew: for an issue once, and no longer than it was said before."""
        spent = self.had_reservation.difference(self.reservations)
        self.reservations = {
            one: min(until, self.reservations.get(one, until))
            for one, until in wished.items()
            if one not in spent
        }
        self._let_go()
        self.had_reservation = self.had_reservation.union(self.reservations)

    def _let_go(self) -> None:
        """End the reservations for what has gone, and for what a human has to come before."""
        if not self.reservations:
            return
        stuck = {one for one, at in enumerate(self.at) if at in ("parked", "cancelled")}
        for one in self.wave.topological():
            if stuck.intersection(self.wave.dependencies[one]):
                stuck.add(one)
        self.reservations = {
            one: until
            for one, until in self.reservations.items()
            if self.at[one] == "queued" and one not in stuck
        }

    @staticmethod
    def _lift_announced(due: float | None, effects: list[Effect]) -> Iterator[str]:
        announced = [one.until for one in effects if isinstance(one, ResumeAt)]
        if announced != ([] if due is None else [due]):
            yield f"wake: a pause is to end at {due}, and {announced} is announced"

    @staticmethod
    def _moved_by(name: str, trigger: Trigger, effects: list[Effect]) -> Iterator[str]:
        first = _first_move(effects).trigger
        if first != trigger:
            yield f'outcome: {name} is to be moved by "{trigger}" first, and it is by "{first}"'

    def _obey(self, event: Event, effects: list[Effect]) -> Iterator[str]:
        for effect in effects:
            if self.ended:
                yield f"end: {effect} is ordered after the end"
            match effect:
                case AnnounceIssue():
                    yield from self._issue_moves(event, effect)
                case StartImplementing(name, session):
                    yield from self._session_starts("implement", name, session)
                case StartReviewing(name, session):
                    yield from self._session_starts("review", name, session)
                case StartMerging(name, session):
                    yield from self._starts("merge", name, session)
                    yield from self._turn_given(
                        self.wave.repo_of[self.wave.position[name]], self.wave.position[name]
                    )
                case GrantMergeTurn(repo, ticket):
                    yield from self._turn_given(self.wave.repos.index(repo), ticket)
                case EndSession(name):
                    if not (
                        isinstance(event, ParkRequested | CancelRequested) and event.issue == name
                    ):
                        yield f"glide: the session of {name} is ended, which was not asked for"
                case WakeAt(name):
                    issue = self.wave.position[name]
                    if self.at[issue] != "queued":
                        yield f"wake: {name} is to be woken, and it is {self.at[issue]}"
                    self.waking[issue] = True
                case FinishWave(outcome):
                    self.outcome = outcome
                    self.reservations = {}
                case AnnounceCap():
                    if not isinstance(event, CapMoved | PauseEnded | WaveStarted):
                        yield "cap control: a level is announced, and the cap has not moved"

    def _follow_between_runs(self, event: Event, effects: list[Effect]) -> Iterator[str]:
        """Between runs: what was asked for and what was found is followed, and nothing else."""
        about = getattr(event, "issue", None)
        for effect in effects:
            match effect:
                case AnnounceIssue() if effect.issue == about and effect.trigger not in STARTS:
                    yield from self._issue_moves(event, effect)
                case AnnounceCap() if isinstance(event, CapMoved):
                    pass
                case EndSession() if isinstance(event, ParkRequested | CancelRequested):
                    pass
                case _:
                    yield f"end: {effect} is ordered between runs"

    def _issue_moves(self, event: Event, move: AnnounceIssue) -> Iterator[str]:
        issue = self.wave.position[move.issue]
        leads = LEADS[move.trigger].get(move.source, ())
        if move.target not in leads or self.at[issue] != move.source:
            yield f"announced: {move.issue} is {self.at[issue]}, and {move} is announced"
        yield from self._lane_moves(move, issue)
        if move.trigger == "begin" and self.implemented[issue] != (move.target == "review"):
            yield f"outcome: {move.issue} is to be reviewed only if it is implemented"
        queue = self.queues[self.wave.repo_of[issue]]
        if move.target == "merging" and issue not in queue:
            queue.append(issue)
        elif move.target != "merging" and issue in queue:
            queue.remove(issue)
        if move.target == "done" and not _is_in(event, move.issue):
            yield f"once: {move.issue} is done without a merge"
        self.untouched[issue] = move.trigger == "admit" or (
            self.untouched[issue] and move.target in IN_FLIGHT
        )
        self.at[issue] = move.target
        repo = self.wave.repo_of[issue]
        if self.holders[repo] == issue and move.target not in self._active:
            self.holders[repo] = None
        self._let_go()

    @property
    def _active(self) -> frozenset[State]:
        """The states in which an issue needs its lane."""
        return IN_FLIGHT if self.lane_release == "done" else AT_WORK

    def _lane_moves(self, move: AnnounceIssue, issue: int) -> Iterator[str]:
        """Who takes the lane, and who begins with it."""
        repo = self.wave.repo_of[issue]
        holder = self.holders[repo]
        if move.trigger == "admit":
            yield from self._admits(move.issue, issue)
            self.holders[repo] = issue
        elif move.trigger == "take_lane":
            if holder is not None:
                yield f"lane: {move.issue} takes the lane of {self.wave.issues[holder].id}"
            self.holders[repo] = issue
        elif move.trigger == "begin" and holder != issue:
            yield f"lane: {move.issue} begins without its lane"

    def _admitted_into(self, repo: int) -> Iterator[str]:
        """Why no issue may be admitted into a lane: its holder, or who waits to take it again."""
        holder = self.holders[repo]
        for other, at in enumerate(self.at):
            if self.wave.repo_of[other] != repo:
                continue
            name = self.wave.issues[other].id
            if other == holder:
                yield f"while {name} has its lane"
            elif holder is None and at == "admitted":
                yield f"before {name}, which waits to take its lane again"

    def _admits(self, name: str, issue: int) -> Iterator[str]:
        if self.in_flight >= self.level:
            yield f"cap: {name} is admitted with {self.in_flight} in flight at cap {self.level}"
        if self.level == 0 or self.stopping:
            yield f"pause: {name} is admitted at cap {self.level}, stopping: {self.stopping}"
        for obstacle in self._admitted_into(self.wave.repo_of[issue]):
            yield f"lane: {name} is admitted {obstacle}"
        if self.waking[issue]:
            yield f"wake: {name} is admitted before its wait is over"
        for needed in self.wave.dependencies[issue]:
            if self.at[needed] != "done":
                yield f"order: {name} is admitted; {self.wave.issues[needed].id} is not done"
        if self.reserved_for(issue):
            yield f"plan: {name} is admitted into a lane that is reserved"
        for other in self.plan:
            if self._rank(other) < self._rank(issue) and self._could_be_admitted(other):
                yield f"plan: {name} is admitted before {self.wave.issues[other].id}"

    def reserved_for(self, issue: int) -> set[int]:
        """The issues before `issue` in the plan for which its lane is reserved."""
        repo = self.wave.repo_of[issue]
        return {
            one
            for one in self.reservations
            if self.wave.repo_of[one] == repo and self._rank(one) < self._rank(issue)
        }

    def _rank(self, issue: int) -> tuple[int, int]:
        """The more urgent issue first, and of equally urgent ones the one that is planned first."""
        place = self.plan.index(issue) if issue in self.plan else len(self.plan)
        return -self.urgency[issue], place

    def _could_be_admitted(self, issue: int) -> bool:
        """Whether an issue is due, its lane is free, and no reservation is in its way."""
        return (
            self._could_go(issue)
            and not self.waking[issue]
            and not self.reserved_for(issue)
            and not any(
                at in self._active and self.wave.repo_of[other] == self.wave.repo_of[issue]
                for other, at in enumerate(self.at)
            )
        )

    def _session_starts(self, step: Step, name: str, session: int) -> Iterator[str]:
        if self.level == 0 or self.stopping:
            yield f"pause: {name} starts to {step} at cap {self.level}, stopping: {self.stopping}"
        repo = self.wave.repo_of[self.wave.position[name]]
        at_work = [
            self.wave.issues[other].id
            for other, doing in enumerate(self.open)
            if self.wave.repo_of[other] == repo
            and doing is not None
            and (self.lane_release == "done" or doing == step == "implement")
        ]
        if at_work:
            yield f"lane: {name} starts to {step} beside {', '.join(at_work)}"
        yield from self._starts(step, name, session)

    def _starts(self, step: Step, name: str, session: int) -> Iterator[str]:
        issue = self.wave.position[name]
        if self.open[issue] is not None:
            yield f"once: {name} has two sessions at once"
        if self.at[issue] != STEP_STATE[step] or session != self.session[issue] + 1:
            yield f"once: {name} is {self.at[issue]}; session {session} starts to {step}"
        self.open[issue] = step
        self.session[issue] = session

    def _turn_given(self, at: int, who: int | str) -> Iterator[str]:
        repo = self.wave.repos[at]
        name = self.wave.issues[who].id if isinstance(who, int) else who
        if self.turns[at] is not None:
            yield f"merge: {name} gets a second turn in {repo}"
        if self.queues[at][:1] != [who]:
            yield f"merge: {name} is not first in the merge queue of {repo}"
        self.turns[at] = who

    # What has to be so after it

    def _judge(self, event: Event, ended: RunOutcome | None) -> Iterator[str]:
        """`ended`: how the run had ended before the event."""
        if self.started and self.in_flight > self.highest:
            yield f"bound: {self.in_flight} are in flight; the highest cap was {self.highest}"
        due = ended
        if isinstance(event, RunCutOff):
            due = "unfinished"
        elif self.started and ended is None:
            due = self._end_due()
            self.stopping = self.stopping and due is None
        if self.outcome != due:
            yield f"end: the run should have ended as {due}, and it is {self.outcome}"

    def _end_due(self) -> RunOutcome | None:
        """How the run has to end now; None where it has to go on."""
        others_wait = any(isinstance(who, str) for queue in self.queues for who in queue)
        if others_wait or any(step is not None for step in self.open):
            return None
        if all(one == "done" for one in self.at):
            return "complete"
        if self.in_flight == 0 and not any(map(self._could_go, range(len(self.at)))):
            return "blocked"
        return "stopped" if self.stopping else None

    def _could_go(self, issue: int) -> bool:
        return self.at[issue] == "queued" and all(
            self.at[needed] == "done" for needed in self.wave.dependencies[issue]
        )


def inherited_priorities(wave: Wave) -> tuple[int, ...]:
    """Of each issue the highest priority among itself and all that depends on it."""
    found = [issue.priority for issue in wave.issues]
    for at in reversed(wave.topological()):
        for needed in wave.dependencies[at]:
            found[needed] = max(found[needed], found[at])
    return tuple(found)


def _is_in(event: Event, issue: str) -> bool:
    """Whether the event says that the merge of the issue went in."""
    match event:
        case SessionEnded(one, _, Merged()) | MergeFound(one):
            return one == issue
        case _:
            return False


def _first_move(effects: list[Effect]) -> AnnounceIssue:
    return next((one for one in effects if isinstance(one, AnnounceIssue)), NO_MOVE)
