"""One measurement: one contestant, once through one wave, in a process of its own.

    python -m benchmarks.measurement time|memory CONTESTANT SIZE LIMIT

Both are from the list of issues to the end of the run. The contestant is opened before, and a small
wave goes first, so that nothing is done for the first time. Memory is the peak that `tracemalloc`
sees. That slows a run down, so it has one of its own; it does not see the few megabytes of SQLite's
cache.

A run that takes longer than its limit is ended by the alarm of its own process. What it has started
beside itself is in its process group, and what it has written is in a temporary folder of its own,
so nothing is left of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from benchmarks.contestants import CONTESTANTS, JournalSize, Name, Run
from benchmarks.workload import NoOpSessions, issues

Quantity = Literal["time", "memory"]
_PROGRAM: Final = (sys.executable, "-m", "benchmarks.measurement")
_WARM_UP: Final = 100
_SECONDS_TO_OPEN: Final = 180


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run took: `amount` is in seconds or in bytes."""

    amount: float
    journal_bytes: int
    events: int


class NotWithinLimit(Exception):
    """The run took longer than it might."""


Measure = Callable[[Quantity, Name, int, int], Measurement]


def measured(quantity: Quantity, contestant: Name, size: int, limit: int = 0) -> Measurement:
    """Measure in this process, which SIGALRM ends after `limit` seconds; 0 is: never.

    Raises `RuntimeError` when the wave was not done.
    """
    with CONTESTANTS[contestant].opened() as run:
        _run(contestant, run, _WARM_UP, _seconds)
        signal.alarm(limit)
        found = _run(contestant, run, size, _seconds if quantity == "time" else _peak_bytes)
        signal.alarm(0)
        return found


def measured_apart(quantity: Quantity, contestant: Name, size: int, limit: int = 0) -> Measurement:
    """Measure in a fresh process.

    Raises `NotWithinLimit`, and `CalledProcessError` when the wave was not done.
    """
    with tempfile.TemporaryDirectory(prefix="wl-", ignore_cleanup_errors=True) as folder:
        done = _ended([*_PROGRAM, quantity, contestant, str(size), str(limit)], {"TMPDIR": folder})
    if done.returncode == -signal.SIGALRM:
        raise NotWithinLimit
    done.check_returncode()
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def _ended(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The command when it has ended, and with it all that is left of its process group."""
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parent.parent,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        try:
            process.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, output)


def _run(
    contestant: Name, run: Run, size: int, gauge: Callable[[Callable[[], None]], float]
) -> Measurement:
    wave, sessions = issues(size), NoOpSessions()
    journal: JournalSize | None = None

    def go() -> None:
        nonlocal journal
        journal = run(wave, sessions)

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


def main(quantity: Quantity, contestant: Name, size: str, limit: str) -> None:
    """Print one measurement as JSON, in the last line."""
    if int(limit):
        signal.alarm(_SECONDS_TO_OPEN)
    print(json.dumps(asdict(measured(quantity, contestant, int(size), int(limit)))))


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
