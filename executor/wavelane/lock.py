"""Locks: a journal has one scheduler at a time, and so has a folder of worktrees.

An advisory lock on a file beside what it is for, which the kernel gives back when its holder dies,
however it dies. The file says who holds it; it is removed when it is given back in order. What is
left of a holder that was killed is taken over.

A scheduler holds it as long as its run. A command that is given while no run is under way holds it
*briefly*, and whoever else wants it then waits.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_LOOKING: Final = 0.2
"""Seconds for which somebody who only looks may be in the way."""
_BRIEFLY: Final = 30.0
"""Seconds to wait for a holder who holds it briefly."""


class LockOwner(NamedTuple):
    """Who holds a journal: a process (0: it has not said yet), since when (epoch seconds).

    `briefly`: it only carries out a command; no run is under way.
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
    """Somebody else holds a lock; the text names what it is for, and the holder."""


class Lock:
    """The lock of the file or folder at `path`, held from its making until `release`.

    `what` is how the thing is called, e.g. "journal"; `advice` is what to do when it is in use.
    `briefly`: it is soon given back, and others wait.
    """

    def __init__(self, path: Path, what: str, advice: str, *, briefly: bool = False) -> None:
        """Take the lock. Raises `InUseError`, which names the holder, and `OSError`."""
        self._path = _beside(path)
        self._fd = _taken(self._path, f"{what} {path}", advice)
        self.holder = LockOwner(os.getpid(), time.time(), briefly)
        """What is said to others."""
        try:
            os.ftruncate(self._fd, 0)
            os.write(self._fd, json.dumps(self.holder).encode())
        except OSError:
            self.release()
            raise

    def release(self) -> None:
        """Give the lock back. A second call does nothing."""
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1


def owner_of(path: Path) -> LockOwner | None:
    """Who holds the lock of `path` now, if anybody."""
    try:
        fd = os.open(_beside(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _locked(fd, fcntl.LOCK_SH):
            return None
        return _said_in(fd)
    finally:
        os.close(fd)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + "-lock")


def _taken(lock: Path, what: str, advice: str) -> int:
    """The descriptor of the lock file, locked, and still the one that is at its path."""
    began = time.monotonic()
    while True:
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if _locked(fd, fcntl.LOCK_EX):
                if _is_at(fd, lock):
                    return fd
            elif time.monotonic() - began >= _patience_with(holder := _said_in(fd)):
                raise InUseError(f"{what} is in use by {holder}; {advice}")
            else:
                time.sleep(0.01)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _patience_with(holder: LockOwner) -> float:
    return _BRIEFLY if holder.briefly else _LOOKING


def _locked(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(fd: int, path: Path) -> bool:
    """Whether the file was not removed by its last holder before it was locked here."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), path.stat())
    return False


def _said_in(fd: int) -> LockOwner:
    """Who says to hold it; its holder may not have said so yet."""
    try:
        pid, since, *briefly = json.loads(os.pread(fd, 200, 0))
        return LockOwner(int(pid), float(since), any(briefly))
    except (ValueError, TypeError):
        return LockOwner(0, time.time())
