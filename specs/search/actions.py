"""The actions of a world: every kind of event, about every issue, repo and level.

Session numbers are not part of an action: an action becomes an event with the number that the
surroundings know. So states that differ only in session numbers are one state.

How an event counts for progress:

- It may *settle* what is *due*: what must happen in the end if it stays possible. A session
  that is open ends, or there is a recovery finding once the run was cut off; a postponement and a
  reservation end at their time; a turn that was given is returned; the wave is started, for the
  first time and after a run that was cut off.
- It may be *rare*: it happens finitely often. A postponement, a withheld start, what people ask
  for (park, unpark, cancel, stop, a merge turn), the end of a run by being cut off.
- Neither: it may happen for ever, or never. The cap's moves, and new plans.

Failures, change requests, conflicts and checkpoints are ends of a session like any other: the model
has to make sure that they stop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from specs.endings import OUTCOMES, findings_of
from specs.monitor import RecoveryFinding, RuleMonitor
from specs.search.worlds import World
from wavelane_model.events import (
    CancelRequested,
    CapMoved,
    Event,
    MergeTurnRequested,
    MergeTurnReturned,
    OrderPlanned,
    ParkRequested,
    PauseEnded,
    PostponementEnded,
    Reservation,
    ReservationEnded,
    RunCutOff,
    SessionEnded,
    SessionWithheld,
    StopRequested,
    UnparkRequested,
    WaveStarted,
)
from wavelane_model.outcomes import (
    Implemented,
    Postponed,
    Stopped,
)

Due = tuple[str, ...]
"""Something that must happen in the end: what, and of which issue, or in which repo for whom.

The end of a reservation is that at its time: if it were put off, it would not be due all the while.
"""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that may happen.

    possible    whether the surroundings of this world ever do it, where it is legal
    settles     what is no longer due afterwards
    rare        it happens finitely often
    issue       whose session the event is about, by position; None: about no session
    late        the event names a session that is not the latest
    """

    event: Event
    possible: bool
    settles: Due | None
    rare: bool
    issue: int | None = None
    late: bool = False
    _by_session: dict[int, Event] = field(default_factory=dict, init=False, compare=False)

    def made(self, monitor: RuleMonitor) -> Event:
        """The event that this action is now."""
        if self.issue is None:
            return self.event
        known = self.issue < len(monitor.session)
        session = (monitor.session[self.issue] if known else 0) - self.late
        if session not in self._by_session:
            assert isinstance(self.event, SessionEnded | SessionWithheld)
            self._by_session[session] = replace(self.event, session=session)
        return self._by_session[session]


def action(
    event: Event, possible: bool = False, issue: int | None = None, late: bool = False
) -> Action:
    """The action that makes `event`."""
    return Action(event, possible, settled_by(event), is_rare(event), issue, late)


def due(monitor: RuleMonitor) -> frozenset[Due]:
    """What must happen in the end if nothing else makes it impossible."""
    wave = monitor.wave
    sessions = {
        ("session", issue.id)
        for issue, doing in zip(wave.issues, monitor.open, strict=True)
        if doing is not None
    }
    times = {
        ("time", issue.id)
        for issue, waking in zip(wave.issues, monitor.waking, strict=True)
        if waking
    }
    reservations = {
        ("reservation", wave.issues[one].id, f"{until:g}")
        for one, until in monitor.reservations.items()
        if monitor.under_way
    }
    turns = {
        ("turn", repo, who)
        for repo, who in zip(wave.repos, monitor.turns, strict=True)
        if isinstance(who, str)
    }
    waits = not monitor.started or (monitor.cut_off and not sessions)
    start = {("start",)} if waits else set()
    pause = {("pause",)} if monitor.pause_ends is not None and monitor.under_way else set()
    return frozenset[Due]().union(sessions, times, reservations, turns, start, pause)


def settled_by(event: Event) -> Due | None:
    """What was due and is settled by `event`, if anything."""
    match event:
        case SessionEnded(issue, _, outcome) if not isinstance(outcome, Postponed):
            return ("session", issue)
        case _ if isinstance(event, RecoveryFinding):
            return ("session", event.issue)
        case PostponementEnded(issue):
            return ("time", issue)
        case ReservationEnded(issue, until):
            return ("reservation", issue, f"{until:g}")
        case MergeTurnReturned(repo, ticket):
            return ("turn", repo, ticket)
        case PauseEnded():
            return ("pause",)
        case WaveStarted():
            return ("start",)
        case _:
            return None


def is_rare(event: Event) -> bool:
    """Whether `event` happens finitely often."""
    if isinstance(event, SessionEnded):
        return isinstance(event.outcome, Postponed)
    return settled_by(event) is None and not isinstance(event, CapMoved | OrderPlanned)


def actions_of(world: World) -> tuple[Action, ...]:
    """All actions of a world: those its surroundings do, and those that are only tried."""
    return (
        action(WaveStarted(), True),
        *_about_sessions(world),
        *_about_issues(world),
        *_about_the_cap(world),
        *_about_turns(world),
        action(StopRequested(), world.stops),
        action(RunCutOff(), world.cuts),
        *_about_nothing(),
    )


def _about_sessions(world: World) -> Iterator[Action]:
    for at, issue in enumerate(world.whole.issues):
        for outcome in OUTCOMES:
            kind = type(outcome)
            possible = kind in world.outcomes or kind is Stopped
            yield action(SessionEnded(issue.id, 0, outcome), possible, at)
        yield action(SessionEnded(issue.id, 0, Implemented()), issue=at, late=True)
        yield action(SessionWithheld(issue.id, 0), world.withholds, at)
        yield action(SessionWithheld(issue.id, 0), issue=at, late=True)


def _about_issues(world: World) -> Iterator[Action]:
    for amendment in world.adds:
        yield action(amendment, True)
    for plan in world.plans:
        yield action(plan, True)
    for issue in world.whole.issues:
        one = issue.id
        yield action(PostponementEnded(one), True)
        for until in _untils(world):
            yield action(ReservationEnded(one, until), bool(world.plans))
        yield from (action(event, type(event) in world.findings) for event in findings_of(one))
        yield action(ParkRequested(one, "a question"), one in world.parks)
        yield action(UnparkRequested(one), one in world.unparks)
        yield action(CancelRequested(one), one in world.cancels)


def _untils(world: World) -> set[float]:
    """When reservations are to end, and when none is."""
    return {3_000.0, *(one.until for plan in world.plans for one in plan.reservations)}


def _about_the_cap(world: World) -> Iterator[Action]:
    for move in ("step_down", "step_up", "pause", "resume"):
        yield action(CapMoved(move), move in world.moves)
    for until in (*world.until, 3_000.0):
        yield action(CapMoved("pause", until=until), until in world.until)
        yield action(PauseEnded(until), until in world.until)
    for level in range(-1, world.ceiling + 2):
        yield action(CapMoved("set", level), level in world.levels)


def _about_turns(world: World) -> Iterator[Action]:
    for repo, ticket in world.tickets:
        yield action(MergeTurnRequested(repo, ticket), True)
        yield action(MergeTurnReturned(repo, ticket), True)
    for repo in world.wave.repos:
        yield action(MergeTurnReturned(repo, "unknown ticket"))


def _about_nothing() -> Iterator[Action]:
    """Events about issues and repos that are not in the wave."""
    unknown = "unknown#1"
    yield action(SessionEnded(unknown, 1, Implemented()))
    yield action(SessionWithheld(unknown, 1))
    yield action(PostponementEnded(unknown))
    yield action(ReservationEnded(unknown, 1_000.0))
    yield action(OrderPlanned((unknown,)))
    yield action(OrderPlanned((), (Reservation(unknown, 1_000.0),)))
    yield from map(action, findings_of(unknown))
    yield action(ParkRequested(unknown, "a question"))
    yield action(UnparkRequested(unknown))
    yield action(CancelRequested(unknown))
    yield action(MergeTurnRequested("nowhere", "main"))
    yield action(MergeTurnReturned("nowhere", "main"))
