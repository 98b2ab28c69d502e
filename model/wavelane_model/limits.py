"""How often a step may be repeated before its issue is parked, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts allowed before an issue is parked, and time-outs. Unparking resets the counts.

    Attributes:
        review_rounds: Change requests that go back to implementing; the next one parks.
        checkpoints: Checkpoints with no review in between; the last of them parks.
        conflicts: Merge conflicts that go back to implementing; the next one parks.
        failures: Failed steps that are retried; the next one parks.
        gate_attempts: Times a failing gate goes back to implementing within one step.
        implement_timeout: Seconds that an implementing session may take; None: no limit.
        review_timeout: Seconds that a reviewing session may take; None: no limit.
        merge_timeout: Seconds that a merge may take; None: no limit.
        postpone_delay: Seconds until an issue that was postponed without a time is tried again.

    Raises:
        ValueError: For a count or a time that is out of range.
    """

    review_rounds: int = 2
    checkpoints: int = 3
    conflicts: int = 2
    failures: int = 2
    gate_attempts: int = 3
    implement_timeout: float | None = None
    review_timeout: float | None = None
    merge_timeout: float | None = None
    postpone_delay: float = 300.0

    def tried_again_at(self, now: float, until: float | None = None) -> float:
        """When an issue that is postponed now is tried again, in seconds since the epoch.

        Args:
            now: the present time, in seconds since the epoch.
            until: the time until which it was postponed, if one was given.
        """
        return now + self.postpone_delay if until is None else until

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_timeout"):
                if value is not None and not value > 0:
                    raise ValueError(f"{field.name} is {value}; give seconds above 0, or None")
                continue
            least = 1 if field.name == "checkpoints" else 0
            if value is None or not least <= value < float("inf"):
                raise ValueError(f"{field.name} is {value}; give {least} or more")
