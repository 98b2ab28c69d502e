"""Outcomes of a session or a merge: the values that a pipeline returns.

`Failed` and `Stopped` are made by the executor: a pipeline fails by raising, and a session is
stopped when its issue is parked or cancelled while it runs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Implemented:
    """The implementing session has finished; the issue goes to review."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The session stopped at a safe boundary and committed; a fresh session continues.

    Attributes:
        note: Passed to that session as feedback.
    """

    note: str = ""


@dataclass(frozen=True, slots=True)
class Approved:
    """The review found nothing to change; the issue joins its repo's merge queue."""


@dataclass(frozen=True, slots=True)
class ChangesRequested:
    """The review wants changes.

    Attributes:
        feedback: Passed to the next implementing session.
    """

    feedback: str = ""


@dataclass(frozen=True, slots=True)
class Merged:
    """The merge is in."""


@dataclass(frozen=True, slots=True)
class Conflicted:
    """The merge did not apply and left nothing behind.

    Attributes:
        details: Passed to the next implementing session as feedback.
    """

    details: str = ""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Only a human can help: the issue is parked.

    Attributes:
        reason: What the human has to decide or do.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """Throttled from outside, e.g. by a quota: no charge, and the issue comes back by itself.

    Attributes:
        until: The earliest time to try again, in seconds since the epoch. None:
            `Limits.postpone_delay` seconds from now.
        reason: Why, for people.
    """

    until: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The step raised, timed out, or returned an invalid value; `error` says which."""

    error: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The scheduler ended the session, and it is gone."""


Outcome = (
    Implemented
    | Checkpoint
    | Approved
    | ChangesRequested
    | Merged
    | Conflicted
    | Blocked
    | Postponed
    | Failed
    | Stopped
)
