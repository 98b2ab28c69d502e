"""Journals with random damage: reading, continuing or steering one ends, with a clear error.

Wave files with random bytes and random structure are in test_wavefile.py, commands in
test_requests.py and test_inbox.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.journals import WAVE, Asked, Killed, a_day_later

from wavelane import IllegalEvent, JournalError, Report, Scheduler, Wave
from wavelane.control.inbox import give
from wavelane.lock import owner_of
from wavelane.replay.experience import experience_of
from wavelane.testing import run_virtual
from wavelane.verify import verify
from wavelane_model.events import CapMoved, ParkRequested
from wavelane_model.outcomes import ChangesRequested, Postponed
from wavelane_model.wave import Finished

pytestmark = pytest.mark.broken_journals
BOUNDED = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow], deadline=None)

Use = Callable[[Path], object]


def goes_on(path: Path) -> object:
    scheduler = Scheduler(WAVE, Asked(), journal=path, clock=a_day_later)
    return run_virtual(scheduler.run)


USES: list[Use] = [
    verify,
    Report.from_journal,
    lambda path: give(path, CapMoved("step_down"), patience=0.1),
    goes_on,
    experience_of,
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of some length whose run was cut off."""
    experienced = Wave(WAVE.issues, experience=[Finished("a", ("bug",), 60.0)])
    killed = Killed(tmp_path_factory.mktemp("sound") / "j.db", experienced)
    killed.end("a#1")
    killed.end("a#1", ChangesRequested("a test"))
    killed.end("c#1", Postponed(until=2e9, reason="quota"))
    killed.take(ParkRequested("a#2", "which footer?"), CapMoved("step_down"))
    return killed.dies()


def used_in_every_way(path: Path) -> None:
    """Use a journal in each way; only errors that are meant for people may be raised."""
    for use in USES:
        with suppress(JournalError, IllegalEvent):
            use(path)
        assert owner_of(path) is None


@BOUNDED
@given(
    cuts=st.lists(st.tuples(st.integers(0, 80_000), st.binary(max_size=64)), max_size=8),
    length=st.none() | st.integers(0, 80_000),
)
def test_random_bytes_in_a_journal_end_in_words(
    tmp_path_factory: pytest.TempPathFactory,
    sound: Path,
    cuts: list[tuple[int, bytes]],
    length: int | None,
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "j.db"
    data = bytearray(sound.read_bytes())
    for at, piece in cuts:
        data[at % len(data) : at % len(data) + len(piece)] = piece
    path.write_bytes(data if length is None else data[: length % len(data)])

    used_in_every_way(path)


CELLS: list[tuple[str, str]] = [
    *(("event", column) for column in ("seq", "at", "version", "kind", "issue", "data")),
    *(("meta", column) for column in ("key", "value")),
    *(
        ("issue", column)
        for column in ("position", "id", "repo", "definition", "at_first", "state", "attempts")
    ),
    *(("command", column) for column in ("number", "at", "request", "answer")),
]
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.integers(-(2**62), 2**62),
    st.floats(),
    st.text(max_size=20).filter(lambda text: text.isascii()),
    st.binary(max_size=20),
    st.sampled_from(
        [
            "{}",
            "[]",
            "null",
            '{"move":"pause"}',
            '{"session":1,"outcome":"Merged"}',
            '{"issues":[{"id":"x","repo":"a"}]}',
            '{"verb":"park","issue":"a#2","reason":"x"}',
            "[" * 3000,
            "RunCutOff",
            "MergeFound",
            "WaveAmended",
            "a#1",
            "-1",
            "0",
        ]
    ),
)


@BOUNDED
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(CELLS), st.integers(0, 12), VALUES), min_size=1, max_size=4
    ),
    commands=st.lists(VALUES, max_size=2),
)
def test_random_values_in_a_journal_end_in_words(
    tmp_path_factory: pytest.TempPathFactory,
    sound: Path,
    changes: list[tuple[tuple[str, str], int, Any]],
    commands: list[Any],
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "j.db"
    path.write_bytes(sound.read_bytes())
    with closing(sqlite3.connect(path)) as database:
        for request in commands:
            with suppress(sqlite3.Error):
                database.execute("INSERT INTO command (at, request) VALUES (0, ?)", (request,))
        for (table, column), row, value in changes:
            keyed = "key" if table == "meta" else "rowid"
            where = f"{keyed} = (SELECT {keyed} FROM {table} LIMIT 1 OFFSET {row})"
            with suppress(sqlite3.Error):  # a value that the table itself refuses
                database.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (value,))
        database.commit()

    used_in_every_way(path)
