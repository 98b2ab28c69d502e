"""The monitor's tables: outcomes and findings, and where each trigger may lead.

They are written by hand, because the tables of the model are among what is judged.
"""

from __future__ import annotations

from typing import Final, Literal

from specs.observers import Step
from wavelane_model.events import AttemptDiscarded, AttemptResumed, AttemptUnclear, MergeFound
from wavelane_model.lifecycle import State, Trigger
from wavelane_model.outcomes import (
    Approved,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Conflicted,
    Failed,
    Implemented,
    Merged,
    Outcome,
    Postponed,
)

__all__ = [
    "ALLOWED",
    "AT_WORK",
    "FINDING_TRIGGERS",
    "IN_FLIGHT",
    "LEADS",
    "MEANT",
    "NONE_YET",
    "STARTS",
    "STEP_STATE",
    "WAYS_BACK",
    "Ending",
    "RecoveryFinding",
    "Step",
]

Ending = Literal["block", "cancel"]
"""How an issue is taken out on request: parked or cancelled."""

ALLOWED: Final[dict[Step, frozenset[type[Outcome]]]] = {
    "implement": frozenset((Implemented, Checkpoint, Blocked, Postponed, Failed)),
    "review": frozenset((Approved, ChangesRequested, Blocked, Postponed, Failed)),
    "merge": frozenset((Merged, Conflicted, Blocked, Failed)),
}
"""The outcomes that each step may end with."""
MEANT: Final[dict[type[Outcome], Trigger]] = {
    Implemented: "implemented",
    Checkpoint: "checkpoint",
    Approved: "approve",
    ChangesRequested: "request_changes",
    Merged: "merged",
    Conflicted: "conflict",
    Blocked: "block",
    Postponed: "postpone",
    Failed: "fail",
}
"""The trigger that each outcome pulls."""
STEP_STATE: Final[dict[Step, State]] = {
    "implement": "running",
    "review": "review",
    "merge": "merging",
}
RecoveryFinding = AttemptDiscarded | AttemptResumed | MergeFound | AttemptUnclear
FINDING_TRIGGERS: Final[dict[type[RecoveryFinding], Trigger]] = {
    AttemptDiscarded: "reset",
    AttemptResumed: "resume",
    MergeFound: "find_merged",
    AttemptUnclear: "block",
}
"""The trigger that each recovery finding pulls."""
WAYS_BACK: Final = (Failed, Conflicted, ChangesRequested, Checkpoint)
"""The outcomes that send an issue back, as often as the limits allow."""
NONE_YET: Final = (0,) * len(WAYS_BACK)
IN_FLIGHT: Final[frozenset[State]] = frozenset(("admitted", "running", "review", "merging"))
AT_WORK: Final[frozenset[State]] = frozenset(("admitted", "running"))
STARTS: Final[frozenset[Trigger]] = frozenset(
    ("admit", "take_lane", "begin", "begin_review", "begin_merge")
)
"""The triggers by which work starts; none of them is pulled between runs."""
LEADS: Final[dict[Trigger, dict[State, tuple[State, ...]]]] = {
    "admit": {"queued": ("admitted",)},
    "take_lane": {"admitted": ("admitted",)},
    "begin": {"admitted": ("running", "review")},
    "implemented": {"running": ("review",)},
    "checkpoint": {"running": ("admitted", "parked")},
    "begin_review": {"review": ("review",)},
    "approve": {"review": ("merging",)},
    "request_changes": {"review": ("admitted", "parked")},
    "begin_merge": {"merging": ("merging",)},
    "merged": {"merging": ("done",)},
    "conflict": {"merging": ("admitted", "parked")},
    "fail": {
        "running": ("admitted", "parked"),
        "review": ("review", "parked"),
        "merging": ("merging", "parked"),
    },
    "postpone": {"running": ("queued",), "review": ("queued",)},
    "withhold": {"running": ("queued", "admitted"), "review": ("queued", "review")},
    "block": dict.fromkeys(("queued", *IN_FLIGHT), ("parked",)),
    "reset": dict.fromkeys(IN_FLIGHT, ("queued",)),
    "resume": {
        "admitted": ("admitted",),
        "running": ("admitted",),
        "review": ("review",),
        "merging": ("merging",),
    },
    "find_merged": dict.fromkeys(IN_FLIGHT, ("done",)),
    "unpark": {"parked": ("queued",)},
    "cancel": dict.fromkeys(("queued", "parked", *IN_FLIGHT), ("cancelled",)),
}
"""By trigger and source, the states to which it may lead."""
