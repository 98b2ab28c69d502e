"""Every state of a world, by breadth-first search of the real `step`.

# Why equal keys may be one state

The search goes on from one representative of each key. That is sound when states with one key
answer every action alike, up to session numbers, and lead to states with one key again:

- All guards read only what is in `WaveState.key()`, and counters. The counters are in the key of
  the search as well (`counters`), so that a state in which one of them is wrong is another state.
- Session numbers only grow and are only compared for equality, with the latest. Actions name "the
  latest" or "one before"; a number that no session was given cannot be reported.
- Texts, times and the number of attempts are written and never read by a step.
- The order in `flight` is never read. `lanes_due` and `turns_due` are empty between steps of a
  run that is under way. Outside of one, each turn is given by itself, in one step with all others;
  the order of `lanes_due`, which is that in which rework starts, is in the key of the search.
- The heaps may differ between states of one key. What they propose may not: `index` shows after
  every transition, also into a known state, that all that is ready is listed and that the next
  candidate of every lane is proposed, and then the candidate is a function of the key: the first
  by rank in a free lane.
- What the surroundings may do is a function of `RuleMonitor`, which is in the key as well.

No symmetry is used: two repos that look alike are still two.

Keys are kept as 128-bit digests of their canonical encoding, not as tuples.
"""

from __future__ import annotations

import marshal
from array import array
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from specs.monitor import MEANT, RecoveryFinding, RuleMonitor
from specs.search.actions import Action, Due, actions_of, due
from specs.search.examples import Examples, Seen
from specs.search.watchdog import watched
from specs.search.worlds import World, view
from wavelane_model.cap import Cap
from wavelane_model.effects import Effect
from wavelane_model.events import Event, WaveStarted
from wavelane_model.lifecycle import IN_FLIGHT, STATES, TABLE, State, Trigger
from wavelane_model.properties import broken
from wavelane_model.records import Record
from wavelane_model.state import WaveState
from wavelane_model.step import CompiledRow, IllegalEvent, compiled, may_start, step
from wavelane_model.why import ReasonCode, why

TOO_MANY: Final = 1_000_000
"""States after which a search gives up by itself: no world is meant to be as large."""

Check = tuple[Callable[[WaveState, Record], bool], bool]
"""A guard, and what it has to answer."""
ROWS_FROM: Final[dict[State, dict[Trigger, tuple[CompiledRow, ...]]]] = {
    state: {trigger: rows for (trigger, source), rows in compiled(TABLE).items() if source == state}
    for state in STATES
}
ENDS_A_SESSION: Final[frozenset[Trigger]] = frozenset((*MEANT.values(), "withhold")) - {"block"}


@dataclass(frozen=True)
class Violation:
    """A property that does not hold, and the shortest way there.

    `events` lead to it; the last of them breaks it, because it is taken, refused or crashes.
    `cycle` are events that may follow for ever, for a property that says "eventually".
    """

    property: str
    what: str
    events: tuple[Event, ...]
    cycle: tuple[Event, ...] | None = None


@dataclass
class Graph:
    """What a search found: states by number in the order of discovery, and transitions."""

    world: World
    actions: tuple[Action, ...]
    violations: dict[str, Violation] = field(default_factory=dict)
    """By property: the first that was found, which is one with a shortest trace."""
    cut: str = ""
    """Why the search does not know all transitions, if it does not."""
    parents: array[int] = field(default_factory=lambda: array("i"))
    by: array[int] = field(default_factory=lambda: array("i"))
    """The action by which each state was found."""
    first_edge: array[int] = field(default_factory=lambda: array("i", [0]))
    """Where the transitions of each state begin in `targets` and `taken`; one more at the end."""
    targets: array[int] = field(default_factory=lambda: array("i"))
    taken: array[int] = field(default_factory=lambda: array("i"))
    due: list[frozenset[Due]] = field(default_factory=list)
    """What must happen in the end, as long as each state lasts."""
    ended: bytearray = field(default_factory=bytearray)
    """Whether the run has ended, and was not cut off."""
    above_zero: bytearray = field(default_factory=bytearray)
    """Whether the cap is above 0."""
    reserved: bytearray = field(default_factory=bytearray)
    """Whether no session may start: the cap is 0 or a stop was asked for."""
    busy: bytearray = field(default_factory=bytearray)
    """Whether a session is open or a merge queue is not empty."""
    views: set[tuple[object, ...]] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.parents)

    def path(self, state: int) -> list[int]:
        """The actions of a shortest way to `state`."""
        found: list[int] = []
        while state:
            found.append(self.by[state])
            state = self.parents[state]
        return found[::-1]

    def events(self, actions: list[int]) -> tuple[Event, ...]:
        """The events that `actions` are, one after the other from the first state."""
        state, monitor = initial(self.world)
        made: list[Event] = []
        for number in actions:
            event = self.actions[number].made(monitor)
            made.append(event)
            with suppress(Exception):  # only the last of them can be one that breaks something
                monitor.take(event, step(state, event))
        return tuple(made)


def initial(world: World) -> tuple[WaveState, RuleMonitor]:
    """The first state of a world: the wave before its start."""
    cap = Cap.at(world.ceiling)
    state = WaveState(world.wave, cap=cap, lane_release=world.lane_release, limits=world.limits)
    return state, RuleMonitor(world.wave, cap, world.lane_release, world.limits)


def explore(
    world: World, examples: Examples, *, most: int = TOO_MANY, to_the_end: bool = True
) -> Graph:
    """Search a world to its end, or to `most` states, or to the first thing that is broken.

    With `to_the_end` the search goes on behind a violation, and finds the first one of each
    property. An event that is refused or taken against the rules, or crashes, is not followed.
    """
    search = _Search(world, examples)
    with watched(lambda: search.taken):
        return search.run(most, to_the_end)


class _Search:
    def __init__(self, world: World, examples: Examples) -> None:
        self.world = world
        self.examples = examples
        self.graph = Graph(world, actions_of(world))
        self.known: dict[bytes, int] = {}
        self.dues: dict[frozenset[Due], frozenset[Due]] = {}
        self.ahead: deque[tuple[WaveState, RuleMonitor]] = deque()
        self.taken = 0
        """How many events were taken or refused so far."""

    def run(self, most: int, to_the_end: bool) -> Graph:
        graph = self.graph
        self._discover(*initial(self.world), parent=0, by=-1)
        while self.ahead:
            self._expand(len(graph.first_edge) - 1, *self.ahead.popleft())
            graph.first_edge.append(len(graph.targets))
            if len(graph) > most:
                graph.cut = f"there are more than {most} states"
            elif graph.violations and not to_the_end:
                graph.cut = "something is broken"
            else:
                continue
            break
        return graph

    def _expand(self, here: int, state: WaveState, monitor: RuleMonitor) -> None:
        refused: list[int] = []
        for number, action in enumerate(self.graph.actions):
            self.taken += 1
            event = action.made(monitor)
            legal = monitor.legal(event)
            if legal is False:
                refused.append(number)
            elif legal and action.possible and self._happens(event, monitor):
                self._follow(here, number, event, state.clone(), monitor)
        self._refuse(here, refused, state, monitor)

    def _happens(self, event: Event, monitor: RuleMonitor) -> bool:
        """Whether the surroundings report the event now: before, during or between runs."""
        if not monitor.started:
            return self.world.early or isinstance(event, WaveStarted)
        if monitor.cut_off:
            return self.world.between or isinstance(event, RecoveryFinding | WaveStarted)
        if monitor.ended and isinstance(event, WaveStarted):
            return self.world.restarts
        return self.world.between or not monitor.ended

    def _follow(
        self, here: int, number: int, event: Event, state: WaveState, before: RuleMonitor
    ) -> None:
        monitor = before.clone()
        try:
            effects = step(state, event)
            found = [*monitor.take(event, effects), *incomplete_indexes(state)]
        except Exception as problem:
            self._not_followed(here, number, _unexpected(event, problem))
            return
        there = self.known.get(digest(state, monitor))
        if there is None:
            found += state_findings(state, monitor)
            there = self._discover(state, monitor, parent=here, by=number)
        for what in found:
            self._violated(here, number, what)
        self.graph.targets.append(there)
        self.graph.taken.append(number)
        self.examples.look(Seen(self.world, before, state, monitor, event, effects))

    def _discover(self, state: WaveState, monitor: RuleMonitor, *, parent: int, by: int) -> int:
        graph = self.graph
        there = len(graph)
        self.known[digest(state, monitor)] = there
        self.ahead.append((state, monitor))
        graph.parents.append(parent)
        graph.by.append(by)
        now = due(monitor)
        graph.due.append(self.dues.setdefault(now, now))
        graph.ended.append(monitor.ended and not monitor.cut_off)
        graph.above_zero.append(monitor.level > 0)
        graph.reserved.append(monitor.level == 0 or monitor.stopping)
        graph.busy.append(any(monitor.open) or any(monitor.queues))
        if self.world.viewed:
            graph.views.add(view(state))
        return there

    def _refuse(
        self, here: int, refused: list[int], state: WaveState, monitor: RuleMonitor
    ) -> None:
        """What is not legal is refused and changes nothing; this uses up `state`."""
        before = everything(state)
        for number in refused:
            self.taken += 1
            what = not_refused(state, self.graph.actions[number].made(monitor))
            if what is not None:
                self._not_followed(here, number, what)
                return
        if everything(state) != before and "rejection" not in self.graph.violations:
            self._find_who_changed(here, refused)

    def _find_who_changed(self, here: int, refused: list[int]) -> None:
        for number in refused:
            state, monitor = initial(self.world)
            for event in self.graph.events(self.graph.path(here)):
                monitor.take(event, step(state, event))
            before = everything(state)
            event = self.graph.actions[number].made(monitor)
            not_refused(state, event)
            if everything(state) != before:
                self._violated(here, number, f"rejection: {event} is refused and changes things")

    def _not_followed(self, here: int, number: int, what: str) -> None:
        self.graph.cut = "some events are not taken as they should be"
        self._violated(here, number, what)

    def _violated(self, here: int, number: int, line: str) -> None:
        name, _, what = line.partition(": ")
        if name not in self.graph.violations:
            events = self.graph.events([*self.graph.path(here), number])
            self.graph.violations[name] = Violation(name, what, events)


def digest(state: WaveState, monitor: RuleMonitor) -> bytes:
    """The canonical encoding of both keys, hashed."""
    cap, *others = state.key()
    assert isinstance(cap, Cap)
    key: Any = (tuple(cap), *others, counters(state), tuple(state.lanes.due), monitor.key())
    return blake2b(marshal.dumps(key, 2), digest_size=16).digest()


def counters(state: WaveState) -> tuple[int, ...]:
    """The counters of a step, which it could get wrong."""
    return (
        state.in_flight,
        state.open_sessions,
        state.done,
        state.queue.count,
        state.postponed,
        state.lanes.tickets,
        *(record.unmet for record in state.records),
    )


def everything(state: WaveState) -> tuple[object, ...]:
    """Everything that a refused event must not change: the key, and what it leaves out."""
    return (
        state.key(),
        tuple(
            (
                record.session,
                record.attempts,
                record.feedback,
                record.reason,
                record.until,
                record.pending_removal,
            )
            for record in state.records
        ),
        tuple(state.flight),
        counters(state),
        tuple(state.lanes.due),
        tuple(state.lanes.turns_due),
    )


def not_refused(state: WaveState, event: Event) -> str | None:
    """Try an event that is not legal: None if it is refused, else what happened instead."""
    try:
        step(state, event)
    except IllegalEvent:
        return None
    except Exception as crash:
        return f"rejection: {event} is not refused but fails with {type(crash).__name__}: {crash}"
    return f"rejection: {event} is not legal and is not refused"


def state_findings(state: WaveState, monitor: RuleMonitor) -> Iterator[str]:
    """What is broken in one state: the model's own properties, and those that need `monitor`."""
    yield from map(str, broken(state))
    yield from _otherwise_than_monitored(state, monitor)
    for at, record in enumerate(state.records):
        if record.state != monitor.states[at] or record.open != (monitor.open[at] is not None):
            yield (
                f"announced: {state.issue_id(record)} is {record.state}, open: {record.open}; "
                f"by the monitor: {monitor.states[at]}, {monitor.open[at]}"
            )
        name = state.issue_id(record)
        if may_start(state, name, record.session) is monitor.revoked(at):
            yield f"legal: that the session of {name} may or may not start is answered wrongly"
        yield from _untrue_reasons(state, monitor, record)
        yield from _loose_rows(state, record)


def _otherwise_than_monitored(state: WaveState, monitor: RuleMonitor) -> Iterator[str]:
    """Where run and merge queues differ from those of the monitor."""
    if state.outcome != monitor.outcome:
        yield f"end: the outcome is {state.outcome}; by the monitor: {monitor.outcome}"
    if state.highest_cap != monitor.highest:
        yield f"bound: the highest cap counts as {state.highest_cap}; it was {monitor.highest}"
    for at, lane in enumerate(state.lanes):
        queue, turn = list(lane.merges), lane.turn
        if (queue, turn) != (monitor.queues[at], monitor.turns[at]):
            yield (
                f"merge: in {state.wave.repos[at]}, {queue} queue and {turn} has the turn; "
                f"by the monitor: {monitor.queues[at]}, {monitor.turns[at]}"
            )


def _loose_rows(state: WaveState, record: Record) -> Iterator[str]:
    """At most one row of a trigger may apply; none that ends a session applies without one.

    Only guards that two rows do not share can exclude one of them, whatever the others answer.
    """
    name = state.issue_id(record)
    for trigger, rows in ROWS_FROM[record.state].items():
        if len(rows) > 1:
            shared = set.intersection(*(set(checks) for _, checks in rows))
            if sum(_applies(state, record, row, shared) for row in rows) > 1:
                yield f'rows: two rows of "{trigger}" may apply to {name} at once'
        if (
            trigger in ENDS_A_SESSION
            and not record.open
            and any(_applies(state, record, row) for row in rows)
        ):
            yield f'rows: "{trigger}" applies to {name}, which has no session'


def _applies(
    state: WaveState, record: Record, row: CompiledRow, but: Collection[Check] = ()
) -> bool:
    """Whether the guards of a row hold, those in `but` left aside."""
    return all(
        predicate(state, record) is wanted
        for predicate, wanted in row[1]
        if (predicate, wanted) not in but
    )


def _untrue_reasons(state: WaveState, monitor: RuleMonitor, record: Record) -> Iterator[str]:
    """Every issue has a reason, and it is true."""
    name = state.issue_id(record)
    reason = why(state, name)
    waits = monitor.started and not monitor.ended and monitor.open[record.position] is None
    at = monitor.states[record.position]
    needs = state.wave.dependencies[record.position]
    true: dict[ReasonCode, bool] = {
        "not_started": not monitor.started,
        "ended": monitor.ended,
        "dependencies": any(monitor.states[needed] != "done" for needed in needs),
        "postponed": monitor.waking[record.position],
        "stopping": waits and monitor.stopping,
        "paused": waits and monitor.level == 0,
        "lane": not monitor.open[record.position]
        and _in_flight_beside(state, monitor, name) >= set(reason.issues),
        "reserved": waits
        and at == "queued"
        and {state.wave.position[one] for one in reason.issues}
        == monitor.reserved_for(record.position)
        != set(),
        "cap": waits and at == "queued" and monitor.in_flight >= monitor.level > 0,
        "merge_turn": at == "merging" and monitor.open[record.position] is None,
        "parked": at == "parked",
        "cancelled": at == "cancelled",
        "under_way": monitor.open[record.position] is not None,
        "done": at == "done",
    }
    if not true[reason.code] or not reason.text:
        yield f"why: {name} is {at}, and the reason given is {reason.code}: {reason.text!r}"


def _in_flight_beside(state: WaveState, monitor: RuleMonitor, name: str) -> set[str]:
    """The issues in flight in the repo of another."""
    return {
        issue.id
        for issue, at in zip(state.wave.issues, monitor.states, strict=True)
        if at in IN_FLIGHT and issue.repo == state.wave[name].repo and issue.id != name
    }


def incomplete_indexes(state: WaveState) -> Iterator[str]:
    """Whether the heaps propose the candidate that follows from the records alone."""
    queue = state.queue
    for record in state.records:
        if record.listed != (queue.rank[record.position] in queue.ready[record.lane]):
            yield f"index: {state.issue_id(record)} is wrong about being listed"
    for at, lane in enumerate(state.lanes):
        ready = [queue.rank[one.position] for one in state.records if one.lane == at and one.ready]
        if not ready:
            continue
        if not set(ready) <= set(queue.ready[at]):
            yield f"index: an issue of {state.wave.repos[at]} is ready and not listed"
        reserved = [queue.rank[one] for one in state.reservations if state.records[one].lane == at]
        is_reserved = any(rank < min(ready) for rank in reserved)
        if lane.holder is None and not lane.rework and not is_reserved:
            proposed = [rank for rank, of in queue.idle if of == at]
            if not any(rank <= min(ready) for rank in proposed):
                yield f"index: {state.wave.repos[at]} is idle and is not proposed"
    if state.started and not state.ended and (state.lanes.due or state.lanes.turns_due):
        yield "index: a step ended with a lane or a turn still to be given"


def take(state: WaveState, monitor: RuleMonitor, event: Event) -> tuple[list[Effect], list[str]]:
    """One event on a state, judged as the search judges: its effects, and what is broken."""
    legal = monitor.legal(event)
    before = everything(state)
    if legal is False:
        what = not_refused(state, event)
        if what is None and everything(state) != before:
            what = f"rejection: {event} is refused and changes things"
        return [], [what] if what else []
    try:
        effects = step(state, event)
        found = [*monitor.take(event, effects), *incomplete_indexes(state)]
    except Exception as problem:
        return [], [_unexpected(event, problem)]
    return effects, [*found, *state_findings(state, monitor)]


def _unexpected(event: Event, problem: Exception) -> str:
    if isinstance(problem, IllegalEvent):
        return f"legal: {event} is refused: {problem}"
    return f"crash: {event} ends in {type(problem).__name__}: {problem}"
