"""The inbox of a wave: how a command is given from another process, and how it is answered.

1. A command is a row of the journal's table of commands. From then on it is durable.
2. Where a run is under way, its process is notified (`wavelane.control.wakeup`), carries the
   command out and writes the answer in one transaction with what it did. So no command is carried
   out twice, whoever dies when, and none is lost.
3. Where none is, whoever gives the command takes the journal for a moment and does the same itself,
   for all commands that wait. A run that starts meanwhile waits for it.
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
"""Seconds to wait for the answer of a run."""
_PAUSE: Final = 0.02
"""Seconds between two looks for the answer."""
_LOOKS_A_NOTIFICATION: Final = 25
"""Looks for the answer between two notifications of the run."""


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
        request: What is asked for.
        patience: Seconds to wait for the answer of a run.
        clock: Gives the time now, in seconds since the epoch.

    Returns:
        The answer. None: the run has not answered in time. The command stays in the journal, and is
        carried out as soon as the run looks, or the next one starts.

    Raises:
        JournalError: For what is no journal of this version, and when it cannot be written.
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
    """Carry out all commands that wait, while no run is under way.

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
        """Let an event happen now. Raises `IllegalEvent`."""
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
        raise JournalError(f"the command was taken out of journal {path}")
    return None if row[0] is None else Answer.from_json(row[0])
