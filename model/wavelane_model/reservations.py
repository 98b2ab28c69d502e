"""Reservations: lanes that stay idle for an issue of the plan that is not ready yet.

1. A lane may be reserved for an issue that is queued, if no human has to come first.
2. A lane is reserved for an issue once, until a human queues the issue again.
3. A later plan may shorten a reservation and withdraw it, but not prolong it.
4. It keeps back what comes after its issue in the order, in the same lane, and nothing else.

When reservations end is decided by `wavelane_model.state`, which then proposes the lane.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wavelane_model.lifecycle import TAKEN_OUT
from wavelane_model.records import Record
from wavelane_model.wave import Wave


class Reservations(dict[int, float]):
    """For which issues their lanes are reserved, by position, and until when at the latest.

    Times are in seconds since the epoch.
    """

    __slots__ = ("_records", "wave")

    def __init__(self, wave: Wave, records: Sequence[Record]) -> None:
        super().__init__()
        self.wave = wave
        self._records = records

    def clone(self, records: Sequence[Record]) -> Reservations:
        """An independent copy, about `records`."""
        twin = Reservations(self.wave, records)
        twin.update(self)
        return twin

    def adopt(self, wanted: Mapping[int, float]) -> None:
        """Reserve the lanes that a plan asks for, as far as the rules go, and no others."""
        kept = {
            position: min(until, self.get(position, until))
            for position, until in wanted.items()
            if self.may_be_made_for(self._records[position])
            and not self.is_spent(self._records[position])
        }
        self.clear()
        self.update(kept)
        for position in self:
            self._records[position].had_reservation = True

    def may_be_made_for(self, record: Record) -> bool:
        """Whether a lane may be reserved for an issue: it is queued and waits for no human."""
        return record.state == "queued" and not any(
            needed.state in TAKEN_OUT for needed in self._still_needed(record)
        )

    def is_spent(self, record: Record) -> bool:
        """Whether a lane was reserved for an issue and is no longer; none is a second time."""
        return record.had_reservation and record.position not in self

    def in_vain(self) -> list[int]:
        """Positions of the issues for which a lane is reserved and may be no longer."""
        return [one for one in self if not self.may_be_made_for(self._records[one])]

    def ahead_of(self, record: Record, rank: Sequence[int]) -> list[int]:
        """The issues that come before `record` and for which its lane is reserved.

        Args:
            record: where the issue stands.
            rank: the place of each issue in the order of admission, by position.
        """
        own = rank[record.position]
        return [one for one in self if rank[one] < own and self._records[one].lane == record.lane]

    def _still_needed(self, record: Record) -> Iterator[Record]:
        """All that an issue depends on, directly or not, and that is not done."""
        ahead = [record.position]
        known = {record.position}
        while ahead:
            for needed in self.wave.dependencies[ahead.pop()]:
                if needed not in known and self._records[needed].state != "done":
                    known.add(needed)
                    ahead.append(needed)
                    yield self._records[needed]
