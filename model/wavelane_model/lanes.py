"""Lanes: who is active in each repo, who waits to be active again, and who merges into it.

An issue holds its lane while it is active. Rework waits for the lane in order of arrival. The merge
queue is first come, first served; in it are positions of issues, and tickets of others who merge
into the repo.

`Lanes` also keeps track of what a step has to look at next: free lanes with rework waiting, and
lanes with a merge queue and a free turn.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from copy import copy

from wavelane_model.records import Record


class Lane:
    """One repo.

    Attributes:
        holder: the position of the issue that is active in it.
        rework: positions of issues in flight that wait for the lane to be worked on again.
        merges: the merge queue.
        turn: who has the merge turn.
    """

    __slots__ = ("holder", "merges", "rework", "turn")

    def __init__(self) -> None:
        self.holder: int | None = None
        self.rework: OrderedDict[int, None] = OrderedDict()
        self.merges: OrderedDict[int | str, None] = OrderedDict()
        self.turn: int | str | None = None

    @property
    def is_free(self) -> bool:
        """Whether no issue holds the lane, and none waits to hold it again."""
        return self.holder is None and not self.rework

    def next_merge(self) -> int | str | None:
        """The first in the merge queue."""
        return next(iter(self.merges), None)

    def clone(self) -> Lane:
        """An independent copy."""
        twin = copy(self)
        twin.rework = self.rework.copy()
        twin.merges = self.merges.copy()
        return twin

    def key(self) -> tuple[object, ...]:
        """Everything that distinguishes two lanes."""
        return (self.holder, tuple(self.rework), tuple(self.merges), self.turn)


class Lanes(list[Lane]):
    """All lanes of a wave, in the order of its repos.

    Attributes:
        due: numbers of the free lanes with rework waiting.
        turns_due: numbers of the lanes with a merge queue and a free turn.
        tickets: how many tickets wait for a turn or have one.
    """

    __slots__ = ("due", "tickets", "turns_due")

    def __init__(self, count: int) -> None:
        super().__init__(Lane() for _ in range(count))
        self.due: OrderedDict[int, None] = OrderedDict()
        self.turns_due: OrderedDict[int, None] = OrderedDict()
        self.tickets = 0

    def clone(self) -> Lanes:
        """An independent copy."""
        twin = Lanes(0)
        twin.extend(lane.clone() for lane in self)
        twin.due = self.due.copy()
        twin.turns_due = self.turns_due.copy()
        twin.tickets = self.tickets
        return twin

    # Who is active

    def await_(self, record: Record) -> None:
        """Make `record` wait for its lane, for rework."""
        lane = self[record.lane]
        lane.rework[record.position] = None
        if lane.holder is None:
            self.due[record.lane] = None

    def take(self, record: Record) -> None:
        """Give the lane to `record`, which has waited for it."""
        lane = self[record.lane]
        lane.holder = record.position
        del lane.rework[record.position]
        self.due.pop(record.lane, None)

    def leave(self, record: Record) -> bool:
        """Take the lane, or the place among those that wait for it, from `record`.

        Returns:
            Whether the lane has become free for an admission.
        """
        lane = self[record.lane]
        if lane.holder == record.position:
            lane.holder = None
        else:
            del lane.rework[record.position]
        if lane.holder is not None:
            return False
        if lane.rework:
            self.due[record.lane] = None
            return False
        self.due.pop(record.lane, None)
        return True

    # Who merges

    def join_merges(self, number: int, who: int | str) -> None:
        """Put an issue or a ticket at the end of a lane's merge queue."""
        lane = self[number]
        lane.merges[who] = None
        if lane.turn is None:
            self.turns_due[number] = None

    def leave_merges(self, number: int, who: int | str) -> None:
        """Take an issue or a ticket out of a lane's merge queue, with or without the turn."""
        del self[number].merges[who]
        self.free_turn(number, who)

    def free_turn(self, number: int, who: int | str) -> None:
        """Take the turn back from `who`, if it has the turn; it keeps its place in the queue."""
        lane = self[number]
        if lane.turn == who:
            lane.turn = None
        if lane.turn is None and lane.merges:
            self.turns_due[number] = None
        else:
            self.turns_due.pop(number, None)

    def waiting_tickets(self, repos: Sequence[str]) -> list[tuple[str, str]]:
        """Repo and name of each ticket that waits for a merge turn or has one."""
        return [
            (repo, who)
            for repo, lane in zip(repos, self, strict=True)
            for who in lane.merges
            if isinstance(who, str)
        ]

    def drop_tickets(self) -> None:
        """Remove all tickets from the merge queues: their owners are gone."""
        for number, lane in enumerate(self):
            for who in [who for who in lane.merges if isinstance(who, str)]:
                self.leave_merges(number, who)
        self.tickets = 0
