"""Scenarios: the small waves that are crashed, and everything about them except the crash.

A scenario says how the sessions end, what an operator does in each life of the process, what
becomes of the sessions of a process that dies, and what recovery finds of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from specs.endings import ENDINGS, HAPPY
from specs.observers import Step
from specs.simulation.case import (
    ONE_IS_ESTIMATED,
    ROOMY,
    USUAL,
    Act,
    Case,
    chosen_acts,
    chosen_plan,
    chosen_wave,
    estimated,
)
from specs.simulation.chooser import Chooser
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.limits import Limits
from wavelane_model.outcomes import Blocked, ChangesRequested, Checkpoint, Conflicted, Postponed
from wavelane_model.wave import Issue, Wave

RecoverAnswer = Literal["keep", "discard", "unclear", "raise"]
"""What `recover` answers: the attempt is kept; it is discarded; a merging issue is unclear; for an
issue in review it raises. It finds a merge that happened, unless it is unclear or raises."""
Leftover = Literal["dies", "lives on", "goes in"]
"""What becomes of a session whose process dies: it dies, too; it lives on until `recover` ends it;
it lives on, and a merge happens before it is ended."""
Endings = Mapping[tuple[Step, str], tuple[object, ...]]


_LIMITS: Final = Limits(postpone_delay=5)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One small wave.

    Attributes:
        name: Its name, unique among `SCENARIOS`.
        wave: The wave.
        ceiling: The ceiling of the cap.
        lane_release: When a lane is released.
        endings: How the calls of a step of an issue end, in order; further calls end well.
        acts: What the operator does in each life; in later lives, nothing.
        patience: Virtual seconds from the operator's last act until the cap goes to its ceiling.
        leftover: What becomes of a session whose process dies.
        answer: What `recover` answers.
        limits: The limits.
        planned: The setting `plan` of each life; the last one applies to all later lives.
    """

    name: str
    wave: Wave
    ceiling: int
    lane_release: LaneRelease = "done"
    endings: Endings = field(default_factory=dict)
    acts: tuple[tuple[Act, ...], ...] = ()
    patience: int = 0
    leftover: Leftover = "dies"
    answer: RecoverAnswer = "keep"
    limits: Limits = _LIMITS
    planned: tuple[bool | None, ...] = (None,)

    def case(self, life: int) -> Case:
        """The case of one life of the process; the first is life 0."""
        acts = self.acts[life] if life < len(self.acts) else ()
        planned = self.planned[min(life, len(self.planned) - 1)]
        return Case(self.wave, self.ceiling, self.lane_release, self.limits, 0, None, acts, planned)

    def ending(self, step: Step, issue: str, ended: int) -> object:
        """How a call ends after `ended` earlier ones."""
        endings = self.endings.get((step, issue), ())
        return endings[ended] if ended < len(endings) else HAPPY[step]

    @classmethod
    def chosen(cls, chooser: Chooser, name: str) -> Scenario:
        """A scenario that the chooser chooses."""
        options, wave = USUAL, chosen_wave(chooser)
        planned: tuple[bool | None, ...] = (None,)
        if chooser.once_in(ONE_IS_ESTIMATED):
            options, wave = ROOMY, estimated(chooser, wave)
            planned = tuple(chosen_plan(chooser) for _ in range(3))
        ceiling = chooser.one_of(options.ceilings)
        return cls(
            name,
            wave,
            ceiling,
            chooser.one_of(options.releases),
            dict(_endings(chooser, wave)),
            tuple(_acts(chooser, wave, ceiling) for _ in range(chooser.number(4))),
            patience=chooser.one_of((0, 10, 30)),
            leftover=chooser.one_of(get_args(Leftover)),
            answer=chooser.one_of(("keep", "keep", "discard", "unclear", "raise")),
            planned=planned,
        )

    @property
    def same_done(self) -> bool:
        """Whether the same issues are done in the end, wherever the process dies."""
        matter = ("park", "cancel", "unpark", "add", "change", "stop")
        acts = [act.what for life in self.acts for act in life]
        can_tell = self.answer in ("keep", "discard")
        return can_tell and not any(act in matter for act in acts) and not self._parks

    @property
    def _parks(self) -> bool:
        """Whether sessions may fail in a way, or so often, that an issue is parked."""
        bad = [one for endings in self.endings.values() for one in endings]
        return len(bad) > 3 or any(isinstance(one, Blocked) for one in bad)


def _endings(chooser: Chooser, wave: Wave) -> Iterator[tuple[tuple[Step, str], tuple[object, ...]]]:
    steps: tuple[Step, ...] = ("implement", "review", "merge")
    for issue in wave.issues:
        for step in steps:
            if chooser.once_in(4):
                yield (step, issue.id), (chooser.one_of(ENDINGS[step]),)


def _acts(chooser: Chooser, wave: Wave, ceiling: int) -> tuple[Act, ...]:
    acts = chosen_acts(chooser, wave, ceiling)
    return tuple(act for act in acts if act.what != "cancel the run")


def _wave(*issues: str) -> Wave:
    """A wave of issues "a#2 6 < a#1 b#1": `a#2` in repo a takes 6 s and depends on `a#1`, `b#1`."""
    made: list[Issue] = []
    for line in issues:
        head, _, needed = line.partition(" < ")
        name, *estimate = head.split()
        made.append(
            Issue(
                name,
                name.partition("#")[0],
                needed.split(),
                estimate=float(estimate[0]) if estimate else None,
            )
        )
    return Wave(made)


_RESERVED: Final = _wave("a#1 6", "b#1 30 < a#1", "a#2 30 < b#1", "b#2 30")
"""It ends soonest with lane b reserved for b#1; only the first estimate is right."""
_LATE: Final = _wave("a#1 1", "b#1 30 < a#1", "a#2 30 < b#1", "b#2 30")
"""What b#1 waits for takes so long that its reservation ends before it starts."""
_PAUSE: Final = (Act(2, 0, "pause"), Act(30, 0, "resume"))
_TINY: Final = _wave("a#1")
_PAIR: Final = _wave("a#1", "a#2 < a#1")

SCENARIOS: Final = (
    Scenario("one issue", _TINY, 1, leftover="goes in"),
    Scenario("one issue, parked", _TINY, 1, acts=((Act(3, 0, "park"),), (Act(9, 0, "unpark"),))),
    Scenario("two repos, leftovers", _wave("a#1", "b#1"), 2, leftover="lives on"),
    Scenario("dependency", _wave("a#1", "b#1 < a#1"), 2, answer="discard", leftover="goes in"),
    Scenario(
        "change request and conflict",
        _PAIR,
        1,
        endings={
            ("review", "a#1"): (ChangesRequested("a test"),),
            ("merge", "a#2"): (Conflicted("a.py"),),
        },
    ),
    Scenario(
        "failure and postponement",
        _wave("a#1", "b#1"),
        2,
        endings={
            ("implement", "a#1"): (ValueError("it broke"), Checkpoint("half")),
            ("review", "b#1"): (Postponed(reason="quota"),),
            ("merge", "a#1"): (OSError("no disk"),),
        },
        leftover="lives on",
    ),
    Scenario(
        "pipelined, two merges queue",
        _wave("a#1", "a#2", "a#3"),
        3,
        "review",
        endings={("review", "a#2"): (ChangesRequested("a test"),)},
        leftover="goes in",
    ),
    Scenario(
        "pipelined, discarded",
        _wave("a#1", "a#2", "b#1 < a#1"),
        3,
        "review",
        answer="discard",
        leftover="lives on",
    ),
    Scenario(
        "cap falls to 1",
        _wave("a#1", "b#1", "c#1", "a#2 < c#1"),
        3,
        acts=((Act(1, 0, "set", level=1),), (Act(4, 0, "set", level=2),)),
        patience=12,
        leftover="lives on",
    ),
    Scenario(
        "paused and resumed",
        _wave("a#1", "b#1", "c#1"),
        2,
        acts=(_PAUSE, (), _PAUSE),
        patience=40,
    ),
    Scenario(
        "merges are unclear",
        _wave("a#1", "b#1 < a#1", "c#1"),
        2,
        "review",
        answer="unclear",
        leftover="goes in",
    ),
    Scenario("recover raises", _wave("a#1", "b#1"), 2, answer="raise"),
    Scenario(
        "parked, cancelled, unparked",
        _wave("a#1", "b#1", "c#1 < b#1"),
        3,
        endings={("implement", "b#1"): (Blocked("a question"),)},
        acts=(
            (
                Act(1, 0, "cancel", issue=0),
                Act(2, 0, "unpark", issue=1),
                Act(1, 0, "park", issue=1),
                Act(5, 0, "unpark", issue=1),
            ),
            (Act(0, 0, "park", issue=1), Act("write", 0, "cancel", issue=2)),
            (Act(0, 0, "unpark", issue=1),),
        ),
        leftover="lives on",
    ),
    Scenario(
        "stopped, and merges of the engine's own",
        _wave("a#1", "a#2", "b#1"),
        2,
        "review",
        acts=(
            (Act(1, 0, "take a turn", repo=0, seconds=3), Act(4, 0, "stop")),
            (Act(0, 0, "take a turn", repo=0, seconds=2),),
        ),
    ),
    Scenario("a lane is reserved", _RESERVED, 2, leftover="lives on"),
    Scenario(
        "a lane is reserved too long",
        _LATE,
        2,
        planned=(True, False),
        acts=((Act(1, 0, "set", level=1), Act(1, 0, "set", level=2), Act(2, 0, "park", issue=2)),),
    ),
)
"""The scenarios that are crashed at every point."""
SMALLEST: Final = (SCENARIOS[0], SCENARIOS[2])
"""The ones in which CI also crashes the lives after a crash."""
MOST_REVEALING: Final = (
    SCENARIOS[0],
    SCENARIOS[3],
    SCENARIOS[8],
    SCENARIOS[10],
    SCENARIOS[14],
    SCENARIOS[15],
)
"""Those that find most mistakes soon, for who has to find one in a hurry."""
