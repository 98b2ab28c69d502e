"""Layer 5: simulation of the real executor, with its real journal, under chosen schedules.

A chooser (by seed, from a list, or by Hypothesis) chooses everything that production leaves to
chance: the wave and its settings, what sessions do and how they end, when an operator acts, which
callback of the event loop is next, how long a write takes, whether the disk is full, which plan is
made, and how late. Time is virtual. Properties have names:

- `always`: what holds of every schedule (`ALWAYS` says each in a sentence);
- `sometimes`: what must have happened in one of them, or the simulation looks at too little;
- `replay`: the same seed gives the same schedule, byte for byte.

A failure names its seed, and a list of choices that is as plain as could be found.

And small waves are *crashed*: their process dies at every point, and the next one goes on from what
is left (specs/simulation/crashes.py).
"""

from __future__ import annotations

from time import perf_counter
from typing import Final, get_args

from specs.results import Result
from specs.simulation import crashes
from specs.simulation.case import Stage, What
from specs.simulation.lanes import EndOfReservation
from specs.simulation.sessions import Manner
from specs.simulation.sweep import Sweep, replayed, sweep_in_parallel

SCHEDULES: Final = 10_000
"""How many schedules are played in CI."""
NIGHTLY: Final = 100_000
"""How many schedules are played at night."""
ALWAYS: Final[dict[str, str]] = {
    "lane": "a repo has at most one session of an issue that is active",
    "cap": "an issue starts only while fewer than the level are in flight",
    "merge": "a repo has one merge at a time, in the order of approval, the engine's own included",
    "order": "an issue starts only when all that it depends on is merged",
    "pause": "no session starts at level 0 or after a stop",
    "bound": "never more sessions than the highest level in force",
    "once": "an issue has one session at a time and is merged once",
    "durable": "what follows from an event happens after the event is on disk, and once",
    "ended": "a session is cancelled with reason, at once, and not started once it is to end",
    "reservation": "nothing is admitted into a lane that is reserved for what comes before it in "
    "the plan; a reservation ends by its time, when its issue or what that waits for goes, and "
    "with the run",
    "plan": "what could be admitted goes by priority and plan; one plan is made at a time, and "
    "told while the run goes on if it is better; a run that is not to plan follows none",
    "idle": "what is ready starts where its lane is free and not reserved, and the cap has room",
    "lever": "when a call to the lever returns, the cap is where it was moved to",
    "told": "what sessions ended with stands in the journal, once and as it was",
    "ending": "run() returns, or raises what it says it raises",
    "leftover": "no session and no task outlives run()",
    "journal": "the journal keeps the rules, is whole, and folds into the report of the run",
    "vanished": "no error goes where nobody looks",
    "progress": "with the operator gone and the cap at its ceiling the run ends",
    "crash": "nothing else goes wrong",
}
SOMETIMES: Final[dict[str, tuple[str, ...]]] = {
    "ends": (
        "run() returned complete",
        "run() returned blocked",
        "run() returned stopped",
        "run() was cancelled",
        "run() raised JournalError",
    ),
    "outcomes": (
        *("Implemented", "Checkpoint", "Approved", "ChangesRequested", "Merged", "Conflicted"),
        *("Blocked", "Postponed", "Failed", "Stopped", "a time-out"),
        *("SessionWithheld", "PostponementEnded", "two in a merge queue"),
    ),
    "cancellations": (
        *(f"a cancelled session {manner}" for manner in get_args(Manner)),
        "a session is cancelled while it cleans up",
        "a merge is in when it is cancelled",
    ),
    "plans": (
        *("a plan is told before the start", "a plan is told mid-run", "a plan comes late"),
        *("the planner fails", "a reservation makes an issue wait"),
        *("the cap moves during a reservation", "the wave is amended during a reservation"),
        *(f"a reservation ends: {why}" for why in get_args(EndOfReservation)),
    ),
    "acts": (*(f"operator: {what}" for what in get_args(What)), "a move of the cap in a thread"),
    "faults": tuple(f"a full disk: {stage}" for stage in get_args(Stage)),
}


def run(nightly: bool = False) -> list[Result]:
    """Play schedules 0, 1, 2, …, crash, and say of every property whether it holds."""
    began = perf_counter()
    found = sweep_in_parallel(range(NIGHTLY if nightly else SCHEDULES))
    of_schedules = results(found, perf_counter() - began)
    return [*of_schedules, *crashes.run(nightly)]


def results(found: Sweep, seconds: float) -> list[Result]:
    """One result a property. All are checked together: the time stands with `progress`."""
    return [
        *(
            Result(
                "simulation",
                f"always {name}",
                name not in found.broken,
                found.schedules,
                "schedules",
                seconds if name == "progress" else 0.0,
                told(found.broken[name]) if name in found.broken else "",
            )
            for name in ALWAYS
        ),
        *(_sometimes(found, group) for group in SOMETIMES),
        _replay(found),
    ]


def told(seed: int) -> str:
    """What a seed breaks, for people: how to play it again, and the plainest schedule found."""
    plain = replayed(seed=seed, plainer=True)
    choices = ",".join(map(str, plain.plainest))
    return (
        f"seed {seed}; play it again: python -m specs.simulation --seed {seed}\n"
        f"a plainer one: python -m specs.simulation --choices {choices}\n{plain}"
    )


def _sometimes(found: Sweep, group: str) -> Result:
    missing = [one for one in SOMETIMES[group] if not found.seen[one]]
    return Result(
        "simulation",
        f"sometimes {group}",
        not missing,
        len(SOMETIMES[group]) - len(missing),
        "examples",
        0.0,
        f"never seen: {', '.join(missing)}" if missing else "",
    )


def _replay(found: Sweep) -> Result:
    seed = found.broken.get("replay")
    detail = "" if seed is None else f"seed {seed} gives another schedule when it is played again"
    return Result("simulation", "replay", seed is None, found.replayed, "schedules", 0.0, detail)
