"""The table: what it costs to go on with a wave whose process was killed in mid-run.

    uv run --locked python -m benchmarks.recovery [--sizes 1000,10000,100000] [--repeat 3]
                                                  [--json] [--check]

The journal is that of the wave of `benchmarks.workload`, cut off when half of its issues are done.
*To go on* is from nothing to the moment at which the first session starts: open the journal, fold
it through the model, check its hash chain, ask about what was in flight. Beside it stands what it
costs to read the same rows from the same file and take their JSON apart, and to do nothing with
them.

With `--check` the exit code is 1 when an event costs more than `STEEPEST` times what it costs in
the next smaller journal, or when going on takes more than `DEAREST` times as long as reading.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

from rich import box
from rich.table import Table

from benchmarks.modelrun import events_of
from benchmarks.output import parser_for, report_results
from benchmarks.workload import CAP, issues
from wavelane import Approved, Issue, Limits, Scheduler, Wave
from wavelane.journal import Journal, RecordedEvent, Settings
from wavelane.replay.replay import Replay

STEEPEST: Final = 3.0
DEAREST: Final = 60.0
"""Both are so wide that only a wrong order of growth, or a blunder in every event, passes them."""
_GROUP: Final = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    """One size. Seconds are medians; `peak` is in bytes, by `tracemalloc`."""

    issues: int
    events: int
    seconds: float
    fastest: float
    slowest: float
    reading: float
    peak: int
    journal_bytes: int

    @property
    def micros_per_event(self) -> float:
        """To go on, by event."""
        return self.seconds / self.events * 1e6

    @property
    def ratio(self) -> float:
        """To go on, to reading alone."""
        return self.seconds / self.reading


class _FirstSession:
    """A pipeline that records when its first session has started, and ends none."""

    def __init__(self) -> None:
        self.started = asyncio.Event()

    async def implement(self, issue: Issue) -> None:
        await self._begin()

    async def review(self, issue: Issue) -> Approved:
        await self._begin()
        return Approved()

    async def merge(self, issue: Issue) -> None:
        await self._begin()

    async def _begin(self) -> None:
        self.started.set()
        await asyncio.Event().wait()


def cut_off(path: Path, size: int) -> int:
    """Write the journal of a run of `size` issues that was cut off half-way; its events."""
    settings = Settings(Wave(issues(size)), CAP, "done", Limits())
    replay = Replay.of(settings)
    journal = Journal(path, settings)
    written = 0
    group: list[RecordedEvent] = []
    for event in events_of(replay.state, size // 2):
        entry = RecordedEvent(1e9 + written, event)
        replay.apply(*entry)
        group.append(entry)
        written += 1
        if len(group) == _GROUP:
            journal.append(group)
            group = []
    journal.append(group, ((issue.id, replay.standing(issue.id)) for issue in settings.wave.issues))
    journal.close()
    return written


def seconds_to_go_on(path: Path, size: int) -> float:
    """From nothing to the start of the first session."""
    wave = Wave(issues(size))
    sessions = _FirstSession()

    async def go() -> float:
        running = asyncio.ensure_future(Scheduler(wave, sessions, cap=CAP, journal=path).run())
        await sessions.started.wait()
        seconds = time.perf_counter() - began
        running.cancel()
        await asyncio.wait([running])
        return seconds

    began = time.perf_counter()
    return asyncio.run(go())


def seconds_to_read(path: Path) -> float:
    """To read the rows of the events and take their JSON apart."""
    began = time.perf_counter()
    with closing(sqlite3.connect(path)) as database:
        for *_, data in database.execute("SELECT at, kind, issue, data FROM event ORDER BY seq"):
            if data is not None:
                json.loads(data)
    return time.perf_counter() - began


def row_of(size: int, repeat: int) -> Row:
    """Measure one size, each time on a fresh copy and in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        events = cut_off(path, size)
        seconds = [_apart("seconds", path, size) for _ in range(repeat)]
        reading = [_apart("reading", path, size) for _ in range(repeat)]
        return Row(
            size,
            events,
            median(seconds),
            min(seconds),
            max(seconds),
            median(reading),
            int(_apart("peak", path, size)),
            path.stat().st_size,
        )


def _apart(what: str, path: Path, size: int) -> float:
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.recovery", "--one", what, str(copy), str(size)],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout)


def _one(what: str, path: Path, size: int) -> float:
    if what == "reading":
        return seconds_to_read(path)
    if what == "seconds":
        return seconds_to_go_on(path, size)
    tracemalloc.start()
    try:
        seconds_to_go_on(path, size)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def excesses(rows: Sequence[Row]) -> Iterator[str]:
    """What passes a limit, a sentence each."""
    for smaller, larger in pairwise(rows):
        growth = larger.micros_per_event / smaller.micros_per_event
        if growth > STEEPEST:
            yield (
                f"an event costs {growth:.1f} times as much in a journal of {larger.events} as in "
                f"one of {smaller.events}; at most {STEEPEST:g} is allowed"
            )
    for row in rows:
        if row.ratio > DEAREST:
            yield (
                f"going on with {row.issues} issues takes {row.ratio:.1f} times as long as reading "
                f"their journal; at most {DEAREST:g} is allowed"
            )
        if row.ratio < 1:
            yield (
                f"{row.issues} issues: reading took {row.reading * 1e3:.0f} ms and going on, which "
                f"reads, too, {row.seconds * 1e3:.0f} ms"
            )


def table_of(rows: Sequence[Row]) -> Table:
    """The rows for people; as it is printed it is Markdown too."""
    table = Table(box=box.MARKDOWN)
    for heading in (
        "issues",
        "events",
        "seconds to go on (min–max)",
        "µs/event",
        "× reading",
        "peak KiB/issue",
        "journal MB",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            f"{row.issues:,}",
            f"{row.events:,}",
            f"{row.seconds:.3f} ({row.fastest:.3f}–{row.slowest:.3f})",
            f"{row.micros_per_event:.1f}",
            f"{row.ratio:.1f}",
            f"{row.peak / row.issues / 1024:.2f}",
            f"{row.journal_bytes / 1e6:.1f}",
        )
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = parser_for(
        "benchmarks.recovery",
        "What it costs to go on with a wave whose process was killed in mid-run.",
    )
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        what, path, size = given.one
        print(_one(what, Path(path), int(size)))
        return 0
    rows = [row_of(size, given.repeat) for size in given.sizes]
    return report_results(
        given, {"rows": [asdict(row) for row in rows]}, [table_of(rows)], excesses(rows)
    )


if __name__ == "__main__":
    sys.exit(main())
