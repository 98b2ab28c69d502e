"""The command: what an issue costs beside bare asyncio and our peers, and how soon we start.

    uv run --locked --group peers python -m benchmarks.scale [--sizes 1000,10000,100000]
        [--repeat 5] [--peers all] [--limit 60] [--json] [--check] [--write]

Four tables and a plot, all of one run: the waves (`benchmarks.waves`), what keeps our rules with
each contestant, the model's step and our starts beside what they are held against
(`benchmarks.steps`, `benchmarks.starts`), and the goals (`benchmarks.goals`). With `--check` the
exit code is 1 when one of the goals is missed by far, three times in a row; with `--write` tables
and plot go to README.md and scale.svg here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from benchmarks import goals, starts, steps, waves
from benchmarks.contestants import CONTESTANTS, OWN, PEERS, Name
from benchmarks.measurement import Measure
from benchmarks.measurement import measured_apart as wave_apart
from benchmarks.output import machine, parser_for, report_results
from benchmarks.page import Place, markdown_of
from benchmarks.plot import svg_of
from benchmarks.starts import MeasureStart
from benchmarks.steps import MeasureSteps

FOLDER: Final = Path(__file__).parent
_PROGRAM: Final = "benchmarks.scale"
_SECOND_LOOKS: Final = 2
"""How often all is measured again before a check fails: a busy moment is no regression."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """What measures; tests put in what needs no time."""

    wave: Measure = wave_apart
    step: MeasureSteps = steps.measured_apart
    start: MeasureStart = starts.seconds_of


@dataclass(frozen=True, slots=True)
class Findings:
    """All that one run of the command has measured."""

    of_waves: list[waves.Row | waves.Absence]
    of_steps: list[steps.StepRow]
    of_starts: list[starts.StartRow]

    @property
    def measured(self) -> list[waves.Row]:
        """The rows of the waves that have figures."""
        return waves.measured_only(self.of_waves)

    @property
    def verdicts(self) -> list[goals.Verdict]:
        """The goals, and what was found."""
        return goals.verdicts_of(self.measured, self.of_steps, self.of_starts)

    def tables(self) -> list[Table]:
        """All tables, in the order in which they are printed."""
        return [
            waves.table_of(self.of_waves),
            waves.rules_of([*OWN, *PEERS]),
            steps.table_of(self.of_steps),
            starts.table_of(self.of_starts),
            goals.table_of(self.verdicts),
        ]

    def as_json(self) -> dict[str, Any]:
        """All rows, by table; a peer that is not installed has no version."""
        return {
            "versions": {name: CONTESTANTS[name].version for name in PEERS},
            "rows": [asdict(row) for row in self.of_waves],
            "steps": [asdict(row) for row in self.of_steps],
            "starts": [asdict(row) for row in self.of_starts],
            "goals": [asdict(one) for one in self.verdicts],
        }


def found_by(given: argparse.Namespace, gauges: Gauges) -> Findings:
    """Measure everything that was asked for."""
    names = (*OWN, *given.peers)
    ends = sorted({given.sizes[0], given.sizes[-1]})
    return Findings(
        waves.rows_of(given.sizes, given.repeat, names, given.limit, gauges.wave),
        steps.rows_of(ends, given.repeat, gauges.step),
        starts.rows_of(given.repeat, gauges.start),
    )


def write(found: Findings, place: Place, folder: Path) -> None:
    """Put the tables into their place, and the plot into the folder."""
    (folder / "scale.svg").write_text(svg_of(found.measured), encoding="utf-8")
    machine_told = " · ".join(f"{name} {value}" for name, value in machine().items())
    text = markdown_of([machine_told, "![Time an issue as waves grow](scale.svg)", *found.tables()])
    place.write(text)


def main(
    arguments: Sequence[str] | None = None, gauges: Gauges | None = None, folder: Path = FOLDER
) -> int:
    """Measure, print, write if asked, and return the exit code."""
    given = _parser().parse_args(arguments)
    try:
        place = Place(folder / "README.md", _PROGRAM) if given.write else None
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = found_by(given, gauges or Gauges())
    if place:
        write(found, place, folder)
    excesses = _lasting_excesses(given, gauges or Gauges(), found) if given.check else []
    return report_results(given, found.as_json(), found.tables(), excesses)


def _lasting_excesses(given: argparse.Namespace, gauges: Gauges, found: Findings) -> list[str]:
    """What is past its bound, and is so again each time that all is measured again."""
    verdicts = [one for one in found.verdicts if one.what in goals.past_bounds(found.verdicts)]
    for _ in range(_SECOND_LOOKS):
        if verdicts:
            past = goals.past_bounds(found_by(given, gauges).verdicts)
            verdicts = [one for one in verdicts if one.what in past]
    return [*goals.excesses(verdicts)]


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(
        _PROGRAM,
        "What an issue costs as waves grow, beside bare asyncio and our peers in the same run.",
        repeat=5,
    )
    parser.add_argument(
        "--peers",
        type=_peers,
        default="all",
        help='names, separated by semicolons; "none"; or "all" that are installed '
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--limit",
        type=_seconds,
        default=60,
        metavar="SECONDS",
        help="how long a run of a peer may take (default: %(default)s)",
    )
    parser.add_argument(
        "--write", action="store_true", help="put tables and plot into this folder's README.md"
    )
    return parser


def _peers(text: str) -> tuple[Name, ...]:
    if text == "none":
        return ()
    if text == "all":
        return tuple(name for name in PEERS if CONTESTANTS[name].version is not None)
    return tuple(_peer(part.strip()) for part in text.split(";"))


def _peer(text: str) -> Name:
    for name in PEERS:
        if name.casefold() == text.casefold():
            if CONTESTANTS[name].version is None:
                raise argparse.ArgumentTypeError(
                    f"{name} is not installed; run this with `uv run --locked --group peers`"
                )
            return name
    known = ", ".join(f'"{name}"' for name in PEERS)
    raise argparse.ArgumentTypeError(f'"{text}" is no peer; there are {known}')


def _seconds(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is below 1; give 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
