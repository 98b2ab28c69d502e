"""Compares the guards and moves of the proof with those of the model, on what the real step does.

Random walks with fixed seeds go through the worlds of the search, by both lane policies, and take
any event that the step takes. A moment of the proof accompanies each walk. Only the moves of the
proof change it; the event and the effects of the step select which.

- `same moves`: the proof allows each move that the step makes, and after each step all fields that
  the state and the moment share are equal. So a run of the model is a run of the proof.
- `same guards`: after every step, each guard of both tables answers alike for every issue, and each
  target of the cap is the same for every level.
- `same rules`: each rule holds of every such moment, as the proof shows of all moments.

The proof does not repeat what a plan reserves: it holds for any plan, and the moment takes the
reservations from the state after each step. No issue that the step admitted was admitted into a
lane that was reserved for another one.

The walks have to make each move, and get both answers from each guard, or they show nothing. A turn
is given as soon as it is free, so no issue "has_merge_turn" after a step; the merges that begin
show that the guard answers yes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from time import perf_counter
from typing import Any, Final, NamedTuple

from specs.proof.guards import CAP_LEVEL, CAP_MEANING, MEANING
from specs.proof.induction import POLICIES
from specs.proof.moment import SORTS, Moment, Setting, any_moment, first_moment
from specs.proof.moves import LEVEL, WHO, all_moves
from specs.proof.reading import Asked, Reading, asked_of, asked_of_each
from specs.proof.rules import RULES
from specs.results import Result
from specs.search.actions import Action, actions_of
from specs.search.watchdog import watched
from specs.search.worlds import WORLDS, World
from wavelane_model.cap import CAP_GUARDS, CAP_TABLE, CAP_TARGETS, Cap
from wavelane_model.effects import AnnounceIssue, Effect, FinishWave, GrantMergeTurn
from wavelane_model.events import (
    CapMoved,
    Event,
    MergeTurnRequested,
    MergeTurnReturned,
    PauseEnded,
    PostponementEnded,
    RunCutOff,
    SessionEnded,
    SessionWithheld,
    StopRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.guards import PREDICATES
from wavelane_model.lanes import Lane
from wavelane_model.lifecycle import TABLE, LaneRelease
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent, step

WALKS: Final = 30
"""Walks through each world by each policy."""
NIGHTLY: Final = 20
"""So many times as many in the nightly form."""
STEPS: Final = 60
"""A walk is over after so many steps, or with its run."""
PROPERTIES: Final = ("same moves", "same guards", "same rules")


class Disagreement(Exception):
    """The model and the proof disagree: on which property, and how."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(what)
        self.property = name
        self.what = what


class Shift(NamedTuple):
    """A move of the proof by its name, and what it is about."""

    move: str
    who: int = 0
    whose: tuple[int, str] | None = None
    level: int = 0


@dataclass
class Count:
    """What was compared so far."""

    comparisons: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PROPERTIES, 0))
    moves: set[str] = field(default_factory=set)
    answers: dict[str, set[bool]] = field(default_factory=dict)


class Move:
    """A move of the proof, to be made on a reading."""

    def __init__(self, allowed: Asked, changes: dict[str, Asked]) -> None:
        self.allowed = allowed
        self._changes = changes

    def made(self, reading: Reading) -> Reading:
        """The reading after it."""
        return reading | {name: change(reading) for name, change in self._changes.items()}


class Second:
    """All that the proof says of one lane policy, to be asked of readings."""

    def __init__(self, lane_release: LaneRelease) -> None:
        self.lane_release: LaneRelease = lane_release
        setting, now = Setting(lane_release), any_moment()
        self.first = Move(lambda reading: True, _changes(now, first_moment(setting)))
        self.moves = {
            move.name: Move(asked_of(move.allowed), _changes(now, move.after))
            for move in all_moves(setting, now, TABLE, CAP_TABLE)
        }
        self.rules = {name: asked_of(rule.always(setting, now)) for name, rule in RULES.items()}
        self.guards = {name: asked_of(says(setting, now, WHO)) for name, says in MEANING.items()}
        self.cap_guards = {
            name: asked_of(says(setting, now, LEVEL)) for name, says in CAP_MEANING.items()
        }
        self.cap_levels = {name: asked_of(says(now, LEVEL)) for name, says in CAP_LEVEL.items()}


def _changes(before: Moment, after: Moment) -> dict[str, Asked]:
    """The fields that have changed, with their new values."""
    return {
        name: asked_of_each(new, sorts[0]) if len(sorts) == 2 else asked_of(new)
        for name, sorts in SORTS.items()
        if (new := getattr(after, name)) is not getattr(before, name)
    }


def agreed(nightly: bool = False) -> list[Result]:
    """Compare along all walks, up to the first disagreement; one result a property."""
    began = perf_counter()
    count = Count()
    problem: tuple[str, str] | None = None
    try:
        meanings = [Second(policy) for policy in POLICIES]
        with watched(lambda: count.comparisons["same moves"]):
            for second in meanings:
                _walk_all(second, count, WALKS * NIGHTLY if nightly else WALKS)
        _look_for_gaps(count)
    except Disagreement as found:
        problem = found.property, found.what
    seconds = perf_counter() - began
    return [
        Result(
            "proof",
            name,
            problem is None or problem[0] != name,
            count.comparisons[name],
            "comparisons",
            seconds if name == PROPERTIES[0] else 0.0,
            problem[1] if problem is not None and problem[0] == name else "",
        )
        for name in PROPERTIES
    ]


def _walk_all(second: Second, count: Count, walks: int) -> None:
    for number, world in enumerate(WORLDS):
        for seed in range(walks):
            walk = Walk(replace(world, lane_release=second.lane_release), second, count)
            walk.go(Random(f"{number} {seed}"))


def _look_for_gaps(count: Count) -> None:
    made = {move.name for move in all_moves(Setting("done"), any_moment(), TABLE, CAP_TABLE)}
    if missing := made - count.moves:
        raise Disagreement("same moves", f"no walk made the move: {'; '.join(sorted(missing))}")
    for row in TABLE:
        for guard in row.guards:
            count.answers[guard].add(True)
    if missing := {guard for guard, answers in count.answers.items() if len(answers) < 2}:
        raise Disagreement("same guards", f"one answer only from: {'; '.join(sorted(missing))}")


class Walk:
    """A state of the model on its way through a world, and the moment of the proof beside it."""

    def __init__(self, world: World, second: Second, count: Count) -> None:
        self.world = world
        self.second = second
        self.count = count
        self.actions = [one for one in actions_of(world) if one.possible and _is_known(one, world)]
        self.state = WaveState(
            world.wave,
            cap=Cap.at(world.ceiling),
            lane_release=world.lane_release,
            limits=world.limits,
        )
        self.tickets = [(world.wave.repos.index(repo), who) for repo, who in world.tickets]
        self.events: list[Event] = []
        self.reading = second.first.made(self._setting())

    def go(self, random: Random) -> None:
        """Walk to the end, comparing on the way."""
        self._compare()
        while not self._over() and self._took_one(random):
            self._compare()

    def _over(self) -> bool:
        rests = self.state.ended and self.state.outcome != "unfinished"
        return len(self.events) == STEPS or (rests and not self.world.restarts)

    def _took_one(self, random: Random) -> bool:
        """Take the first event, in a random order, that the step takes; whether there is one."""
        for action in random.sample(self.actions, len(self.actions)):
            event = _made(action, self.state)
            was_paused = self.state.cap.level == 0
            try:
                effects = step(self.state, event)
            except IllegalEvent:
                continue
            except Exception as problem:
                what = f"the step fails at {event}: {problem!r}"
                raise self._disagreement("same moves", what) from problem
            self.events.append(event)
            # To pause what is paused changes only when that ends, and the proof knows no times.
            if not (was_paused and isinstance(event, CapMoved) and event.move == "pause"):
                self.reading["reserved"] = dict.fromkeys(range(len(self.world.wave)), False)
                for shift in shifts(self.state, event, effects):
                    self._shift(shift)
            self.reading["reserved"] = {
                record.position: bool(self.state.reserved_for(record))
                for record in self.state.records
            }
            return True
        return False

    def _shift(self, shift: Shift) -> None:
        move = self.second.moves.get(shift.move)
        self.reading |= {"who": shift.who, "whose": shift.whose, "asked_level": shift.level}
        if move is None or not move.allowed(self.reading):
            raise self._disagreement("same moves", f"the proof does not allow: {shift.move}")
        self.reading = move.made(self.reading)
        self.count.moves.add(shift.move)

    def _compare(self) -> None:
        self._compare_fields()
        self._compare_guards()
        self._compare_cap()
        for name, holds in self.second.rules.items():
            self.count.comparisons["same rules"] += 1
            if not holds(self.reading):
                raise self._disagreement("same rules", f"it breaks {name}: {RULES[name].sentence}")

    def _compare_fields(self) -> None:
        for name, value in read(self.state, self.tickets).items():
            self._same("same moves", name, value, self.reading[name])
        for at, lane in enumerate(self.state.lanes):
            self._same("same moves", "the merge queue", list(lane.merges), self._queue(at, lane))

    def _queue(self, at: int, lane: Lane) -> list[int | str]:
        """The merge queue of a repo, by the places that the proof has given."""
        places: dict[int | str, int] = {
            who: self.reading["asked"][at, who]
            if isinstance(who, str)
            else self.reading["joined"][who]
            for who in lane.merges
        }
        return sorted(places, key=places.__getitem__)

    def _compare_guards(self) -> None:
        for record in self.state.records:
            self.reading["who"] = record.position
            for guard, holds in PREDICATES.items():
                answer = holds(self.state, record)
                what = f"{guard} of {self.state.issue_id(record)}"
                self._same("same guards", what, answer, self.second.guards[guard](self.reading))
                self.count.answers.setdefault(guard, set()).add(answer)

    def _compare_cap(self) -> None:
        cap = self.state.cap
        for level in range(-1, cap.ceiling + 2):
            self.reading["asked_level"] = level
            for guard, holds in CAP_GUARDS.items():
                answer = holds(cap, level)
                says = self.second.cap_guards[guard](self.reading)
                self._same("same guards", f"{guard} for level {level}", answer, says)
                self.count.answers.setdefault(guard, set()).add(answer)
            for target, leads in CAP_TARGETS.items():
                says = self.second.cap_levels[target](self.reading)
                self._same("same guards", f"{target} for level {level}", leads(cap, level), says)

    def _same(self, name: str, what: str, model: object, proof: object) -> None:
        self.count.comparisons[name] += 1
        if model != proof:
            raise self._disagreement(name, f"{what}: the model says {model}, the proof {proof}")

    def _disagreement(self, name: str, what: str) -> Disagreement:
        where = f'world "{self.world.name}", lane_release={self.world.lane_release!r}, after:'
        return Disagreement(name, "\n".join((what, where, *(f"  {one}" for one in self.events))))

    def _setting(self) -> Reading:
        """The names of the proof that keep their values: sorts, wave and limits."""
        wave, limits = self.world.wave, self.world.limits
        issues = range(len(wave))
        return {
            "Issue": issues,
            "Repo": range(len(wave.repos)),
            "Ticket": self.tickets,
            "Int": range(len(wave) + 1),
            "repo": dict(enumerate(wave.repo_of)),
            "repo_of_ticket": {ticket: ticket[0] for ticket in self.tickets},
            "needs": {(i, d): d in wave.dependencies[i] for i in issues for d in issues},
            "ceiling": self.world.ceiling,
            "round_limit": limits.review_rounds,
            "checkpoint_limit": limits.checkpoints,
            "conflict_limit": limits.conflicts,
            "failure_limit": limits.failures,
            "at": dict.fromkeys(range(len(wave) + 1), 0),
        }


def _is_known(action: Action, world: World) -> bool:
    """Whether it is about the wave as it is at first.

    The proof is about any wave: an issue that is added counts as one that was queued before.
    """
    at_first = action.issue is None or action.issue < len(world.wave)
    return at_first and not isinstance(action.event, WaveAmended)


def _made(action: Action, state: WaveState) -> Event:
    """The event that the action is now; sessions are named by the number of the latest."""
    event = action.event
    if action.issue is None:
        return event
    assert isinstance(event, SessionEnded | SessionWithheld)
    return replace(event, session=state.records[action.issue].session - action.late)


def shifts(state: WaveState, event: Event, effects: list[Effect]) -> Iterator[Shift]:
    """The moves that a step has made, in their order: by the event itself, and by its orders."""
    repos, position = state.wave.repos, state.wave.position
    match event:
        case WaveStarted():
            yield Shift("the run starts")
        case RunCutOff():
            yield Shift("the run is cut off")
        case StopRequested():
            yield Shift("stop")
        case CapMoved(move, level):
            yield Shift(f"cap {move}", level=level)
        case PauseEnded():
            yield Shift("cap resume")
        case PostponementEnded(issue):
            yield Shift("the time has come", who=position[issue])
        case MergeTurnRequested(repo, ticket):
            yield Shift("a turn is requested", whose=(repos.index(repo), ticket))
        case MergeTurnReturned(repo, ticket):
            yield Shift("a turn is returned", whose=(repos.index(repo), ticket))
        case _:
            pass
    for effect in effects:
        match effect:
            case AnnounceIssue(issue, trigger, source, target):
                yield Shift(f"{trigger} {source} → {target}", who=position[issue])
            case GrantMergeTurn(repo, ticket):
                yield Shift("a turn is granted", whose=(repos.index(repo), ticket))
            case FinishWave():
                yield Shift("the run ends")
            case _:
                pass


def read(state: WaveState, tickets: list[tuple[int, str]]) -> Reading:
    """What a moment of the proof has and the state has as well, by the names of the proof."""
    lane = {record.position: state.lanes[record.lane] for record in state.records}
    fields: dict[str, Any] = {
        name: {record.position: getattr(record, name) for record in state.records}
        for name in _OF_RECORDS
    }
    return fields | {
        "starting": {one.position: one.untouched and not one.open for one in state.records},
        "holds": {at: one.holder == at for at, one in lane.items()},
        "waits": {at: at in one.rework for at, one in lane.items()},
        "queued": {at: at in one.merges for at, one in lane.items()},
        "turn": {at: one.turn == at for at, one in lane.items()},
        "wants": {(at, who): who in state.lanes[at].merges for at, who in tickets},
        "granted": {(at, who): state.lanes[at].turn == who for at, who in tickets},
        "in_flight": state.in_flight,
        "level": state.cap.level,
        "before_pause": state.cap.before_pause,
        "highest": state.highest_cap,
        "started": state.started,
        "ended": state.ended,
        "cut_off": state.outcome == "unfinished",
        "stopping": state.stopping,
    }


_OF_RECORDS: Final = (
    "state",
    "open",
    "untouched",
    "implemented",
    "postponed",
    "checkpoints",
    "rounds",
    "conflicts",
    "failures",
)
