"""The real journal, on a disk that may be full. It tells of each commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, cast

from specs.simulation.case import Fault, Stage
from wavelane.journal import Journal, RecordedEvent, Settings, Standing

_FULL: Final = "database or disk is full"
_STATEMENTS: Final[dict[Stage, str]] = {
    "begin": "BEGIN",
    "events": "INSERT INTO event",
    "standings": "UPDATE standing",
    "commit": "COMMIT",
    "after the commit": "COMMIT",
}
"""How the statement begins at which a write fails."""


class SimulatedJournal(Journal):
    """A journal that meets one fault, if any.

    `committed` is called with what was, and `say` with what is to be told.
    """

    def __init__(
        self,
        path: Path,
        settings: Settings,
        *,
        fault: Fault | None,
        committed: Callable[[Sequence[RecordedEvent]], None],
        say: Callable[[str], None],
    ) -> None:
        self._fault = fault
        self._say = say
        self._writes = 0
        self._writing: Sequence[RecordedEvent] = ()
        super().__init__(path, settings)
        self._disk = _Disk(self._db, lambda: committed(self._writing))
        self._db = cast(sqlite3.Connection, self._disk)

    def append(
        self,
        events: Sequence[RecordedEvent],
        standings: Iterable[tuple[str, Standing]] = (),
        answers: Iterable[tuple[int, str]] = (),
    ) -> None:
        self._writes += 1
        self._writing = events
        if self._fault is not None and self._fault.write == self._writes:
            self._disk.fails_at = self._fault.stage
        try:
            super().append(events, standings, answers)
        except Exception:
            self._say("a write to the journal fails")
            raise

    def _prepare(self, settings: Settings) -> None:
        super()._prepare(settings)
        if self._fault is not None and self._fault.stage == "making":
            raise sqlite3.OperationalError(_FULL)


class _Disk:
    """A connection to a database that fails once, at the stage `fails_at`.

    `committed` is called after each commit.
    """

    def __init__(self, db: sqlite3.Connection, committed: Callable[[], None]) -> None:
        self._db = db
        self._committed = committed
        self.fails_at: Stage | None = None

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self._meet(sql, before=True)
        cursor = self._db.execute(sql, *values)
        if sql == "COMMIT":
            self._committed()
        self._meet(sql, before=False)
        return cursor

    def executemany(self, sql: str, rows: Iterable[Any]) -> sqlite3.Cursor:
        self._meet(sql, before=True)
        return self._db.executemany(sql, rows)

    def close(self) -> None:
        self._db.close()

    def _meet(self, sql: str, *, before: bool) -> None:
        if self.fails_at is None or before == (self.fails_at == "after the commit"):
            return
        if sql.startswith(_STATEMENTS[self.fails_at]):
            self.fails_at = None
            raise sqlite3.OperationalError(_FULL)
