"""The errors of a journal: what went wrong with its file, which file it is, and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wavelane.lock import InUseError


class JournalError(RuntimeError):
    """A journal that cannot be made, written or read; the text names it and says what to do."""


class JournalInUse(JournalError):
    """Another process has the journal open for writing."""


class NotAJournal(JournalError):
    """A file that is not a journal.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, reason: str) -> None:
        """Make the error; `reason` says what is wrong with the file."""
        self.path = path
        super().__init__(f"{path} is not a journal ({reason}); give the path of one")


@contextmanager
def explain_errors(path: Path, attempt: str) -> Iterator[None]:
    """Turn the errors of files, locks and SQLite into a `JournalError`.

    Args:
        path: The journal in use.
        attempt: What is being done with it, as a participle: "made", "read", "written".

    Raises:
        NotAJournal: The file is not an SQLite database.
        NotAJournal: The file is no SQLite database.
        JournalError: Anything else went wrong.
    """
    try:
        yield
    except InUseError as error:
        raise JournalInUse(str(error)) from None
    except (OSError, sqlite3.Error, UnicodeError) as error:
        raise _explanation(path, attempt, error) from error


def _explanation(path: Path, attempt: str, error: Exception) -> JournalError:
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_NOTADB:
        return NotAJournal(path, str(error))
    if code is not None and code & 0xFF == sqlite3.SQLITE_CORRUPT:
        return JournalError(
            f"journal {path} is damaged ({error}); restore it from a copy; without it every issue "
            f"is done again, except those that the wave lists under done"
        )
    return JournalError(
        f"journal {path} cannot be {attempt}: {error}; "
        "check that its folder exists, can be written to and has room"
    )
