"""Merge turns that issues do not take: the engine's own merges, each known by its ticket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count


class MergeTurns:
    """The tickets that wait for a merge turn or have one, in the thread of the run's loop."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._turns: dict[str, asyncio.Future[None]] = {}

    @contextmanager
    def ticket(self) -> Iterator[tuple[str, asyncio.Future[None]]]:
        """A new ticket, and its turn, to be awaited."""
        ticket = f"turn-{next(self._numbers)}"
        turn = self._turns[ticket] = asyncio.get_running_loop().create_future()
        try:
            yield ticket, turn
        finally:
            del self._turns[ticket]

    def grant(self, ticket: str) -> None:
        """Give the turn to `ticket`, if it is still wanted."""
        turn = self._turns.get(ticket)
        if turn is not None and not turn.done():
            turn.set_result(None)

    def end(self) -> None:
        """Report to all who still wait that no turn will come."""
        for turn in self._turns.values():
            if not turn.done():
                turn.set_exception(RuntimeError("the run ended before the merge turn came"))
                turn.exception()
