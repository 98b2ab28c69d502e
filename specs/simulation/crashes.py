"""Crashes: the process dies at every point of every plan, and of recoveries too.

once      every life of a plan that follows no other dies at each of its points, one after the other
twice     the recovery after each of these dies too, at each of its points; at night of every plan,
          and in the smallest ones the whole life after the recovery
seeded    plans of a seed's liking, under chosen schedules, die at up to three points of a seed's
          liking

A life that finds the same journal and the same world as another one did is the same life, but for
the time of day: by day it is lived once. At night each is lived.
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
from specs.simulation.life import STAGES, Life
from specs.simulation.plan import PLANS, SMALLEST, Plan
from specs.simulation.process import in_its_own_process
from specs.simulation.sweep import folder_of_journals
from wavelane import Scheduler

SEEDS: Final = 100
"""How many plans of a seed's liking are crashed in CI."""
NIGHTLY_SEEDS: Final = 5_000
"""How many at night."""
PARTS: Final = 2
"""So many processes share the second crashes of one plan."""
SEEDS_A_TIME: Final = 25

CRASHED: Final[dict[str, str]] = {
    "lane": "a repo has at most one session that is alive of an issue that is active",
    "cap": "an issue starts only while fewer than the level are in flight, by the journal too",
    "merge": "a repo has one merge at a time, in the order of approval, over all lives",
    "order": "an issue starts only when all that it depends on is merged in the world",
    "pause": "no session starts at level 0, which holds in later lives",
    "bound": "never more sessions alive than the highest level in force",
    "once": "no session starts while one of its issue is alive, also from an earlier life; each "
    "issue is merged at most once in the world, and what is done is merged once",
    "stages": "what is reviewed has work in the world, and what merges is approved in the world",
    "recovery": "each life asks about exactly what was in flight by the journal, once each, no "
    "more than the highest level before, and before anything starts",
    "kept": "a park, a cancel or a move of the cap holds in later lives once it was committed",
    "same": "the same issues are done as without a crash, where nobody takes one out",
    "durable": "what follows from an event happens after the event is on disk, and once",
    "ended": "a session is cancelled with reason, and not started once it is to end",
    "reservation": "nothing is admitted into a lane that is reserved for what comes before it in "
    "the plan; a reservation ends by its time, when its issue or what that waits for goes, and "
    "with its life",
    "plan": "what could be admitted goes by priority and plan; a plan that is better is told; a "
    "life that is not to plan follows none, of an earlier life neither",
    "idle": "what is ready starts where its lane is free and not reserved, and the cap has room",
    "lever": "when a call to the lever returns, the cap is where it was moved to",
    "told": "what sessions of the last life ended with stands in the journal, and what is merged "
    "is done",
    "ending": "a life that does not die returns from run()",
    "leftover": "no session and no task outlives run()",
    "journal": "the journal keeps the rules, is whole, and folds into the report of the last run",
    "vanished": "no error goes where nobody looks",
    "progress": "with the operator gone and the cap at its ceiling the wave ends",
    "crash": "nothing else goes wrong",
}
"""What holds of every history, over all of its lives."""
SOMETIMES_CRASHED: Final = (
    "a crash at an await",
    "a crash in the world",
    *(f"a crash at {stage}" for stage in STAGES),
    "a crash of a recovery",
    "a session outlives its process",
    "a merge goes in after its process has died",
    "a merge is in and not in the journal",
    *(f"recover answers {kind}" for kind in ("Merged", "Resumed", "Discarded", "Blocked")),
    "recover raises",
    *("a crash during a reservation", "a reservation makes an issue wait", "a plan is withdrawn"),
    *("a reservation ends: its time has come", "a reservation ends: its run ends"),
    *(f"a history ends {outcome}" for outcome in ("complete", "blocked", "stopped")),
)
"""What must have happened in one of them, or too little is looked at."""


class Where(NamedTuple):
    """Which history it is: of a plan, or of a seed; and where it died."""

    plan: str
    crashes: tuple[int, ...]
    seed: int | None = None

    def __str__(self) -> str:
        if self.seed is not None:
            return f"python -m specs.simulation --crash-seed {self.seed}"
        at = ",".join(map(str, self.crashes))
        return f'python -m specs.simulation --plan "{self.plan}" --crash {at}'


@dataclass
class Crashes:
    """What was found.

    `once`, `twice` and `seeded` count crashes: of first lives, of the lives that follow them, and
    of plans of a seed's liking. `different` counts, of the first two, those that left something
    that no other had left. `lives` are all that were lived.
    """

    once: int = 0
    twice: int = 0
    seeded: int = 0
    different: int = 0
    lives: int = 0
    broken: dict[str, Where] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def crashes(self) -> int:
        """All of them."""
        return self.once + self.twice + self.seeded

    def add(self, other: Crashes) -> None:
        """Add what others found."""
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


def lived(
    history: History,
    path: Path,
    dies_at: int | None,
    scheduler: type[Scheduler] = Scheduler,
    chooser: Callable[[], Chooser] = lambda: RecordedChooser([]),
) -> History:
    """The history after one more life, which dies at point `dies_at` or is lived to its end."""

    def live(die: Callable[[History], NoReturn]) -> History:
        return Life(history, path, chooser(), scheduler, dies_at, die).live()

    return in_its_own_process(live)


def played(
    plan: Plan, crashes: Sequence[int], path: Path, scheduler: type[Scheduler] = Scheduler
) -> History:
    """The history of a plan whose lives die at these points, but for the last."""
    emptied(path)
    history = History.of(plan)
    for dies_at in (*crashes, None):
        history = lived(history, path, dies_at, scheduler)
        if history.done is not None or history.broken:
            break
    emptied(path)
    return history


def played_by_seed(seed: int, path: Path, scheduler: type[Scheduler] = Scheduler) -> History:
    """The history of a plan of the seed's liking, which dies where the seed likes."""
    chooser = SeededChooser(seed)
    plan = Plan.chosen(chooser, f"seed {seed}")
    choosers = [partial(SeededChooser, chooser.number(1 << 30)) for _ in range(4)]
    undisturbed = lived(History.of(plan), path, None, scheduler, choosers[0])
    emptied(path)
    history, points = History.of(plan), undisturbed.points
    for at in range(1 + chooser.number(3)):
        dies_at = chooser.number(points)
        history = lived(history, path, dies_at, scheduler, choosers[at])
        points = chooser.one_of((60, points))
    if history.done is None and not history.broken:
        history = lived(history, path, None, scheduler, choosers[3])
    emptied(path)
    return history


class Saved:
    """A journal as a process left it, so that more than one life can find it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = {one: one.read_bytes() for one in _files(path) if one.is_file()}

    def restore(self) -> None:
        """Put it back."""
        emptied(self._path)
        for path, data in self._files.items():
            path.write_bytes(data)


def emptied(path: Path) -> None:
    """Take the journal away, and all that lies beside it."""
    for one in _files(path):
        one.unlink(missing_ok=True)


def _files(path: Path) -> Iterator[Path]:
    return (path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm", "-lock", "-bell"))


# All histories


def crashed(
    plan: Plan,
    path: Path,
    scheduler: type[Scheduler] = Scheduler,
    *,
    second: range | None = None,
    everything: bool = False,
) -> Crashes:
    """Let the first life of a plan die at each of its points, and go on from each.

    `second`: of the different things that are left, those whose number modulo `PARTS` is in it are
    crashed again, and only they. `everything`: what was left before is gone on from again, and the
    second crash may come after the recovery as well.
    """
    crasher = _Crasher(plan, path, scheduler, second, everything)
    for _ in crasher.histories():
        pass
    return crasher.found


def first_broken(
    plans: Iterable[Plan], path: Path, scheduler: type[Scheduler] = Scheduler
) -> History | None:
    """The first history of these plans, crashed once, that breaks something."""
    for plan in plans:
        for history in _Crasher(plan, path, scheduler, None, False).histories():
            if history.broken:
                return history
    return None


class _Crasher:
    def __init__(
        self,
        plan: Plan,
        path: Path,
        scheduler: type[Scheduler],
        second: range | None,
        everything: bool,
    ) -> None:
        self.found = Crashes()
        self._plan = plan
        self._path = path
        self._scheduler = scheduler
        self._second = second
        self._everything = everything
        self._done: frozenset[str] | None = None

    def histories(self) -> Iterator[History]:
        """Each history, judged, as it is found."""
        emptied(self._path)
        undisturbed = self._judged(self._lived(History.of(self._plan), None))
        self._done = undisturbed.done
        yield undisturbed
        known: dict[str, int] = {}
        for point in range(0 if undisturbed.broken else undisturbed.points):
            emptied(self._path)
            left = self._lived(History.of(self._plan), point)
            is_new = left.left not in known
            number = known.setdefault(left.left, len(known))
            if self._second is None:
                self.found.once += 1
                yield from self._gone_on_from(left, is_new)
            elif is_new and number % PARTS in self._second and not left.broken:
                yield from self._died_again(left)

    def _died_again(self, left: History) -> Iterator[History]:
        saved = Saved(self._path)
        after = self._lived(left, None)
        recovery = after.points if after.recovery is None else after.recovery
        known: set[str] = set()
        for point in range(after.points if self._everything else recovery):
            saved.restore()
            again = self._lived(left, point)
            self.found.twice += 1
            yield from self._gone_on_from(again, again.left not in known)
            known.add(again.left)

    def _gone_on_from(self, left: History, is_new: bool) -> Iterator[History]:
        self.found.different += is_new
        if left.broken or not (is_new or self._everything):
            yield self._judged(left)
        else:
            yield self._judged(self._lived(left, None))

    def _lived(self, history: History, dies_at: int | None) -> History:
        self.found.lives += 1
        return lived(history, self._path, dies_at, self._scheduler)

    def _judged(self, history: History) -> History:
        if history.done is not None and history.crashes and self._plan.same_done:
            check_same(history, self._done)
        self.found.seen.update(history.seen)
        if history.broken:
            where = Where(self._plan.name, tuple(history.crashes))
            self.found.broken.setdefault(history.broken, where)
        return history


def check_same(history: History, undisturbed: frozenset[str] | None) -> None:
    """Whether the same issues are done as without a crash."""
    if history.done is not None and undisturbed is not None and history.done != undisturbed:
        history.complain(f"same: done are {sorted(history.done)}, and not {sorted(undisturbed)}")


def seeded(seeds: range, path: Path, scheduler: type[Scheduler] = Scheduler) -> Crashes:
    """Crash the plans of these seeds."""
    found = Crashes()
    for seed in seeds:
        history = played_by_seed(seed, path, scheduler)
        found.seeded += len(history.crashes)
        found.lives += history.survivor.life + 1
        found.seen.update(history.seen)
        if history.broken:
            where = Where(history.plan.name, tuple(history.crashes), seed)
            found.broken.setdefault(history.broken, where)
    return found


Task = tuple[str, int, bool]
"""Kind, the number of a plan or the first seed, and whether everything is looked at."""


def _tasks(nightly: bool) -> Iterator[Task]:
    for at, plan in enumerate(PLANS):
        if nightly or plan in SMALLEST:
            whole = nightly and plan in SMALLEST
            yield from ((f"twice {part}", at, whole) for part in range(PARTS))
    yield from (("once", at, nightly) for at in range(len(PLANS)))
    seeds = NIGHTLY_SEEDS if nightly else SEEDS
    yield from (("seeded", first, nightly) for first in range(0, seeds, SEEDS_A_TIME))


def _done(task: Task) -> Crashes:
    kind, number, everything = task
    with folder_of_journals() as folder:
        path = folder / "journal.db"
        if kind == "seeded":
            return seeded(range(number, number + SEEDS_A_TIME), path)
        if kind == "once":
            return crashed(PLANS[number], path, everything=everything)
        part = int(kind.split()[1])
        return crashed(PLANS[number], path, second=range(part, part + 1), everything=everything)


def crashed_in_parallel(nightly: bool = False) -> Crashes:
    """All histories, in as many processes as there are cores."""
    found = Crashes()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count() or 1, spawn) as pool:
        for one in pool.map(_done, _tasks(nightly)):
            found.add(one)
    return found


# What is told


def run(nightly: bool = False) -> list[Result]:
    """Crash everything, and say of every property whether it holds."""
    began = perf_counter()
    found = crashed_in_parallel(nightly)
    return results(found, perf_counter() - began)


def results(found: Crashes, seconds: float) -> list[Result]:
    """One result a property. All are checked together: the time stands with `progress`."""
    missing = [one for one in SOMETIMES_CRASHED if not found.seen[one]]
    return [
        *(
            Result(
                "simulation",
                f"crashed {name}",
                name not in found.broken,
                found.crashes,
                "crashes",
                seconds if name == "progress" else 0.0,
                told(found.broken[name]) if name in found.broken else "",
            )
            for name in CRASHED
        ),
        Result(
            "simulation",
            "sometimes crashed",
            not missing,
            len(SOMETIMES_CRASHED) - len(missing),
            "examples",
            0.0,
            f"never seen: {', '.join(missing)}" if missing else "",
        ),
    ]


def told(where: Where) -> str:
    """What was broken, for people: how to see it again, and how it went."""
    return f"see it again: {where}\n{again(where)}"


def again(where: Where) -> History:
    """One history once more."""
    with folder_of_journals() as folder:
        path = folder / "journal.db"
        if where.seed is not None:
            return played_by_seed(where.seed, path)
        plan = next(one for one in PLANS if one.name == where.plan)
        history = played(plan, where.crashes, path)
        if plan.same_done:
            check_same(history, played(plan, (), path).done)
        return history
