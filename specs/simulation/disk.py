"""The real journal, on a disk that may be full, or in a process that may die at any statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, cast
from unittest.mock import patch

from specs.simulation.case import Fault, Stage
from specs.simulation.process import ReachPoint
from wavelane.journal import Journal, RecordedEvent, Settings, Standing

_FULL: Final = "database or disk is full"
_STATEMENTS: Final[dict[Stage, str]] = {
    "begin": "BEGIN",
    "events": "INSERT INTO event",
    "standings": "UPDATE standing",
    "commit": "COMMIT",
    "after the commit": "COMMIT",
}
"""For each stage, the first words of the statement at which a write fails."""


class SimulatedJournal(Journal):
    """A journal that meets one fault, if any.

    `committed` is called with the events of each commit, and `log` with a line for the trace.
    """

    def __init__(
        self,
        path: Path,
        settings: Settings,
        *,
        fault: Fault | None,
        committed: Callable[[Sequence[RecordedEvent]], None],
        log: Callable[[str], None],
    ) -> None:
        self._fault = fault
        self._log = log
        self._writes = 0
        self._writing: Sequence[RecordedEvent] = ()
        super().__init__(path, settings)
        self._disk = _FullDisk(self._db, lambda: committed(self._writing))
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
            self._log("a write to the journal fails")
            raise

    def _prepare(self, settings: Settings) -> None:
        super()._prepare(settings)
        if self._fault is not None and self._fault.stage == "making":
            raise sqlite3.OperationalError(_FULL)


class CrashingJournal(Journal):
    """A journal whose process may die before each statement, and after each commit.

    `committed` is called with the events and standings of each commit.
    """

    def __init__(
        self,
        path: Path,
        settings: Settings,
        reach: ReachPoint,
        committed: Callable[[Sequence[RecordedEvent], Iterable[tuple[str, Standing]]], None],
    ) -> None:
        self._reach = reach
        self._committed = committed
        self._writing: tuple[Sequence[RecordedEvent], Iterable[tuple[str, Standing]]] = ((), ())
        super().__init__(path, settings)

    def _opened(self, settings: Settings) -> bool:
        self._reach(lambda: "with the lock of the journal taken")
        connect = sqlite3.connect
        with patch.object(sqlite3, "connect", lambda *of, **how: self._disk(connect(*of, **how))):
            return super()._opened(settings)

    def _disk(self, db: sqlite3.Connection) -> sqlite3.Connection:
        self._reach(lambda: "with the file of the journal opened")
        disk = _CrashingDisk(db, lambda: self._committed(*self._writing), self._reach)
        return cast(sqlite3.Connection, disk)

    def append(
        self,
        events: Sequence[RecordedEvent],
        standings: Iterable[tuple[str, Standing]] = (),
        answers: Iterable[tuple[int, str]] = (),
    ) -> None:
        self._writing = events, standings
        super().append(events, standings, answers)

    def close(self) -> None:
        self._reach(lambda: "before the journal is closed")
        super().close()
        self._reach(lambda: "after the journal is closed")


class _ObservedConnection:
    """A connection to a database; `committed` is called after each commit."""

    def __init__(self, db: sqlite3.Connection, committed: Callable[[], None]) -> None:
        self._db = db
        self._committed = committed

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self._before(sql)
        cursor = self._db.execute(sql, *values)
        if sql == "COMMIT":
            self._committed()
        self._after(sql)
        return cursor

    def executemany(self, sql: str, rows: Iterable[Any]) -> sqlite3.Cursor:
        self._before(sql)
        return self._db.executemany(sql, rows)

    def close(self) -> None:
        self._db.close()

    def _before(self, sql: str) -> None:
        """A statement is about to be executed."""

    def _after(self, sql: str) -> None:
        """A statement was executed, once."""


class _FullDisk(_ObservedConnection):
    """Fails once, at the stage `fails_at`."""

    def __init__(self, db: sqlite3.Connection, committed: Callable[[], None]) -> None:
        super().__init__(db, committed)
        self.fails_at: Stage | None = None

    def _before(self, sql: str) -> None:
        if self.fails_at != "after the commit":
            self._fail_at(sql)

    def _after(self, sql: str) -> None:
        if self.fails_at == "after the commit":
            self._fail_at(sql)

    def _fail_at(self, sql: str) -> None:
        if self.fails_at is not None and sql.startswith(_STATEMENTS[self.fails_at]):
            self.fails_at = None
            raise sqlite3.OperationalError(_FULL)


class _CrashingDisk(_ObservedConnection):
    """Reaches a point before each statement, and one after each commit."""

    def __init__(
        self, db: sqlite3.Connection, committed: Callable[[], None], reach: ReachPoint
    ) -> None:
        super().__init__(db, committed)
        self._reach = reach

    def _before(self, sql: str) -> None:
        self._reach(lambda: f"before {' '.join(sql.split()[:5])}")

    def _after(self, sql: str) -> None:
        if sql == "COMMIT":
            self._reach(lambda: "after COMMIT")
