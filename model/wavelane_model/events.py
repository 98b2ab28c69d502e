"""Events: what has happened, in the past tense. A step has no other input."""

from __future__ import annotations

from dataclasses import dataclass

from wavelane_model.cap import CapMove
from wavelane_model.outcomes import Outcome
from wavelane_model.wave import Finished, Issue


@dataclass(frozen=True, slots=True)
class WaveStarted:
    """A run of the wave began, for the first time or again."""


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """Session or merge number `session` of `issue` is over and gone, with `outcome`."""

    issue: str
    session: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class SessionWithheld:
    """Session number `session` of `issue` was not started: the cap or a stop came first."""

    issue: str
    session: int


@dataclass(frozen=True, slots=True)
class PostponementEnded:
    """The time until which `issue` was postponed has come."""

    issue: str


@dataclass(frozen=True, slots=True)
class RunCutOff:
    """The process that ran the wave is gone without having ended the run."""


@dataclass(frozen=True, slots=True)
class AttemptDiscarded:
    """Between runs: nothing is left of the attempt at `issue`; none of its sessions is alive."""

    issue: str


@dataclass(frozen=True, slots=True)
class AttemptResumed:
    """Between runs: `issue` can continue from what is left; none of its sessions is alive."""

    issue: str


@dataclass(frozen=True, slots=True)
class MergeFound:
    """Between runs: the merge of `issue` went in; none of its sessions is alive."""

    issue: str


@dataclass(frozen=True, slots=True)
class AttemptUnclear:
    """Between runs: it is unclear how far `issue` came (`reason`); no session of it is alive."""

    issue: str
    reason: str


@dataclass(frozen=True, slots=True)
class WaveAmended:
    """Issues were added to the wave, or changed before they started.

    Attributes:
        issues: The new and the changed ones.
        done: Further ids outside the wave that are done already.
        experience: Replaces the wave's; None leaves it as it is.
    """

    issues: tuple[Issue, ...]
    done: tuple[str, ...] = ()
    experience: tuple[Finished, ...] | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """The lane of `issue` is reserved for it until `until` (seconds since the epoch) at the latest.

    While it is queued, no issue that comes after it in the order is admitted in its repo. A lane is
    reserved for an issue at most once, until a human queues it again.
    """

    issue: str
    until: float


@dataclass(frozen=True, slots=True)
class OrderPlanned:
    """Issues of equal inherited priority are to be admitted in `order`, before all others.

    It replaces an earlier plan. Issues that `order` does not name follow in the usual order.
    `reservations` are lanes to keep idle for a while. A lane that is reserved already stays so
    until the earlier of the two times; none is reserved for an issue that has had its reservation
    or that waits for a human.
    """

    order: tuple[str, ...]
    reservations: tuple[Reservation, ...] = ()


@dataclass(frozen=True, slots=True)
class ReservationEnded:
    """The time `until`, at which the reservation for `issue` ends, has come."""

    issue: str
    until: float


@dataclass(frozen=True, slots=True)
class CapMoved:
    """The cap was moved, or is to be.

    Attributes:
        move: Which way.
        level: The level that "set" asks for.
        until: When a pause ends by itself, in seconds since the epoch; None: never.
    """

    move: CapMove
    level: int = 0
    until: float | None = None


@dataclass(frozen=True, slots=True)
class PauseEnded:
    """The time `until`, at which the pause was to end by itself, has come."""

    until: float


@dataclass(frozen=True, slots=True)
class ParkRequested:
    """An issue is to be set aside for a human.

    Attributes:
        issue: Its id.
        reason: What the human has to decide or do.
    """

    issue: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnparkRequested:
    """A parked issue is to be tried again, with its counters reset.

    Attributes:
        issue: Its id.
    """

    issue: str


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """An issue is to be given up.

    Attributes:
        issue: Its id.
    """

    issue: str


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The run is to end once the running sessions and the ready merges are over."""


@dataclass(frozen=True, slots=True)
class MergeTurnRequested:
    """A turn for a merge of the engine's own into `repo` was requested, named `ticket`."""

    repo: str
    ticket: str


@dataclass(frozen=True, slots=True)
class MergeTurnReturned:
    """`ticket` no longer needs its turn in `repo`, or its place in the queue."""

    repo: str
    ticket: str


Event = (
    WaveStarted
    | SessionEnded
    | SessionWithheld
    | PostponementEnded
    | RunCutOff
    | AttemptDiscarded
    | AttemptResumed
    | MergeFound
    | AttemptUnclear
    | WaveAmended
    | OrderPlanned
    | ReservationEnded
    | CapMoved
    | PauseEnded
    | ParkRequested
    | UnparkRequested
    | CancelRequested
    | StopRequested
    | MergeTurnRequested
    | MergeTurnReturned
)
