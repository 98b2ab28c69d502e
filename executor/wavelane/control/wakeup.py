"""The wake-up pipe of a run: a command uses it to wake the process that runs the wave.

It is a named pipe beside the journal. The run opens it and listens; a command writes a byte to it.
The byte carries no message: the request is in the journal, and a notification without a command is
harmless. The next run replaces a pipe left by a killed run.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("wavelane")


class WakeupPipe:
    """A named pipe that an event loop listens to, from construction until it is closed."""

    def __init__(
        self, journal: Path, loop: asyncio.AbstractEventLoop, notified: Callable[[], None]
    ) -> None:
        """Raises `OSError` and `NotImplementedError` if it cannot be made."""
        self._path = _beside(journal)
        self._loop = loop
        self._notified = notified
        _make_pipe(self._path)
        try:
            # open for writing as well: a pipe without a writer would always be readable
            self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                loop.add_reader(self._fd, self._read)
            except BaseException:
                os.close(self._fd)
                raise
        except BaseException:
            self._path.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        """Stop listening, and remove the pipe."""
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._fd, 65_536)
        self._notified()


def open_wakeup(
    journal: Path, loop: asyncio.AbstractEventLoop, notified: Callable[[], None]
) -> WakeupPipe | None:
    """The wake-up pipe of the journal's run; `notified` is called in the loop for each byte.

    None if it cannot be made: commands then wait until something else happens. Only the process
    that holds the journal's lock may call it.
    """
    try:
        return WakeupPipe(journal, loop, notified)
    except (OSError, NotImplementedError) as error:
        log.warning(
            "commands from outside wait until something else happens: "
            "no wake-up pipe can be made (%s)",
            error,
        )
        return None


def notify(journal: Path) -> None:
    """Wake the process that runs the wave of the journal, if there is one."""
    with suppress(OSError):
        fd = os.open(_beside(journal), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                os.write(fd, b"\a")
        finally:
            os.close(fd)


def _beside(journal: Path) -> Path:
    return journal.with_name(journal.name + "-bell")


def _make_pipe(path: Path) -> None:
    if path.is_fifo():
        path.unlink()
    os.mkfifo(path)
