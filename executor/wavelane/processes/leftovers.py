"""Leftovers: sessions that outlive the process that ran them, and how a later one ends them.

1. Each running command is on record before it begins: its process id, when that process started,
   in which boot of the machine, and a token in its environment.
2. A process is a leftover if its id *and* its start match the record. It is the session's
   supervisor: asked to end, it ends the session as if that were cancelled.
3. Then every process that has the token in its environment is killed, whatever its group, session
   or parent. Another process may have got the id meanwhile, but not the token.
4. Nothing else is ever signalled.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from errno import EBUSY
from pathlib import Path
from typing import Final

from wavelane.processes.groups import end_group, group_is_alive
from wavelane.processes.supervision import TIME_TO_KILL
from wavelane.processes.tokens import kill_by_token

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Leftover:
    """The record of a running command. `started`: in the kernel's own count, or ""."""

    pid: int
    started: str
    boot: str
    token: str


class SessionRegistry:
    """The record of the commands that run now, a file each in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def new_token(self) -> str:
        """A token that no other session has or had."""
        return secrets.token_hex(16)

    @contextmanager
    def session(self, token: str) -> Iterator[Registration]:
        """Around the run of one command, to be registered before it begins."""
        registration = Registration(self._directory / token, token)
        try:
            yield registration
        finally:
            registration.path.unlink(missing_ok=True)

    async def end_leftovers(self, grace: float) -> int:
        """End everything on record that is alive; returns how many sessions. `grace` in seconds.

        Nothing may be registered meanwhile. Raises `OSError` for a record that cannot be read, and
        for a process if this system does not report when it started.
        """
        found = [(path, _read(path)) for path in self._records()]
        ended = await asyncio.gather(*(_end(one, grace) for _, one in found if one is not None))
        for path, _ in found:
            path.unlink(missing_ok=True)
        return sum(ended)

    def _records(self) -> list[Path]:
        return sorted(self._directory.iterdir()) if self._directory.is_dir() else []


class Registration:
    """The record of one command."""

    def __init__(self, path: Path, token: str) -> None:
        self.path = path
        self._token = token

    def register(self, pid: int) -> None:
        """Record that the command will run as process `pid`. Raises `OSError`."""
        record = Leftover(pid, _started(pid) or "", _boot(), self._token)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        half = self.path.with_suffix(".new")
        half.write_text(json.dumps(asdict(record)), encoding="utf-8")
        half.replace(self.path)


def _read(path: Path) -> Leftover | None:
    """A record; None for a half-written one.

    Its command has not begun, or a power cut has ended it.
    """
    if path.suffix:
        return None
    try:
        return Leftover(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return None


async def _end(one: Leftover, grace: float) -> bool:
    if one.boot != _boot():
        return False
    if not one.started and group_is_alive(one.pid):
        raise OSError(EBUSY, "it may be a session of the last run; end it", f"process {one.pid}")
    is_alive = bool(one.started) and _started(one.pid) == one.started
    if is_alive:
        await end_group(one.pid, grace + TIME_TO_KILL)
    killed = await kill_by_token(one.token)
    return is_alive or killed > 0


def _stat(pid: int) -> list[bytes]:
    """The kernel's data on a process after its name; [] if it is gone or a zombie."""
    try:
        stat = Path("/proc", str(pid), "stat").read_bytes()
    except OSError:
        return []
    fields = stat[stat.rindex(b")") + 2 :].split()
    return [] if fields[0] in b"ZX" else fields


def _started(pid: int) -> str | None:
    """When a process started, in the kernel's own count; None when it is gone."""
    fields = _stat(pid)
    return fields[19].decode() if fields else None


def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
