"""Recovery: how a wave continues after its run has ended, normally or not.

1. The journal is folded through the model, which gives the wave's state. A journal that is damaged
   or belongs to another wave is refused and left unchanged.
2. A run that was cut off is recorded as such (`RunCutOff`). Nothing of it is still alive.
3. The pipeline's `recover` is asked about each issue in flight, and about no other: so about no
   more than the highest cap in force before. Git is the truth and the journal a hint: the answer is
   applied, whatever the journal says. An exception parks the issue.
4. Only then does the next run start.

A pipeline without `recover` is taken to have nothing to clean up; the model then decides what to
assume of an attempt (`wavelane_model.view.assumed_finding`).
"""

from __future__ import annotations

import inspect
import logging
from typing import Final

from wavelane.pipeline import Assignment, Discarded, Pipeline, Resumed
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    AttemptUnclear,
    Event,
    MergeFound,
)
from wavelane_model.lifecycle import State
from wavelane_model.outcomes import Blocked, Merged
from wavelane_model.view import assumed_finding

log = logging.getLogger("wavelane")

_MERGE_UNCLEAR: Final = (
    "its merge was under way when the run was cut off; look whether it is in: then cancel this "
    "issue, else unpark it"
)


async def finding_of(
    pipeline: Pipeline, issue: Assignment, state: State, *, was_open: bool
) -> Event:
    """What is left of an issue that was in flight in `state`, as an event.

    `was_open`: one of its sessions or merges was under way.
    """
    recover = getattr(pipeline, "recover", None)
    if recover is None:
        return assumed_finding(issue.id, state, was_open=was_open, unclear=_MERGE_UNCLEAR)
    try:
        asked = recover(issue, state)
        found = await asked if inspect.isawaitable(asked) else asked
    except Exception as error:
        log.warning("recover of issue %s raised", issue.id, exc_info=error)
        return AttemptUnclear(issue.id, f"recover raised {type(error).__name__}: {error}")
    return _event(issue.id, found)


def _event(issue_id: str, found: object) -> Event:
    match found:
        case Merged():
            return MergeFound(issue_id)
        case Resumed():
            return AttemptResumed(issue_id)
        case Discarded():
            return AttemptDiscarded(issue_id)
        case Blocked(reason):
            return AttemptUnclear(issue_id, str(reason))
        case _:
            return AttemptUnclear(
                issue_id,
                f"recover returned {found!r}; it may return Merged, Resumed, Discarded, Blocked",
            )
