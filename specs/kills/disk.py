"""A small disk for the journal: one that is full in the middle of a run, and later has room again.

It is a tmpfs. Where the machine lets nobody mount one, no file of the run may grow beyond a limit.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_LARGEST_FILE: Final = 0.5
"""Where no disk is mounted: the share of its size that the largest file of a journal would get."""


@dataclass(slots=True)
class SmallDisk:
    """A folder in which there is room for `size` bytes, until `make_room`."""

    folder: Path
    size: int
    is_mounted: bool = field(init=False)
    has_room: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        options = f"size={self.size}"
        self.is_mounted = _mount("-t", "tmpfs", "-o", options, "tmpfs", str(self.folder))

    def arm(self) -> None:
        """In the process of a run: see to it that the limit holds there, if it is one of files."""
        if not self.is_mounted and not self.has_room:
            most = int(self.size * _LARGEST_FILE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    def make_room(self) -> None:
        self.has_room = True
        if self.is_mounted and not _mount("-o", "remount,size=64m", str(self.folder)):
            raise OSError(f"{self.folder} cannot be made larger")

    def close(self, *, keep: bool) -> None:
        """Take the disk away; what is on it stays, if it is to be looked at."""
        if self.is_mounted:
            copy = self.folder.with_name(f"{self.folder.name}-as-it-was")
            if keep:
                shutil.copytree(self.folder, copy)
            subprocess.run(["umount", str(self.folder)], check=True)


def _mount(*arguments: str) -> bool:
    command = ["mount", *arguments]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
