"""One measurement: one contestant, once through one wave, in a process of its own.

    python -m benchmarks.measurement time|memory CONTESTANT SIZE

Both are from the list of issues to the end of the run, what it sets up included; a small wave goes
first, so that nothing is done for the first time. Memory is the peak that `tracemalloc` sees. That
slows a run down, so it has one of its own; it does not see the few megabytes of SQLite's cache.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from benchmarks.contestants import CONTESTANTS, JournalSize, Name
from benchmarks.workload import NoOpSessions, issues

Quantity = Literal["time", "memory"]
_WARM_UP: Final = 100


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run took: `amount` is in seconds or in bytes."""

    amount: float
    journal_bytes: int
    events: int


Measure = Callable[[Quantity, Name, int], Measurement]


def measured(quantity: Quantity, contestant: Name, size: int) -> Measurement:
    """Measure in this process. Raises `RuntimeError` when the wave was not done."""
    _run(contestant, _WARM_UP, _seconds)
    return _run(contestant, size, _seconds if quantity == "time" else _peak_bytes)


def measured_apart(quantity: Quantity, contestant: Name, size: int) -> Measurement:
    """Measure in a fresh process. Raises `CalledProcessError` when the wave was not done."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.measurement", quantity, contestant, str(size)],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Measurement(**json.loads(done.stdout))


def _run(contestant: Name, size: int, gauge: Callable[[Callable[[], None]], float]) -> Measurement:
    wave, sessions = issues(size), NoOpSessions()
    journal: JournalSize | None = None

    def go() -> None:
        nonlocal journal
        journal = asyncio.run(CONTESTANTS[contestant](wave, sessions))

    amount = gauge(go)
    if sessions.merged != size:
        raise RuntimeError(f"{contestant}: {sessions.merged} of {size} issues were merged")
    return Measurement(amount, *(journal or JournalSize(0, 0)))


def _seconds(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _peak_bytes(run: Callable[[], None]) -> float:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def main(quantity: Quantity, contestant: Name, size: str) -> None:
    """Print one measurement as JSON."""
    print(json.dumps(asdict(measured(quantity, contestant, int(size)))))


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
