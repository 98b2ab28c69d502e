"""The states and transitions of a world, by the real `step` and by spin, and how they differ.

Both write a state as the line that `print_state` prints in wave.pml, and compare nothing but lines.
A check shows that what a line leaves out (the order of startable sessions, what has no use in these
worlds) does not matter: the real step is explored by `WaveState.key()`, and where two keys have one
line, their transitions have to be the same. A reservation ends late where the
`step` has ordered that in the run that is under way, and in spin wherever there is one: so an order
that is missing is a difference.

Spin's search takes each transition from each stored state once and prints both ends of it, so its
transitions are a multiset of pairs of lines. Its own counts are tied to them:

- stored states = lines, with the state before the start;
- transitions = pairs + 1 (the initial state) + 1 for each started state (a rest of the
  surroundings).

Each issue's process waits at one place only, so its location adds no states.

Hence there is no offset of init steps. Layer 2, whose key has the order of startable sessions,
counts k! states behind a line with k of them: 812 for the 756 lines of
"three repos, four issues, cap moves", and 394 for the 394 of "one repo, three issues, pipelined".

Where a rule is broken, the judge's own variables make several states of one line; there the
counts do not fit, and nothing is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from specs.endings import OUTCOMES
from specs.promela.spin import Answer, SpinError
from specs.search.watchdog import watched
from specs.search.worlds import World
from wavelane_model.cap import Cap
from wavelane_model.effects import Effect, EndReservationAt
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    CancelRequested,
    CapMoved,
    Event,
    MergeFound,
    ParkRequested,
    ReservationEnded,
    RunCutOff,
    SessionEnded,
    WaveStarted,
)
from wavelane_model.lanes import Lane
from wavelane_model.records import Record
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent, step

NO_ISSUE = 255
NONE = 255
FINDINGS = (AttemptDiscarded, AttemptResumed, MergeFound)
"""What may be left of an issue, in the worlds in which runs are cut off."""


@dataclass(slots=True)
class Graph:
    """States as lines, transitions as pairs of lines, each as often as there are ways to take it.

    `keys` are the states that stand behind each line, by their number.
    """

    edges: dict[str, Counter[str]] = field(default_factory=dict)
    keys: Counter[str] = field(default_factory=Counter)
    unlike: list[str] = field(default_factory=list)
    """Lines behind which there are states that go different ways."""

    @property
    def states(self) -> int:
        """How many lines there are."""
        return len(self.edges)

    @property
    def transitions(self) -> int:
        """How many pairs there are."""
        return sum(targets.total() for targets in self.edges.values())

    def add(self, source: str, targets: Counter[str]) -> None:
        """One more state behind `source`, and where it goes."""
        self.keys[source] += 1
        if self.edges.setdefault(source, targets) != targets:
            self.unlike.append(source)


def by_step(world: World) -> Graph:
    """What the real `step` reaches, if its surroundings do what `world` allows.

    Raises `StepNeverEnds` for a step that dispatches for ever.
    """
    graph = Graph()
    cap = Cap.at(world.ceiling)
    wave = WaveState(world.wave, cap=cap, lane_release=world.lane_release, limits=world.limits)
    first = _Moment(wave)
    known = {first.key()}
    ahead = [first]
    with watched(graph.keys.total):
        for moment in ahead:
            targets: Counter[str] = Counter()
            for after in moment.next(world):
                targets[line(after.state)] += 1
                if after.key() not in known:
                    known.add(after.key())
                    ahead.append(after)
            graph.add(line(moment.state), targets)
    return graph


@dataclass(frozen=True, slots=True)
class _Moment:
    """A state, and the ends of reservations that were ordered and may still come."""

    state: WaveState
    due: tuple[ReservationEnded, ...] = ()

    def key(self) -> tuple[object, ...]:
        return (self.state.key(), self.due)

    def next(self, world: World) -> Iterator[_Moment]:
        for event in self._events(world):
            state = self.state.clone()
            try:
                effects = step(state, event)
            except IllegalEvent:
                continue
            yield _Moment(state, self._still_due(state, effects))

    def _events(self, world: World) -> Iterator[Event]:
        """What may happen; not all of it is legal."""
        state = self.state
        if not state.started:
            yield WaveStarted()
            open_to_people = world.early
        elif state.ended:
            yield from _between_runs(world, state)
            open_to_people = world.between and state.outcome == "unfinished"
        else:
            yield from _during_a_run(world, state)
            yield from self.due
            open_to_people = True
        if open_to_people:
            yield from world.plans
            yield from _by_people(world, state)

    def _still_due(self, state: WaveState, effects: list[Effect]) -> tuple[ReservationEnded, ...]:
        if not state.started or state.ended:
            return ()
        latest = (
            ReservationEnded(one.issue, one.until)
            for one in effects
            if isinstance(one, EndReservationAt)
        )
        ordered = {*self.due, *latest}
        ends = (
            ReservationEnded(state.wave.issues[one].id, until)
            for one, until in sorted(state.reservations.items())
        )
        return tuple(one for one in ends if one in ordered)


def _between_runs(world: World, state: WaveState) -> Iterator[Event]:
    if state.outcome == "unfinished":
        yield WaveStarted()
        for position in state.flight:
            name = state.wave.issues[position].id
            yield from (kind(name) for kind in FINDINGS if kind in world.findings)


def _during_a_run(world: World, state: WaveState) -> Iterator[Event]:
    if world.cuts:
        yield RunCutOff()
    yield from map(CapMoved, world.moves)
    for record in state.records:
        if record.open:
            for outcome in OUTCOMES:
                if type(outcome) in world.outcomes:
                    yield SessionEnded(state.issue_id(record), record.session, outcome)


def _by_people(world: World, state: WaveState) -> Iterator[Event]:
    """No session is asked to end: issues are taken out while they have none open."""
    for name in world.parks:
        if not state.find(name).open:
            yield ParkRequested(name, "a question")
    for name in world.cancels:
        if not state.find(name).open:
            yield CancelRequested(name)


def by_spin(answer: Answer) -> Graph:
    """The graph that spin's search printed. Raises `SpinError` where spin counts another."""
    graph = Graph()
    pairs: dict[str, Counter[str]] = {}
    for source, target in zip(answer.printed[::2], answer.printed[1::2], strict=True):
        of_source = pairs.setdefault(source.removeprefix("from "), Counter())
        of_source[target.removeprefix("to ")] += 1
    everywhere = dict.fromkeys([*pairs, *(to for targets in pairs.values() for to in targets)])
    for one in everywhere:
        graph.add(one, pairs.get(one, Counter()))
    rests = sum(one.startswith("1 ") for one in everywhere)
    counts = (graph.states, graph.transitions + 1 + rests)
    if counts != (answer.states, answer.transitions):
        raise SpinError(
            f"spin counts {answer.states} states and {answer.transitions} transitions, "
            f"and prints {counts[0]} and {counts[1]}"
        )
    return graph


def differences(real: Graph, model: Graph) -> list[str]:
    """Where the real step and the Promela model differ, in words; nothing where they agree."""
    found = [f"two states of the step look alike and are not: {one}" for one in real.unlike]
    found += [f"two states of the model look alike and are not: {one}" for one in model.unlike]
    found += [f"only the step reaches: {one}" for one in real.edges.keys() - model.edges.keys()]
    found += [f"only the model reaches: {one}" for one in model.edges.keys() - real.edges.keys()]
    for one in real.edges.keys() & model.edges.keys():
        step_goes, model_goes = real.edges[one], model.edges[one]
        found += [f"only the step goes\n  {one}\n  {to}" for to in step_goes - model_goes]
        found += [f"only the model goes\n  {one}\n  {to}" for to in model_goes - step_goes]
    return sorted(found)


def line(state: WaveState) -> str:
    """A state of the real model as `print_state` in wave.pml prints it."""
    cap = state.cap
    highest = state.highest_cap if state.started else cap.level
    outcome = state.outcome or "under_way"
    run = f"{state.started:d} {outcome} cap {cap.level} {cap.before_pause} {highest}"
    issues = (_issue(state, record) for record in state.records)
    return " ".join((run, *issues, *map(_repo, state.lanes)))


def _issue(state: WaveState, record: Record) -> str:
    at = record.position
    place = state.plan.index(at) if at in state.plan else NONE
    planned = f"{place} {state.reservations.get(at, 0):g} {record.had_reservation:d}"
    return f"issue {record.state} {record.open:d} {record.rounds} {planned}"


def _repo(lane: Lane) -> str:
    waiting = [who for who in lane.merges if who != lane.turn]
    return f"repo {_who(lane.holder)} {_who(lane.turn)} " + " ".join(
        ("rework", *_all(list(lane.rework)), "approved", *_all(waiting))
    )


def _who(one: int | str | None) -> str:
    return str(NO_ISSUE if one is None else one)


def _all(waiting: Sequence[int | str]) -> list[str]:
    return [str(who) for who in waiting]
