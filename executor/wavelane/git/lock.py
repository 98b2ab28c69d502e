"""The git lock: how a run knows that no git command of an earlier one is still running.

Each git command of a run inherits an open file with a lock on it (see `Git.git_lock`). The kernel
keeps the lock as long as any process has the file open. So while the lock is taken, git may still
be running, even if the run that started it is gone; the next run waits.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Final

_FILE: Final = "git-leash"
"""Its name in a state directory; earlier versions look for it under this name, so it stays."""
_PAUSE: Final = 0.05
"""Seconds between two checks of a lock that is taken."""


class GitLockHeldError(RuntimeError):
    """A git command of an earlier run did not end in time; the text says what to do."""


class GitLock:
    """The git lock of the state directory `directory`.

    Attributes:
        path: The file that is locked.
        descriptor: The open file for git commands to inherit, while the lock is taken; or None.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / _FILE
        self.descriptor: int | None = None

    async def take(self, wait: float) -> None:
        """Take the lock; wait at most `wait` seconds for a git command that has it.

        Raises `GitLockHeldError`, and `OSError` if the file cannot be made.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            await self._wait_for(descriptor, wait)
        except BaseException:
            os.close(descriptor)  # the file stays: the next run has to see that the lock is taken
            raise
        self.descriptor = descriptor

    async def _wait_for(self, descriptor: int, wait: float) -> None:
        clock = asyncio.get_running_loop().time
        give_up_at = clock() + wait
        while not _locked(descriptor):
            if clock() >= give_up_at:
                raise GitLockHeldError(
                    "a git command of the last run is still running, or something that a "
                    f"hook of it has started (it has {self.path} open); end it"
                )
            await asyncio.sleep(_PAUSE)

    def release(self) -> None:
        """Give the lock back. A second call does nothing."""
        if self.descriptor is not None:
            self.path.unlink(missing_ok=True)
            os.close(self.descriptor)
            self.descriptor = None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
