"""The state directory of a wave: worktrees, logs, inputs of commands, records of sessions, locks.

One run at a time works in it. Before it begins, nothing of an earlier run is left running there:
sessions that outlived it are ended, and a git command that still runs is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from wavelane.commands.settings import PipelineError
from wavelane.git import GitLock, GitLockHeldError, slug
from wavelane.lock import InUseError, Lock
from wavelane.processes.leftovers import SessionRegistry
from wavelane_model.problems import Place, Problem

_ONE_AT_A_TIME: Final = "one run at a time works in it: wait until that one ends, or stop it"


class StateDir:
    """The state directory at `path`, reserved for this run from `claim` to `release`.

    Attributes:
        path: The directory.
        git_lock: The lock that git commands inherit.
        sessions: The records of the commands that run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git_lock = GitLock(path)
        self.sessions = SessionRegistry(path / "sessions")
        self._lock: Lock | None = None

    def worktrees_of(self, repo: str) -> Path:
        """The folder of a repo's worktrees."""
        return self.path / "worktrees" / slug(repo)

    async def claim(
        self, before_cleanup: Callable[[], None], *, grace: float, git_wait: float
    ) -> None:
        """Make the directory, take it for this run, and end what an earlier one left running.

        Args:
            before_cleanup: Called when the directory exists and is taken; its exceptions pass
                through.
            grace: Seconds that a leftover session has between SIGTERM and SIGKILL.
            git_wait: Seconds for which a git command of the last run is waited for.

        Raises:
            PipelineError: The directory cannot be taken.
        """
        try:
            await asyncio.to_thread(_make_hidden, self.path)
            self._lock = Lock(self.path / "worktrees", "folder", _ONE_AT_A_TIME)
        except InUseError as error:
            raise PipelineError([self._problem("in-use", str(error))]) from None
        except OSError as error:
            raise PipelineError([self.unusable(error)]) from error
        before_cleanup()
        try:
            await self.sessions.end_leftovers(grace)
            await self.git_lock.take(git_wait)
        except GitLockHeldError as error:
            raise PipelineError([self._problem("git-under-way", str(error))]) from None
        except OSError as error:
            raise PipelineError([self.unusable(error)]) from error

    def release(self) -> None:
        """Release it to others. A second call does nothing."""
        self.git_lock.release()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def unusable(self, error: OSError) -> Problem:
        """The problem for an operating system error in the directory."""
        why = f"{error.strerror or error}: {error.filename or self.path}"
        text = f"{self.path} cannot be used: {why}; give a work_dir that can be written to"
        return self._problem("state-dir-unusable", text)

    def _problem(self, code: str, text: str) -> Problem:
        return Problem(code, str(self.path), text, Place(("state_dir",)))


def _make_hidden(directory: Path) -> None:
    """Make a directory that git does not see if it is inside a checkout."""
    directory.mkdir(parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
