"""The tables of a journal, read from one that was just made."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

from wavelane import Issue, Scheduler, Wave
from wavelane.testing import ScriptedPipeline


def statements() -> tuple[dict[str, str], int]:
    """The SQL that makes each table of a journal, by name, and the number of its format."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        scheduler = Scheduler(Wave([Issue("api#1", "api")]), ScriptedPipeline(), journal=path)
        scheduler.open_journal()
        try:
            with closing(sqlite3.connect(path)) as db:
                rows = db.execute(
                    "SELECT name, sql FROM sqlite_master "
                    "WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                )
                tables = dict(rows.fetchall())
                ((number,),) = db.execute("SELECT value FROM meta WHERE key = 'format'")
                return tables, int(number)
        finally:
            scheduler.discard_journal()


def markdown() -> str:
    """The SQL of the tables."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    tables, number = statements()
    yield f"These are the tables of format {number}:"
    yield ""
    yield "```sql"
    for sql in tables.values():
        yield dedent(sql).replace("\n    ", "\n").replace("\n    )", "\n)") + ";"
    yield "```"
