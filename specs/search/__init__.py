"""Layer 2: exhaustive search of the real `step` on small worlds.

The search visits every state that a world can reach, takes every event that is legal there and
tries every other one. Properties have names:

- `always`: invariants of every state and every transition (`ALWAYS` has a sentence for each);
- `sometimes`: examples that must exist (specs/search/examples.py);
- `eventually`: what must happen in the end, under assumptions (specs/search/fairness.py);
- `count`: how many states, transitions and ends there are (specs/search/pinned.py).

A violation is shown by its shortest trace, as a script that runs (specs/search/script.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from specs.results import Result
from specs.search.examples import Examples
from specs.search.explore import TOO_MANY, Graph, Violation, explore
from specs.search.fairness import never_drains, never_ends
from specs.search.pinned import PINNED, Counts, counted
from specs.search.script import script
from specs.search.worlds import WORLDS, World

ALWAYS: Final[dict[str, str]] = {
    "lane": "a repo has at most one active issue",
    "cap": "an issue is admitted only while fewer than the level are in flight",
    "merge": "a repo has one merge under way at most, in the order of approval",
    "order": "an issue is admitted only when all that it depends on is done",
    "plan": "what is admitted comes first in the plan, and no lane is reserved for one before it",
    "pause": "no issue is admitted and no session starts at level 0 or after a stop",
    "bound": "never more in flight than the highest level in force since the run began",
    "once": "an issue has one session at a time and is done by one merge",
    "glide": "a session is ended on order only because its issue is parked or cancelled",
    "end": "the run ends exactly when, and as, it should; between runs nothing starts",
    "wake": "no issue is admitted before its wait is over; the start of a run says when postponed "
    "issues are to be woken, and until when lanes are reserved",
    "outcome": "what a session ended with, or what is left of it, decides where its issue goes",
    "limits": "a step is tried again as often as the limits allow, then its issue is parked",
    "cap control": "the cap moves as its table says, and says so",
    "why": "every issue has a reason, and it is true",
    "announced": "each move is announced, and leads where it should",
    "rows": "of a trigger at most one row applies, and none ends a session that is not open",
    "legal": "an event that is legal is taken",
    "rejection": "an event that is not legal is refused and changes nothing",
    "crash": "a step fails with nothing but a refusal",
    "fixpoint": "a step leaves nothing undone that may be done",
    "bookkeeping": "counters and indexes say the same as the records",
    "index": "the heaps propose the candidate that follows from the records",
}
EVENTUALLY: Final[dict[str, str]] = {
    "progress": "if sessions end and the cap is above 0 again and again, the wave ends",
    "drain": "paused for ever or stopped, what runs ends and merges that were ready go through",
}
GIVE_UP_AT: Final = 3
"""A search gives up beyond so many times the states that are pinned."""


@dataclass
class Findings:
    """The findings of the search of some worlds."""

    examples: Examples = field(default_factory=Examples)
    counts: list[Result] = field(default_factory=list)
    violations: list[tuple[World, Violation]] = field(default_factory=list)
    states: int = 0
    fair_seconds: float = 0.0

    def search(self, world: World, pinned: Counts | None, to_the_end: bool) -> None:
        """Search one world and record its findings."""
        began = perf_counter()
        most = GIVE_UP_AT * pinned.states if pinned else TOO_MANY
        graph = explore(world, self.examples, most=most, to_the_end=to_the_end)
        self.counts.append(_count(graph, pinned, perf_counter() - began))
        self.states += len(graph)
        self.violations += ((world, one) for one in graph.violations.values())
        if not graph.cut:
            self._look_for_fair_cycles(graph)

    def results(self) -> list[Result]:
        """One result a property, and one for the count of each world.

        All properties are checked in one search, so its time stands with the counts alone, and
        that of the search for fair cycles with `progress`.
        """
        return [
            *(self._result("always", one) for one in ALWAYS),
            *(self._result("eventually", one) for one in EVENTUALLY),
            *self._sometimes(),
            *self.counts,
        ]

    def _look_for_fair_cycles(self, graph: Graph) -> None:
        began = perf_counter()
        found = (never_ends(graph), never_drains(graph))
        self.violations += ((graph.world, one) for one in found if one is not None)
        self.fair_seconds += perf_counter() - began

    def _result(self, kind: str, name: str) -> Result:
        shortest = min(
            ((world, one) for world, one in self.violations if one.property == name),
            key=lambda found: len(found[1].events) + len(found[1].cycle or ()),
            default=None,
        )
        detail = "" if shortest is None else script(*shortest)
        seconds = self.fair_seconds if name == "progress" else 0.0
        return Result(
            "search", f"{kind} {name}", shortest is None, self.states, "states", seconds, detail
        )

    def _sometimes(self) -> list[Result]:
        return [
            Result(
                "search",
                f"sometimes {name}",
                not missing,
                count - len(missing),
                "examples",
                0.0,
                f"no example of: {'; '.join(missing)}" if missing else "",
            )
            for name, (count, missing) in self.examples.groups().items()
        ]


def run(nightly: bool = False) -> list[Result]:
    """Search all worlds; those that are too large for CI only with `nightly`."""
    return search([world for world in WORLDS if nightly or not world.nightly])


def search(
    worlds: Sequence[World],
    pinned: Mapping[str, Counts] = PINNED,
    *,
    to_the_end: bool = True,
) -> list[Result]:
    """Search `worlds` and say of every property whether it holds.

    Without `to_the_end` each world is searched up to the first thing that is broken in it.
    """
    findings = Findings()
    for world in worlds:
        findings.search(world, pinned.get(world.name), to_the_end)
    return findings.results()


def _count(graph: Graph, pinned: Counts | None, seconds: float) -> Result:
    found = counted(graph)
    detail = ""
    if graph.cut:
        detail = f"the search of {found} is not complete: {graph.cut}"
    elif pinned is None:
        detail = f"nothing is pinned for this world; found: {found}"
    elif found != pinned:
        detail = (
            f"pinned: {pinned}; found: {found}. Find out why, then change specs/search/pinned.py"
        )
    title = f"count of {graph.world.name}"
    return Result("search", title, not detail, len(graph), "states", seconds, detail)
