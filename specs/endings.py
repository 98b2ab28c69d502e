"""How the calls of a pipeline may end: all kinds of values and exceptions, right and wrong.

The first ending of each step is the one of a call that goes well.
"""

from __future__ import annotations

import asyncio
from typing import Final

from specs.monitor import ALLOWED
from specs.observers import Step
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
