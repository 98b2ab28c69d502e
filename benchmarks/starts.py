"""How long wavelane takes to be there: its import, and the help of its command.

1. Each start is a fresh process, after one that does not count, so that compiled files are on disk,
   whatever the environment says of writing them.
2. An import is timed inside its process, without the start of python. Help is timed from outside,
   from the start of the process to its end.
3. Ours and what it is held against take turns.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from rich import box
from rich.table import Table

OURS_AND_THEIRS: Final = {
    "import wavelane": "import asyncio, sqlite3",
    "wavelane --help": "one typer command --help",
}
LEAST_ROUNDS: Final = 5
_NOT_COMPILED: Final = "PYTHONDONTWRITEBYTECODE"
_HELP: Final = {
    "wavelane --help": ("-c", "from wavelane.cli import main; main()", "--help"),
    "one typer command --help": ("-m", "benchmarks.one_command", "--help"),
}


@dataclass(frozen=True, slots=True)
class StartRow:
    """A start of ours and the one that it is held against: seconds, median, least and most."""

    ours: str
    theirs: str
    our_seconds: tuple[float, float, float]
    their_seconds: tuple[float, float, float]

    @property
    def ratio(self) -> float:
        """Ours, to theirs: of medians."""
        return self.our_seconds[0] / self.their_seconds[0]


MeasureStart = Callable[[str], float]


def seconds_of(start: str) -> float:
    """One start, in seconds."""
    if start not in _HELP:
        timed = f"import time; t = time.perf_counter(); {start}; print(time.perf_counter() - t)"
        return float(_output_of("-c", timed))
    began = time.perf_counter()
    _output_of(*_HELP[start])
    return time.perf_counter() - began


def _output_of(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=Path(__file__).parent.parent,
        env={name: value for name, value in os.environ.items() if name != _NOT_COMPILED},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def rows_of(repeat: int, measure: MeasureStart = seconds_of) -> list[StartRow]:
    """Measure all starts in turn, `repeat` times but at least `LEAST_ROUNDS`."""
    starts = [one for pair in OURS_AND_THEIRS.items() for one in pair]
    for start in starts:
        measure(start)
    rounds = [[measure(start) for start in starts] for _ in range(max(repeat, LEAST_ROUNDS))]
    found = dict(zip(starts, zip(*rounds, strict=True), strict=True))
    return [
        StartRow(ours, theirs, _spread(found[ours]), _spread(found[theirs]))
        for ours, theirs in OURS_AND_THEIRS.items()
    ]


def _spread(numbers: Sequence[float]) -> tuple[float, float, float]:
    return median(numbers), min(numbers), max(numbers)


def table_of(rows: Sequence[StartRow]) -> Table:
    """The rows for people; as it is printed it is Markdown too."""
    table = Table(box=box.MARKDOWN)
    table.add_column("start", no_wrap=True)
    table.add_column("ms (min–max)", justify="right", no_wrap=True)
    table.add_column("held against", no_wrap=True)
    table.add_column("ms (min–max)", justify="right", no_wrap=True)
    table.add_column("ratio", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.ours,
            _millis(row.our_seconds),
            row.theirs,
            _millis(row.their_seconds),
            f"{row.ratio:.2f}",
        )
    return table


def _millis(spread: tuple[float, float, float]) -> str:
    middle, least, most = (f"{seconds * 1e3:.0f}" for seconds in spread)
    return f"{middle} ({least}–{most})"
