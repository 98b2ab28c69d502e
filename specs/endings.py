"""How sessions end: outcomes and recovery findings of each kind, and endings of pipeline calls.

Calls end with all kinds of values and exceptions, right and wrong. The first ending of each step is
that of a call that goes well.
"""

from __future__ import annotations

import asyncio
from typing import Final

from specs.monitor import ALLOWED, RecoveryFinding
from specs.observers import Step
from wavelane_model.events import AttemptDiscarded, AttemptResumed, AttemptUnclear, MergeFound
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
    Stopped,
)

OUTCOMES: Final[tuple[Outcome, ...]] = (
    Implemented(),
    Approved(),
    Merged(),
    Checkpoint("half"),
    ChangesRequested("again"),
    Conflicted("a.txt"),
    Blocked("a question"),
    Postponed(),
    Failed("it broke"),
    Stopped(),
)
"""One outcome of each kind."""

ENDINGS: Final[dict[Step, list[object]]] = {
    "implement": [
        None,
        None,
        Implemented(),
        Checkpoint("half"),
        Blocked("a question"),
        Postponed(reason="quota"),
        ValueError("it broke"),
        asyncio.CancelledError(),
        Approved(),
    ],
    "review": [
        Approved(),
        Approved(),
        Approved(),
        ChangesRequested("again"),
        Blocked("a question"),
        Postponed(reason="quota"),
        TimeoutError(),
        "fine",
    ],
    "merge": [None, None, Merged(), Conflicted("a.py"), Blocked("a question"), OSError("no disk")],
}
"""By step, what a call returns, or raises if it is an exception."""
HAPPY: Final[dict[Step, object]] = {step: endings[0] for step, endings in ENDINGS.items()}
_NONE_MEANS: Final[dict[Step, type[Outcome]]] = {"implement": Implemented, "merge": Merged}


def counts_as(step: Step, ending: object) -> type[Outcome]:
    """The kind of outcome as which a call counts that was not cancelled."""
    if ending is None:
        return _NONE_MEANS.get(step, Failed)
    return next((kind for kind in ALLOWED[step] if type(ending) is kind), Failed)


def findings_of(issue: str) -> tuple[RecoveryFinding, ...]:
    """One recovery finding of each kind about an issue."""
    return (
        AttemptDiscarded(issue),
        AttemptResumed(issue),
        MergeFound(issue),
        AttemptUnclear(issue, "its branch is gone"),
    )
