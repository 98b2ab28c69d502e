"""`python -m specs.mutants`: apply each mutant to a copy of the code, and see who notices.

Prints a line a mutant. Status 1 where one is not noticed by all who have to notice it, or is
noticed where nothing can be noticed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from time import perf_counter

from specs.mutants import MUTANTS
from specs.mutants.judges import SCHEDULES
from specs.mutants.report import KINDS, README, as_json, as_line, written
from specs.mutants.trials import AnyMutant, kind_of, tried
from specs.promela import mutants as of_promela

ALL: tuple[AnyMutant, ...] = (*MUTANTS, *of_promela.MUTANTS)


def main(arguments: Sequence[str] | None = None, mutants: Sequence[AnyMutant] = ALL) -> int:
    """Try the mutants that are asked for; 0 where all are noticed as they should be."""
    asked = _parser().parse_args(arguments)
    chosen = [one for one in mutants if _is_asked_for(one, asked)]
    if not chosen:
        print("no mutant has that name and kind", file=sys.stderr)
        return 2
    began = perf_counter()
    trials = []
    for trial in tried(chosen, asked.jobs, asked.schedules):
        trials.append(trial)
        print(as_line(trial), file=sys.stderr if asked.as_json else sys.stdout, flush=True)
    if asked.as_json:
        print(json.dumps([as_json(one) for one in trials], indent=2))
    wrong = [one for one in trials if one.objection]
    print(
        f"{len(trials)} mutants, {len(wrong)} not as they should be, "
        f"{perf_counter() - began:.0f} s",
        file=sys.stderr,
    )
    if asked.write and not wrong:
        README.write_text(written(README.read_text(encoding="utf-8"), trials), encoding="utf-8")
    return 1 if wrong else 0


def _is_asked_for(mutant: AnyMutant, asked: argparse.Namespace) -> bool:
    return asked.only in (None, mutant.name) and asked.kind in (None, kind_of(mutant))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m specs.mutants", description=__doc__)
    some = parser.add_mutually_exclusive_group()
    some.add_argument("--only", metavar="NAME", help="this one mutant")
    some.add_argument("--kind", choices=KINDS, help="the mutants of this kind")
    some.add_argument(
        "--write", action="store_true", help="all, and write the table into specs/README.md"
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
