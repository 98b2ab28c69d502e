"""The journal's reader: a snapshot of a journal, read without its lock while a run may go on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from math import isfinite
from pathlib import Path
from typing import Any, cast, get_args

from wavelane.journal import hash_chain
from wavelane.journal.encoding import decode_event
from wavelane.journal.errors import JournalError, NotAJournal, explain_errors
from wavelane.journal.plain import issue_of, read_experience
from wavelane.journal.rows import (
    EVENT_VERSION,
    FORMAT,
    TABLES,
    CommandRow,
    EventRow,
    IssueRow,
    RecordedEvent,
    Settings,
    Standing,
    table_names,
    unanswered_commands,
)
from wavelane_model.cap import Cap
from wavelane_model.lifecycle import LaneRelease, State
from wavelane_model.limits import Limits
from wavelane_model.wave import Finished, Wave


class JournalReader:
    """A journal open for reading, as it was when opened; a run may keep writing to it."""

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`.

        Raises:
            JournalError: It does not exist, it cannot be read, or another version wrote it.
            NotAJournal: Something else is there.
        """
        self.path = path
        if not path.is_file():
            raise JournalError(f"there is no journal {path}; give the path of an existing one")
        with explain_errors(path, "read"):
            self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            try:
                self._db.execute("BEGIN")
                self._meta = self._read_meta()
                self._check_format()
                self._require_tables(TABLES.keys())
            except BaseException:
                self._db.close()
                raise

    def settings(self) -> Settings:
        """What the run was started with. Raises `JournalError`."""
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
                "(it was changed, or something other than wavelane wrote it)"
            ) from error
        return Settings(wave, ceiling, cast(LaneRelease, lane_release), limits, name)

    def event_rows(self) -> Iterator[EventRow]:
        """The rows of all events in order, not decoded. Raises `JournalError`."""
        with explain_errors(self.path, "read"):
            rows = self._db.execute(
                "SELECT seq, at, version, kind, issue, data FROM event ORDER BY seq"
            )
            for row in rows:
                if not isinstance(row[0], int):
                    raise JournalError(
                        f"journal {self.path} has an event without a number: it is damaged; "
                        "restore it from a copy"
                    )
                yield EventRow(*row)

    def recorded_event(self, row: EventRow) -> RecordedEvent:
        """The event of a row. Raises `JournalError` for one that this version has not written."""
        if row.version != EVENT_VERSION:
            raise JournalError(
                f"journal {self.path} has an event of version {row.version}; this version of "
                f"wavelane reads version {EVENT_VERSION}"
            )
        if not (isinstance(row.at, float) and isfinite(row.at)):
            raise JournalError(
                f"journal {self.path} has an event at {row.at!r}, which is not a time: it is "
                "damaged; restore it from a copy"
            )
        return RecordedEvent(row.at, decode_event(row.kind, row.issue, row.data))

    def recorded_events(self) -> Iterator[RecordedEvent]:
        """All events in order. Raises `JournalError`."""
        return map(self.recorded_event, self.event_rows())

    def recorded_digest(self) -> str | None:
        """The last digest of the hash chain as recorded; None if the journal has none."""
        return self._meta.get(hash_chain.META_KEY)

    def first_digest(self) -> str:
        """The digest that the hash chain must begin with, before the first event."""
        meta = [(key, value) for key, value in self._meta.items() if key != hash_chain.META_KEY]
        return hash_chain.first_digest(meta, self._definitions())

    def issue_rows(self) -> list[IssueRow]:
        """The issue named by each row of the table of issues, in order."""
        with explain_errors(self.path, "read"):
            rows = self._db.execute("SELECT position, id, repo FROM issue ORDER BY position")
            return [IssueRow(*row) for row in rows]

    def standings(self) -> dict[str, Standing]:
        """Where each issue stands, by id."""
        with explain_errors(self.path, "read"):
            rows = self._db.execute(
                "SELECT id, state, since, attempts, reason "
                "FROM issue JOIN standing USING (position) ORDER BY position"
            )
            return {
                issue: Standing(cast(State, state), since, attempts, reason)
                for issue, state, since, attempts, reason in rows
            }

    def unanswered_commands(self) -> list[CommandRow]:
        """The commands without an answer, in order."""
        with explain_errors(self.path, "read"):
            return unanswered_commands(self._db)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _read_meta(self) -> dict[str, str]:
        self._require_tables(("meta",))
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        if not all(isinstance(text, str) for row in meta.items() for text in row):
            raise JournalError(
                f"journal {self.path} has no text for what its run was started with: it is "
                "damaged; restore it from a copy"
            )
        return meta

    def _require_tables(self, names: Iterable[str]) -> None:
        found = table_names(self._db)
        for name in names:
            if name not in found:
                raise NotAJournal(self.path, f"no such table: {name}")

    def _check_format(self) -> None:
        found = self._meta.get("format")
        if found == str(FORMAT):
            return
        age = "a newer" if found and found.isdecimal() and int(found) > FORMAT else "another"
        raise JournalError(
            f"journal {self.path} has format {found}: {age} version of wavelane wrote it, and this "
            f"one reads format {FORMAT}; use that version"
        )

    def _definitions(self) -> list[str]:
        """The definitions of the issues when the run was first started."""
        with explain_errors(self.path, "read"):
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


def read_journal(path: Path) -> tuple[Settings, list[RecordedEvent]]:
    """A whole journal. Raises `JournalError`."""
    with closing(JournalReader(path)) as reader:
        return reader.settings(), list(reader.recorded_events())
