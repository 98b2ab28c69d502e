"""How late waves end under each order of admission, beside the best that is known.

    uv run --locked --group bench python -m benchmarks.makespan
        [--sets classic,agent,hard] [--quick] [--json] [--check] [--write]

The gap is how much later than the best known a wave ended, in percent. Rows are collections of
waves at one cap, columns are orders; each wave is run through the model. With `--check` the exit
code is 1 when a mean gap is above its limit, which is pinned for the quick form; nothing depends
on the clock, so limits are close. `--quick` takes a part of the waves, `--write` puts the table
into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.makespan.anomalies import Anomaly, anomalies
from benchmarks.makespan.best import COLLECTIONS, Collection, instances
from benchmarks.makespan.contenders import CONTENDERS, Name
from benchmarks.makespan.instances import Instance

QUICK_EVERY: Final[dict[Collection, int]] = {"classic": 12, "agent": 8, "hard": 8}
README: Final = Path(__file__).parent.parent / "README.md"
BEGIN: Final = "<!-- makespan: made by python -m benchmarks.makespan --write -->"
END: Final = "<!-- makespan: end -->"
CAPS: Final[dict[Collection, tuple[str, ...]]] = {
    "classic": ("R", "R/2"),
    "agent": ("R", "R/2", "2"),
    "hard": ("R", "R/2", "2"),
}
LIMITED: Final[tuple[Name, ...]] = (
    "default, no estimates",
    "default, estimates",
    "planner",
)
LIMITS: Final[dict[tuple[Collection, str], tuple[float, ...]]] = {
    ("classic", "R"): (17.0, 13.0, 3.5),
    ("classic", "R/2"): (4.0, 2.0, 0.5),
    ("agent", "R"): (1.5, 1.5, 0.5),
    ("agent", "R/2"): (2.5, 1.5, 0.5),
    ("agent", "2"): (2.0, 1.0, 0.5),
    ("hard", "R"): (13.0, 6.0, 0.5),
    ("hard", "R/2"): (7.5, 5.0, 0.5),
    ("hard", "2"): (3.0, 1.5, 0.5),
}
"""The highest mean gaps allowed, in percent, in the quick form, for each of `LIMITED` in turn."""


@dataclass(frozen=True, slots=True)
class Row:
    """The gaps of one order over a collection at one cap, in percent."""

    collection: Collection
    cap: str
    waves: int
    contender: Name
    mean: float
    worst: float


def rows_of(collections: Sequence[Collection], quick: bool) -> Iterator[Row]:
    """Run all waves under all orders."""
    for collection in collections:
        found = instances(collection, QUICK_EVERY[collection] if quick else 1)
        for cap in CAPS[collection]:
            for contender in CONTENDERS:
                if _takes_too_long(contender, collection, quick):
                    continue
                gaps = [_gap(one, _level(cap, one), contender) for one in found]
                yield Row(collection, cap, len(gaps), contender, mean(gaps), max(gaps))


def _takes_too_long(contender: Name, collection: Collection, quick: bool) -> bool:
    """To plan anew hundreds of times a wave takes minutes."""
    largest: Collection = "agent" if quick else "classic"
    return contender == "planner, estimates off" and collection in ("classic", largest)


def _level(cap: str, instance: Instance) -> int:
    repos = len(instance.wave.repos)
    return {"R": repos, "R/2": max(2, repos // 2), "2": 2}[cap]


def _gap(instance: Instance, cap: int, contender: Name) -> float:
    """Raises `RuntimeError` for a makespan below the bound: then one of the two is wrong."""
    best = instance.best[cap]
    makespan = CONTENDERS[contender](instance, cap)
    if makespan < best.bound - 1e-6:
        raise RuntimeError(f"{instance.name} at cap {cap} ended at {makespan}, before {best.bound}")
    return 100 * (makespan / best.makespan - 1)


def excesses(rows: Sequence[Row]) -> Iterator[str]:
    """What passes a limit, a sentence each."""
    for row in rows:
        limits: dict[Name, float] = dict(zip(LIMITED, LIMITS[row.collection, row.cap], strict=True))
        if row.mean > limits.get(row.contender, float("inf")):
            yield (
                f"{row.contender}: {row.collection} waves at cap {row.cap} end {row.mean:.2f} % "
                f"after the best known on average; "
                f"at most {limits[row.contender]:g} % is allowed"
            )


def table_of(rows: Sequence[Row]) -> Table:
    """The rows for people, one line a collection and cap; as it is printed it is Markdown too."""
    table = Table(box=box.MARKDOWN)
    for heading in ("waves", "cap"):
        table.add_column(heading, no_wrap=True)
    for heading in CONTENDERS:
        table.add_column(heading, justify="right")
    lines: dict[tuple[str, str], dict[Name, str]] = {}
    for row in rows:
        line = lines.setdefault((f"{row.waves} {row.collection}", row.cap), {})
        line[row.contender] = f"{row.mean:.1f} ({row.worst:.0f})"
    for heads, cells in lines.items():
        table.add_row(*heads, *(cells.get(name, "–") for name in CONTENDERS))
    return table


def printed(rows: Sequence[Row], oddities: Sequence[Anomaly]) -> str:
    """The table as Markdown, and what greedy schedules cannot promise."""
    console = Console(width=220)
    with console.capture() as capture:
        console.print(table_of(rows))
    table = "\n".join(line.rstrip() for line in capture.get().strip().splitlines())
    return "\n".join((table, "", *(f"- {one}" for one in oddities))).strip()


def written(text: str, table: str) -> str:
    """`text` with the table between its markers; they are put at its end where it has none."""
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return the exit code."""
    given = _parser().parse_args(arguments)
    rows = list(rows_of(given.sets.split(","), given.quick))
    oddities = [] if given.quick else anomalies(_generated(given.sets.split(",")))
    if given.json:
        found = {
            "rows": [asdict(row) for row in rows],
            "anomalies": [one._asdict() for one in oddities],
        }
        print(json.dumps(found, indent=2))
    else:
        print("gap to the best known, in percent: mean (worst)\n")
        print(printed(rows, oddities))
    if given.write:
        text = README.read_text(encoding="utf-8")
        README.write_text(written(text, printed(rows, oddities)), "utf-8")
    passed = list(excesses(rows)) if given.check else []
    for excess in passed:
        print(f"error: {excess}", file=sys.stderr)
    return 1 if passed else 0


def _generated(collections: Sequence[Collection]) -> list[Instance]:
    return [
        one
        for collection in collections
        if collection != "classic"
        for one in instances(collection)
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.makespan",
        description="How late waves end under each order of admission.",
    )
    parser.add_argument("--sets", default=",".join(COLLECTIONS), help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="a part of the waves")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a limit is passed")
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    return parser


if __name__ == "__main__":
    sys.exit(main())
