"""Records: where each issue of a wave stands.

A record stores what can't be derived. It decides nothing: the table lists the moves, and
`wavelane_model.state` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from wavelane_model.lifecycle import State


class PendingRemoval(NamedTuple):
    """A requested park or cancel that waits until the issue's session has ended."""

    trigger: Literal["block", "cancel"]
    reason: str


@dataclass(slots=True, eq=False)
class Record:
    """Where one issue stands.

    Attributes:
        position: its place in the wave.
        lane: the number of its repo in the wave.
        unmet: how many of its dependencies are not done.
        state: its state in the table.
        session: how many sessions and merges it has had; also the number of the latest.
        open: whether that session or merge is under way.
        untouched: whether it is in flight and none of its sessions has ended since it was admitted.
        implemented: whether only its review is left.
        postponed: whether it waits for a time.
        until: that time, in seconds since the epoch; None: after the delay in the limits.
        attempts: how many implementing sessions it has had.
        checkpoints: checkpoints without a review in between.
        rounds: change requests.
        conflicts: merge conflicts.
        failures: failed steps.
        feedback: what its next session should know.
        reason: why it is parked or postponed.
        pending_removal: a park or cancel that waits for the end of its session.
        had_reservation: whether a lane is or was reserved for it, since a human queued it last.
        listed: whether it has an entry in its lane's heap of ready issues.
    """

    position: int
    lane: int
    unmet: int
    state: State = "queued"
    session: int = 0
    open: bool = False
    untouched: bool = False
    implemented: bool = False
    postponed: bool = False
    until: float | None = None
    attempts: int = 0
    checkpoints: int = 0
    rounds: int = 0
    conflicts: int = 0
    failures: int = 0
    feedback: str = ""
    reason: str = ""
    pending_removal: PendingRemoval | None = None
    had_reservation: bool = False
    listed: bool = False

    @property
    def ready(self) -> bool:
        """Whether it may be admitted as far as it alone is concerned: only lane and cap are
        left."""
        return self.state == "queued" and self.unmet == 0 and not self.postponed

    def key(self) -> tuple[object, ...]:
        """Everything that distinguishes two records, except texts and times."""
        return (
            self.state,
            self.open,
            self.untouched,
            self.implemented,
            self.postponed,
            self.checkpoints,
            self.rounds,
            self.conflicts,
            self.failures,
            self.pending_removal and self.pending_removal.trigger,
            self.had_reservation,
        )
