"""The inbox of a wave: how a command is given from another process, and how it is answered.

1. A command is a row of the journal's table of commands. From then on it is durable.
2. If a run is under way, its process is notified (`wavelane.control.wakeup`), executes the command
   and writes the answer in one transaction with its events. So no command is executed twice and
   none is lost, whichever process dies at whichever moment.
3. If no run is under way, the process that gives the command takes the journal for a moment and
   does the same itself, for all unanswered commands. A run that starts meanwhile waits for it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Final

from wavelane.control.requests import Answer, Request, encode_request, execute
from wavelane.control.wakeup import notify
from wavelane.journal import (
    Journal,
    JournalError,
    JournalInUse,
    JournalReader,
    RecordedEvent,
    Standing,
    explain_errors,
)
from wavelane.lock import owner_of
from wavelane.replay.loading import load
from wavelane.replay.replay import Replay, missing_events
from wavelane_model.events import Event

PATIENCE: Final = 10.0
"""Seconds to wait for a run's answer."""
_PAUSE: Final = 0.02
"""Seconds between two checks for the answer."""
_LOOKS_A_NOTIFICATION: Final = 25
"""Checks for the answer between two notifications of the run."""


def give(
    path: str | Path,
    request: Request,
    *,
    patience: float = PATIENCE,
    clock: Callable[[], float] = time.time,
) -> Answer | None:
    """Give a command to the wave of a journal, whether a run is under way or not, and wait.

    Args:
        path: The journal.
        request: The request.
        patience: Seconds to wait for a run's answer.
        clock: Returns the current time, in seconds since the epoch.

    Returns:
        The answer. None: the run has not answered in time. The command stays in the journal, and is
        executed as soon as the run looks, or the next one starts.

    Raises:
        JournalError: For a file that is not a journal of this version, or cannot be written.
    """
    path = Path(path)
    JournalReader(path).close()  # is it one?
    with explain_errors(path, "written"), closing(_opened(path)) as db:
        number = _written(db, request, clock())
        give_up_at = time.monotonic() + patience
        for look in count():
            if (answer := _answer(db, path, number)) is not None:
                return answer
            holder = owner_of(path)
            if holder is None:
                with suppress(JournalInUse):  # another process was faster
                    carry_out_waiting(path, clock)
                    continue
            elif look % _LOOKS_A_NOTIFICATION == 0:
                notify(path)
            if time.monotonic() >= give_up_at:
                return None
            time.sleep(_PAUSE)
    raise AssertionError("unreachable")


def carry_out_waiting(path: Path, clock: Callable[[], float] = time.time) -> None:
    """Execute all unanswered commands, while no run is under way.

    Raises `JournalInUse` when one is, and `JournalError`.
    """
    with JournalReader(path) as reader:
        settings = reader.settings()
    journal = Journal(path, settings, briefly=True)
    if journal.is_new:
        journal.discard()
        raise JournalError(f"journal {path} was removed")
    with closing(journal):
        replay, digest = load(path, settings)
        journal.continue_from(digest)
        offline = _OfflineRun(replay, clock)
        for event in missing_events(replay):
            offline.apply(event)
        answers = [
            (command.number, execute(command.request, replay.state, offline.apply, live=False))
            for command in journal.unanswered_commands()
        ]
        journal.append(
            offline.entries,
            offline.standings.items(),
            [(number, answer.to_json()) for number, answer in answers],
        )


class _OfflineRun:
    """Events between two runs, and where the issues stand after them."""

    def __init__(self, replay: Replay, clock: Callable[[], float]) -> None:
        self._replay = replay
        self._clock = clock
        self.entries: list[RecordedEvent] = []
        self.standings: dict[str, Standing] = {}

    def apply(self, event: Event) -> None:
        """Apply an event now. Raises `IllegalEvent`."""
        result = self._replay.apply(self._clock(), event, with_standings=True)
        self.entries.append(RecordedEvent(result.at, event))
        self.standings.update(result.standings)


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=PATIENCE, isolation_level=None
    )
    db.execute("PRAGMA synchronous=FULL")
    return db


def _written(db: sqlite3.Connection, request: Request, at: float) -> int:
    values = (at, encode_request(request))
    number = db.execute("INSERT INTO command (at, request) VALUES (?, ?)", values).lastrowid
    assert number is not None
    return number


def _answer(db: sqlite3.Connection, path: Path, number: int) -> Answer | None:
    row = db.execute(
        "SELECT CAST(answer AS BLOB) FROM command WHERE number = ?", (number,)
    ).fetchone()
    if row is None:
        raise JournalError(f"the command was removed from journal {path}")
    return None if row[0] is None else Answer.from_json(row[0])
