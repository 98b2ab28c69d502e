"""The ready queue: which of the queued issues is admitted next.

It *proposes*; the guards of the table decide. Entries of its heaps may be out of date; such an
entry is dropped when it comes up. So a step costs O(log n), whatever the size of the wave.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

from wavelane_model.lanes import Lane
from wavelane_model.records import Record
from wavelane_model.reservations import Reservations


class ReadyQueue:
    """The queued issues of all lanes, by their rank in the order of admission.

    Attributes:
        order: positions of all issues, first to be admitted first.
        rank: the place of each issue in `order`, by position.
        count: how many issues are ready.
        ready: by lane, a heap of the ranks of its issues that are ready.
        queued: by lane, a heap of the ranks of its issues that are queued.
        idle: heap of (rank of an issue that is ready, its lane), for lanes that may be free.
    """

    __slots__ = (
        "_lanes",
        "_records",
        "_reservations",
        "count",
        "idle",
        "order",
        "queued",
        "rank",
        "ready",
    )

    def __init__(
        self, records: Sequence[Record], lanes: Sequence[Lane], reservations: Reservations
    ) -> None:
        self._records = records
        self._lanes = lanes
        self._reservations = reservations
        self.order: Sequence[int] = ()
        self.rank: list[int] = []
        self.count = 0
        self.ready: list[list[int]] = []
        self.queued: list[list[int]] = []
        self.idle: list[tuple[int, int]] = []

    def clone(
        self, records: Sequence[Record], lanes: Sequence[Lane], reservations: Reservations
    ) -> ReadyQueue:
        """An independent copy for these records, lanes and reservations; the order is shared."""
        twin = ReadyQueue(records, lanes, reservations)
        twin.order = self.order
        twin.rank = self.rank
        twin.count = self.count
        twin.ready = [heap.copy() for heap in self.ready]
        twin.queued = [heap.copy() for heap in self.queued]
        twin.idle = self.idle.copy()
        return twin

    def rank_anew(self, order: Sequence[int]) -> None:
        """Put everything queued in another order of admission."""
        self.order = order
        self.rank = [0] * len(order)
        self.count = 0
        self.ready = [[] for _ in self._lanes]
        self.queued = [[] for _ in self._lanes]
        self.idle = []
        for rank, position in enumerate(order):
            self.rank[position] = rank
            record = self._records[position]
            record.listed = False
            if record.state == "queued":
                self.queued[record.lane].append(rank)  # sorted, and so a heap
        for record in self._records:
            if record.ready:
                self.add(record)

    def requeue(self, record: Record) -> None:
        """Add an issue that is queued again."""
        heappush(self.queued[record.lane], self.rank[record.position])

    def add(self, record: Record) -> None:
        """Count an issue that has become ready, and propose it."""
        self.count += 1
        rank = self.rank[record.position]
        if not record.listed:
            record.listed = True
            heappush(self.ready[record.lane], rank)
        lane = self._lanes[record.lane]
        if lane.holder is None and not lane.rework and self._first_ready(record.lane) == rank:
            heappush(self.idle, (rank, record.lane))

    def propose(self, lane: int) -> None:
        """Propose the first ready issue of a lane that has become free."""
        first = self._first_ready(lane)
        if first is not None:
            heappush(self.idle, (first, lane))

    def candidate(self) -> Record | None:
        """The first issue by rank that is ready in a lane that is free and not reserved."""
        while self.idle:
            rank, lane = self.idle[0]
            first = self._offered(lane)
            if first == rank:
                return self._records[self.order[rank]]
            heappop(self.idle)
            if first is not None and first > rank:
                heappush(self.idle, (first, lane))
        return None

    def next_in(self, lane: int) -> Record | None:
        """The issue that a lane starts next: the first that is ready, else the first queued."""
        rank = self._first_ready(lane)
        if rank is None:
            rank = self._first_queued(lane)
        return None if rank is None else self._records[self.order[rank]]

    def _offered(self, number: int) -> int | None:
        """The rank of the issue that a lane can start, if it is free and not reserved."""
        lane = self._lanes[number]
        if lane.holder is not None or lane.rework:
            return None
        first = self._first_ready(number)
        if first is None or not self._reservations:
            return first
        record = self._records[self.order[first]]
        return None if self._reservations.ahead_of(record, self.rank) else first

    def _first_ready(self, lane: int) -> int | None:
        heap = self.ready[lane]
        while heap:
            record = self._records[self.order[heap[0]]]
            if record.ready:
                return heap[0]
            heappop(heap)
            record.listed = False
        return None

    def _first_queued(self, lane: int) -> int | None:
        heap = self.queued[lane]
        while heap:
            if self._records[self.order[heap[0]]].state == "queued":
                return heap[0]
            heappop(heap)
        return None
