"""The table: what the supervisor of a session costs, in time and in memory.

    uv run --locked python -m benchmarks.supervision [--repeat 30] [--json] [--check]

A session that does nothing (`true`) is run with its supervisor, as `wavelane run` does, and without
one, as a bare subprocess of asyncio. The baseline is the start of the same interpreter that the
supervisor needs, with nothing to do. All three take turns. Memory is that of a supervisor whose
session sleeps: what it has for itself alone, and what it shares with other processes.

With `--check` the exit code is 1 when a session takes more than `DEAREST` times the baseline longer
with a supervisor than without one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from wavelane.processes import run

DEAREST: Final = 5.0
_ENV: Final = {"PATH": os.environ["PATH"]}


@dataclass(frozen=True, slots=True)
class Row:
    """Medians, in seconds; memory in bytes."""

    supervised: float
    bare: float
    interpreter: float
    own_memory: int
    shared_memory: int

    @property
    def ratio(self) -> float:
        """How many starts of an interpreter a supervisor costs."""
        return (self.supervised - self.bare) / self.interpreter


def measured(repeat: int) -> Row:
    """Measure all in turn, after one round that does not count."""
    rounds: list[tuple[float, float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(repeat + 1):
            session = run(("true",), cwd=folder, env=_ENV, log=folder / f"log-{number}")
            nothing = _process(sys.executable, "-I", "-S", "-B", "-c", "pass")
            rounds.append((_seconds(session), _seconds(_process("true")), _seconds(nothing)))
        own, shared = asyncio.run(_memory(folder))
    supervised, bare, interpreter = (median(one) for one in zip(*rounds[1:], strict=True))
    return Row(supervised, bare, interpreter, own, shared)


def _seconds(work: Coroutine[Any, Any, object]) -> float:
    async def timed() -> float:
        began = time.perf_counter()
        await work
        return time.perf_counter() - began

    return asyncio.run(timed())


async def _process(*argv: str) -> None:
    nothing = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*argv, env=_ENV, stdin=nothing)
    await process.wait()


async def _memory(folder: Path) -> tuple[int, int]:
    """What a supervisor has for itself alone, and what it shares, while its session runs."""
    found: asyncio.Queue[int] = asyncio.Queue()
    session = asyncio.create_task(
        run(("sleep", "1000"), cwd=folder, env=_ENV, log=folder / "log", register=found.put_nowait)
    )
    pid = await found.get()
    while not _children(pid):  # noqa: ASYNC110
        await asyncio.sleep(0)
    sizes = _sizes(pid)
    session.cancel()
    await asyncio.wait((session,))
    return sizes


def _children(pid: int) -> list[str]:
    return Path("/proc", str(pid), "task", str(pid), "children").read_text().split()


def _sizes(pid: int) -> tuple[int, int]:
    sizes = {"Private": 0, "Shared": 0}
    for line in Path("/proc", str(pid), "smaps_rollup").read_text().splitlines():
        name, value, *_ = line.split()
        kind, _, state = name.partition("_")
        if kind in sizes and state in ("Clean:", "Dirty:"):
            sizes[kind] += 1024 * int(value)
    return sizes["Private"], sizes["Shared"]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.supervision", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--repeat", type=int, default=30, help="sessions of each (default: 30)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 when it costs too much")
    given = parser.parse_args(arguments)
    row = measured(given.repeat)
    if given.json:
        print(json.dumps({**asdict(row), "ratio": row.ratio}, indent=2))
    else:
        Console().print(_table(row))
    if given.check and row.ratio > DEAREST:
        print(
            f"error: a supervisor costs {row.ratio:.1f} starts of an interpreter, more than "
            f"{DEAREST:g}",
            file=sys.stderr,
        )
        return 1
    return 0


def _table(row: Row) -> Table:
    table = Table(box=box.SIMPLE)
    for title in (
        "supervised ms",
        "bare ms",
        "interpreter ms",
        "× interpreter",
        "own MiB",
        "shared MiB",
    ):
        table.add_column(title, justify="right")
    table.add_row(
        *(f"{1000 * one:.1f}" for one in (row.supervised, row.bare, row.interpreter)),
        f"{row.ratio:.1f}",
        *(f"{one / 2**20:.1f}" for one in (row.own_memory, row.shared_memory)),
    )
    return table


if __name__ == "__main__":
    sys.exit(main())
