"""The pipeline: how one issue is implemented, reviewed and merged. The engine supplies it.

The scheduler calls these three methods and nothing else. A call that raises, times out or returns
something it may not return counts as a failure of that step. A call may be cancelled at any await,
by `asyncio` cancellation; it must clean up and let the `CancelledError` through. A merge that is
in when the cancellation arrives still returns `Merged()`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from operator import attrgetter
from typing import Any, Final, Protocol

from wavelane_model.lifecycle import State
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
    """An issue as a pipeline receives it, with everything the call needs to act.

    It equals the `Issue` it was made from.

    Attributes:
        session: Number of this session or merge among all those of the issue, from 1.
        attempt: Number of the implementing session, from 1.
        round: How many reviews have requested changes since the issue was queued or unparked.
        checkpoint: How many checkpoints there have been since the last review.
        failures: How many steps have failed since the issue was queued or unparked.
        feedback: What the last review, conflict or checkpoint reported, or "".
    """

    _: KW_ONLY
    session: int = 1
    attempt: int = 1
    round: int = 0
    checkpoint: int = 0
    failures: int = 0
    feedback: str = ""


class SessionFailed(Exception):
    """Raise it to fail a step with an error text of your own, which is recorded unchanged."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """After a crash: the issue's work can be continued, and none of its sessions is alive.

    An interrupted review or merge is made again; an interrupted implementation is continued by a
    fresh session.
    """


@dataclass(frozen=True, slots=True)
class Discarded:
    """After a crash: nothing is left of the attempt, and none of its sessions is alive.

    The issue is queued again and starts clean, at no charge.
    """


Found = Merged | Resumed | Discarded | Blocked
"""What is left of an issue after a crash. `Blocked`: unknown; the reason says why."""


class Recovering(Protocol):
    """A pipeline that can find out after a crash what is left of an issue."""

    async def recover(self, issue: Assignment, state: State) -> Found:
        """Find out what is left of an issue that was in flight when its run ended.

        Called once for each issue in flight, before anything starts, and again if the process dies
        before it has returned. It must make sure that no session of the issue is still alive.

        Args:
            issue: The issue, as for its next call.
            state: The state it was in.

        Returns:
            What is left. Return `Merged()` only if the merge is in: it is not made again.
        """
        ...


class Extensible(Protocol):
    """A pipeline that needs to know how to work on issues added from outside."""

    def extend(self, issues: Sequence[Issue], details: Mapping[str, Any]) -> None:
        """Accept issues that are about to be added.

        Args:
            issues: The issues.
            details: How to work on each, by id.

        Raises:
            ValueError: It cannot work with these details; the text says why. Nothing is added then.
        """
        ...


class Pipeline(Protocol):
    """What the scheduler drives. All three are coroutines; see also `Recovering`, `Extensible`.

    An exception from a call is a failure of that step. A call may be cancelled at any await; it
    cleans up and lets the `CancelledError` through.
    """

    async def implement(
        self, issue: Assignment
    ) -> Implemented | Checkpoint | Blocked | Postponed | None:
        """Run one implementing session.

        Args:
            issue: The issue, with the feedback on earlier attempts.

        Returns:
            None means `Implemented()`.
        """
        ...

    async def review(self, issue: Assignment) -> Approved | ChangesRequested | Blocked | Postponed:
        """Run one reviewing session.

        Args:
            issue: The issue.
        """
        ...

    async def merge(self, issue: Assignment) -> Merged | Conflicted | Blocked | None:
        """Merge the issue, which has its repo's merge turn.

        Args:
            issue: The issue.

        Returns:
            None means `Merged()`.
        """
        ...


_OF_ISSUE: Final = attrgetter(*ISSUE_FIELDS)
_SLOTS: Final = [getattr(Assignment, field.name).__set__ for field in fields(Assignment)]


def assignment(
    issue: Issue,
    *,
    session: int = 1,
    attempt: int = 1,
    round: int = 0,  # noqa: A002
    checkpoint: int = 0,
    failures: int = 0,
    feedback: str = "",
) -> Assignment:
    """`issue`, with the fields that `Assignment` adds.

    Its slots are filled directly: one is made for every session, and `Assignment(…)` takes three
    times as long, because a frozen class sets each field through `object.__setattr__`.
    """
    made = object.__new__(Assignment)
    of_issue = _OF_ISSUE(issue)
    of_call = (session, attempt, round, checkpoint, failures, feedback)
    for put, value in zip(_SLOTS, of_issue + of_call, strict=True):
        put(made, value)
    return made
