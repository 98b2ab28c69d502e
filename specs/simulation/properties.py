"""The properties of the simulation: what must always hold, what must occur, and their results."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator
from typing import Final, get_args

from specs.results import Result
from specs.simulation.case import Stage, What
from specs.simulation.lanes import EndOfReservation
from specs.simulation.life import STAGES
from specs.simulation.sessions import Manner

LAYER: Final = "simulation"
ALWAYS: Final[dict[str, str]] = {
    "lane": "a repo has at most one session of an active issue",
    "cap": "an issue starts only while fewer than the level are in flight",
    "merge": "a repo has one merge at a time, in order of approval, the engine's own included",
    "order": "an issue starts only when all its dependencies are merged",
    "pause": "no session starts at level 0 or after a stop",
    "bound": "never more sessions than the highest level in force",
    "once": "an issue has one session at a time and is merged once",
    "durable": "the effects of an event happen after the event is on disk, and once",
    "ended": "a session is cancelled for a reason, at once, and does not start once it must end",
    "reservation": "nothing is admitted into a lane that is reserved for what comes before it in "
    "the plan; a reservation ends by its time, when its issue or what that waits for goes, and "
    "with the run",
    "plan": "admissions follow priority and plan; one plan is made at a time, and is recorded "
    "during the run if it is better; a run without planning follows no plan",
    "idle": "a ready issue starts if its lane is free and not reserved, and the cap has room",
    "cap control": "when a call that moves the cap returns, the cap is at the new level",
    "recorded": "the outcome of every session is in the journal, once and unchanged",
    "ending": "run() returns, or raises what its documentation says",
    "leftover": "no session and no task outlives run()",
    "journal": "the journal keeps the rules, is complete, and folds into the report of the run",
    "unhandled": "no error reaches the event loop's exception handler",
    "progress": "the run ends once the operator is done and the cap is at its ceiling",
    "crash": "nothing else goes wrong",
}
"""What holds in every schedule."""
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
        *("a plan is recorded before the start", "a plan is recorded mid-run", "a plan comes late"),
        *("the planner fails", "a reservation makes an issue wait"),
        *("the cap moves during a reservation", "the wave is amended during a reservation"),
        *(f"a reservation ends: {why}" for why in get_args(EndOfReservation)),
    ),
    "acts": (*(f"operator: {what}" for what in get_args(What)), "a move of the cap in a thread"),
    "faults": tuple(f"a full disk: {stage}" for stage in get_args(Stage)),
}
"""What must happen in at least one schedule, by group, or the simulation covers too little."""
CRASHED: Final[dict[str, str]] = {
    "lane": "a repo has at most one live session of an active issue",
    "cap": "an issue starts only while fewer than the level are in flight, by the journal too",
    "merge": "a repo has one merge at a time, in order of approval, across all lives",
    "order": "an issue starts only when all its dependencies are merged in the world",
    "pause": "no session starts at level 0, and the level persists into later lives",
    "bound": "never more live sessions than the highest level in force",
    "once": "no session starts while another one of its issue is alive, even from an earlier life; "
    "each issue is merged at most once in the world, and a done issue exactly once",
    "stages": "a reviewed issue has work in the world, and a merging one is approved in the world",
    "recovery": "each life calls recover for exactly the issues in flight by the journal, once "
    "each, for no more than the highest level before, and before anything starts",
    "kept": "a committed park, cancel or move of the cap stays in force in later lives",
    "same": "the same issues are done as without a crash, if no operator takes one out",
    "durable": "the effects of an event happen after the event is on disk, and once",
    "ended": "a session is cancelled for a reason, and does not start once it must end",
    "reservation": "nothing is admitted into a lane that is reserved for what comes before it in "
    "the plan; a reservation ends by its time, when its issue or what that waits for goes, and "
    "with its life",
    "plan": "admissions follow priority and plan; a better plan is recorded; a life without "
    "planning follows no plan, not even one of an earlier life",
    "idle": "a ready issue starts if its lane is free and not reserved, and the cap has room",
    "cap control": "when a call that moves the cap returns, the cap is at the new level",
    "recorded": "the outcome of every session of the last life is in the journal, and a merged "
    "issue is done",
    "ending": "a life that does not die returns from run()",
    "leftover": "no session and no task outlives run()",
    "journal": "the journal keeps the rules, is complete, and folds into the last run's report",
    "unhandled": "no error reaches the event loop's exception handler",
    "progress": "the wave ends once the operator is done and the cap is at its ceiling",
    "crash": "nothing else goes wrong",
}
"""What holds in every history, across all its lives."""
SOMETIMES_CRASHED: Final = (
    "a crash at an await",
    "a crash in the world",
    *(f"a crash at {stage}" for stage in STAGES),
    "a crash of a recovery",
    "a session outlives its process",
    "a merge goes in after its process has died",
    "a merge is in and not in the journal",
    *(f"recover answers {kind}" for kind in ("Merged", "Resumed", "Discarded", "Blocked")),
    "recover raises",
    *("a crash during a reservation", "a reservation makes an issue wait", "a plan is withdrawn"),
    *("a reservation ends: its time has come", "a reservation ends: its run ends"),
    *(f"a history ends {outcome}" for outcome in ("complete", "blocked", "stopped")),
)
"""What must happen in at least one history, or the simulation covers too little."""


def always_results(
    names: Iterable[str],
    failures: dict[str, str],
    *,
    prefix: str,
    amount: int,
    unit: str,
    seconds: float,
) -> Iterator[Result]:
    """One result for each property in `names`.

    Args:
        names: The properties. All are checked together.
        failures: The details of each property that was broken.
        prefix: What stands before the name of a property in its result.
        amount: How many `unit` were played.
        unit: What was played.
        seconds: How long it took, in all; reported with the property `progress`.
    """
    for name in names:
        yield Result(
            LAYER,
            f"{prefix} {name}",
            name not in failures,
            amount,
            unit,
            seconds if name == "progress" else 0.0,
            failures.get(name, ""),
        )


def sometimes_result(name: str, examples: Collection[str], seen: Container[str]) -> Result:
    """Whether each of these examples was seen in at least one schedule or history."""
    missing = [one for one in examples if one not in seen]
    return Result(
        LAYER,
        f"sometimes {name}",
        not missing,
        len(examples) - len(missing),
        "examples",
        0.0,
        f"never seen: {', '.join(missing)}" if missing else "",
    )
