"""The goals of cost: what was found beside what is wanted, and what fails a check.

Each goal has a *bound* of its own beside it, pinned so far away that the noise of a busy machine
does not reach it: `--check` fails when that is passed in one measuring after the other, and a goal
that is missed only says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich import box
from rich.table import Table

from benchmarks.contestants import DURABLE_PEERS, Name
from benchmarks.starts import StartRow
from benchmarks.steps import StepRow
from benchmarks.waves import BARE, JOURNALLED, WAVELANE, Row


@dataclass(frozen=True, slots=True)
class Goal:
    """A number that is to be at most, or at least, `goal`; `bound` is what a check allows."""

    goal: float
    bound: float
    side: Literal["at most", "at least"] = "at most"

    def is_met_by(self, found: float) -> bool:
        return self._allows(found, self.goal)

    def is_passed_by(self, found: float) -> bool:
        """Whether `found` is past the bound."""
        return not self._allows(found, self.bound)

    def _allows(self, found: float, limit: float) -> bool:
        return found <= limit if self.side == "at most" else found >= limit


TO_BARE: Final[dict[Name, Goal]] = {WAVELANE: Goal(5, 15), JOURNALLED: Goal(10, 30)}
TO_DURABLE: Final = Goal(20, 4, "at least")
GROWTH: Final = Goal(1.3, 3)
BYTES_PER_ISSUE: Final = Goal(4_000, 4_000)
BYTES_PER_EVENT: Final = Goal(300, 300)
TO_TRIGGER: Final = Goal(1, 2)
STARTS: Final[dict[str, Goal]] = {"import wavelane": Goal(3, 6), "wavelane --help": Goal(2, 4)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal, for one contestant or size, and what was found."""

    what: str
    goal: Goal
    found: float


def verdicts_of(
    rows: Sequence[Row], steps: Sequence[StepRow], starts: Sequence[StartRow]
) -> list[Verdict]:
    """All goals about which something was measured."""
    return [*_of_waves(rows), *_of_steps(steps), *_of_starts(starts)]


def _of_waves(rows: Sequence[Row]) -> Iterator[Verdict]:
    for row in rows:
        if row.contestant in TO_BARE and row.ratio_to_bare is not None:
            what = f"{row.contestant}: time to that of {BARE}, {row.size:,} issues"
            yield Verdict(what, TO_BARE[row.contestant], row.ratio_to_bare)
    yield from _of_durable_peers(rows)
    for name in (WAVELANE, JOURNALLED):
        yield from _of_growth([row for row in rows if row.contestant == name])
    for row in rows:
        if row.contestant == WAVELANE and row.bytes_per_issue is not None:
            what = f"{WAVELANE}: bytes of memory an issue, {row.size:,} issues"
            yield Verdict(what, BYTES_PER_ISSUE, row.bytes_per_issue)
    for row in rows:
        if row.bytes_per_event is not None:
            what = f"{row.contestant}: bytes an event, {row.size:,} issues"
            yield Verdict(what, BYTES_PER_EVENT, row.bytes_per_event)


def _of_durable_peers(rows: Sequence[Row]) -> Iterator[Verdict]:
    for size in sorted({row.size for row in rows}):
        durable = [row for row in rows if row.size == size and row.contestant in DURABLE_PEERS]
        fastest = min(durable, key=lambda row: row.seconds, default=None)
        if fastest and fastest.journalled_to_it:
            what = f"{JOURNALLED}: rate to that of {fastest.contestant}, {size:,} issues"
            yield Verdict(what, TO_DURABLE, 1 / fastest.journalled_to_it)


def _of_growth(rows: Sequence[Row]) -> Iterator[Verdict]:
    if len(rows) > 1:
        what = f"{rows[0].contestant}: time an issue, {rows[-1].size:,} issues to {rows[0].size:,}"
        yield Verdict(what, GROWTH, rows[-1].ratio_to_smallest)


def _of_steps(steps: Sequence[StepRow]) -> Iterator[Verdict]:
    for row in steps:
        what = f"a step of the model to a trigger of transitions, {row.issues:,} issues"
        yield Verdict(what, TO_TRIGGER, row.ratio)


def _of_starts(starts: Sequence[StartRow]) -> Iterator[Verdict]:
    for row in starts:
        yield Verdict(f"{row.ours} to {row.theirs}", STARTS[row.ours], row.ratio)


def past_bounds(verdicts: Sequence[Verdict]) -> set[str]:
    """What is past its bound, by name."""
    return {one.what for one in verdicts if one.goal.is_passed_by(one.found)}


def excesses(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """What is past its bound, a sentence each."""
    for one in verdicts:
        if one.goal.is_passed_by(one.found):
            yield (
                f"{one.what}: {one.found:.3g}; {one.goal.side} {one.goal.bound:g} is allowed, "
                f"and {one.goal.side} {one.goal.goal:g} is the goal"
            )


def table_of(verdicts: Sequence[Verdict]) -> Table:
    """The goals for people; as it is printed it is Markdown too."""
    table = Table(box=box.MARKDOWN)
    table.add_column("what", no_wrap=True)
    for heading in ("goal", "found"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for one in verdicts:
        goal = f"{one.goal.side} {one.goal.goal:,g}"
        met = "met" if one.goal.is_met_by(one.found) else "missed"
        table.add_row(one.what, goal, _told(one.found), met)
    return table


def _told(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2f}"
