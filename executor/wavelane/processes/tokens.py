"""Tokens: a session's processes, found by a variable in their environment.

Each session has a token of its own in its environment, and so does every process that it starts. A
process that has left its group, its session and its supervisor is found by the token, anywhere in
/proc. A process without the token is never signalled.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

log = logging.getLogger("wavelane")

TOKEN: Final = "WAVELANE_SESSION"
"""The environment variable that has the token."""


async def kill_by_token(token: str) -> int:
    """Kill every process that has the token, until none is left; how many there were.

    A process of another user cannot be inspected, and is not found.
    """
    killed: set[int] = set()
    while found := processes_with(token):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed.update(found)
        log.debug("processes %s of a session are ending", found)
        await asyncio.sleep(0.01)
    return len(killed)


def processes_with(token: str) -> list[int]:
    """The living processes that have the token in their environment; none if there is no /proc."""
    try:
        pids = [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]  # noqa: PTH208
    except OSError:
        return []
    return [pid for pid in pids if pid != os.getpid() and _has_token(pid, token)]


def _has_token(pid: int, token: str) -> bool:
    try:
        environment = Path("/proc", str(pid), "environ").read_bytes()
    except OSError:
        return False
    return f"{TOKEN}={token}".encode() in environment.split(b"\0")
