"""The table: what an issue costs as waves grow, beside bare asyncio in the same run.

    uv run --locked python -m benchmarks.scale [--sizes 1000,10000,100000] [--repeat 3]
                                               [--json] [--check]

Rounds go over all contestants and sizes in turn, so that a machine that is slow for a while is slow
for all. With `--check` the exit code is 1 when one of these limits is passed; they are so wide that
only a wrong order of growth, or a blunder in every step, reaches them:

1. an issue costs at most `STEEPEST` times what it costs in the next smaller wave;
2. wavelane without a journal takes at most `DEAREST` times as long as bare asyncio.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from rich import box
from rich.table import Table

from benchmarks.contestants import CONTESTANTS, Name
from benchmarks.measurement import Measure, Measurement, measured_apart
from benchmarks.telling import asked_of, told

STEEPEST: Final = 3.0
DEAREST: Final = 15.0
_BARE: Final[Name] = "bare asyncio"
_WAVELANE: Final[Name] = "wavelane"


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant at one size. Seconds are of a whole run; ratios are of medians."""

    size: int
    contestant: Name
    seconds: float
    fastest: float
    slowest: float
    micros_per_issue: float
    ratio_to_bare: float
    ratio_to_smallest: float
    bytes_per_issue: float
    bytes_per_event: float | None


def rows_of(sizes: Sequence[int], repeat: int, measure: Measure = measured_apart) -> list[Row]:
    """Measure all contestants at all sizes, smallest first: time `repeat` times, memory once."""
    pairs: list[tuple[int, Name]] = [(size, name) for size in sizes for name in CONTESTANTS]
    rounds = [[measure("time", name, size) for size, name in pairs] for _ in range(repeat)]
    peaks = [measure("memory", name, size) for size, name in pairs]
    rows: dict[tuple[int, Name], Row] = {}
    for pair, peak, *runs in zip(pairs, peaks, *rounds, strict=True):
        rows[pair] = _row(pair, runs, peak, rows)
    return list(rows.values())


def _row(
    pair: tuple[int, Name],
    runs: list[Measurement],
    peak: Measurement,
    earlier: dict[tuple[int, Name], Row],
) -> Row:
    size, name = pair
    seconds = [run.amount for run in runs]
    micros = median(seconds) / size * 1e6
    bare = earlier.get((size, _BARE))
    smallest = next((row for row in earlier.values() if row.contestant == name), None)
    return Row(
        size,
        name,
        median(seconds),
        min(seconds),
        max(seconds),
        micros,
        micros / bare.micros_per_issue if bare else 1.0,
        micros / smallest.micros_per_issue if smallest else 1.0,
        peak.amount / size,
        peak.journal_bytes / peak.events if peak.events else None,
    )


def excesses(rows: Sequence[Row]) -> Iterator[str]:
    """What passes a limit, a sentence each."""
    for name in CONTESTANTS:
        for smaller, larger in pairwise(row for row in rows if row.contestant == name):
            growth = larger.micros_per_issue / smaller.micros_per_issue
            if growth > STEEPEST:
                yield (
                    f"{name}: an issue costs {growth:.1f} times as much in a wave of {larger.size} "
                    f"as in one of {smaller.size}; at most {STEEPEST:g} is allowed"
                )
    for row in rows:
        if row.contestant == _WAVELANE and row.ratio_to_bare > DEAREST:
            yield (
                f"{row.contestant} takes {row.ratio_to_bare:.1f} times as long as {_BARE} for "
                f"{row.size} issues; at most {DEAREST:g} is allowed"
            )


def table_of(rows: Sequence[Row]) -> Table:
    """The rows for people; as it is printed it is Markdown too."""
    table = Table(box=box.MARKDOWN)
    table.add_column("issues", justify="right", no_wrap=True)
    table.add_column("with", no_wrap=True)
    for heading in (
        "seconds (min–max)",
        "µs/issue",
        "× bare",
        "× smallest",
        "KiB/issue",
        "bytes/event",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            f"{row.size:,}",
            row.contestant,
            f"{row.seconds:.3f} ({row.fastest:.3f}–{row.slowest:.3f})",
            f"{row.micros_per_issue:.0f}",
            f"{row.ratio_to_bare:.1f}",
            f"{row.ratio_to_smallest:.2f}",
            f"{row.bytes_per_issue / 1024:.2f}",
            "–" if row.bytes_per_event is None else f"{row.bytes_per_event:.0f}",
        )
    return table


def main(arguments: Sequence[str] | None = None, measure: Measure = measured_apart) -> int:
    """Measure, print, and return the exit code."""
    given = asked_of(
        "benchmarks.scale",
        "What an issue costs as waves grow, beside bare asyncio in the same run.",
    ).parse_args(arguments)
    rows = rows_of(given.sizes, given.repeat, measure)
    return told(given, [asdict(row) for row in rows], table_of(rows), excesses(rows))


if __name__ == "__main__":
    sys.exit(main())
