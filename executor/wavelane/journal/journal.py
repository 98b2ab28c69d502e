"""The journal: every event of a run on disk, before what follows from it happens.

One SQLite file in WAL mode with five tables, for any SQL client to read:

    meta      what the run was started with: format, wave, cap, lane_release, limits, and the
              experience, where there was some; and the seal
    event     one row an event, in order: seq, at (seconds since the epoch), version, kind, issue,
              data (JSON); never changed, never deleted
    issue     one row an issue: what it is, and what it was when the run was first started
              (at_first: NULL where it has not changed, '' where it was not there yet)
    standing  one row an issue: where it stands now
    command   one row a command from outside: what was asked for, and the answer, once there is one

Where an issue stands changes with each event, and what it is may be long: so these are two rows.

The *seal* is a chain of digests over what the run was started with and every event since, in order.
It is written with each transaction, so that a change made by anybody else can be noticed. It keeps
no secret: it tells damage and slips of the hand, not a forger who makes a new one.

`synchronous=FULL`: a transaction that was committed survives a power cut. Events that have come
in together are written in one transaction.

Events are written in one place at a time (`wavelane.lock`), commands by whoever gives one
(`wavelane.control.inbox`). A journal that is there already is never overwritten: it is continued,
or refused.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any, Final, NamedTuple, cast, get_args

from wavelane.journal.encoding import JournalError as JournalError
from wavelane.journal.encoding import (
    as_json,
    definition_of,
    first_seal,
    issue_of,
    plain_experience,
    read_experience,
    sealed,
    storable,
)
from wavelane.journal.encoding import decoded as decoded
from wavelane.journal.encoding import encoded as encoded
from wavelane.lock import InUseError, Lock, LockOwner
from wavelane_model.cap import Cap
from wavelane_model.events import Event, WaveAmended
from wavelane_model.lifecycle import LaneRelease, State
from wavelane_model.limits import Limits
from wavelane_model.wave import Finished, Issue, Wave

FORMAT: Final = 4
"""Version of the file's layout."""
EVENT_VERSION: Final = 1
"""Version of the events' data, one for all kinds."""
_PATIENCE: Final = 60.0
"""Seconds to wait for somebody else's transaction: that of a command is short."""

_ONE_AT_A_TIME: Final = (
    "a journal has one scheduler at a time: wait for the end of that one, or stop it"
)
_SCHEMA: Final = """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        version INTEGER NOT NULL,
        kind TEXT NOT NULL,
        issue TEXT,
        data TEXT
    );
    CREATE TABLE issue (
        position INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        repo TEXT NOT NULL,
        definition TEXT NOT NULL,
        at_first TEXT
    );
    CREATE TABLE standing (
        position INTEGER PRIMARY KEY,
        state TEXT NOT NULL DEFAULT 'queued',
        since REAL,
        attempts INTEGER NOT NULL DEFAULT 0,
        reason TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE command (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        request TEXT NOT NULL,
        answer TEXT
    );
"""


class JournalInUse(JournalError):
    """Another process holds the journal."""


class Entry(NamedTuple):
    """An event and when it happened, in seconds since the epoch."""

    at: float
    event: Event


class Row(NamedTuple):
    """A row of the table of events, as it stands there."""

    seq: int
    at: float
    version: int
    kind: str
    issue: str | None
    data: str | None


class Standing(NamedTuple):
    """Where an issue stands, as its row says it."""

    state: State
    since: float | None
    attempts: int
    reason: str


class Command(NamedTuple):
    """A row of the table of commands that has no answer yet, as it stands there.

    Anybody may have written it, so `request` is bytes.
    """

    number: int
    at: float
    request: bytes


class Settings(NamedTuple):
    """What a run was started with."""

    wave: Wave
    ceiling: int
    lane_release: LaneRelease
    limits: Limits
    name: str = ""
    """What the wave is called, if it is called anything."""


class Journal:
    """The journal of one wave, open for writing. Use it from one thread at a time."""

    def __init__(self, path: Path, settings: Settings, *, briefly: bool = False) -> None:
        """Open the journal at `path`, and make it where there is none yet (`is_new`).

        One that is there is to be read first, and then `continue_from` says how it was sealed.
        `briefly`: it is soon given back, and others wait. Raises `JournalInUse` when somebody else
        holds it, and `JournalError` where something else is.
        """
        self.path = path
        self._failed: Exception | None = None
        self._seal = ""
        with explained(path, "made"):
            self._lock = Lock(path, "journal", _ONE_AT_A_TIME, briefly=briefly)
            try:
                self.is_new = self._opened(settings)
                """Whether it was made just now."""
            except BaseException:
                self._lock.release()
                raise

    def _opened(self, settings: Settings) -> bool:
        made_file = _claimed(self.path)
        try:
            self._db = sqlite3.connect(
                self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
            try:
                tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master")}
                if tables and "meta" not in tables:
                    raise sqlite3.OperationalError("no such table: meta")
                is_new = not tables
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                if is_new:  # also where somebody was killed who was about to make it
                    self._prepare(settings)
            except BaseException:
                self._db.close()
                raise
        except BaseException:
            if made_file:
                _remove(self.path)
            raise
        return is_new

    def continue_from(self, seal: str) -> None:
        """Go on after the last event that is there, which was sealed with `seal`."""
        self._seal = seal

    @property
    def has_failed(self) -> bool:
        """Whether a write has failed, so that nothing more can be written."""
        return self._failed is not None

    @property
    def holder(self) -> LockOwner:
        """Who holds it: this process, and since when."""
        return self._lock.holder

    def append(
        self,
        entries: Sequence[Entry],
        standings: Iterable[tuple[str, Standing]] = (),
        answers: Iterable[tuple[int, str]] = (),
    ) -> None:
        """Write events, the issues' new standings and answers to commands in one transaction.

        So a command is answered where what it did is written, and is never carried out twice. Once
        this has failed it fails again: a journal may end early, but it has no gap.
        """
        if self._failed is not None:
            raise self._failed
        try:
            with explained(self.path, "written"), self._transaction():
                self._insert(entries, standings)
                self._db.executemany(
                    "UPDATE command SET answer = ? WHERE number = ?",
                    [(answer, number) for number, answer in answers],
                )
        except Exception as error:
            self._failed = error
            raise

    def _insert(self, entries: Sequence[Entry], standings: Iterable[tuple[str, Standing]]) -> None:
        rows = [(float(at), EVENT_VERSION, *encoded(event)) for at, event in entries]
        self._db.executemany(
            "INSERT INTO event (at, version, kind, issue, data) VALUES (?, ?, ?, ?, ?)", rows
        )
        for row in rows:
            self._seal = sealed(self._seal, row)
        self._db.execute("UPDATE meta SET value = ? WHERE key = 'seal'", (self._seal,))
        for _, event in entries:
            if isinstance(event, WaveAmended):
                self._amend(event.issues)
        self._db.executemany(
            "UPDATE standing SET state = ?, since = ?, attempts = ?, reason = ? "
            "WHERE position = (SELECT position FROM issue WHERE id = ?)",
            [
                (state, since, attempts, storable(reason), issue)
                for issue, (state, since, attempts, reason) in standings
            ],
        )

    def _amend(self, issues: Iterable[Issue]) -> None:
        """Add the rows of new issues, and let those that were changed say so."""
        for issue in issues:
            self._db.execute(
                "INSERT INTO issue SELECT coalesce(max(position) + 1, 0), ?, ?, ?, '' "
                "FROM issue WHERE true "
                "ON CONFLICT (id) DO UPDATE SET repo = excluded.repo, "
                "at_first = coalesce(at_first, definition), definition = excluded.definition",
                (issue.id, issue.repo, as_json(definition_of(issue))),
            )
        self._add_standings()

    def _add_standings(self) -> None:
        """Let each issue that has no row for where it stands have one."""
        self._db.execute("INSERT OR IGNORE INTO standing (position) SELECT position FROM issue")

    def unanswered(self) -> list[Command]:
        """The commands that wait for an answer, in order. Raises `JournalError`."""
        with explained(self.path, "read"):
            return _unanswered(self._db)

    def close(self) -> None:
        """Close the file; what was appended is in it."""
        self._db.close()
        self._lock.release()

    def discard(self) -> None:
        """Close the file, and remove it if it was made just now."""
        self._db.close()
        if self.is_new:
            _remove(self.path)
        self._lock.release()

    def _prepare(self, settings: Settings) -> None:
        with self._transaction():
            for statement in _SCHEMA.split(";")[:-1]:
                self._db.execute(statement)
            meta = _meta_rows(settings)
            definitions = [as_json(definition_of(issue)) for issue in settings.wave.issues]
            self._seal = first_seal(meta, definitions)
            self._db.executemany("INSERT INTO meta VALUES (?, ?)", [*meta, ("seal", self._seal)])
            self._db.executemany(
                "INSERT INTO issue VALUES (?, ?, ?, ?, NULL)",
                (
                    (at, issue.id, issue.repo, definitions[at])
                    for at, issue in enumerate(settings.wave.issues)
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


class JournalReader:
    """A journal, open for reading, as it is when it is opened; a run may go on writing to it."""

    def __init__(self, path: Path) -> None:
        """Raises `JournalError` for what is not a journal of this version."""
        self.path = path
        if not path.is_file():
            raise JournalError(f"there is no journal {path}; give the path of an existing one")
        with explained(path, "read"):
            self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            try:
                self._db.execute("BEGIN")
                self._meta = dict(self._db.execute("SELECT key, value FROM meta"))
                self._check_meta()
                self._check_format()
            except BaseException:
                self._db.close()
                raise

    def _check_meta(self) -> None:
        if not all(isinstance(text, str) for row in self._meta.items() for text in row):
            raise JournalError(
                f"journal {self.path} says in no words what its run was started with: it is "
                "damaged; restore it from a copy"
            )

    def _check_format(self) -> None:
        found = self._meta.get("format")
        if found == str(FORMAT):
            return
        age = "a newer" if found and found.isdecimal() and int(found) > FORMAT else "another"
        raise JournalError(
            f"journal {self.path} has format {found}: {age} version of wavelane wrote it, and this "
            f"one reads format {FORMAT}; use that version"
        )

    def settings(self) -> Settings:
        """What the run was started with."""
        try:
            wave = Wave(
                [issue_of(definition) for definition in self._definitions()],
                repos=self._setting("repos", list),
                done=self._setting("done", list),
                experience=self._experience(),
            )
            ceiling = Cap.at(self._setting("ceiling", int)).ceiling
            lane_release = self._setting("lane_release", str)
            if lane_release not in get_args(LaneRelease):
                raise ValueError(f"lane_release is {lane_release!r}")
            limits = Limits(**self._setting("limits", dict))
            name = self._setting("name", str)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            raise JournalError(
                f"journal {self.path} does not say what its run was started with: {what} "
                "(it was changed, or something else than wavelane wrote it)"
            ) from error
        return Settings(wave, ceiling, cast(LaneRelease, lane_release), limits, name)

    def rows(self) -> Iterator[Row]:
        """The rows of all events in order, unread."""
        with explained(self.path, "read"):
            rows = self._db.execute(
                "SELECT seq, at, version, kind, issue, data FROM event ORDER BY seq"
            )
            for row in rows:
                if not isinstance(row[0], int):
                    raise JournalError(
                        f"journal {self.path} has an event without a number: it is damaged; "
                        "restore it from a copy"
                    )
                yield Row(*row)

    def entry(self, row: Row) -> Entry:
        """The event of a row. Raises `JournalError` for what this version has not written."""
        if row.version != EVENT_VERSION:
            raise JournalError(
                f"journal {self.path} has an event of version {row.version}; this version of "
                f"wavelane reads version {EVENT_VERSION}"
            )
        if not (isinstance(row.at, float) and isfinite(row.at)):
            raise JournalError(
                f"journal {self.path} has an event at the time {row.at!r}, which is no time: it is "
                "damaged; restore it from a copy"
            )
        return Entry(row.at, decoded(row.kind, row.issue, row.data))

    def entries(self) -> Iterator[Entry]:
        """All events in order."""
        return map(self.entry, self.rows())

    def seal(self) -> str | None:
        """The seal as it stands in the journal."""
        return self._meta.get("seal")

    def first_seal(self) -> str:
        """The seal that the journal had to have before its first event."""
        meta = [(key, value) for key, value in self._meta.items() if key != "seal"]
        return first_seal(meta, self._definitions())

    def places(self) -> list[tuple[int, str, str]]:
        """The columns position, id and repo of each issue."""
        with explained(self.path, "read"):
            return list(self._db.execute("SELECT position, id, repo FROM issue ORDER BY position"))

    def standings(self) -> dict[str, Standing]:
        """Where each issue stands, by id."""
        with explained(self.path, "read"):
            rows = self._db.execute(
                "SELECT id, state, since, attempts, reason "
                "FROM issue JOIN standing USING (position) ORDER BY position"
            )
            return {
                issue: Standing(cast(State, state), since, attempts, reason)
                for issue, state, since, attempts, reason in rows
            }

    def unanswered(self) -> list[Command]:
        """The commands that wait for an answer, in order."""
        with explained(self.path, "read"):
            return _unanswered(self._db)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _definitions(self) -> list[str]:
        """What defined the issues when the run was first started."""
        with explained(self.path, "read"):
            rows = self._db.execute(
                "SELECT coalesce(at_first, definition) FROM issue "
                "WHERE at_first IS NOT '' ORDER BY position"
            )
            return [definition for (definition,) in rows]

    def _experience(self) -> tuple[Finished, ...]:
        if "experience" not in self._meta:
            return ()
        return read_experience(self._setting("experience", list))

    def _setting(self, key: str, kind: type) -> Any:
        value = json.loads(self._meta[key])
        if not isinstance(value, kind):
            raise TypeError(f"{key} is {value!r}")
        return value

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _unanswered(db: sqlite3.Connection) -> list[Command]:
    rows = db.execute(
        "SELECT number, CAST(at AS REAL), CAST(request AS BLOB) FROM command "
        "WHERE answer IS NULL ORDER BY number"
    )
    return [Command(*row) for row in rows]


def _meta_rows(settings: Settings) -> list[tuple[str, str]]:
    rows = [
        ("format", str(FORMAT)),
        ("repos", as_json(settings.wave.repos)),
        ("done", as_json(sorted(settings.wave.done))),
        ("ceiling", as_json(settings.ceiling)),
        ("lane_release", as_json(settings.lane_release)),
        ("limits", as_json(asdict(settings.limits))),
        ("name", as_json(settings.name)),
    ]
    if settings.wave.experience:
        rows.append(("experience", as_json(plain_experience(settings.wave.experience))))
    return rows


def _claimed(path: Path) -> bool:
    """Make an empty file; False where there is a file. Raises `JournalError` for anything else."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        if not path.is_file():
            raise JournalError(f"{path} is no journal but a folder; name another file") from None
        return False
    return True


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    """See to it that the file's name survives a power cut, too."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def explained(path: Path, what: str) -> Iterator[None]:
    """Turn the errors of files and SQLite into a `JournalError` that says what to do."""
    try:
        yield
    except InUseError as error:
        raise JournalInUse(str(error)) from None
    except (OSError, sqlite3.Error, UnicodeError) as error:
        raise JournalError(_in_words(path, what, error)) from error


def _in_words(path: Path, what: str, error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_NOTADB or str(error).startswith("no such table"):
        return f"{path} is no journal ({error}); give the path of one"
    if code is not None and code & 0xFF == sqlite3.SQLITE_CORRUPT:
        return (
            f"journal {path} is damaged ({error}); restore it from a copy; without it every issue "
            "is done again, but for those that the wave lists under done"
        )
    return (
        f"journal {path} cannot be {what}: {error}; "
        "check that its folder exists, can be written to and has room"
    )


def read(path: Path) -> tuple[Settings, list[Entry]]:
    """The whole of a journal. Raises `JournalError`."""
    with closing(JournalReader(path)) as reader:
        return reader.settings(), list(reader.entries())
