"""The journal's writer: every event of a run is on disk before what follows from it happens.

`synchronous=FULL`: a committed transaction survives a power cut. Events that come in together are
written in one transaction, with the issues' new standings, the answers to commands and the digest
of the hash chain.

Only one process at a time writes events (`wavelane.lock`); any process may write a command
(`wavelane.control.inbox`). An existing journal is never overwritten: it is continued, or refused.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from wavelane.journal.encoding import encode_event
from wavelane.journal.errors import JournalError, NotAJournal, explain_errors
from wavelane.journal.hash_chain import META_KEY, first_digest, next_digest
from wavelane.journal.plain import definition_of, storable_text, to_json
from wavelane.journal.rows import (
    EVENT_VERSION,
    TABLES,
    CommandRow,
    RecordedEvent,
    Settings,
    Standing,
    meta_rows,
    table_names,
    unanswered_commands,
)
from wavelane.lock import Lock, LockOwner
from wavelane_model.events import WaveAmended
from wavelane_model.wave import Issue

_TRANSACTION_TIMEOUT: Final = 60.0
"""Seconds to wait for another process's transaction: a command's is short."""
_ONE_AT_A_TIME: Final = (
    "a journal has one scheduler at a time: wait until that one ends, or stop it"
)


class Journal:
    """The journal of one wave, open for writing. Use it from one thread at a time.

    Attributes:
        path: The file.
        is_new: Whether this object created it.
    """

    def __init__(self, path: Path, settings: Settings, *, briefly: bool = False) -> None:
        """Open the journal at `path`, or make it if there is none (`is_new`).

        An existing one must be read first; then `continue_from` gets its last digest.

        Args:
            path: The file.
            settings: What the run is started with; written only into a new journal.
            briefly: It is closed again soon, so other processes wait for it.

        Raises:
            JournalInUse: Another process has it open for writing.
            NotAJournal: Something else is at `path`.
            JournalError: It cannot be made.
        """
        self.path = path
        self._failed: Exception | None = None
        self._digest = ""
        with explain_errors(path, "made"):
            self._lock = Lock(path, "journal", _ONE_AT_A_TIME, briefly=briefly)
            try:
                self.is_new = self._opened(settings)
            except BaseException:
                self._lock.release()
                raise

    def _opened(self, settings: Settings) -> bool:
        made_file = _make_file(self.path)
        try:
            self._db = sqlite3.connect(
                self.path,
                timeout=_TRANSACTION_TIMEOUT,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                tables = table_names(self._db)
                if tables and "meta" not in tables:
                    raise NotAJournal(self.path, "no such table: meta")
                is_new = not tables
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                if is_new:  # or a process was killed while making it
                    self._prepare(settings)
            except BaseException:
                self._db.close()
                raise
        except BaseException:
            if made_file:
                _remove(self.path)
            raise
        return is_new

    def continue_from(self, digest: str) -> None:
        """Continue after the last recorded event; `digest` is the hash chain's at that event."""
        self._digest = digest

    @property
    def has_failed(self) -> bool:
        """Whether a write has failed, which makes further writes impossible."""
        return self._failed is not None

    @property
    def owner(self) -> LockOwner:
        """The process that has it open for writing, which is this one, and since when."""
        return self._lock.owner

    def append(
        self,
        events: Sequence[RecordedEvent],
        standings: Iterable[tuple[str, Standing]] = (),
        answers: Iterable[tuple[int, str]] = (),
    ) -> None:
        """Write events, the issues' new standings and answers to commands in one transaction.

        So a command's answer and its effects are in one transaction, and it is never executed
        twice. After a failure every later call fails, too: a journal may end early, but it has no
        gap.

        Args:
            events: The events, in order.
            standings: The new standings of the issues that have moved, by id.
            answers: Numbers of commands, and their answers.

        Raises:
            JournalError: It cannot be written.
        """
        if self._failed is not None:
            raise self._failed
        try:
            with explain_errors(self.path, "written"), self._transaction():
                self._insert(events, standings)
                self._db.executemany(
                    "UPDATE command SET answer = ? WHERE number = ?",
                    [(answer, number) for number, answer in answers],
                )
        except Exception as error:
            self._failed = error
            raise

    def _insert(
        self, events: Sequence[RecordedEvent], standings: Iterable[tuple[str, Standing]]
    ) -> None:
        rows = [(float(at), EVENT_VERSION, *encode_event(event)) for at, event in events]
        self._db.executemany(
            "INSERT INTO event (at, version, kind, issue, data) VALUES (?, ?, ?, ?, ?)", rows
        )
        for row in rows:
            self._digest = next_digest(self._digest, row)
        self._db.execute("UPDATE meta SET value = ? WHERE key = ?", (self._digest, META_KEY))
        for _, event in events:
            if isinstance(event, WaveAmended):
                self._amend(event.issues)
        self._db.executemany(
            "UPDATE standing SET state = ?, since = ?, attempts = ?, reason = ? "
            "WHERE position = (SELECT position FROM issue WHERE id = ?)",
            [
                (state, since, attempts, storable_text(reason), issue)
                for issue, (state, since, attempts, reason) in standings
            ],
        )

    def _amend(self, issues: Iterable[Issue]) -> None:
        """Add the rows of new issues, and update those of changed ones."""
        for issue in issues:
            self._db.execute(
                "INSERT INTO issue SELECT coalesce(max(position) + 1, 0), ?, ?, ?, '' "
                "FROM issue WHERE true "
                "ON CONFLICT (id) DO UPDATE SET repo = excluded.repo, "
                "at_first = coalesce(at_first, definition), definition = excluded.definition",
                (issue.id, issue.repo, to_json(definition_of(issue))),
            )
        self._add_standings()

    def _add_standings(self) -> None:
        """Add a standing for each issue that has none."""
        self._db.execute("INSERT OR IGNORE INTO standing (position) SELECT position FROM issue")

    def unanswered_commands(self) -> list[CommandRow]:
        """The commands without an answer, in order. Raises `JournalError`."""
        with explain_errors(self.path, "read"):
            return unanswered_commands(self._db)

    def close(self) -> None:
        """Close the file; everything appended is in it."""
        self._db.close()
        self._lock.release()

    def discard(self) -> None:
        """Close the file, and remove it if this object created it."""
        self._db.close()
        if self.is_new:
            _remove(self.path)
        self._lock.release()

    def _prepare(self, settings: Settings) -> None:
        with self._transaction():
            for statement in TABLES.values():
                self._db.execute(statement)
            meta = meta_rows(settings)
            definitions = [to_json(definition_of(issue)) for issue in settings.wave.issues]
            self._digest = first_digest(meta, definitions)
            self._db.executemany(
                "INSERT INTO meta VALUES (?, ?)", [*meta, (META_KEY, self._digest)]
            )
            self._db.executemany(
                "INSERT INTO issue VALUES (?, ?, ?, ?, NULL)",
                (
                    (position, issue.id, issue.repo, definitions[position])
                    for position, issue in enumerate(settings.wave.issues)
                ),
            )
            self._add_standings()
        _sync_folder(self.path)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _make_file(path: Path) -> bool:
    """Make an empty file; False if a file exists. Raises `JournalError` for anything else."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        if not path.is_file():
            raise JournalError(f"{path} is a folder, not a journal; name another file") from None
        return False
    return True


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    """Make sure that the file's name survives a power cut, too."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
