"""What an issue costs with each contestant as waves grow: rows, and their table.

1. Rounds go over all sizes and contestants in turn, so that a machine that is slow for a while is
   slow for all.
2. A peer that does not finish a size within the limit, or fails, is named with the reason; larger
   sizes are not tried. Bare asyncio and ours have no limit, and a failure of theirs is an error.
3. Memory is measured for bare asyncio and ours: `tracemalloc` sees one process and no C library.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from rich import box
from rich.table import Table

from benchmarks.contestants import CONTESTANTS, OWN, Name
from benchmarks.measurement import Measure, Measurement, NotWithinLimit, measured_apart

BARE: Name = "bare asyncio"
WAVELANE: Name = "wavelane"
JOURNALLED: Name = "wavelane, journal"

Pair = tuple[int, Name]


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant at one size. Seconds are of a whole run; ratios are of medians."""

    size: int
    contestant: Name
    seconds: float
    fastest: float
    slowest: float
    micros_per_issue: float
    ratio_to_bare: float | None
    wavelane_to_it: float | None
    journalled_to_it: float | None
    ratio_to_smallest: float
    bytes_per_issue: float | None
    bytes_per_event: float | None


@dataclass(frozen=True, slots=True)
class Absence:
    """One contestant at one size, and in words why there is no figure."""

    size: int
    contestant: Name
    why: str


@dataclass(slots=True)
class _Runs:
    """The runs so far, and from which size on a contestant is absent."""

    repeat: int
    limit: int
    measure: Measure
    times: dict[Pair, list[Measurement]] = field(default_factory=dict)
    peaks: dict[Pair, Measurement] = field(default_factory=dict)
    absent: dict[Name, Absence] = field(default_factory=dict)

    def go(self, pairs: Sequence[Pair]) -> None:
        for _ in range(self.repeat):
            for size, name in pairs:
                if not self.is_absent(size, name):
                    self._time(size, name)
        for size, name in pairs:
            if name in OWN:
                self.peaks[size, name] = self.measure("memory", name, size, 0)

    def is_absent(self, size: int, name: Name) -> bool:
        return name in self.absent and size >= self.absent[name].size

    def _time(self, size: int, name: Name) -> None:
        limit = 0 if name in OWN else self.limit
        try:
            found = self.measure("time", name, size, limit)
        except NotWithinLimit:
            self.absent[name] = Absence(size, name, f"not within {limit} s")
        except subprocess.CalledProcessError as error:
            if name in OWN:
                raise
            self.absent[name] = Absence(size, name, f"failed, exit code {error.returncode}")
        else:
            self.times.setdefault((size, name), []).append(found)


def rows_of(
    sizes: Sequence[int],
    repeat: int,
    names: Sequence[Name] = OWN,
    limit: int = 0,
    measure: Measure = measured_apart,
) -> list[Row | Absence]:
    """Measure the contestants at all sizes, smallest first: time `repeat` times, memory once.

    `limit` is how many seconds a run of a peer may take; 0 is any number.
    """
    pairs: list[Pair] = [(size, name) for size in sizes for name in names]
    runs = _Runs(repeat, limit, measure)
    runs.go(pairs)
    return [_row_or_absence(pair, runs) for pair in pairs]


def _row_or_absence(pair: Pair, runs: _Runs) -> Row | Absence:
    size, name = pair
    if not runs.is_absent(size, name):
        return _row(pair, runs)
    absence = runs.absent[name]
    return absence if absence.size == size else Absence(size, name, "not tried")


def _row(pair: Pair, runs: _Runs) -> Row:
    size, name = pair
    medians = {one: median(run.amount for run in found) for one, found in runs.times.items()}
    smallest = next(one for one in medians if one[1] == name)
    seconds = [run.amount for run in runs.times[pair]]
    peak = runs.peaks.get(pair)

    def of_it(other: Name) -> float | None:
        return medians[size, other] / medians[pair] if (size, other) in medians else None

    bare = of_it(BARE)
    return Row(
        size,
        name,
        medians[pair],
        min(seconds),
        max(seconds),
        medians[pair] / size * 1e6,
        1 / bare if bare else None,
        of_it(WAVELANE),
        of_it(JOURNALLED),
        medians[pair] / size / (medians[smallest] / smallest[0]),
        peak.amount / size if peak else None,
        peak.journal_bytes / peak.events if peak and peak.events else None,
    )


def measured_only(rows: Sequence[Row | Absence]) -> list[Row]:
    """The rows with figures."""
    return [row for row in rows if isinstance(row, Row)]


def table_of(rows: Sequence[Row | Absence]) -> Table:
    """The rows for people; as it is printed it is Markdown too."""
    table = Table(box=box.MARKDOWN)
    table.add_column("issues", justify="right", no_wrap=True)
    table.add_column("with", no_wrap=True)
    for heading in (
        "seconds (min–max)",
        "µs/issue",
        "× bare",
        "wavelane : it",
        "journal : it",
        "× smallest",
        "KiB/issue",
        "bytes/event",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(f"{row.size:,}", row.contestant, *_cells(row))
    return table


def _cells(row: Row | Absence) -> Iterator[str]:
    if isinstance(row, Absence):
        yield row.why
        return
    yield f"{row.seconds:.3f} ({row.fastest:.3f}–{row.slowest:.3f})"
    yield f"{row.micros_per_issue:,.0f}"
    yield _told(row.ratio_to_bare, "#.3g")
    yield _told(row.wavelane_to_it, "#.2g")
    yield _told(row.journalled_to_it, "#.2g")
    yield f"{row.ratio_to_smallest:.2f}"
    yield _told(row.bytes_per_issue and row.bytes_per_issue / 1024, ".2f")
    yield _told(row.bytes_per_event, ".0f")


def _told(number: float | None, form: str) -> str:
    return "–" if number is None else format(number, form).rstrip(".")


def rules_of(names: Sequence[Name]) -> Table:
    """What keeps our rules with each contestant, and which version of it ran."""
    table = Table(box=box.MARKDOWN)
    for heading in ("with", "version", "lane", "cap", "order", "durable"):
        table.add_column(heading, no_wrap=True)
    for name in names:
        one = CONTESTANTS[name]
        version = "not installed" if one.version is None else one.version or "–"
        table.add_row(name, version, one.lane, one.cap, one.order, one.durable)
    return table
