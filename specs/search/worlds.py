"""The small worlds that are searched: a wave, its settings, and what its surroundings may do.

# What a state is made of

A state is `WaveState.key()`: the cap (level, ceiling, level before the pause), the highest level in
force, started, stopping, the outcome; for each issue its state, whether its session is open,
untouched, implemented, postponed, had a reservation, the four counters and the pending removal; for
each repo the holder of its lane, the rework that waits for it, its merge queue and its merge turn;
the order in which startable sessions start; the plan and the reservations. The key of the
`RuleMonitor` (specs/monitor) belongs to it, too; with a correct model, it is a function of the
state's key and adds no state.

# Atomic actions

One action is one event and its effects: the dispatch to a fixpoint is part of it, and effects are
carried out at once (a session that was ordered is open). The first state is the
wave before `WaveStarted`, whose only action is `WaveStarted` (but see `World.early`). A run that
has ended does nothing more (but see `World.restarts` and `World.between`). A run that was cut off
goes on: recovery findings about its issues are recorded, and the next run starts.

# The two worlds that layer 3 has too

`THREE_REPOS` and `PIPELINED`. Their surroundings do nothing but this:

- `SessionEnded` of any open session: `Implemented` from running, `Approved` from review, `Merged`
  from merging. Nothing is withheld, nothing fails.
- `CapMoved` by step_down, step_up, pause, resume, wherever the cap machine allows it and the run
  has not ended. A refused move is no action.

So an issue goes queued → running → review → merging → done, and this is all there is to a state:
of the cap, level and level before the pause (equal to the level unless paused; the highest level
stays the ceiling); of each issue, queued, running, review (open), review (startable: implemented
at level 0, to start in the order in which they became so), merging (open: has the turn), merging
(waits), done; the merge queue of a repo in the order of approval; started; ended (complete).
Admission picks, in the order of the file and while the level allows it, the first queued issue
whose dependencies are done and whose lane is free; it takes slot and lane and its session starts
in the same step. `view` leaves out only the order of startable sessions, which cannot be seen: they
all start in one step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from specs.monitor import FINDING_TRIGGERS, MEANT, RecoveryFinding
from wavelane_model.cap import CapMove
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    MergeFound,
    OrderPlanned,
    Reservation,
    WaveAmended,
)
from wavelane_model.lifecycle import LaneRelease
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
)
from wavelane_model.state import WaveState
from wavelane_model.wave import Issue, Wave

SMOOTH: Final[tuple[type[Outcome], ...]] = (Implemented, Approved, Merged)
ALL_OUTCOMES: Final[tuple[type[Outcome], ...]] = tuple(MEANT)
EVERY_FINDING: Final[tuple[type[RecoveryFinding], ...]] = tuple(FINDING_TRIGGERS)
ONE_EACH: Final = Limits(review_rounds=1, checkpoints=2, conflicts=1, failures=1)
"""Each way back is taken once; the second time parks."""


@dataclass(frozen=True)
class World:
    """A wave, its settings, and which events its surroundings may report.

    outcomes    the outcomes of sessions, where the step allows them; an ordered end always comes
    moves       the moves of the cap; `levels` are the ones asked for by "set"
    until       when a timed pause may end
    adds        issues that may be added to the wave or changed at any time, where that is legal
    plans       orders of admission that may be planned at any time
    withholds   ordered sessions may be reported withheld wherever `may_start` says no
    parks, unparks, cancels    ids of the issues that people may park, unpark, cancel at any time
    tickets     (repo, ticket): merges from outside that may ask for a turn
    stops       a stop may be asked for at any time
    cuts        the run may be cut off at any time, the next one too
    findings    what recovery may find, between runs, of each issue that was in flight
    restarts    a run that has ended by itself may be started again
    early       events that are legal before the start come then, too
    between     events that are legal between runs come then, too
    nightly     too large for CI
    viewed      layer 3 has it, too, so its views are counted
    """

    name: str
    wave: Wave
    ceiling: int
    lane_release: LaneRelease = "done"
    limits: Limits = ONE_EACH
    outcomes: tuple[type[Outcome], ...] = SMOOTH
    moves: tuple[CapMove, ...] = ()
    levels: tuple[int, ...] = ()
    until: tuple[float, ...] = ()
    adds: tuple[WaveAmended, ...] = ()
    plans: tuple[OrderPlanned, ...] = ()
    withholds: bool = False
    parks: tuple[str, ...] = ()
    unparks: tuple[str, ...] = ()
    cancels: tuple[str, ...] = ()
    tickets: tuple[tuple[str, str], ...] = ()
    stops: bool = False
    cuts: bool = False
    findings: tuple[type[RecoveryFinding], ...] = ()
    restarts: bool = False
    early: bool = False
    between: bool = False
    nightly: bool = False
    viewed: bool = False

    @property
    def whole(self) -> Wave:
        """The wave with all that may be added to it."""
        grown = self.wave
        for one in self.adds:
            grown = grown.amended(one.issues)
        return grown


def wave(*issues: str) -> Wave:
    """A wave from lines like "web#1 after api#1 api#2", in the repos that the ids name."""
    return Wave([_issue(line) for line in issues])


def added(*issues: str) -> WaveAmended:
    """Issues to be added to a wave or changed in it, from lines."""
    return WaveAmended(tuple(_issue(line) for line in issues))


def _issue(line: str) -> Issue:
    name, _, needed = line.partition(" after ")
    return Issue(name, name.partition("#")[0], needed.split())


def view(state: WaveState) -> tuple[object, ...]:
    """The part of a state that can be seen from outside, for the two shared worlds."""
    return (
        state.cap,
        state.started,
        state.outcome,
        tuple((record.state, record.open) for record in state.records),
        tuple(tuple(lane.merges) for lane in state.lanes),
    )


THREE_REPOS: Final = World(
    "three repos, four issues, cap moves",
    wave("api#1", "api#2", "web#1 after api#1", "docs#1"),
    ceiling=3,
    moves=("step_down", "step_up", "pause", "resume"),
    viewed=True,
)
PIPELINED: Final = World(
    "one repo, three issues, pipelined",
    wave("api#1", "api#2", "api#3"),
    ceiling=3,
    lane_release="review",
    moves=("step_down", "step_up", "pause", "resume"),
    viewed=True,
)

WORLDS: Final[tuple[World, ...]] = (
    THREE_REPOS,
    PIPELINED,
    World(
        "sessions end in every way",
        wave("api#1", "web#1 after api#1"),
        ceiling=2,
        outcomes=ALL_OUTCOMES,
        levels=(1,),
    ),
    World(
        "sessions end in every way, pipelined",
        wave("api#1", "api#2"),
        ceiling=2,
        lane_release="review",
        limits=Limits(review_rounds=1, checkpoints=2, conflicts=0, failures=0),
        outcomes=ALL_OUTCOMES,
    ),
    World(
        "rework beside new work",
        wave("api#1", "api#2", "api#3"),
        ceiling=3,
        lane_release="review",
        limits=Limits(review_rounds=1, conflicts=0),
        outcomes=(*SMOOTH, ChangesRequested),
        moves=("step_down", "step_up"),
        parks=("api#1",),
    ),
    World(
        "starts are withheld",
        wave("api#1", "web#1", "web#2 after api#1"),
        ceiling=3,
        limits=Limits(review_rounds=1, checkpoints=2, conflicts=0, failures=0),
        outcomes=(*SMOOTH, Checkpoint, Postponed),
        levels=(0, 1, 3),
        withholds=True,
    ),
    World(
        "starts are withheld, pipelined",
        wave("api#1", "api#2"),
        ceiling=2,
        lane_release="review",
        limits=Limits(review_rounds=1, checkpoints=2, conflicts=1, failures=0),
        outcomes=(*SMOOTH, ChangesRequested, Conflicted, Postponed),
        moves=("pause", "resume"),
        withholds=True,
        stops=True,
    ),
    World(
        "people park, unpark and cancel",
        wave("api#1", "api#2", "web#1 after api#1"),
        ceiling=2,
        limits=Limits(failures=1),
        outcomes=(*SMOOTH, Failed),
        moves=("pause", "resume"),
        parks=("api#1", "web#1"),
        unparks=("api#1", "web#1"),
        cancels=("api#1", "api#2"),
    ),
    World(
        "others merge too",
        wave("api#1", "api#2"),
        ceiling=2,
        lane_release="review",
        outcomes=(*SMOOTH, Conflicted, Failed),
        tickets=(("api", "keep-current"), ("api", "release")),
        cancels=("api#2",),
    ),
    World(
        "stops and further runs",
        wave("api#1", "api#2", "web#1"),
        ceiling=2,
        moves=("step_down", "step_up"),
        parks=("api#1",),
        unparks=("api#1",),
        stops=True,
        findings=(AttemptDiscarded, MergeFound),
        restarts=True,
        between=True,
    ),
    World(
        "runs are cut off",
        wave("api#1", "web#1", "web#2 after api#1"),
        ceiling=2,
        outcomes=(*SMOOTH, Postponed),
        moves=("step_down", "step_up"),
        cancels=("api#1",),
        cuts=True,
        findings=EVERY_FINDING,
        restarts=True,
        between=True,
    ),
    World(
        "runs are cut off, pipelined",
        wave("api#1", "api#2"),
        ceiling=2,
        lane_release="review",
        outcomes=(*SMOOTH, ChangesRequested),
        parks=("api#1",),
        tickets=(("api", "keep-current"),),
        stops=True,
        cuts=True,
        findings=EVERY_FINDING,
    ),
    World(
        "pauses end by themselves",
        wave("api#1", "web#1 after api#1"),
        ceiling=2,
        moves=("pause", "step_up", "resume"),
        until=(1_000.0, 2_000.0),
        cuts=True,
        findings=(AttemptResumed,),
        between=True,
    ),
    World(
        "issues are added",
        wave("api#1", "api#2", "web#1"),
        ceiling=2,
        outcomes=(*SMOOTH, Blocked),
        adds=(added("web#2 after api#2"), added("api#2 after web#1")),
        unparks=("api#1",),
        cuts=True,
        findings=(AttemptDiscarded,),
        restarts=True,
        between=True,
    ),
    World(
        "before the start",
        wave("api#1", "web#1 after api#1"),
        ceiling=2,
        moves=("step_down", "step_up", "pause", "resume"),
        levels=(0, 1, 2),
        parks=("api#1",),
        unparks=("api#1",),
        cancels=("api#1", "web#1"),
        tickets=(("api", "keep-current"), ("web", "keep-current")),
        stops=True,
        early=True,
    ),
    World(
        "lanes are reserved",
        wave("api#1", "api#2", "web#1 after api#1", "web#2"),
        ceiling=2,
        outcomes=(*SMOOTH, Blocked),
        plans=(
            OrderPlanned(("api#1", "web#1"), (Reservation("web#1", 1_000.0),)),
            OrderPlanned(("api#2", "web#2", "web#1", "api#1"), (Reservation("web#1", 2_000.0),)),
        ),
        cuts=True,
        findings=(AttemptDiscarded,),
        early=True,
        between=True,
    ),
    World(
        "plans come and go, and issues change",
        wave("api#1", "web#1 after api#1", "web#2"),
        ceiling=2,
        adds=(added("web#1"), added("web#3")),
        plans=(
            OrderPlanned(("web#1", "web#2"), (Reservation("web#1", 1_000.0),)),
            OrderPlanned(("web#2", "web#1")),
        ),
        early=True,
    ),
    World(
        "lanes are reserved along a chain",
        wave("docs#1", "api#1", "web#1 after api#1", "web#2"),
        ceiling=2,
        adds=(added("api#1 after docs#1"),),
        plans=(
            OrderPlanned(("docs#1", "api#1", "web#1"), (Reservation("web#1", 1_000.0),)),
            OrderPlanned(("api#1",)),
        ),
        parks=("docs#1", "web#1"),
        unparks=("docs#1", "web#1"),
        early=True,
    ),
    World(
        "three issues end in every way",
        wave("api#1", "api#2", "web#1 after api#1"),
        ceiling=2,
        outcomes=ALL_OUTCOMES,
        nightly=True,
    ),
    World(
        "three issues come back, pipelined, cap moves",
        wave("api#1", "api#2", "api#3"),
        ceiling=3,
        lane_release="review",
        limits=Limits(review_rounds=1, checkpoints=1, conflicts=1, failures=0),
        outcomes=(*SMOOTH, ChangesRequested, Conflicted),
        moves=("step_down", "step_up"),
        nightly=True,
    ),
)
"""All worlds; layer 3 has the first two as well."""
