"""The journal: every event of a run on disk, before what follows from it happens.

One SQLite file in WAL mode with three tables, for any SQL client to read:

    meta    what the run was started with: format, wave, cap, lane_release, limits
    event   one row an event, in order: seq, at (seconds since the epoch), version, kind, issue,
            data (JSON); never changed, never deleted
    issue   one row an issue: what it is, and where it stands now

`synchronous=FULL`: a transaction that was committed survives a power cut. Events that have come
in together are written in one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final, NamedTuple, cast, get_args

from wavelane_model.events import Event, SessionEnded
from wavelane_model.lifecycle import LaneRelease, State
from wavelane_model.limits import Limits
from wavelane_model.outcomes import Outcome
from wavelane_model.wave import ISSUE_FIELDS, Issue, Wave

FORMAT: Final = 1
"""Version of the file's layout."""
EVENT_VERSION: Final = 1
"""Version of the events' data, one for all kinds."""

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
        state TEXT NOT NULL,
        since REAL,
        attempts INTEGER NOT NULL,
        reason TEXT NOT NULL
    );
"""


class JournalError(RuntimeError):
    """A journal that cannot be made, written or read; the text names it and what to do."""


class Entry(NamedTuple):
    """An event and when it happened, in seconds since the epoch."""

    at: float
    event: Event


class Standing(NamedTuple):
    """Where an issue stands: the changing columns of its row."""

    state: State
    since: float | None
    attempts: int
    reason: str


class Settings(NamedTuple):
    """What a run was started with."""

    wave: Wave
    ceiling: int
    lane_release: LaneRelease
    limits: Limits


class Journal:
    """The journal of one run, open for writing. Use it from one thread at a time."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """Make a new journal. Raises `JournalError` where there is something already."""
        self.path = path
        with _explained(path, "made"):
            if path.exists() and path.stat().st_size > 0:
                raise JournalError(
                    f"journal {path} exists already; name another file, or move it away"
                )
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(settings)
            except BaseException:
                self._db.close()
                raise

    def append(
        self, entries: Sequence[Entry], standings: Iterable[tuple[str, Standing]] = ()
    ) -> None:
        """Write events and the issues' new standings in one transaction."""
        with _explained(self.path, "written"), self._transaction():
            self._db.executemany(
                "INSERT INTO event (at, version, kind, issue, data) VALUES (?, ?, ?, ?, ?)",
                [(entry.at, EVENT_VERSION, *encoded(entry.event)) for entry in entries],
            )
            self._db.executemany(
                "UPDATE issue SET state = ?, since = ?, attempts = ?, reason = ? WHERE id = ?",
                [(*standing, issue) for issue, standing in standings],
            )

    def close(self) -> None:
        """Close the file; what was appended is in it."""
        self._db.close()

    def discard(self) -> None:
        """Close the file and remove it."""
        self._db.close()
        self.path.unlink(missing_ok=True)

    def _prepare(self, settings: Settings) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        with self._transaction():
            for statement in _SCHEMA.split(";")[:-1]:
                self._db.execute(statement)
            self._db.executemany("INSERT INTO meta VALUES (?, ?)", _meta_rows(settings))
            self._db.executemany(
                "INSERT INTO issue VALUES (?, ?, ?, ?, 'queued', NULL, 0, '')",
                (
                    (at, issue.id, issue.repo, _json(_definition(issue)))
                    for at, issue in enumerate(settings.wave.issues)
                ),
            )

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
    """A journal, open for reading; a run may be writing to it."""

    def __init__(self, path: Path) -> None:
        """Raises `JournalError` for what is not a journal of this version."""
        self.path = path
        if not path.is_file():
            raise JournalError(f"there is no journal {path}; give the path of an existing one")
        with _explained(path, "read"):
            self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            try:
                self._meta = dict(self._db.execute("SELECT key, value FROM meta"))
                if self._meta.get("format") != str(FORMAT):
                    raise JournalError(
                        f"journal {path} has format {self._meta.get('format')}; this version of "
                        f"wavelane reads format {FORMAT}; use the version that wrote it"
                    )
            except BaseException:
                self._db.close()
                raise

    def settings(self) -> Settings:
        """What the run was started with."""
        with _explained(self.path, "read"):
            definitions = self._db.execute("SELECT definition FROM issue ORDER BY position")
            wave = Wave(
                (Issue(**json.loads(definition)) for (definition,) in definitions),
                repos=json.loads(self._meta["repos"]),
                done=json.loads(self._meta["done"]),
            )
            return Settings(
                wave,
                json.loads(self._meta["ceiling"]),
                cast(LaneRelease, json.loads(self._meta["lane_release"])),
                Limits(**json.loads(self._meta["limits"])),
            )

    def entries(self) -> Iterator[Entry]:
        """All events in order."""
        with _explained(self.path, "read"):
            rows = self._db.execute("SELECT at, version, kind, issue, data FROM event ORDER BY seq")
            for at, version, kind, issue, data in rows:
                if version != EVENT_VERSION:
                    raise JournalError(
                        f"journal {self.path} has an event of version {version}; this version of "
                        f"wavelane reads version {EVENT_VERSION}"
                    )
                yield Entry(at, decoded(kind, issue, data))

    def standings(self) -> dict[str, Standing]:
        """Where each issue stands, by id."""
        with _explained(self.path, "read"):
            rows = self._db.execute(
                "SELECT id, state, since, attempts, reason FROM issue ORDER BY position"
            )
            return {
                issue: Standing(cast(State, state), since, attempts, reason)
                for issue, state, since, attempts, reason in rows
            }

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# How an event becomes a row


_EVENTS: Final[dict[str, type[Event]]] = {kind.__name__: kind for kind in get_args(Event)}
_OUTCOMES: Final[dict[str, type[Outcome]]] = {kind.__name__: kind for kind in get_args(Outcome)}
_FIELDS: Final[dict[type, tuple[str, ...]]] = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (*_EVENTS.values(), *_OUTCOMES.values())
}


def encoded(event: Event) -> tuple[str, str | None, str | None]:
    """The columns kind, issue and data of an event's row."""
    kind = type(event)
    data = {name: getattr(event, name) for name in _FIELDS[kind]}
    issue = data.pop("issue", None)
    if isinstance(event, SessionEnded):
        outcome = event.outcome
        of_outcome = {name: getattr(outcome, name) for name in _FIELDS[type(outcome)]}
        data["outcome"] = type(outcome).__name__
        data.update((name, value) for name, value in of_outcome.items() if value not in ("", None))
    return kind.__name__, issue, _json(data) if data else None


def decoded(kind: str, issue: str | None, data: str | None) -> Event:
    """The event of a row. Raises `JournalError` for what no version has written."""
    try:
        values: dict[str, Any] = json.loads(data) if data else {}
        if issue is not None:
            values["issue"] = issue
        if kind == SessionEnded.__name__:
            session, outcome = values.pop("session"), _OUTCOMES[values.pop("outcome")]
            return SessionEnded(values.pop("issue"), session, outcome(**values))
        return _EVENTS[kind](**values)
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(
            f"the journal has an event that cannot be read: {kind} {issue or ''} {data or ''}"
        ) from error


def _meta_rows(settings: Settings) -> list[tuple[str, str]]:
    return [
        ("format", str(FORMAT)),
        ("repos", _json(settings.wave.repos)),
        ("done", _json(sorted(settings.wave.done))),
        ("ceiling", _json(settings.ceiling)),
        ("lane_release", _json(settings.lane_release)),
        ("limits", _json(asdict(settings.limits))),
    ]


def _definition(issue: Issue) -> dict[str, object]:
    return {name: getattr(issue, name) for name in ISSUE_FIELDS}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@contextmanager
def _explained(path: Path, what: str) -> Iterator[None]:
    """Turn the errors of files and SQLite into one that says what to do."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise JournalError(
            f"journal {path} cannot be {what}: {error}; "
            "check that its folder exists, can be written to and has room"
        ) from error


def read(path: Path) -> tuple[Settings, list[Entry]]:
    """The whole of a journal. Raises `JournalError`."""
    with closing(JournalReader(path)) as reader:
        return reader.settings(), list(reader.entries())
