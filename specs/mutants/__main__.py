"""`python -m specs.mutants`: apply each mutant to a copy of the code, and see which layer notices.

`--all` tries every mutant: the nightly form. `--changed` tries those whose source or text differs
from the recorded table (specs/mutants/table.json), and a sample of the others.

Prints a line for each mutant. The status is 1 if a layer that has to notice a mutant does not, or
if one notices a mutant that changes nothing it can see.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from time import perf_counter

from specs.mutants import MUTANTS, table
from specs.mutants.judges import SCHEDULES
from specs.mutants.report import KINDS, as_json, as_line
from specs.mutants.selection import is_touched, selected
from specs.mutants.trials import AnyMutant, Trial, kind_of, tried
from specs.promela import mutants as of_promela

ALL: tuple[AnyMutant, ...] = (*MUTANTS, *of_promela.MUTANTS)


def main(arguments: Sequence[str] | None = None, mutants: Sequence[AnyMutant] = ALL) -> int:
    """Try the mutants that are asked for; 0 where all are noticed as they should be."""
    asked = _parser().parse_args(arguments)
    chosen = _chosen(asked, mutants)
    if not chosen:
        print("no mutant has that name and kind", file=sys.stderr)
        return 2
    began = perf_counter()
    trials = []
    for trial in tried(chosen, asked.jobs, asked.schedules, asked.seconds):
        trials.append(trial)
        print(as_line(trial), file=sys.stderr if asked.as_json else sys.stdout, flush=True)
    if asked.as_json:
        print(json.dumps([as_json(one) for one in trials], indent=2))
    _say_how_it_went(trials, chosen, perf_counter() - began)
    is_wrong = any(one.error for one in trials)
    if asked.write and not is_wrong:
        table.write(trials, mutants)
    return 1 if is_wrong or not trials else 0


def _chosen(asked: argparse.Namespace, mutants: Sequence[AnyMutant]) -> list[AnyMutant]:
    if asked.changed:
        known = table.recorded(table.FILE.read_text(encoding="utf-8"))
        touched = sum(is_touched(one, known) for one in mutants)
        chosen = selected(mutants, known)
        print(
            f"{touched} of {len(mutants)} mutants are of a source that was changed since the table "
            f"was recorded; with the sample {len(chosen)} are to be tried",
            file=sys.stderr,
        )
        return chosen
    return [
        one
        for one in mutants
        if asked.only in (None, one.name) and asked.kind in (None, kind_of(one))
    ]


def _say_how_it_went(trials: Sequence[Trial], chosen: Sequence[AnyMutant], seconds: float) -> None:
    wrong = sum(bool(one.error) for one in trials)
    said = f"{len(trials)} mutants, {wrong} not as they should be, {seconds:.0f} s"
    if left := len(chosen) - len(trials):
        said += f"; for {left} more there was no time: they are left to the nightly form, --all"
    print(said, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m specs.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    some = parser.add_mutually_exclusive_group(required=True)
    some.add_argument("--all", action="store_true", help="every mutant: the nightly form")
    some.add_argument(
        "--changed", action="store_true", help="those of what was changed, and a sample"
    )
    some.add_argument("--only", metavar="NAME", help="this one mutant")
    some.add_argument("--kind", choices=KINDS, help="the mutants of this kind")
    parser.add_argument(
        "--write", action="store_true", help="record those that were tried in the table"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        help="begin no trial after that; how many are left out is said",
    )
    parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="so many at a time"
    )
    parser.add_argument(
        "--schedules",
        type=int,
        default=SCHEDULES,
        metavar="N",
        help="so many are simulated before an executor counts as right",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
