"""`python -m specs.simulation`: play schedules and crashes, or one again; exit 1 on a failure."""

from __future__ import annotations

import argparse
import sys
from time import perf_counter

from specs.results import Result
from specs.simulation import NIGHTLY, SCHEDULES, results
from specs.simulation.crashes import HistoryId, crash_in_parallel, rerun
from specs.simulation.crashes import results as results_of_crashes
from specs.simulation.scenarios import SCENARIOS
from specs.simulation.sweep import replayed, sweep_in_parallel


def main() -> int:
    """Run the command; its exit status."""
    asked = _parser().parse_args()
    if asked.seed is not None or asked.choices is not None:
        return _play_again(asked)
    if asked.scenario is not None or asked.crash_seed is not None:
        return _crash_again(asked)
    all_results: list[Result] = []
    if asked.only != "crashes":
        count = asked.schedules or (NIGHTLY if asked.nightly else SCHEDULES)
        began = perf_counter()
        found = sweep_in_parallel(range(asked.first, asked.first + count))
        all_results += results(found, perf_counter() - began)
    if asked.only != "schedules":
        began = perf_counter()
        crashes = crash_in_parallel(asked.nightly)
        all_results += results_of_crashes(crashes, perf_counter() - began)
        print(crashes)
    for one in all_results:
        word = "ok" if one.passed else "FAILED"
        print(f"{word:7}{one.property:28}{one.amount:>9} {one.unit:10}{one.seconds:8.1f} s")
    for one in all_results:
        if not one.passed:
            print(f"\n# {one.property}\n{one.detail}")
    return 0 if all(one.passed for one in all_results) else 1


def _play_again(asked: argparse.Namespace) -> int:
    played = replayed(asked.choices, asked.seed or 0, simpler=asked.shrink)
    print(f"choices {','.join(map(str, played.simplest))}\n{played}")
    return 1 if played.broken else 0


def _crash_again(asked: argparse.Namespace) -> int:
    history = rerun(HistoryId(asked.scenario or "", tuple(asked.crash), asked.crash_seed))
    print(history)
    return 1 if history.broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m specs.simulation", description=__doc__)
    parser.add_argument(
        "--nightly", action="store_true", help=f"{NIGHTLY:,} schedules; more crashes"
    )
    parser.add_argument("--schedules", type=int, metavar="N", help="how many to play")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first seed")
    parser.add_argument("--seed", type=int, metavar="N", help="play this one, and show it")
    parser.add_argument("--choices", type=_choices, metavar="N,N,…", help="play these, and show it")
    parser.add_argument("--shrink", action="store_true", help="if it fails, show a simpler one")
    parser.add_argument("--only", choices=("schedules", "crashes"), help="one of the two")
    parser.add_argument(
        "--scenario", choices=[one.name for one in SCENARIOS], help="play it, and show it"
    )
    parser.add_argument(
        "--crash",
        type=_choices,
        default=[],
        metavar="N,N,…",
        help="points of its deaths",
    )
    parser.add_argument("--crash-seed", type=int, metavar="N", help="crash this one, and show it")
    return parser


def _choices(text: str) -> list[int]:
    return [int(one) for one in text.split(",") if one]


if __name__ == "__main__":
    sys.exit(main())
