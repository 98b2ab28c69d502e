"""Locks: a journal has at most one scheduler at a time, and so does a folder of worktrees.

A lock is an advisory lock on a file beside what it protects. The kernel releases it when its owner
dies, in whatever way. The file names the owner and is removed when the lock is released normally. A
file left by a killed owner is taken over.

A scheduler keeps the lock for the whole of its run. A command given while no run is under way takes
it *briefly*, and every other process that wants it then waits.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_READER_WAIT: Final = 0.2
"""Seconds to wait for a process that is only reading who the owner is."""
_BRIEF_OWNER_WAIT: Final = 30.0
"""Seconds to wait for an owner that keeps the lock briefly."""
_RETRY_DELAY: Final = 0.01
"""Seconds between two attempts to take a lock."""


class LockOwner(NamedTuple):
    """The process that has taken a journal's lock.

    Attributes:
        pid: Its process id; 0: not written yet.
        since: When it took the lock, in seconds since the epoch.
        briefly: It is only executing a command; no run is under way.
    """

    pid: int
    since: float
    briefly: bool = False

    def __str__(self) -> str:
        if not self.pid:
            return "another process"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} (since {since})"


class InUseError(RuntimeError):
    """Another process has a lock; the text names the owner and what the lock protects."""


class Lock:
    """The lock of a file or folder, held from construction until `release`.

    Attributes:
        owner: This process, as the lock file names it to others.
    """

    def __init__(self, path: Path, what: str, advice: str, *, briefly: bool = False) -> None:
        """Take the lock.

        Args:
            path: The file or folder that the lock protects.
            what: What an error calls it, e.g. "journal".
            advice: What to do when it is in use.
            briefly: It is released soon, so other processes wait for it.

        Raises:
            InUseError: Another process has it.
            OSError: The lock file cannot be made.
        """
        self._path = _lock_file_of(path)
        self._fd = _acquire(self._path, f"{what} {path}", advice)
        self.owner = LockOwner(os.getpid(), time.time(), briefly)
        try:
            os.ftruncate(self._fd, 0)
            os.write(self._fd, json.dumps(self.owner).encode())
        except OSError:
            self.release()
            raise

    def release(self) -> None:
        """Release the lock. A second call does nothing."""
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1


def owner_of(path: Path) -> LockOwner | None:
    """The process that has the lock of `path` now; None if no process has it."""
    try:
        fd = os.open(_lock_file_of(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _try_lock(fd, fcntl.LOCK_SH):
            return None
        return _owner_named_in(fd)
    finally:
        os.close(fd)


def _lock_file_of(path: Path) -> Path:
    return path.with_name(path.name + "-lock")


def _acquire(lock: Path, what: str, advice: str) -> int:
    """The descriptor of the lock file, locked, and still the file at its path."""
    began = time.monotonic()
    while True:
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if _try_lock(fd, fcntl.LOCK_EX):
                if _is_at(fd, lock):
                    return fd
            elif time.monotonic() - began >= _longest_wait_for(owner := _owner_named_in(fd)):
                raise InUseError(f"{what} is in use by {owner}; {advice}")
            else:
                time.sleep(_RETRY_DELAY)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _longest_wait_for(owner: LockOwner) -> float:
    return _BRIEF_OWNER_WAIT if owner.briefly else _READER_WAIT


def _try_lock(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(fd: int, path: Path) -> bool:
    """Whether the file is still at its path: its last owner may have removed it meanwhile."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), path.stat())
    return False


def _owner_named_in(fd: int) -> LockOwner:
    """The owner named in the file; the owner may not have written it yet."""
    try:
        pid, since, *briefly = json.loads(os.pread(fd, 200, 0))
        return LockOwner(int(pid), float(since), any(briefly))
    except (ValueError, TypeError):
        return LockOwner(0, time.time())
