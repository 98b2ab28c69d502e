"""The journal of a run, and the thread that writes it.

Events that come in together are written in one transaction, outside the loop. What was handed over
is written, even if the run is cancelled meanwhile; an error of a write is raised again when the
journal is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from wavelane.journal import CommandRow, Journal, RecordedEvent, Settings, Standing
from wavelane.replay.replay import StepResult

Answers = Sequence[tuple[int, str]]
"""Answers to commands, by number, as the journal keeps them."""


class RunJournal:
    """Keeps a run's decisions, if it has a path.

    Attributes:
        path: Where the journal is or will be made; None: nothing is kept.
        file: The journal, once it is open.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.file: Journal | None = None
        self._writer: ThreadPoolExecutor | None = None

    @property
    def continues(self) -> bool:
        """Whether the journal existed already; known once it is open."""
        return self.file is not None and not self.file.is_new

    @contextmanager
    def opening(self, settings: Settings) -> Iterator[Journal]:
        """Make or take the journal, and keep it if nothing is raised. It must have a path."""
        assert self.path is not None
        file = Journal(self.path, settings)
        try:
            yield file
        except BaseException:
            file.close()
            raise
        self.file = file

    def start_writer(self) -> None:
        """From now on a thread of its own writes the journal."""
        self._writer = ThreadPoolExecutor(1, "wavelane-journal")

    async def append(self, results: list[StepResult], answers: Answers) -> None:
        """Write results and answers in one transaction. Raises `JournalError`."""
        if self.file is None:
            return
        loop = asyncio.get_running_loop()
        writing = loop.run_in_executor(self._writer, self.file.append, *_rows(results), answers)
        writing.add_done_callback(_look_at)
        await asyncio.shield(writing)  # finish the write even if the run is cancelled

    async def unanswered(self) -> list[CommandRow]:
        """The unanswered commands. Raises `JournalError`."""
        if self.file is None:
            return []
        return await asyncio.get_running_loop().run_in_executor(
            self._writer, self.file.unanswered_commands
        )

    def close(self, results: list[StepResult], answers: Answers) -> None:
        """Write the last results, and close the file. Raises `JournalError`."""
        if self._writer is not None:
            self._writer.shutdown()
        if self.file is not None:
            try:
                if results or self.file.has_failed:
                    # raises the error of a failed write again
                    self.file.append(*_rows(results), answers)
            finally:
                self.file.close()

    def discard(self) -> None:
        """Close the file, and remove it if `opening` made it."""
        if self.file is not None:
            self.file.discard()
            self.file = None


def _rows(results: list[StepResult]) -> tuple[list[RecordedEvent], list[tuple[str, Standing]]]:
    """The journal's rows: the events, and where the issues stand after them."""
    standings: dict[str, Standing] = {}
    for result in results:
        standings.update(result.standings)
    return [RecordedEvent(result.at, result.event) for result in results], list(standings.items())


def _look_at(writing: asyncio.Future[None]) -> None:
    """Retrieve a write's error; if it is not awaited any more, `close` raises it."""
    if not writing.cancelled():
        writing.exception()
