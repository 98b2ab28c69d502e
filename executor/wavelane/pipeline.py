"""The pipeline: how one issue is implemented, reviewed and merged. The engine supplies it.

The scheduler calls these three and nothing else. A call that raises, times out or returns what it
may not return counts as a failure of that step. A call may be cancelled at any await, by
`asyncio` cancellation; it is to clean up and let the `CancelledError` through. A merge that is in
when the cancellation arrives returns `Merged()` all the same.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Protocol

from wavelane_model.outcomes import (
    Approved,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Conflicted,
    Implemented,
    Merged,
    Postponed,
)
from wavelane_model.wave import ISSUE_FIELDS, Issue


@dataclass(frozen=True, slots=True, eq=False)
class Assignment(Issue):
    """The issue as it is handed to a pipeline: with what the call needs to act.

    It equals the `Issue` that it was made from.

    session     number of this session or merge among all of the issue, from 1
    attempt     number of the implementing session, from 1
    round       how many reviews have requested changes since the issue was queued or unparked
    checkpoint  how many checkpoints were made since the last review
    failures    how many steps have failed since the issue was queued or unparked
    feedback    what the last review, conflict or checkpoint had to say, or ""
    """

    _: KW_ONLY
    session: int = 1
    attempt: int = 1
    round: int = 0
    checkpoint: int = 0
    failures: int = 0
    feedback: str = ""


class SessionFailed(Exception):
    """Raise it to fail a step with a sentence of your own; its text is the error as it stands."""


class Pipeline(Protocol):
    """What the scheduler drives. All three are coroutines."""

    async def implement(
        self, issue: Assignment
    ) -> Implemented | Checkpoint | Blocked | Postponed | None:
        """Run one implementing session. None means `Implemented()`."""
        ...

    async def review(self, issue: Assignment) -> Approved | ChangesRequested | Blocked | Postponed:
        """Run one reviewing session."""
        ...

    async def merge(self, issue: Assignment) -> Merged | Conflicted | Blocked | None:
        """Merge the issue. It has its repo's merge turn. None means `Merged()`."""
        ...


def assignment(issue: Issue, **of_call: int | str) -> Assignment:
    """`issue`, with what one call needs to know: the fields that `Assignment` adds."""
    return Assignment(**{name: getattr(issue, name) for name in ISSUE_FIELDS}, **of_call)  # type: ignore[arg-type]
