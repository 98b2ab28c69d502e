"""What a step of the model costs beside one trigger of a `transitions` machine.

    python -m benchmarks.steps SIZE

Both in one process, one after the other. A *step* is an event of the wave of `benchmarks.workload`,
from the first to the last, with the making of the event: it moves an issue, and starts all that may
start then. A *trigger* moves one issue along the machine that is made of the same table, with
guards that are plain functions; nothing follows from it, so it costs the same in any wave. Neither
waits for anything, so what is measured is processor time.
"""

from __future__ import annotations

import json
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

from benchmarks.modelrun import events_of
from benchmarks.workload import CAP, issues
from wavelane import Limits, Wave
from wavelane.journal import Settings
from wavelane.replay.replay import state_of
from wavelane_model.lifecycle import GUARDS, machine
from wavelane_model.step import step

_LIFE: Final = ("admit", "begin", "implemented", "approve", "merged")
_MOST_LIVES: Final = 4_000
"""A trigger costs the same however often it is pulled, so more than these show nothing more."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """One size: seconds of one step and of one trigger, median, least and most."""

    issues: int
    step: tuple[float, float, float]
    trigger: tuple[float, float, float]

    @property
    def ratio(self) -> float:
        """A step, to a trigger: of medians."""
        return self.step[0] / self.trigger[0]


MeasureSteps = Callable[[int], tuple[float, float]]


def seconds_a_step(size: int) -> float:
    """The mean of all steps of a wave of this size."""
    state = state_of(Settings(Wave(issues(size)), CAP, "done", Limits()))
    events = 0
    began = time.process_time()
    for event in events_of(state, size):
        step(state, event)
        events += 1
    return (time.process_time() - began) / events


def seconds_a_trigger(lives: int) -> float:
    """The mean of all triggers of this many issues, each from queued to done."""
    issue = _Issue()
    moves = machine(issue)
    began = time.process_time()
    for _ in range(lives):
        for trigger in _LIFE:
            getattr(issue, trigger)()
        moves.set_state("queued")
    return (time.process_time() - began) / (lives * len(_LIFE))


_OBSTACLES: Final = ("is_implemented", "reserved")


class _Issue:
    """An issue whose life goes straight on: each guard is a plain function."""

    def __init__(self) -> None:
        for guard in GUARDS:
            setattr(self, guard, _fails if guard in _OBSTACLES else _holds)


def _holds() -> bool:
    return True


def _fails() -> bool:
    return False


def measured_apart(size: int) -> tuple[float, float]:
    """Seconds a step and a trigger, in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.steps", str(size)],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    one_step, trigger = json.loads(done.stdout)
    return one_step, trigger


def rows_of(
    sizes: Sequence[int], repeat: int, measure: MeasureSteps = measured_apart
) -> list[StepRow]:
    """Measure all sizes in turn, `repeat` times."""
    rounds = [[measure(size) for size in sizes] for _ in range(repeat)]
    return [
        StepRow(size, _spread([one for one, _ in runs]), _spread([one for _, one in runs]))
        for size, runs in zip(sizes, zip(*rounds, strict=True), strict=True)
    ]


def _spread(numbers: Sequence[float]) -> tuple[float, float, float]:
    return median(numbers), min(numbers), max(numbers)


def table_of(rows: Sequence[StepRow]) -> Table:
    """The rows for people; as it is printed it is Markdown too."""
    table = Table(box=box.MARKDOWN)
    for heading in ("issues", "µs/step (min–max)", "µs/trigger (min–max)", "step : trigger"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            f"{row.issues:,}", _micros(row.step), _micros(row.trigger), f"{row.ratio:.2f}"
        )
    return table


def _micros(spread: tuple[float, float, float]) -> str:
    middle, least, most = (f"{seconds * 1e6:.1f}" for seconds in spread)
    return f"{middle} ({least}–{most})"


def main(size: int) -> None:
    """Print seconds a step and a trigger as JSON, after a small wave to warm up."""
    seconds_a_step(100)
    seconds_a_trigger(100)
    print(json.dumps([seconds_a_step(size), seconds_a_trigger(min(size, _MOST_LIVES))]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
