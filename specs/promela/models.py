"""The worlds that are written in Promela, and how each is compiled.

The rules are in wave.pml. The issues of a world are written twice, on purpose: in its .pml file,
and as a `World` for the real step. If the two differ, so do the states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from specs.promela.graphs import FINDINGS
from specs.promela.spin import Purpose, Verifier
from specs.search.worlds import PIPELINED, SMOOTH, THREE_REPOS, World, wave
from wavelane_model.events import OrderPlanned, Reservation
from wavelane_model.outcomes import Blocked, ChangesRequested
from wavelane_model.wave import Issue, Wave

RULES: Final = "wave.pml"
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Model:
    """A world in Promela: its file, its twin for the real step, and the examples that exist in it.

    `examples` are LTL properties of wave.pml without their "no_". Those that are not named must
    not exist.
    """

    file: str
    world: World
    examples: frozenset[str]
    nightly: bool = False

    @contextmanager
    def compiled(
        self, purpose: Purpose, files: Mapping[str, str] | None = None
    ) -> Iterator[Verifier]:
        """The model's verifier, in a temporary folder. `files`: other texts than those on disk."""
        with TemporaryDirectory(prefix="wavelane-spin-") as folder:
            yield Verifier(Path(folder), files or sources(), self.file, purpose)


def sources() -> dict[str, str]:
    """The Promela files, name → text."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(_HERE.glob("*.pml"))}


def _with_rework(name: str, issues: Wave, ceiling: int) -> World:
    return World(
        name,
        issues,
        ceiling=ceiling,
        lane_release="review",
        outcomes=(*SMOOTH, ChangesRequested),
        moves=("step_down", "step_up", "pause", "resume"),
    )


_THREE: Final = wave("api#1", "api#2", "api#3")
_FIVE: Final = wave("api#1", "web#1 after api#1", "api#2", "web#2", "api#3 after web#1")
_PLANNED: Final = wave("api#1", "web#1 after api#1", "api#2 after web#1", "web#2")
_PLANS: Final = (
    OrderPlanned(
        ("api#1", "web#1", "api#2"), (Reservation("web#1", 10.0), Reservation("api#2", 11.0))
    ),
    OrderPlanned(("web#2", "api#2", "api#1", "web#1"), (Reservation("api#2", 20.0),)),
)
_EVERYWHERE: Final = frozenset(
    ("pause_for_ever", "full_cap", "lowered_cap", "waiting_review", "complete_end")
)
_OF_PAUSES: Final = frozenset(("pause_for_ever", "lowered_cap", "waiting_review"))
_OF_REWORK: Final = frozenset(("merge_queue", "rework_queue", "blocked_end"))
STRICT: Final = Model("three_repos.pml", THREE_REPOS, _EVERYWHERE)
PIPE: Final = Model("pipelined.pml", PIPELINED, _EVERYWHERE | {"merge_queue"})
REWORK: Final = Model(
    "rework.pml",
    _with_rework("one repo, three issues, pipelined, cap 2, change requests", _THREE, ceiling=2),
    _EVERYWHERE | _OF_REWORK,
)
WIDE: Final = Model(
    "wide_rework.pml",
    _with_rework("one repo, three issues, pipelined, cap 3, change requests", _THREE, ceiling=3),
    _EVERYWHERE | _OF_REWORK,
)
CUT_OFF: Final = Model(
    "cut_off.pml",
    World(
        "one repo, two issues, pipelined, change requests, runs are cut off",
        wave("api#1", "api#2"),
        ceiling=2,
        lane_release="review",
        outcomes=(*SMOOTH, ChangesRequested),
        moves=("step_down", "step_up", "pause", "resume"),
        cuts=True,
        findings=FINDINGS,
    ),
    _EVERYWHERE | _OF_REWORK | {"cut_off_merge", "second_cut_off"},
)
PLANNED: Final = Model(
    "planned.pml",
    World(
        "two repos, four issues, plans and reservations, cap moves",
        _PLANNED,
        ceiling=2,
        outcomes=(*SMOOTH, Blocked),
        moves=("step_down", "step_up", "pause", "resume"),
        plans=_PLANS,
        parks=("web#1",),
        cancels=("web#1",),
        early=True,
    ),
    _EVERYWHERE | {"blocked_end", "wait_for_time"},
)
PLANNED_CUT_OFF: Final = Model(
    "planned_cut_off.pml",
    World(
        "two repos, four issues, plans and reservations, runs are cut off",
        _PLANNED,
        ceiling=2,
        outcomes=(*SMOOTH, Blocked),
        plans=_PLANS,
        parks=("web#1",),
        cancels=("web#1",),
        cuts=True,
        findings=FINDINGS,
        early=True,
        between=True,
    ),
    _EVERYWHERE - _OF_PAUSES
    | {"blocked_end", "wait_for_time", "waiting_review", "merge_queue"}
    | {"reservation_between_runs", "cut_off_merge", "second_cut_off"},
)
URGENT: Final = Model(
    "urgent.pml",
    World(
        "two repos, four issues, pipelined, change requests, a plan and priorities",
        Wave(
            [
                Issue("web#1", "web"),
                Issue("api#1", "api", ["web#1"], priority=1),
                Issue("api#2", "api"),
                Issue("api#3", "api", ["api#2"]),
            ]
        ),
        ceiling=2,
        lane_release="review",
        outcomes=(*SMOOTH, ChangesRequested),
        plans=(OrderPlanned(("api#2", "api#3", "api#1", "web#1"), (Reservation("api#3", 10.0),)),),
        early=True,
    ),
    _EVERYWHERE - _OF_PAUSES | _OF_REWORK,
)
LARGE: Final = Model(
    "large.pml",
    _with_rework("two repos, five issues, pipelined, cap 3, change requests", _FIVE, ceiling=3),
    _EVERYWHERE | _OF_REWORK,
    nightly=True,
)
MODELS: Final = (STRICT, PIPE, REWORK, WIDE, CUT_OFF, PLANNED, PLANNED_CUT_OFF, URGENT, LARGE)
