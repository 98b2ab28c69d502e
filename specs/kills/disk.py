"""A small disk for the journal, which is full in the middle of a run, and later has room again.

It is a tmpfs. On machines where mounting one is not allowed, the size of the run's files is limited
instead.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_LARGEST_FILE: Final = 0.5
"""Without a mounted disk: the limit for a file, as a share of the disk's size."""


@dataclass(slots=True)
class SmallDisk:
    """A folder with room for `size` bytes, until `make_room`."""

    folder: Path
    size: int
    is_mounted: bool = field(init=False)
    has_room: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        options = f"size={self.size}"
        self.is_mounted = _mount("-t", "tmpfs", "-o", options, "tmpfs", str(self.folder))

    def install(self) -> None:
        """In the process of a run: limit the size of files there, if no disk is mounted."""
        if not self.is_mounted and not self.has_room:
            most = int(self.size * _LARGEST_FILE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    def make_room(self) -> None:
        self.has_room = True
        if self.is_mounted and not _mount("-o", "remount,size=64m", str(self.folder)):
            raise OSError(f"{self.folder} cannot be made larger")

    def close(self, *, keep: bool) -> None:
        """Unmount the disk; with `keep`, copy its content beside it first."""
        if self.is_mounted:
            copy = self.folder.with_name(f"{self.folder.name}-as-it-was")
            if keep:
                shutil.copytree(self.folder, copy)
            subprocess.run(["umount", str(self.folder)], check=True)


def _mount(*arguments: str) -> bool:
    command = ["mount", *arguments]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
