"""The referee: watches what a run announces and orders, and knows the rules by itself.

It sees the events and the effects of a wave, one step after the other, and nothing of the state
behind them: what it needs to know it adds up from the announced moves and the ordered starts. So
it trusts no guard, no counter and no index of the model. Each step costs it the same, whatever the
wave's size, but for the dependencies of an issue that is admitted, and for a plan that holds lanes.

The rules, by name:

    lane    a repo has at most one active issue, and rework goes before a new admission
    cap     nothing is admitted while as many issues are in flight as the cap allows
    bound   never more in flight than the highest cap in force since the run began
    merge   one merge at a time in a repo, in the order in which they joined its queue
    order   an issue is admitted only when all that it depends on is done
    hold    nothing is admitted into a lane that is held for an issue before it in the plan; it is
            said until when that is, which is not put off, and no lane is held for it again
    pause   no session starts at cap 0 or after a stop
    wait    a postponed issue is not admitted before its wait is over; each run says when that is
    once    sessions of an issue are numbered without a gap, one at a time, each with one end; an
            issue is done by one merge that went in
    table   an issue moves from where it is, by a row of the table
    end     nothing starts before a run, between two, or after the last, and a run ends in order; it
            starts when it is told what is left of each session of one that was cut off
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

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
    CapMoved,
    Event,
    MergeFound,
    MergeTurnRequested,
    MergeTurnReturned,
    OrderPlanned,
    PauseEnded,
    PostponementEnded,
    Reservation,
    ReservationEnded,
    RunCutOff,
    SessionEnded,
    SessionWithheld,
    StopRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.lifecycle import IN_FLIGHT, TABLE, LaneRelease, State, Trigger, lane_states
from wavelane_model.outcomes import Approved, Merged
from wavelane_model.wave import Issue, Wave


class Breach(NamedTuple):
    """A rule that was broken: its name, and a sentence."""

    rule: str
    text: str


class Place(NamedTuple):
    """A place in a merge queue: of an issue, or of somebody else's ticket."""

    name: str
    is_ticket: bool = False

    def __str__(self) -> str:
        return f'ticket "{self.name}"' if self.is_ticket else self.name


Account = AttemptDiscarded | AttemptResumed | MergeFound | AttemptUnclear
"""It is told what is left of an issue that was in flight when its run ended."""
DURING_A_RUN: Final = (
    SessionEnded,
    SessionWithheld,
    PostponementEnded,
    ReservationEnded,
    PauseEnded,
    RunCutOff,
)
"""What happens only while a run is under way."""
StartOrder = StartImplementing | StartReviewing | StartMerging

_MOVES: Final = frozenset((row.trigger, row.source, row.target) for row in TABLE)
_STARTS: Final[dict[type[StartOrder], tuple[str, State]]] = {
    StartImplementing: ("implementing", "running"),
    StartReviewing: ("reviewing", "review"),
    StartMerging: ("merging", "merging"),
}


_REPORTS: Final[dict[Trigger, tuple[type[Event], type[Merged | Approved] | None, str]]] = {
    "merged": (SessionEnded, Merged, "Merged"),
    "approve": (SessionEnded, Approved, "Approved"),
    "reset": (AttemptDiscarded, None, "discarded"),
    "resume": (AttemptResumed, None, "resumed"),
    "find_merged": (MergeFound, None, "found merged"),
}
"""Moves that somebody has to report: by which event, with which outcome, and in a word."""


class RuleMonitor:
    """Watches the runs of a wave, from the first event."""

    def __init__(self, wave: Wave, *, ceiling: int, lane_release: LaneRelease) -> None:
        self._wave = wave
        self._ceiling = self._level = ceiling
        self._highest = 0
        self._before_pause = ceiling
        self._lifts: float | None = None
        """When the pause is to end by itself."""
        self._active = lane_states(lane_release)
        self._started = False
        self._stopping = False
        self._outcome: RunOutcome | None = None
        self._state: dict[str, State] = {issue.id: "queued" for issue in wave.issues}
        self._in_flight = 0
        self._done = 0
        self._waiting: set[str] = set()
        """Issues that are postponed."""
        self._place: dict[str, int] = {}
        """By issue of the plan, how early it is to be admitted."""
        self._holds: dict[str, float] = {}
        """Issues for which their lane is held, and until when at the latest."""
        self._awaited: set[str] = set()
        """Issues for which their lane is or was held, since a human queued them last."""
        self._urgency: dict[str, int] = {}
        """Inherited priorities, if lanes are held."""
        self._sessions: dict[str, int] = dict.fromkeys(self._state, 0)
        self._open: dict[str, int] = {}
        self._holder: dict[str, str] = {}
        self._rework: defaultdict[str, set[str]] = defaultdict(set)
        self._queues: defaultdict[str, dict[Place, None]] = defaultdict(dict)
        self._turns: dict[str, Place] = {}
        self._tickets = 0

    def watch(self, event: Event, effects: Sequence[Effect]) -> Iterator[Breach]:
        """Take in one step; what it broke comes out. Read it to the end."""
        yield from self._happened(event)
        for effect in effects:
            if isinstance(effect, AnnounceIssue):
                yield from self._moved(effect, event)
            elif isinstance(effect, AnnounceCap):
                yield from self._cap_moved(effect.level, event)
            else:
                yield from _WATCHERS[type(effect)](self, effect)
        if isinstance(event, WaveStarted):
            woken = {effect.issue for effect in effects if isinstance(effect, WakeAt)}
            for issue in sorted(self._waiting - woken):
                yield Breach("wait", f"the run starts, and nobody is to wake {issue} from its wait")
            yield from self._holds_told(effects)
            if self._lifts is not None and ResumeAt(self._lifts) not in effects:
                yield Breach("pause", "the run starts, and nobody is to end its pause in time")

    @property
    def open_sessions(self) -> dict[str, int]:
        """The sessions that have started and not ended: issue and number."""
        return dict(self._open)

    # Events

    def _happened(self, event: Event) -> Iterator[Breach]:
        if self._outcome is not None and isinstance(event, DURING_A_RUN):
            yield Breach("end", f"it comes after the end of the run ({self._outcome})")
        match event:
            case WaveStarted():
                yield from self._run_began()
            case SessionEnded(issue, session) | SessionWithheld(issue, session):
                yield from self._session_over(issue, session)
            case RunCutOff():
                self._cut_off()
            case _ if isinstance(event, Account):
                yield from self._accounted(event)
            case WaveAmended(issues, done):
                yield from self._amended(issues, done)
            case OrderPlanned(order, holds):
                yield from self._planned(order, holds)
            case ReservationEnded(issue, until):
                if self._holds.pop(issue, None) != until:
                    yield Breach("hold", f"a hold for {issue} ends that was not to end then")
            case PostponementEnded(issue):
                self._waiting.discard(issue)
            case CapMoved(move, _, until):
                self._lifts = until if move == "pause" else None
            case PauseEnded(until):
                if until != self._lifts:
                    yield Breach("pause", "a pause ends by itself that was not to end then")
                self._lifts = None
            case StopRequested():
                self._stopping = True
            case MergeTurnRequested(repo, ticket):
                self._tickets += 1
                self._queues[repo][Place(ticket, True)] = None
            case MergeTurnReturned(repo, ticket):
                yield from self._turn_returned(repo, Place(ticket, True))
            case _:
                pass

    def _run_began(self) -> Iterator[Breach]:
        if self._started and self._outcome is None:
            yield Breach("end", "the run starts again before it has ended")
        for issue, session in self._open.items():
            yield Breach(
                "end",
                f"the run starts before it is told what is left of session {session} of {issue}",
            )
        self._started = True
        self._outcome = None
        self._highest = max(self._level, self._in_flight)

    def _amended(self, issues: Sequence[Issue], done: Sequence[str]) -> Iterator[Breach]:
        for issue in issues:
            if self._sessions.setdefault(issue.id, 0) or (
                self._state.setdefault(issue.id, "queued") not in ("queued", "parked")
            ):
                yield Breach("wave", f"{issue.id} is changed, though it had begun")
            self._holds.pop(issue.id, None)
        self._wave = self._wave.amended(issues, done)
        self._let_go()
        if self._holds:
            self._urgency = _inherited_priorities(self._wave)

    def _planned(self, order: Sequence[str], holds: Sequence[Reservation]) -> Iterator[Breach]:
        self._place = {issue: place for place, issue in enumerate(order)}
        if unknown := [one for one in order if one not in self._state]:
            yield Breach("hold", f"a plan names {', '.join(unknown)}: there are no such issues")
        self._holds = {
            hold.issue: min(hold.until, self._holds.get(hold.issue, hold.until))
            for hold in holds
            if self._may_be_reserved_for(hold.issue)
            and (hold.issue in self._holds or hold.issue not in self._awaited)
        }
        self._awaited.update(self._holds)
        if self._holds:
            self._urgency = _inherited_priorities(self._wave)

    def _may_be_reserved_for(self, issue: str) -> bool:
        return self._state.get(issue) == "queued" and not any(
            self._state[needed] in ("parked", "cancelled") for needed in self._needs(issue)
        )

    def _needs(self, issue: str) -> set[str]:
        """All issues of the wave that an issue depends on, directly or not."""
        found: set[str] = set()
        ahead = [issue]
        while ahead:
            needs = self._state.keys() & self._wave[ahead.pop()].depends_on
            ahead.extend(needs - found)
            found |= needs
        return found

    def _holds_told(self, effects: Sequence[Effect]) -> Iterator[Breach]:
        told = {effect.issue for effect in effects if isinstance(effect, EndReservationAt)}
        for issue in sorted(self._holds.keys() - told):
            yield Breach("hold", f"the lane of {issue} is held, and nobody is to end that in time")

    def _cut_off(self) -> None:
        self._outcome = "unfinished"
        self._stopping = False
        self._holds.clear()
        self._tickets = 0
        for queue in self._queues.values():
            for place in [one for one in queue if one.is_ticket]:
                del queue[place]
        for repo, place in list(self._turns.items()):
            if place.is_ticket:
                del self._turns[repo]

    def _accounted(self, event: Account) -> Iterator[Breach]:
        issue = event.issue
        if self._under_way or not self._started:
            yield Breach("end", f"what is left of {issue} is told, and no run has ended before")
        if self._state[issue] not in IN_FLIGHT:
            yield Breach("table", f"what is left of {issue} is told, which is {self._state[issue]}")
        self._close(issue)

    def _session_over(self, issue: str, session: int) -> Iterator[Breach]:
        if self._open.get(issue) != session:
            yield Breach("once", f"session {session} of {issue} is not under way")
        self._close(issue)

    def _close(self, issue: str) -> None:
        self._open.pop(issue, None)
        self._free_turn(self._repo(issue), Place(issue))

    def _turn_returned(self, repo: str, place: Place) -> Iterator[Breach]:
        if place not in self._queues[repo]:
            yield Breach("merge", f"{place} has no place in the merge queue of {repo}")
        else:
            self._tickets -= 1
            del self._queues[repo][place]
        self._free_turn(repo, place)

    # Moves

    def _moved(self, move: AnnounceIssue, event: Event) -> Iterator[Breach]:
        issue, trigger, source, target = move
        if self._state[issue] != source or (trigger, source, target) not in _MOVES:
            yield Breach(
                "table",
                f"{issue} is {self._state[issue]}; the table has no move of it "
                f'by "{trigger}" from {source} to {target}',
            )
        if issue in self._open:
            yield Breach("once", f"{issue} moves to {target} while a session of it is under way")
        if trigger == "admit":
            yield from self._admitted(issue)
        elif trigger == "take_lane":
            yield from self._took_lane(issue)
        elif trigger == "begin" and self._holder.get(self._repo(issue)) != issue:
            yield Breach("lane", f"{issue} begins without the lane of {self._repo(issue)}")
        elif trigger == "begin_merge":
            yield from self._took_turn(self._repo(issue), Place(issue))
        elif trigger == "unpark":
            self._awaited.discard(issue)
        if trigger in _REPORTS:
            yield from self._reported(issue, trigger, event)
        self._state[issue] = target
        self._waiting.discard(issue)
        if self._holds:
            self._update_reservations(issue, target)
        self._keep(issue, trigger, source, target)

    def _admitted(self, issue: str) -> Iterator[Breach]:
        repo = self._repo(issue)
        yield from self._session_allowed(f"{issue} is admitted")
        if self._in_flight >= self._level:
            yield Breach(
                "cap", f"{issue} is admitted while {self._in_flight} are in flight at {self._cap}"
            )
        if self._in_flight >= self._highest:
            yield Breach(
                "bound",
                f"{issue} is admitted beside {self._in_flight} others; "
                f"the highest cap was {self._highest}",
            )
        if repo in self._holder:
            yield Breach(
                "lane", f"{issue} is admitted while {self._holder[repo]} holds lane {repo}"
            )
        elif self._rework[repo]:
            first = min(self._rework[repo])
            yield Breach("lane", f"{issue} is admitted before {first}, which waits for lane {repo}")
        for held in self._holds:
            if self._repo(held) == repo and self._comes_before(held, issue):
                yield Breach("hold", f"{issue} is admitted while lane {repo} is held for {held}")
        if issue in self._waiting:
            yield Breach("wait", f"{issue} is admitted while it is postponed")
        for needed in self._wave[issue].depends_on:
            if needed not in self._wave.done and self._state[needed] != "done":
                yield Breach(
                    "order",
                    f"{issue} is admitted before {needed} is done (it is {self._state[needed]})",
                )
        self._holder[repo] = issue

    def _comes_before(self, first: str, second: str) -> bool:
        """Whether `first`, which is in the plan, is to be admitted before `second`."""
        if self._urgency[first] != self._urgency[second]:
            return self._urgency[first] > self._urgency[second]
        return self._place[first] < self._place.get(second, len(self._place))

    def _update_reservations(self, issue: str, target: State) -> None:
        self._holds.pop(issue, None)
        if target in ("parked", "cancelled"):
            self._let_go()

    def _let_go(self) -> None:
        """End the holds for what a human has to come before."""
        for held in [one for one in self._holds if not self._may_be_reserved_for(one)]:
            del self._holds[held]

    def _took_lane(self, issue: str) -> Iterator[Breach]:
        repo = self._repo(issue)
        yield from self._in_a_run(f"{issue} takes lane {repo}")
        if repo in self._holder:
            yield Breach("lane", f"{issue} takes lane {repo} from {self._holder[repo]}")
        self._rework[repo].discard(issue)
        self._holder[repo] = issue

    def _took_turn(self, repo: str, place: Place) -> Iterator[Breach]:
        yield from self._in_a_run(f"{place} has the merge turn of {repo}")
        if repo in self._turns:
            yield Breach(
                "merge", f"{place} has the merge turn of {repo} beside {self._turns[repo]}"
            )
        first = next(iter(self._queues[repo]), None)
        if first != place:
            yield Breach(
                "merge", f"{place} has the merge turn of {repo} out of turn: {first} is first"
            )
        self._turns[repo] = place

    def _reported(self, issue: str, trigger: Trigger, event: Event) -> Iterator[Breach]:
        kind, outcome, word = _REPORTS[trigger]
        if not (
            isinstance(event, kind)
            and getattr(event, "issue", None) == issue
            and (outcome is None or isinstance(getattr(event, "outcome", None), outcome))
        ):
            yield Breach("once", f"{issue} counts as {word}, which nobody reported")

    def _keep(self, issue: str, trigger: str, source: State, target: State) -> None:
        """Add up what a move does to slots, lanes and queues."""
        repo = self._repo(issue)
        self._in_flight += (target in IN_FLIGHT) - (source in IN_FLIGHT)
        self._done += (target == "done") - (source == "done")
        if source in self._active and target not in self._active:
            self._rework[repo].discard(issue)
            if self._holder.get(repo) == issue:
                del self._holder[repo]
        elif source not in self._active and target in self._active and trigger != "admit":
            self._rework[repo].add(issue)
        if target == "merging" and source != "merging":
            self._queues[repo][Place(issue)] = None
        elif source == "merging" and target != "merging":
            self._queues[repo].pop(Place(issue), None)
            self._free_turn(repo, Place(issue))

    # Orders

    def _start_ordered(self, order: StartOrder) -> Iterator[Breach]:
        issue, session = order.issue, order.session
        what, state = _STARTS[type(order)]
        if self._state[issue] != state:
            yield Breach("table", f"{what} of {issue} starts, which is {self._state[issue]}")
        if issue in self._open:
            yield Breach("once", f"{what} of {issue} starts beside session {self._open[issue]}")
        if session != self._sessions[issue] + 1:
            yield Breach(
                "once",
                f"{what} of {issue} starts as session {session}; "
                f"its next one is number {self._sessions[issue] + 1}",
            )
        if isinstance(order, StartMerging):
            if self._turns.get(self._repo(issue)) != Place(issue):
                yield Breach("merge", f"{issue} is merged without the turn of {self._repo(issue)}")
        else:
            yield from self._session_allowed(f"{what} of {issue} starts")
        self._sessions[issue] = session
        self._open[issue] = session

    def _end_ordered(self, order: EndSession) -> Iterator[Breach]:
        if self._open.get(order.issue) != order.session:
            yield Breach(
                "once",
                f"the end of session {order.session} of {order.issue} is ordered, "
                "which is not under way",
            )

    def _wait_ordered(self, order: WakeAt) -> Iterator[Breach]:
        if self._state[order.issue] != "queued":
            yield Breach("wait", f"{order.issue} is postponed and {self._state[order.issue]}")
        self._waiting.add(order.issue)

    def _resumption_ordered(self, order: ResumeAt) -> Iterator[Breach]:
        if order.until != self._lifts:
            yield Breach("pause", f"a pause is to end at {order.until:g}, which nobody asked for")

    def _end_of_hold_ordered(self, order: EndReservationAt) -> Iterator[Breach]:
        if self._holds.get(order.issue) != order.until:
            yield Breach(
                "hold",
                f"a hold for {order.issue} is to end at {order.until:g}, which no plan asked for",
            )

    def _turn_granted(self, order: GrantMergeTurn) -> Iterator[Breach]:
        yield from self._took_turn(order.repo, Place(order.ticket, True))

    def _cap_moved(self, level: int, event: Event) -> Iterator[Breach]:
        before = self._level
        if not 0 <= level <= self._ceiling:
            yield Breach("cap", f"the cap is moved to {level}; its ceiling is {self._ceiling}")
        by = {"step_down": -1, "step_up": 1}
        if isinstance(event, CapMoved) and level - before != by.get(event.move, level - before):
            yield Breach("cap", f'"{event.move}" moves the cap from {before} to {level}')
        if isinstance(event, PauseEnded) and level != self._before_pause:
            yield Breach("cap", f"a pause ends at {level}; before it was {self._before_pause}")
        self._before_pause = level or before or self._before_pause
        self._level = level
        if self._under_way:
            self._highest = max(self._highest, level)

    def _finished(self, order: FinishWave) -> Iterator[Breach]:
        for issue, session in self._open.items():
            yield Breach("end", f"the run ends while session {session} of {issue} is under way")
        if self._tickets:
            yield Breach("end", "the run ends while somebody waits for a merge turn or has one")
        if (order.outcome == "complete") != (self._done == len(self._wave)):
            done = f"{self._done} of {len(self._wave)} issues done"
            yield Breach("end", f"the run ends as {order.outcome} with {done}")
        if order.outcome == "stopped" and not self._stopping:
            yield Breach("end", "the run ends as stopped, and nobody asked for a stop")
        if order.outcome == "blocked" and self._in_flight:
            yield Breach("end", f"the run ends as blocked with {self._in_flight} issues in flight")
        self._outcome = order.outcome
        self._stopping = False
        self._holds.clear()

    # What more than one of them needs

    def _session_allowed(self, what: str) -> Iterator[Breach]:
        yield from self._in_a_run(what)
        if self._level == 0:
            yield Breach("pause", f"{what} while the cap is paused")
        if self._stopping:
            yield Breach("pause", f"{what} after a stop was asked for")

    def _in_a_run(self, what: str) -> Iterator[Breach]:
        if not self._under_way:
            yield Breach("end", f"{what} outside of a run")

    def _free_turn(self, repo: str, place: Place) -> None:
        if self._turns.get(repo) == place:
            del self._turns[repo]

    def _repo(self, issue: str) -> str:
        return self._wave[issue].repo

    @property
    def _under_way(self) -> bool:
        return self._started and self._outcome is None

    @property
    def _cap(self) -> str:
        return f"cap {self._level}" if self._level else "a paused cap"


def _inherited_priorities(wave: Wave) -> dict[str, int]:
    """Of each issue the highest priority among itself and all that depends on it."""
    found = {issue.id: issue.priority for issue in wave.issues}
    for at in reversed(wave.topological()):
        for needed in wave.dependencies[at]:
            one = wave.issues[needed].id
            found[one] = max(found[one], found[wave.issues[at].id])
    return found


_WATCHERS: Final[dict[type[Effect], Callable[[RuleMonitor, Any], Iterator[Breach]]]] = {
    StartImplementing: RuleMonitor._start_ordered,
    StartReviewing: RuleMonitor._start_ordered,
    StartMerging: RuleMonitor._start_ordered,
    EndSession: RuleMonitor._end_ordered,
    WakeAt: RuleMonitor._wait_ordered,
    ResumeAt: RuleMonitor._resumption_ordered,
    EndReservationAt: RuleMonitor._end_of_hold_ordered,
    GrantMergeTurn: RuleMonitor._turn_granted,
    FinishWave: RuleMonitor._finished,
}
