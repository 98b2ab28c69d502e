"""Locks: a journal has one scheduler at a time, and so has a folder of worktrees.

An advisory lock on a file beside what it protects. The kernel releases it when its owner dies,
however it dies. The file names the owner; it is removed when the lock is released in order. The
file that a killed owner has left is taken over.

A scheduler keeps the lock as long as its run. A command that is given while no run is under way
takes it *briefly*, and every other process that wants it then waits.
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
"""Seconds to wait for a process that only looks who the owner is."""
_BRIEF_OWNER_WAIT: Final = 30.0
"""Seconds to wait for an owner that keeps the lock briefly."""
_RETRY_DELAY: Final = 0.01
"""Seconds between two attempts to take a lock."""


class LockOwner(NamedTuple):
    """The process that has taken a journal.

    Attributes:
        pid: Its process id; 0: it has not said yet.
        since: When it took it, in seconds since the epoch.
        briefly: It only carries out a command; no run is under way.
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
    """Another process has a lock; the text names what it protects, and the owner."""


class Lock:
    """The lock of a file or folder, from its making until `release`.

    Attributes:
        owner: This process, as the lock's file names it to others.
    """

    def __init__(self, path: Path, what: str, advice: str, *, briefly: bool = False) -> None:
        """Take the lock.

        Args:
            path: The file or folder that it protects.
            what: What that is called in an error, e.g. "journal".
            advice: What to do when it is in use.
            briefly: It is soon released, so that other processes wait for it.

        Raises:
            InUseError: Another process has it.
            OSError: Its file cannot be made.
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
    """Which process has the lock of `path` now; None where none has it."""
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
    """The descriptor of the lock file, locked, and still the one that is at its path."""
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
    """Whether the file was not removed by its last owner before it was locked here."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), path.stat())
    return False


def _owner_named_in(fd: int) -> LockOwner:
    """The owner that the file names; the owner may not have written it yet."""
    try:
        pid, since, *briefly = json.loads(os.pread(fd, 200, 0))
        return LockOwner(int(pid), float(since), any(briefly))
    except (ValueError, TypeError):
        return LockOwner(0, time.time())
