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

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.contestants import CONTESTANTS, Name
from benchmarks.measurement import Measure, Measurement, measured_apart

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


def machine() -> dict[str, Any]:
    """What the numbers depend on and the table does not show."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def main(arguments: Sequence[str] | None = None, measure: Measure = measured_apart) -> int:
    """Measure, print, and return the exit code."""
    given = _parser().parse_args(arguments)
    rows = rows_of(given.sizes, given.repeat, measure)
    if given.json:
        print(json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        print(*(f"{name} {value}" for name, value in machine().items()), sep=" · ")
        Console(width=None if sys.stdout.isatty() else 120).print(table_of(rows))
    passed = list(excesses(rows)) if given.check else []
    for excess in passed:
        print(f"error: {excess}", file=sys.stderr)
    return 1 if passed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description="What an issue costs as waves grow, beside bare asyncio in the same run.",
    )
    parser.add_argument(
        "--sizes",
        type=_sizes,
        default="1000,10000,100000",
        help="how many issues, separated by commas (default: %(default)s)",
    )
    parser.add_argument(
        "--repeat", type=_positive, default=3, help="runs of each (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a limit is passed")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is below 1; give 1 or more")
    return number


def _sizes(text: str) -> list[int]:
    return sorted({_positive(part) for part in text.split(",")})


if __name__ == "__main__":
    sys.exit(main())
