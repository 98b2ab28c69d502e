"""A case: the wave of one schedule, its settings, the operator's acts, and a fault."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from specs.simulation.chooser import Chooser
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.limits import Limits
from wavelane_model.wave import Issue, Wave

What = Literal[
    "set",
    "step_down",
    "step_up",
    "pause",
    "resume",
    "park",
    "unpark",
    "cancel",
    "add",
    "change",
    "take a turn",
    "give up a turn",
    "stop",
    "cancel the run",
]
"""An act of the operator: on the cap, an issue, the wave, the engine's own merges, or the run."""
CAP_MOVES: Final = ("set", "step_down", "step_up", "pause", "resume")
ONE_IS_ESTIMATED: Final = 3
"""One case in this many has estimates."""
_ACTS: Final[tuple[What, ...]] = (
    *("set", "step_down", "step_up", "pause", "resume", "set", "pause", "resume"),
    *("park", "park", "park", "unpark", "unpark", "unpark", "cancel"),
    *("add", "change"),
    *("take a turn", "take a turn", "take a turn", "give up a turn"),
    *("stop", "cancel the run"),
)
Wait = int | Literal["write"] | None
"""The wait before an act: none (in the same callback as the previous act), a turn of the loop (0),
seconds, or until the run learns that a write is on the disk."""
_WAITS: Final[tuple[Wait, ...]] = (None, 0, 1, 2, 5, "write", "write")

Among = Literal["all", "open", "reserved"]
"""Where an act finds its issue: all, those with an open session, or whose lane is reserved."""
_AMONG: Final[tuple[Among, ...]] = ("all", "open", "reserved", "open")
Stage = Literal["making", "begin", "events", "standings", "commit", "after the commit"]


class Options(NamedTuple):
    """The values from which a few settings are chosen."""

    ceilings: tuple[int, ...]
    releases: tuple[LaneRelease, ...]


USUAL: Final = Options((1, 2, 3, 4), ("done", "review"))
ROOMY: Final = Options((2, 3, 2, 1), ("done", "done", "done", "review"))
"""For a wave with estimates: an idle lane matters only if a slot is free, and a lane that is
released at the review is never reserved."""


class Fault(NamedTuple):
    """The disk is full: write number `write` (from 1) fails at `stage`, or creating the journal."""

    stage: Stage
    write: int


class Act(NamedTuple):
    """One act of the operator.

    Attributes:
        wait: The wait after the previous act.
        turns: Turns of the loop after that wait.
        what: The act.
        issue: The position of its issue among those of `among`, if there are any, else among all.
        among: From which issues its issue is chosen.
        repo: The position of its repo.
        level: The level of the cap; for an amendment, whether the issue has a dependency.
        seconds: How long a merge turn lasts; for an amendment, the estimate.
        thread: Whether the operator acts in another thread.
    """

    wait: Wait
    turns: int
    what: What
    issue: int = 0
    among: Among = "all"
    repo: int = 0
    level: int = 0
    seconds: int = 0
    thread: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """What one schedule is about.

    Attributes:
        wave: The wave.
        ceiling: The ceiling of the cap.
        lane_release: When a lane is released.
        limits: The limits.
        mishaps: How many sessions may end in another way than their best one.
        fault: The fault of the disk, if there is one.
        acts: What the operator does.
        plan: The setting `plan` of the scheduler.
        exact: The issues whose sessions take as long as estimated.
    """

    wave: Wave
    ceiling: int
    lane_release: LaneRelease
    limits: Limits
    mishaps: int
    fault: Fault | None
    acts: tuple[Act, ...]
    plan: bool | None = None
    exact: frozenset[str] = frozenset()

    @classmethod
    def chosen(cls, chooser: Chooser) -> Case:
        """A case that the chooser chooses."""
        wave = chosen_wave(chooser)
        options, plan, exact = USUAL, None, frozenset[str]()
        if chooser.once_in(ONE_IS_ESTIMATED):
            options, wave, plan = ROOMY, estimated(chooser, wave), chosen_plan(chooser)
            exact = frozenset(one.id for one in wave.issues if one.estimate and chooser.once_in(2))
        ceiling = chooser.one_of(options.ceilings)
        return cls(
            wave,
            ceiling,
            chooser.one_of(options.releases),
            _limits(chooser),
            chooser.one_of((0, 2, 5, 12)),
            _fault(chooser) if chooser.once_in(6) else None,
            tuple(chosen_acts(chooser, wave, ceiling)),
            plan,
            exact,
        )

    def __str__(self) -> str:
        issues = (
            f"  {issue.id}{''.join(f' < {needed}' for needed in issue.depends_on)}"
            f"{f' !{issue.priority}' if issue.priority else ''}"
            f"{f', about {issue.estimate} s' if issue.estimate else ''}"
            f"{', exactly' if issue.id in self.exact else ''}"
            for issue in self.wave.issues
        )
        return "\n".join(
            [
                f"cap {self.ceiling}, lane_release {self.lane_release!r}, {self.limits}",
                f"fault: {self.fault}; plan {self.plan}",
                *issues,
            ]
        )


def chosen_wave(chooser: Chooser) -> Wave:
    """A small wave that the chooser chooses."""
    repos = [f"repo{at}" for at in range(1 + chooser.number(3))]
    issues: list[Issue] = []
    for number in range(2 + chooser.number(4)):
        repo = chooser.one_of(repos)
        needed = {chooser.number(number + 1) for _ in range(2)} - {0}
        depends_on = [issues[at - 1].id for at in sorted(needed)]
        issues.append(Issue(f"{repo}#{number}", repo, depends_on, priority=chooser.number(2)))
    if chooser.once_in(2):
        issues.reverse()
    return Wave(issues, repos=repos)


def estimated(chooser: Chooser, wave: Wave) -> Wave:
    """The wave with estimates from the chooser; some issues have none, few are urgent."""
    most = chooser.number(2) if chooser.once_in(3) else 0
    return wave.amended(
        replace(
            issue,
            priority=min(issue.priority, most),
            estimate=chooser.one_of((6, None, 2, 20, 90)),
        )
        for issue in wave.issues
    )


def chosen_plan(chooser: Chooser) -> bool | None:
    """The setting `plan` of a run; planning is on in most waves with estimates."""
    return chooser.one_of((None, None, True, True, False))


def _limits(chooser: Chooser) -> Limits:
    timeouts = (None, 2, 4, 7)
    return Limits(
        review_rounds=chooser.number(3),
        checkpoints=1 + chooser.number(3),
        conflicts=chooser.number(3),
        failures=chooser.number(3),
        implement_timeout=chooser.one_of(timeouts),
        review_timeout=chooser.one_of(timeouts),
        merge_timeout=chooser.one_of(timeouts),
        postpone_delay=chooser.one_of((4, 0, 20)),
    )


def _fault(chooser: Chooser) -> Fault:
    stages: tuple[Stage, ...] = (
        *("begin", "events", "standings", "commit", "after the commit"),
        *("begin", "events", "standings", "commit", "after the commit"),
        "making",
    )
    return Fault(chooser.one_of(stages), 1 + chooser.number(16))


def chosen_acts(chooser: Chooser, wave: Wave, ceiling: int) -> list[Act]:
    """The operator's acts, chosen by the chooser."""
    acts: list[Act] = []
    while len(acts) < 12 and chooser.number(8):
        wait, what = chooser.one_of(_WAITS), chooser.one_of(_ACTS)
        turns = chooser.number(6) if wait == "write" else 0
        if what in CAP_MOVES:
            level = chooser.number(ceiling + 1) if what == "set" else 0
            acts.append(Act(wait, turns, what, level=level, thread=chooser.once_in(2)))
        elif what in ("park", "unpark", "cancel"):
            issue, among = chooser.number(len(wave)), chooser.one_of(_AMONG)
            acts.append(Act(wait, turns, what, issue, among))
        elif what == "take a turn":
            repo = chooser.number(len(wave.repos))
            acts.append(Act(wait, turns, what, repo=repo, seconds=chooser.one_of((0, 2, 6))))
        elif what in ("add", "change"):
            acts.append(_amendment(chooser, wait, turns, what, wave))
        else:
            acts.append(Act(wait, turns, what))
    return acts


def _amendment(chooser: Chooser, wait: Wait, turns: int, what: What, wave: Wave) -> Act:
    """The act that adds or changes an issue."""
    return Act(
        wait,
        turns,
        what,
        issue=chooser.number(len(wave)),
        among=chooser.one_of(("all", "reserved")),
        repo=chooser.number(len(wave.repos)),
        level=chooser.number(2),
        seconds=chooser.one_of((0, 5, 30)),
    )
