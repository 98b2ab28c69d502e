"""Each layer as a judge of a mutant: the first thing that it finds broken, or nothing.

A judge runs in a copy of the code with the mutant applied (specs/mutants/trial.py). It looks first
where it is likely to find something, and searches to the end only if it finds nothing.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final
from unittest.mock import patch

from specs.mutants.mutant import Kill, Kind, Layer
from specs.promela.graphs import Graph as Lines
from specs.promela.graphs import by_step, differences
from specs.promela.models import CUT_OFF, PIPE, PLANNED, REWORK, STRICT
from specs.search import ALWAYS, GIVE_UP_AT
from specs.search.examples import Examples
from specs.search.explore import Graph, Violation, explore
from specs.search.fairness import never_drains, never_ends
from specs.search.pinned import PINNED, counted
from specs.search.worlds import WORLDS, World
from wavelane_model.cap import CAP_TABLE
from wavelane_model.lifecycle import TABLE

FIRST_LOOK: Final = 300
"""How many states of each world are searched before any world is searched to its end."""
SOONER: Final = 100
"""How many schedules are simulated before the crashes."""
SCHEDULES: Final = 1_500
"""After how many schedules an executor counts as right, unless asked otherwise."""
PROOF_TIMEOUT: Final = 3_000
"""Milliseconds for one question to z3: what is true is settled in a tenth of them."""
RUNS: Final = 40
"""After how many verified journals an executor counts as right."""
SHARED: Final = (STRICT, PIPE, REWORK, CUT_OFF, PLANNED)
"""The worlds in which layer 3 looks at what the mutant's step reaches."""
_BY_SIZE: Final = sorted(
    (world for world in WORLDS if not world.nightly), key=lambda world: PINNED[world.name].states
)


@dataclass(frozen=True, slots=True)
class Brief:
    """What a judge needs beside the code in its copy.

    `rows` are those of the tables without the mutant, written out; `lines` is a file with what
    spin reaches in the worlds of `SHARED`; after so many `schedules` an executor counts as right.
    """

    kind: Kind
    rows: frozenset[str]
    lines: str
    schedules: int


def by_proof(brief: Brief) -> Kill | None:
    """The first obligation that cannot be proved; those of changed rows are looked at first."""
    from specs.proof import agreement, examples, induction

    rows = tuple(row for row in TABLE if repr(row) not in brief.rows)
    cap_rows = tuple(row for row in CAP_TABLE if repr(row) not in brief.rows)
    places = {(row.trigger, row.source) for row in rows}
    kin = tuple(row for row in TABLE if (row.trigger, row.source) in places)
    if rows or cap_rows:
        with patch.object(induction, "TIMEOUT", PROOF_TIMEOUT):
            verdicts = chain(
                induction.proved(kin, cap_rows),
                examples.found(TABLE, CAP_TABLE),
                induction.proved(TABLE, CAP_TABLE),
            )
            for verdict in verdicts:
                if not verdict.holds:
                    return Kill(verdict.property, verdict.what)
    for result in agreement.agreed():
        if not result.passed:
            return Kill(result.property, result.detail.partition("\n")[0])
    return None


def by_search(brief: Brief) -> Kill | None:
    """What a search finds; of a liveness mutant only a fair cycle counts."""
    return _never_ending() if brief.kind == "liveness" else _broken_at_first() or _broken_at_all()


def _broken_at_first() -> Kill | None:
    for world in _BY_SIZE:
        graph = explore(world, Examples(), most=FIRST_LOOK, to_the_end=False)
        if graph.violations:
            return _shortest(graph)
    return None


def _broken_at_all() -> Kill | None:
    examples = Examples()
    for world in _BY_SIZE:
        graph = _explored(world, examples, to_the_end=False)
        if graph.violations:
            return _shortest(graph)
        if graph.cut or counted(graph) != PINNED[world.name]:
            found = graph.cut or f"{counted(graph)}, and not {PINNED[world.name]}"
            return Kill("count", f"{world.name}: {found}")
        for violation in _fair_cycles(graph):
            return _kill_of(world, violation)
    for name, (_, missing) in examples.groups().items():
        if missing:
            return Kill(f"sometimes {name}", f"no example of: {', '.join(missing)}")
    return None


def _never_ending() -> Kill | None:
    for world in _BY_SIZE:
        graph = _explored(world, Examples(), to_the_end=True)
        for violation in () if graph.cut else _fair_cycles(graph):
            return _kill_of(world, violation)
    return None


def _explored(world: World, examples: Examples, *, to_the_end: bool) -> Graph:
    most = GIVE_UP_AT * PINNED[world.name].states
    return explore(world, examples, most=most, to_the_end=to_the_end)


def _fair_cycles(graph: Graph) -> Iterator[Violation]:
    yield from (one for one in (never_ends(graph), never_drains(graph)) if one is not None)


def _shortest(graph: Graph) -> Kill:
    """Of the shortest traces the one whose property comes first in the list of the search."""
    order = list(ALWAYS)
    shortest = min(
        graph.violations.values(), key=lambda one: (len(one.events), order.index(one.property))
    )
    return _kill_of(graph.world, shortest)


def _kill_of(world: World, violation: Violation) -> Kill:
    steps = len(violation.events) + len(violation.cycle or ())
    return Kill(violation.property, world.name, steps)


def by_spin(brief: Brief) -> Kill | None:
    """A difference between the states and transitions of the step and of the Promela model."""
    of_spin: dict[str, Lines] = pickle.loads(Path(brief.lines).read_bytes())
    for model in SHARED:
        if found := differences(by_step(model.world), of_spin[model.file]):
            return Kill("same as the step", f"{model.world.name}: {len(found)} differences")
    return None


def by_simulation(brief: Brief) -> Kill | None:
    """The first schedule, by seed, or the first crash that breaks something."""
    return (
        _by_schedules(range(min(SOONER, brief.schedules)))
        or _by_crashes()
        or _by_schedules(range(SOONER, brief.schedules))
    )


def _by_schedules(seeds: range) -> Kill | None:
    from specs.simulation.chooser import SeededChooser
    from specs.simulation.schedule import play
    from specs.simulation.sweep import folder_of_journals

    with folder_of_journals() as folder:
        for seed in seeds:
            played = play(SeededChooser(seed), folder)
            if played.broken:
                return Kill(played.broken, f"seed {seed}", seed + 1)
    return None


def _by_crashes() -> Kill | None:
    from specs.simulation.crashes import first_broken
    from specs.simulation.scenarios import MOST_REVEALING
    from specs.simulation.sweep import folder_of_journals

    with folder_of_journals() as folder:
        history = first_broken(MOST_REVEALING, folder / "journal.db")
    if history is None or history.broken is None:
        return None
    at = ", ".join(map(str, history.crashes)) or "no point"
    return Kill(history.broken, f"{history.scenario.name}, crashed at {at}")


def by_traces(brief: Brief) -> Kill | None:
    """The first random run that breaks a rule by its journal or by the monitor."""
    from specs.monitored import broken_rules
    from specs.traces import random_run
    from wavelane.verify import verify

    with tempfile.TemporaryDirectory() as folder:
        for seed in range(RUNS):
            path = Path(folder, f"run{seed}.db")
            report = random_run(path, seed)
            verdict = verify(path)
            if not verdict.keeps_the_rules:
                return Kill(verdict.findings[0].rule, f"seed {seed}", seed + 1)
            for broken in broken_rules(path):
                return Kill(broken.property, f"seed {seed}", seed + 1)
            if verdict.outcome != report.outcome:
                return Kill("outcome", f"seed {seed}", seed + 1)
    return None


JUDGES: Final[dict[Layer, Callable[[Brief], Kill | None]]] = {
    "proof": by_proof,
    "search": by_search,
    "promela": by_spin,
    "simulation": by_simulation,
    "traces": by_traces,
}
