"""Look for optima with OR-tools CP-SAT, and keep the best in `best.json`.

    uv run --locked --group bench python -m benchmarks.makespan.optima
        [--sets agent,hard,classic] [--seconds 10] [--workers 1]

What is proved optimal already is left alone. A search starts from what our planner finds, and the
better of the two is kept; run again with more seconds, it goes on to improve.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from benchmarks.makespan.best import COLLECTIONS, Store, best_of, is_published, waves
from benchmarks.makespan.instances import Best
from wavelane import Wave
from wavelane.planning.planner import planned


def optimum(wave: Wave, cap: int, seconds: float, workers: int, starts: Sequence[float]) -> Best:
    """The best makespan and bound that CP-SAT finds within `seconds`, beginning at `starts`."""
    cp_model: Any = import_module("ortools.sat.python.cp_model")
    model = cp_model.CpModel()
    lengths = [int(issue.estimate or 0) for issue in wave.issues]
    horizon = sum(lengths)
    begins = [model.new_int_var(0, horizon, f"begin {at}") for at in range(len(wave))]
    sessions = [
        model.new_fixed_size_interval_var(begin, length, f"session {at}")
        for at, (begin, length) in enumerate(zip(begins, lengths, strict=True))
    ]
    end = model.new_int_var(0, horizon, "end")
    for at, (begin, length) in enumerate(zip(begins, lengths, strict=True)):
        model.add(end >= begin + length)
        for need in wave.dependencies[at]:
            model.add(begin >= begins[need] + lengths[need])
    for lane in range(len(wave.repos)):
        model.add_no_overlap(
            [session for at, session in enumerate(sessions) if wave.repo_of[at] == lane]
        )
    if cap < len(wave.repos):
        model.add_cumulative(sessions, [1] * len(sessions), cap)
    for begin, start in zip(begins, starts, strict=True):
        model.add_hint(begin, int(start))
    model.add(end * cap >= sum(lengths))
    model.minimize(end)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = workers
    solver.solve(model)
    return Best(float(solver.objective_value), float(solver.best_objective_bound))


def main(arguments: Sequence[str] | None = None) -> int:
    """Search, print what became better, and write it after each instance."""
    given = _parser().parse_args(arguments)
    store = Store()
    for collection in given.sets.split(","):
        for name, wave, caps in waves(collection):
            for cap in caps:
                known = best_of(store, name, wave, cap)
                if known is not None and (is_published(name, wave, cap) or _proved(known)):
                    continue
                found = store.improve(name, cap, _searched(wave, cap, given.seconds, given.workers))
                store.write()
                if found != known:
                    print(f"{name} cap {cap}: {found.makespan:.0f}, not below {found.bound:.0f}")
    return 0


def _proved(best: Best) -> bool:
    return best.makespan <= best.bound


def _searched(wave: Wave, cap: int, seconds: float, workers: int) -> Best:
    plan = planned(wave, [issue.estimate or 0.0 for issue in wave.issues], cap, may_reserve=True)
    starts = [plan.spans[at].start for at in range(len(wave))]
    found = optimum(wave, cap, seconds, workers, starts)
    return Best(min(found.makespan, plan.makespan), found.bound)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.makespan.optima",
        description="Look for optima with OR-tools CP-SAT, and keep the best in best.json.",
    )
    parser.add_argument(
        "--sets", default=",".join(reversed(COLLECTIONS)), help="default: %(default)s"
    )
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="for each search (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=1, help="threads (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
