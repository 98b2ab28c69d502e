"""Process groups: whether one is alive, and how it is ended.

A group's number stays taken while the group has a member, and the kernel assigns numbers in
sequence; so a number that answered an instant ago still belongs to that group.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path


async def end_group(group: int, grace: float) -> None:
    """End a process group: SIGTERM, `grace` seconds, SIGKILL. Returns when it is gone."""
    if not _signal_group(group, signal.SIGTERM):
        return
    if not await _group_ends(group, grace):
        _signal_group(group, signal.SIGKILL)
        await _group_ends(group, None)


def group_is_alive(group: int) -> bool:
    """Whether a process group has a member other than zombies."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    members = _member_states(group)
    return members is None or any(state not in "ZX" for state in members)


async def _group_ends(group: int, within: float | None) -> bool:
    """Wait until a group is gone; False if it still exists after `within` seconds."""
    clock = asyncio.get_running_loop().time
    deadline = None if within is None else clock() + within
    pause = 0.001
    while group_is_alive(group):
        if deadline is not None and clock() >= deadline:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.05)
    return True


def _signal_group(group: int, number: signal.Signals) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _member_states(group: int) -> list[str] | None:
    """The state letters of a group's members; None if the system has no readable /proc."""
    try:
        entries = [entry for entry in os.listdir("/proc") if entry.isdecimal()]  # noqa: PTH208
    except OSError:
        return None
    if not entries:
        return None
    found = []
    for entry in entries:
        try:
            stat = Path("/proc", entry, "stat").read_bytes()
        except OSError:
            continue
        state, _parent, of_group, *_ = stat[stat.rindex(b")") + 2 :].split()
        if int(of_group) == group:
            found.append(state.decode())
    return found
