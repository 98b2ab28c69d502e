"""What comes in from outside the sessions: commands, and times that have come due.

1. Commands wait in the journal (`wavelane.control.inbox`). They are read when the wake-up pipe has
   been notified and before a time is applied; without a pipe, at every turn of the loop.
2. A command is executed at once. Its answer is written together with its events.
3. Times come after commands: a process that was frozen finds both, and the commands came first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from wavelane.control.requests import execute
from wavelane.control.wakeup import WakeupPipe, open_wakeup
from wavelane.journal import CommandRow, Journal, JournalError
from wavelane.pipeline import Pipeline
from wavelane.scheduler.core import Core
from wavelane.scheduler.run_journal import RunJournal
from wavelane.scheduler.timers import Timers
from wavelane_model.step import IllegalEvent
from wavelane_model.wave import Issue

log = logging.getLogger("wavelane")


class Inbound:
    """Takes in commands and times."""

    def __init__(self, core: Core, journal: RunJournal, timers: Timers, pipeline: Pipeline) -> None:
        self._core = core
        self._journal = journal
        self._timers = timers
        self._pipeline = pipeline
        self._pipe: WakeupPipe | None = None
        self._is_notified = False
        self._answers: list[tuple[int, str]] = []
        """Answers to commands, by number, not written yet."""

    def listen(self, file: Journal) -> None:
        """Open the wake-up pipe of a journal, and execute the commands given before."""
        self._pipe = open_wakeup(file.path, asyncio.get_running_loop(), self._notified)
        self.execute_early(file)

    def execute_early(self, file: Journal) -> None:
        """Execute commands before the run begins; those given before its lock were for no run."""
        self._execute(file.unanswered_commands(), since=file.owner.since)

    async def take(self) -> None:
        """Process everything that has come in."""
        if self._journal.file is not None and (
            self._is_notified or self._timers.are_due or self._pipe is None
        ):
            await self._take_commands()
        for event in self._timers.take_due():
            with suppress(IllegalEvent):  # another request came in between
                self._core.apply(event)

    @property
    def has_answers(self) -> bool:
        """Whether some answers are not written yet."""
        return bool(self._answers)

    def take_answers(self) -> list[tuple[int, str]]:
        """The answers to write now."""
        answers, self._answers = self._answers, []
        return answers

    def close(self) -> None:
        """Stop listening."""
        if self._pipe is not None:
            self._pipe.close()

    def _notified(self) -> None:
        self._is_notified = True
        self._core.awake.set()

    async def _take_commands(self) -> None:
        self._is_notified = False
        try:
            self._execute(await self._journal.unanswered())
        except JournalError as error:
            log.warning("commands cannot be read: %s", error)

    def _execute(self, commands: Iterable[CommandRow], since: float | None = None) -> None:
        """Execute commands. `since`: when this run took the journal, if it has not begun."""
        answered = {number for number, _ in self._answers}
        core = self._core
        for command in commands:
            if command.number in answered:  # the answer is not written yet
                continue
            with core.lock:
                live = core.replay.is_under_way if since is None else command.at >= since
                answer = execute(
                    command.request, core.state, core.apply, live=live, extend=self._extend
                )
                self._answers.append((command.number, answer.to_json()))

    def _extend(self, issues: Sequence[Issue], details: Mapping[str, Any]) -> None:
        extend = getattr(self._pipeline, "extend", None)
        if extend is not None:
            extend(issues, details)
