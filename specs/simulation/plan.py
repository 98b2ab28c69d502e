"""Plans: the small waves that are crashed, with all that is not left to the crash.

A plan says what the sessions end with, what an operator does in each life of the process, what
becomes of the sessions of a process that dies, and what the world can tell of them.
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

Answer = Literal["keep", "discard", "unclear", "raise"]
"""What the world can tell after a crash: what is there is kept; it is thrown away; of what was
merging nothing can be told; of what was in review looking itself fails. What is merged is always
found merged where it can be told."""
Leftover = Literal["dies", "lives on", "goes in"]
"""What becomes of a session whose process dies: it dies too; it lives on until `recover` ends it;
it lives on, and if it is a merge, it goes in before it is ended."""
Endings = Mapping[tuple[Step, str], tuple[object, ...]]


_LIMITS: Final = Limits(postpone_delay=5)


@dataclass(frozen=True, slots=True)
class Plan:
    """One small wave.

    `endings`: what the calls of a step of an issue end with, one after the other; then all is well.
    `acts`: what an operator does in each life; in a later one, nothing. When he has done all, he
    waits for `patience` seconds and moves the cap to its ceiling. `planned`: whether each life is
    to plan the order of admission; later ones do as the last.
    """

    name: str
    wave: Wave
    ceiling: int
    lane_release: LaneRelease = "done"
    endings: Endings = field(default_factory=dict)
    acts: tuple[tuple[Act, ...], ...] = ()
    patience: int = 0
    leftover: Leftover = "dies"
    answer: Answer = "keep"
    limits: Limits = _LIMITS
    planned: tuple[bool | None, ...] = (None,)

    def case(self, life: int) -> Case:
        """What one life of the process is about; the first is life 0."""
        acts = self.acts[life] if life < len(self.acts) else ()
        planned = self.planned[min(life, len(self.planned) - 1)]
        return Case(self.wave, self.ceiling, self.lane_release, self.limits, 0, None, acts, planned)

    def ending(self, step: Step, issue: str, ended: int) -> object:
        """What the call after `ended` others ends with."""
        endings = self.endings.get((step, issue), ())
        return endings[ended] if ended < len(endings) else HAPPY[step]

    @classmethod
    def chosen(cls, chooser: Chooser, name: str) -> Plan:
        """A plan of the chooser's liking."""
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
        """Whether the same issues are done in the end, wherever it crashes."""
        matter = ("park", "cancel", "unpark", "add", "change", "stop")
        acts = [act.what for life in self.acts for act in life]
        can_tell = self.answer in ("keep", "discard")
        return can_tell and not any(act in matter for act in acts) and not self._parks

    @property
    def _parks(self) -> bool:
        """Whether a session may end so, or so often, that its issue is parked."""
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
"""It ends soonest if lane b is reserved for b#1; only the first estimate is right."""
_LATE: Final = _wave("a#1 1", "b#1 30 < a#1", "a#2 30 < b#1", "b#2 30")
"""What b#1 waits for takes so long that its reservation ends before it starts."""
_PAUSE: Final = (Act(2, 0, "pause"), Act(30, 0, "resume"))
_TINY: Final = _wave("a#1")
_PAIR: Final = _wave("a#1", "a#2 < a#1")

PLANS: Final = (
    Plan("one issue", _TINY, 1, leftover="goes in"),
    Plan("one issue, parked", _TINY, 1, acts=((Act(3, 0, "park"),), (Act(9, 0, "unpark"),))),
    Plan("two repos, leftovers", _wave("a#1", "b#1"), 2, leftover="lives on"),
    Plan("dependency", _wave("a#1", "b#1 < a#1"), 2, answer="discard", leftover="goes in"),
    Plan(
        "change request and conflict",
        _PAIR,
        1,
        endings={
            ("review", "a#1"): (ChangesRequested("a test"),),
            ("merge", "a#2"): (Conflicted("a.py"),),
        },
    ),
    Plan(
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
    Plan(
        "pipelined, two merges queue",
        _wave("a#1", "a#2", "a#3"),
        3,
        "review",
        endings={("review", "a#2"): (ChangesRequested("a test"),)},
        leftover="goes in",
    ),
    Plan(
        "pipelined, discarded",
        _wave("a#1", "a#2", "b#1 < a#1"),
        3,
        "review",
        answer="discard",
        leftover="lives on",
    ),
    Plan(
        "cap falls to 1",
        _wave("a#1", "b#1", "c#1", "a#2 < c#1"),
        3,
        acts=((Act(1, 0, "set", level=1),), (Act(4, 0, "set", level=2),)),
        patience=12,
        leftover="lives on",
    ),
    Plan(
        "paused and resumed",
        _wave("a#1", "b#1", "c#1"),
        2,
        acts=(_PAUSE, (), _PAUSE),
        patience=40,
    ),
    Plan(
        "merges cannot be told",
        _wave("a#1", "b#1 < a#1", "c#1"),
        2,
        "review",
        answer="unclear",
        leftover="goes in",
    ),
    Plan("recover raises", _wave("a#1", "b#1"), 2, answer="raise"),
    Plan(
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
    Plan(
        "stopped, and merges of the engine's own",
        _wave("a#1", "a#2", "b#1"),
        2,
        "review",
        acts=(
            (Act(1, 0, "take a turn", repo=0, seconds=3), Act(4, 0, "stop")),
            (Act(0, 0, "take a turn", repo=0, seconds=2),),
        ),
    ),
    Plan("a lane is reserved", _RESERVED, 2, leftover="lives on"),
    Plan(
        "a lane is reserved too long",
        _LATE,
        2,
        planned=(True, False),
        acts=((Act(1, 0, "set", level=1), Act(1, 0, "set", level=2), Act(2, 0, "park", issue=2)),),
    ),
)
"""The waves whose every point is crashed."""
SMALLEST: Final = (PLANS[0], PLANS[2])
"""Those in which the lives after a crash are crashed by day, too."""
TELLING: Final = (PLANS[0], PLANS[3], PLANS[8], PLANS[10], PLANS[14], PLANS[15])
"""Those that find most mistakes soon, for who has to find one in a hurry."""
