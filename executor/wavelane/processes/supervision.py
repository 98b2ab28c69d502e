"""Supervision: how a command is put under a supervisor, and how its end is reported.

On Linux the supervisor is a small program of its own (`wavelane.processes.supervisor`). It has
three ties to the process that started it: its input, which begins the command and whose end ends
the session; signals, which ask it to end the session; and a pipe, on which it reports how the
command ended.

Other systems have no subreaper. There, a shell waits for the line that begins the command, and
becomes the command.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from wavelane.processes import supervisor

log = logging.getLogger("wavelane")

TIME_TO_KILL: Final = 5.0
"""Seconds that a supervisor has, after the grace, to kill what is left and to end itself."""
_SUPERVISOR: Final = (sys.executable, "-I", "-S", "-B", str(Path(supervisor.__file__)))
_LATCH: Final = ("sh", "-c", 'read -r begin && exec "$@" </dev/null', "sh")
"""Waits for a line on its input, and becomes the command that follows."""


def is_possible() -> bool:
    """Whether this system can run a supervisor."""
    return sys.platform == "linux" and bool(sys.executable)


class Supervision:
    """One command under a supervisor; for `with`.

    Attributes:
        argv: What to run in place of the command.
        grace: Seconds that this process has to end after SIGTERM.
        keeps: Open files that this process inherits.
    """

    def __init__(self, command: Sequence[str], grace: float) -> None:
        self.argv: tuple[str, ...] = (*_LATCH, *command)
        self.grace = grace
        self.keeps: tuple[int, ...] = ()
        self._reading: int | None = None
        if is_possible():
            self._reading, writing = os.pipe()
            self.keeps = (writing,)
            self.argv = (*_SUPERVISOR, str(writing), str(grace), *command)
            self.grace = grace + TIME_TO_KILL

    def begin(self, process: asyncio.subprocess.Process) -> None:
        """Let the command begin. The supervisor's input stays open until `process` has ended."""
        assert process.stdin is not None
        process.stdin.write(b"\n")
        if self._reading is None:
            process.stdin.close()

    def command_exit(self) -> int | None:
        """The command's return code, as `subprocess` counts it, once the supervisor has ended.

        None if the supervisor was killed, or if there is none.
        """
        self._close_writing()
        if self._reading is None:
            return None
        with os.fdopen(self._reading, encoding="ascii") as file:
            self._reading = None
            said = [line.split() for line in file]
        if left := [int(number) for what, number in said if what == "left"]:
            log.warning("processes %s of a session cannot be ended; end them", left)
        codes = {"exit": 1, "signal": -1}
        return next((codes[what] * int(number) for what, number in said if what in codes), None)

    def _close_writing(self) -> None:
        for writing in self.keeps:
            os.close(writing)
        self.keeps = ()

    def __enter__(self) -> Supervision:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_writing()
        if self._reading is not None:
            os.close(self._reading)
            self._reading = None
