"""Reservations: lanes kept idle for an issue of the plan that is not ready yet.

1. A lane may be reserved for a queued issue that waits for no human.
2. A lane is reserved for an issue only once, until a human queues the issue again.
3. A later plan may shorten or withdraw a reservation, but not prolong it.
4. A reservation keeps back only issues of the same lane that come later in the order.

`wavelane_model.state` decides when a reservation ends, and then proposes the lane.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wavelane_model.lifecycle import TAKEN_OUT
from wavelane_model.records import Record
from wavelane_model.wave import Wave


class Reservations(dict[int, float]):
    """Positions of the issues whose lanes are reserved for them, and until when at the latest.

    Times are in seconds since the epoch.
    """

    __slots__ = ("_records", "wave")

    def __init__(self, wave: Wave, records: Sequence[Record]) -> None:
        super().__init__()
        self.wave = wave
        self._records = records

    def clone(self, records: Sequence[Record]) -> Reservations:
        """An independent copy for `records`."""
        twin = Reservations(self.wave, records)
        twin.update(self)
        return twin

    def adopt(self, wanted: Mapping[int, float]) -> None:
        """Reserve the lanes that a plan asks for, as far as the rules allow, and no others."""
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
        """Whether an issue has had its reservation and has it no longer; it gets no second one."""
        return record.had_reservation and record.position not in self

    def in_vain(self) -> list[int]:
        """Positions of the issues whose reservation is no longer allowed."""
        return [one for one in self if not self.may_be_made_for(self._records[one])]

    def ahead_of(self, record: Record, rank: Sequence[int]) -> list[int]:
        """The issues before `record` in the order for which its lane is reserved.

        Args:
            record: where the issue stands.
            rank: the place of each issue in the order of admission, by position.
        """
        own = rank[record.position]
        return [one for one in self if rank[one] < own and self._records[one].lane == record.lane]

    def _still_needed(self, record: Record) -> Iterator[Record]:
        """Everything that an issue depends on, directly or not, and that is not done."""
        ahead = [record.position]
        known = {record.position}
        while ahead:
            for needed in self.wave.dependencies[ahead.pop()]:
                if needed not in known and self._records[needed].state != "done":
                    known.add(needed)
                    ahead.append(needed)
                    yield self._records[needed]
