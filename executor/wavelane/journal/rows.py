"""The rows of a journal: its tables, the version of their layout, and what each row means.

    meta      what the run was started with: format, name, repos, done, ceiling, lane_release,
              limits, and the experience, if there was any; and the hash chain's last digest
              ("seal")
    event     one row an event, in order: seq, at (seconds since the epoch), version, kind, issue,
              data (JSON); never changed, never deleted
    issue     one row an issue: what it is, and what it was when the run was first started
              (at_first: NULL if it has not changed, '' if it did not exist yet)
    standing  one row an issue: where it stands now
    command   one row a command from outside: the request, and the answer, once there is one

An issue's standing changes with each event, and its definition may be long, so these are two rows.
"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from typing import Final, NamedTuple

from wavelane.journal.plain import plain_experience, to_json
from wavelane_model.events import Event
from wavelane_model.lifecycle import LaneRelease, State
from wavelane_model.limits import Limits
from wavelane_model.wave import Wave

FORMAT: Final = 4
"""Version of the file's layout."""
EVENT_VERSION: Final = 1
"""Version of the events' data, one for all kinds."""
TABLES: Final[dict[str, str]] = {
    "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "event": """
        CREATE TABLE event (
            seq INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            version INTEGER NOT NULL,
            kind TEXT NOT NULL,
            issue TEXT,
            data TEXT
        )""",
    "issue": """
        CREATE TABLE issue (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            repo TEXT NOT NULL,
            definition TEXT NOT NULL,
            at_first TEXT
        )""",
    "standing": """
        CREATE TABLE standing (
            position INTEGER PRIMARY KEY,
            state TEXT NOT NULL DEFAULT 'queued',
            since REAL,
            attempts INTEGER NOT NULL DEFAULT 0,
            reason TEXT NOT NULL DEFAULT ''
        )""",
    "command": """
        CREATE TABLE command (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            at REAL NOT NULL,
            request TEXT NOT NULL,
            answer TEXT
        )""",
}
"""The statement that makes each table, by name."""


class RecordedEvent(NamedTuple):
    """An event and when it happened, in seconds since the epoch."""

    at: float
    event: Event


class EventRow(NamedTuple):
    """A row of the table of events, undecoded."""

    seq: int
    at: float
    version: int
    kind: str
    issue: str | None
    data: str | None


class IssueRow(NamedTuple):
    """The columns of the table of issues that identify a row's issue."""

    position: int
    id: str
    repo: str


class Standing(NamedTuple):
    """Where an issue stands, from its row in the table of standings.

    Attributes:
        state: The issue's state.
        since: When it entered that state, in seconds since the epoch; None if it has never moved.
        attempts: How often it was admitted.
        reason: Why it is parked, if it is.
    """

    state: State
    since: float | None
    attempts: int
    reason: str


class CommandRow(NamedTuple):
    """A row of the table of commands without an answer yet, undecoded.

    Any process may have written it, so `request` is bytes.
    """

    number: int
    at: float
    request: bytes


class Settings(NamedTuple):
    """What a run was started with.

    Attributes:
        wave: The issues.
        ceiling: The highest level of the cap.
        lane_release: How long an issue holds its lane.
        limits: How often a step may be repeated, and how long it may take.
        name: The wave's name, "" if it has none.
    """

    wave: Wave
    ceiling: int
    lane_release: LaneRelease
    limits: Limits
    name: str = ""


def meta_rows(settings: Settings) -> list[tuple[str, str]]:
    """The rows of the table meta for what a run is started with."""
    rows = [
        ("format", str(FORMAT)),
        ("repos", to_json(settings.wave.repos)),
        ("done", to_json(sorted(settings.wave.done))),
        ("ceiling", to_json(settings.ceiling)),
        ("lane_release", to_json(settings.lane_release)),
        ("limits", to_json(asdict(settings.limits))),
        ("name", to_json(settings.name)),
    ]
    if settings.wave.experience:
        rows.append(("experience", to_json(plain_experience(settings.wave.experience))))
    return rows


def table_names(db: sqlite3.Connection) -> set[str]:
    """The names of a database's tables."""
    return {name for (name,) in db.execute("SELECT name FROM sqlite_master")}


def unanswered_commands(db: sqlite3.Connection) -> list[CommandRow]:
    """The commands without an answer, in order."""
    rows = db.execute(
        "SELECT number, CAST(at AS REAL), CAST(request AS BLOB) FROM command "
        "WHERE answer IS NULL ORDER BY number"
    )
    return [CommandRow(*row) for row in rows]
