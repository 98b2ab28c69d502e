"""Layer 5: simulation of the real executor, with its real journal, under chosen schedules.

A chooser (by seed, from a list, or by Hypothesis) makes every choice that production leaves to
chance: the wave and its settings, what sessions do and how they end, when an operator acts, which
callback of the event loop runs next, how long a write takes, whether the disk is full, which plan
is made, and how late. Time is virtual. Properties have names:

- `always`: holds in every schedule (`ALWAYS` describes each in a sentence);
- `sometimes`: must happen in at least one schedule, or the simulation covers too little;
- `replay`: the same seed gives the same schedule, byte for byte.

A failure names its seed, and the simplest list of choices found that fails in the same way.

Small waves are also *crashed*: their process dies at every point, and the next process continues
from what is left (specs/simulation/crashes.py).
"""

from __future__ import annotations

from time import perf_counter
from typing import Final

from specs.results import Result
from specs.simulation import crashes
from specs.simulation.properties import ALWAYS, LAYER, SOMETIMES, always_results, sometimes_result
from specs.simulation.sweep import Sweep, replayed, sweep_in_parallel

SCHEDULES: Final = 10_000
"""Schedules that CI plays."""
NIGHTLY: Final = 100_000
"""Schedules that the nightly form plays."""


def run(nightly: bool = False) -> list[Result]:
    """Play schedules 0, 1, 2, …, then crash; one result for each property."""
    began = perf_counter()
    found = sweep_in_parallel(range(NIGHTLY if nightly else SCHEDULES))
    of_schedules = results(found, perf_counter() - began)
    return [*of_schedules, *crashes.run(nightly)]


def results(found: Sweep, seconds: float) -> list[Result]:
    """One result for each property."""
    return [
        *always_results(
            ALWAYS,
            {name: failure_text(found.broken[name]) for name in ALWAYS if name in found.broken},
            prefix="always",
            amount=found.schedules,
            unit="schedules",
            seconds=seconds,
        ),
        *(sometimes_result(group, SOMETIMES[group], found.seen) for group in SOMETIMES),
        _replay(found),
    ]


def failure_text(seed: int) -> str:
    """How to play a failing seed again, and the simplest schedule found that fails likewise."""
    simplest = replayed(seed=seed, simpler=True)
    choices = ",".join(map(str, simplest.simplest))
    return (
        f"seed {seed}; play it again: python -m specs.simulation --seed {seed}\n"
        f"a simpler one: python -m specs.simulation --choices {choices}\n{simplest}"
    )


def _replay(found: Sweep) -> Result:
    seed = found.broken.get("replay")
    detail = "" if seed is None else f"seed {seed} gives another schedule when it is played again"
    return Result(LAYER, "replay", seed is None, found.replayed, "schedules", 0.0, detail)
