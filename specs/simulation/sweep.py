"""A sweep: many schedules by seed, in one process or in as many as there are cores."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from specs.simulation.chooser import RecordedChooser, SeededChooser
from specs.simulation.schedule import Played, play
from specs.simulation.shrink import shrink
from wavelane import Scheduler

CHUNK: Final = 250
"""Schedules that a process plays at a time."""
REPLAYED: Final = 50
"""One schedule in this many is played twice."""
_MEMORY: Final = Path("/dev/shm")


@dataclass
class Sweep:
    """What was found: the lowest seed for each broken property, and the things that happened."""

    schedules: int = 0
    replayed: int = 0
    broken: dict[str, int] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, other: Sweep) -> None:
        """Add what another sweep found."""
        self.schedules += other.schedules
        self.replayed += other.replayed
        self.seen += other.seen
        for name, seed in other.broken.items():
            self.broken[name] = min(seed, self.broken.get(name, seed))


@contextmanager
def folder_of_journals() -> Iterator[Path]:
    """A temporary folder; in memory where the system allows it, for speed."""
    where = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="wavelane-", dir=where) as folder:
        yield Path(folder)


def sweep(seeds: range, scheduler: type[Scheduler] = Scheduler) -> Sweep:
    """Play the schedules of these seeds in this process."""
    found = Sweep()
    with folder_of_journals() as folder:
        for seed in seeds:
            played = play(SeededChooser(seed), folder, scheduler)
            found.schedules += 1
            found.seen.update(played.seen)
            if seed % REPLAYED == 0:
                found.replayed += 1
                if str(play(SeededChooser(seed), folder, scheduler)) != str(played):
                    found.broken.setdefault("replay", seed)
            if played.broken:
                found.broken.setdefault(played.broken, seed)
    return found


def sweep_in_parallel(seeds: range) -> Sweep:
    """Play the schedules of these seeds in as many processes as there are cores."""
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    found = Sweep()
    with ProcessPoolExecutor(
        min(os.cpu_count() or 1, len(chunks)), multiprocessing.get_context("spawn")
    ) as pool:
        for one in pool.map(sweep, chunks):
            found.add(one)
    return found


def replayed(
    choices: Sequence[int] | None = None,
    seed: int = 0,
    scheduler: type[Scheduler] = Scheduler,
    *,
    simpler: bool = False,
) -> Played:
    """One schedule, by its choices or its seed; with `simpler`, shrunk if it breaks a property."""
    with folder_of_journals() as folder:

        def again(choices: Sequence[int]) -> Played:
            return play(RecordedChooser(choices), folder, scheduler)

        played = (
            again(choices) if choices is not None else play(SeededChooser(seed), folder, scheduler)
        )
        return shrink(played, again) if simpler and played.broken else played
