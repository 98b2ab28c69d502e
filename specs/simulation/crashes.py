"""Crashes: the process dies at every point of every scenario, and of recoveries too.

once      the first life of every scenario dies at each of its points in turn
twice     the recovery after each of these crashes dies, too, at each of its points; by night in
          every scenario, and in the smallest ones the whole life after the recovery as well
seeded    scenarios that a seed chooses die at up to three points that the seed chooses, under
          schedules that it chooses

A life that starts from the same journal and the same world as an earlier one repeats it, except for
the time of day: CI plays it once, the nightly form plays each.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple, NoReturn

from specs.results import Result
from specs.simulation.chooser import Chooser, RecordedChooser, SeededChooser
from specs.simulation.history import History
from specs.simulation.life import Life
from specs.simulation.process import in_forked_process
from specs.simulation.properties import (
    CRASHED,
    SOMETIMES_CRASHED,
    always_results,
    sometimes_result,
)
from specs.simulation.scenarios import SCENARIOS, SMALLEST, Scenario
from specs.simulation.sweep import folder_of_journals
from wavelane import Scheduler

SEEDS: Final = 100
"""Seeds whose scenarios CI crashes."""
NIGHTLY_SEEDS: Final = 5_000
"""Seeds whose scenarios the nightly form crashes."""
PARTS: Final = 2
"""Processes that share the second crashes of one scenario."""
SEEDS_A_TIME: Final = 25


class HistoryId(NamedTuple):
    """Identifies a history: its scenario or seed, and the points at which it crashed."""

    scenario: str
    crashes: tuple[int, ...]
    seed: int | None = None

    def __str__(self) -> str:
        if self.seed is not None:
            return f"python -m specs.simulation --crash-seed {self.seed}"
        at = ",".join(map(str, self.crashes))
        return f'python -m specs.simulation --scenario "{self.scenario}" --crash {at}'


@dataclass
class Crashes:
    """What was found.

    Attributes:
        once: Crashes of first lives.
        twice: Crashes of the lives that follow them.
        seeded: Crashes of scenarios that a seed chose.
        different: Crashes of the first two kinds that left a state that no other one left.
        lives: All lives that were played.
        broken: For each broken property, the first history that broke it.
        seen: How often each remarkable thing happened, in words.
    """

    once: int = 0
    twice: int = 0
    seeded: int = 0
    different: int = 0
    lives: int = 0
    broken: dict[str, HistoryId] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def crashes(self) -> int:
        """All of them."""
        return self.once + self.twice + self.seeded

    def add(self, other: Crashes) -> None:
        """Add what another process found."""
        for name in ("once", "twice", "seeded", "different", "lives"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.seen += other.seen
        for name, where in other.broken.items():
            self.broken.setdefault(name, where)

    def __str__(self) -> str:
        return (
            f"{self.once:,} crash points of first lives, {self.twice:,} of the lives after them "
            f"({self.different:,} leave something different), {self.seeded:,} by seed; "
            f"{self.lives:,} lives"
        )


# One history


def run_life(
    history: History,
    path: Path,
    dies_at: int | None,
    scheduler: type[Scheduler] = Scheduler,
    chooser: Callable[[], Chooser] = lambda: RecordedChooser([]),
) -> History:
    """The history after one more life, which dies at point `dies_at` or runs to its end."""

    def live(die: Callable[[History], NoReturn]) -> History:
        return Life(history, path, chooser(), scheduler, dies_at, die).live()

    return in_forked_process(live)


def run_history(
    scenario: Scenario, crashes: Sequence[int], path: Path, scheduler: type[Scheduler] = Scheduler
) -> History:
    """The history of a scenario whose lives die at these points; the last one runs to its end."""
    delete_journal(path)
    history = History.of(scenario)
    for dies_at in (*crashes, None):
        history = run_life(history, path, dies_at, scheduler)
        if history.done is not None or history.broken:
            break
    delete_journal(path)
    return history


def run_seeded_history(seed: int, path: Path, scheduler: type[Scheduler] = Scheduler) -> History:
    """The history of a scenario that the seed chooses, with crashes that it chooses."""
    chooser = SeededChooser(seed)
    scenario = Scenario.chosen(chooser, f"seed {seed}")
    choosers = [partial(SeededChooser, chooser.number(1 << 30)) for _ in range(4)]
    undisturbed = run_life(History.of(scenario), path, None, scheduler, choosers[0])
    delete_journal(path)
    history, points = History.of(scenario), undisturbed.points
    for at in range(1 + chooser.number(3)):
        dies_at = chooser.number(points)
        history = run_life(history, path, dies_at, scheduler, choosers[at])
        points = chooser.one_of((60, points))
    if history.done is None and not history.broken:
        history = run_life(history, path, None, scheduler, choosers[3])
    delete_journal(path)
    return history


class Saved:
    """A copy of the journal that a process left, so that several lives can start from it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = {one: one.read_bytes() for one in _files(path) if one.is_file()}

    def restore(self) -> None:
        """Put it back."""
        delete_journal(self._path)
        for path, data in self._files.items():
            path.write_bytes(data)


def delete_journal(path: Path) -> None:
    """Delete the journal, and the files beside it."""
    for one in _files(path):
        one.unlink(missing_ok=True)


def _files(path: Path) -> Iterator[Path]:
    return (path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm", "-lock", "-bell"))


# All histories


def crash_scenario(
    scenario: Scenario,
    path: Path,
    scheduler: type[Scheduler] = Scheduler,
    *,
    second: range | None = None,
    everything: bool = False,
) -> Crashes:
    """Crash the first life of a scenario at each of its points, and continue from each crash.

    Args:
        scenario: The scenario to crash.
        path: Where its journal goes.
        scheduler: The scheduler under test.
        second: If given, only the states whose number modulo `PARTS` is in it are continued from,
            and the lives that continue from them crash as well.
        everything: Also continue from states that are already known, and let the second crash come
            after the recovery, too.
    """
    crasher = _Crasher(scenario, path, scheduler, second, everything)
    for _ in crasher.histories():
        pass
    return crasher.found


def first_broken(
    scenarios: Iterable[Scenario], path: Path, scheduler: type[Scheduler] = Scheduler
) -> History | None:
    """The first history of these scenarios, with one crash, that breaks a property."""
    for scenario in scenarios:
        for history in _Crasher(scenario, path, scheduler, None, False).histories():
            if history.broken:
                return history
    return None


class _Crasher:
    def __init__(
        self,
        scenario: Scenario,
        path: Path,
        scheduler: type[Scheduler],
        second: range | None,
        everything: bool,
    ) -> None:
        self.found = Crashes()
        self._scenario = scenario
        self._path = path
        self._scheduler = scheduler
        self._second = second
        self._everything = everything
        self._done: frozenset[str] | None = None

    def histories(self) -> Iterator[History]:
        """Each history as it ends, after it was judged."""
        delete_journal(self._path)
        undisturbed = self._judge(self._run_life(History.of(self._scenario), None))
        self._done = undisturbed.done
        yield undisturbed
        known: dict[str, int] = {}
        for point in range(0 if undisturbed.broken else undisturbed.points):
            delete_journal(self._path)
            left = self._run_life(History.of(self._scenario), point)
            is_new = left.left not in known
            number = known.setdefault(left.left, len(known))
            if self._second is None:
                self.found.once += 1
                yield from self._continue_from(left, is_new)
            elif is_new and number % PARTS in self._second and not left.broken:
                yield from self._crash_again(left)

    def _crash_again(self, left: History) -> Iterator[History]:
        saved = Saved(self._path)
        after = self._run_life(left, None)
        recovery = after.points if after.recovery is None else after.recovery
        known: set[str] = set()
        for point in range(after.points if self._everything else recovery):
            saved.restore()
            again = self._run_life(left, point)
            self.found.twice += 1
            yield from self._continue_from(again, again.left not in known)
            known.add(again.left)

    def _continue_from(self, left: History, is_new: bool) -> Iterator[History]:
        self.found.different += is_new
        if left.broken or not (is_new or self._everything):
            yield self._judge(left)
        else:
            yield self._judge(self._run_life(left, None))

    def _run_life(self, history: History, dies_at: int | None) -> History:
        self.found.lives += 1
        return run_life(history, self._path, dies_at, self._scheduler)

    def _judge(self, history: History) -> History:
        if history.done is not None and history.crashes and self._scenario.same_done:
            check_same(history, self._done)
        self.found.seen.update(history.seen)
        if history.broken:
            where = HistoryId(self._scenario.name, tuple(history.crashes))
            self.found.broken.setdefault(history.broken, where)
        return history


def check_same(history: History, undisturbed: frozenset[str] | None) -> None:
    """Complain if other issues are done than without a crash."""
    if history.done is not None and undisturbed is not None and history.done != undisturbed:
        history.complain(f"same: {sorted(history.done)} are done; expected {sorted(undisturbed)}")


def crash_seeds(seeds: range, path: Path, scheduler: type[Scheduler] = Scheduler) -> Crashes:
    """Play the scenarios of these seeds, with their crashes."""
    found = Crashes()
    for seed in seeds:
        history = run_seeded_history(seed, path, scheduler)
        found.seeded += len(history.crashes)
        found.lives += history.observer.life + 1
        found.seen.update(history.seen)
        if history.broken:
            where = HistoryId(history.scenario.name, tuple(history.crashes), seed)
            found.broken.setdefault(history.broken, where)
    return found


CrashJob = tuple[str, int, bool]
"""Kind, number of the scenario or first seed, and whether everything is crashed."""


def _jobs(nightly: bool) -> Iterator[CrashJob]:
    for at, scenario in enumerate(SCENARIOS):
        if nightly or scenario in SMALLEST:
            whole = nightly and scenario in SMALLEST
            yield from ((f"twice {part}", at, whole) for part in range(PARTS))
    yield from (("once", at, nightly) for at in range(len(SCENARIOS)))
    seeds = NIGHTLY_SEEDS if nightly else SEEDS
    yield from (("seeded", first, nightly) for first in range(0, seeds, SEEDS_A_TIME))


def _run_job(job: CrashJob) -> Crashes:
    kind, number, everything = job
    with folder_of_journals() as folder:
        path = folder / "journal.db"
        if kind == "seeded":
            return crash_seeds(range(number, number + SEEDS_A_TIME), path)
        if kind == "once":
            return crash_scenario(SCENARIOS[number], path, everything=everything)
        part = int(kind.split()[1])
        return crash_scenario(
            SCENARIOS[number], path, second=range(part, part + 1), everything=everything
        )


def crash_in_parallel(nightly: bool = False) -> Crashes:
    """Play all histories, in as many processes as there are cores."""
    found = Crashes()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count() or 1, spawn) as pool:
        for one in pool.map(_run_job, _jobs(nightly)):
            found.add(one)
    return found


# The results


def run(nightly: bool = False) -> list[Result]:
    """Crash every scenario; one result for each property."""
    began = perf_counter()
    found = crash_in_parallel(nightly)
    return results(found, perf_counter() - began)


def results(found: Crashes, seconds: float) -> list[Result]:
    """One result for each property."""
    return [
        *always_results(
            CRASHED,
            {name: failure_text(found.broken[name]) for name in CRASHED if name in found.broken},
            prefix="crashed",
            amount=found.crashes,
            unit="crashes",
            seconds=seconds,
        ),
        sometimes_result("crashed", SOMETIMES_CRASHED, found.seen),
    ]


def failure_text(history: HistoryId) -> str:
    """How to play a failing history again, and its trace."""
    return f"see it again: {history}\n{rerun(history)}"


def rerun(history: HistoryId) -> History:
    """Play one history once more."""
    with folder_of_journals() as folder:
        path = folder / "journal.db"
        if history.seed is not None:
            return run_seeded_history(history.seed, path)
        scenario = next(one for one in SCENARIOS if one.name == history.scenario)
        rerun = run_history(scenario, history.crashes, path)
        if scenario.same_done:
            check_same(rerun, run_history(scenario, (), path).done)
        return rerun
