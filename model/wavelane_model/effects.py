"""Effects: orders, in the imperative. A step has no other output."""

from __future__ import annotations

from typing import Literal, NamedTuple

from wavelane_model.lifecycle import State, Trigger

RunOutcome = Literal["complete", "blocked", "stopped", "unfinished"]
"""How a run ended; "unfinished" means that it was cut off."""


class StartImplementing(NamedTuple):
    """Start implementing session number `session` of `issue`."""

    issue: str
    session: int


class StartReviewing(NamedTuple):
    """Start reviewing session number `session` of `issue`."""

    issue: str
    session: int


class StartMerging(NamedTuple):
    """Start the merge of `issue`, counted as session number `session`. It has the turn."""

    issue: str
    session: int


class EndSession(NamedTuple):
    """End session number `session` of `issue` now, and report when it is gone."""

    issue: str
    session: int


class WakeAt(NamedTuple):
    """Report `PostponementEnded` of `issue` at `until`, seconds since the epoch.

    None: after the delay in the limits.
    """

    issue: str
    until: float | None


class ResumeAt(NamedTuple):
    """Report `PauseEnded` at `until`, seconds since the epoch. It replaces an earlier order."""

    until: float


class EndReservationAt(NamedTuple):
    """Report `ReservationEnded` of `issue` at `until`, seconds since the epoch.

    It replaces an earlier order.
    """

    issue: str
    until: float


class GrantMergeTurn(NamedTuple):
    """Report to the owner of `ticket` that it has the turn in `repo`."""

    repo: str
    ticket: str


class AnnounceIssue(NamedTuple):
    """Record and report that `issue` moved from `source` to `target`."""

    issue: str
    trigger: Trigger
    source: State
    target: State


class AnnounceCap(NamedTuple):
    """Record and report that the cap is at `level`."""

    level: int


class FinishWave(NamedTuple):
    """End the run with `outcome`."""

    outcome: RunOutcome


Effect = (
    StartImplementing
    | StartReviewing
    | StartMerging
    | EndSession
    | WakeAt
    | ResumeAt
    | EndReservationAt
    | GrantMergeTurn
    | AnnounceIssue
    | AnnounceCap
    | FinishWave
)
