"""Logs of commands: which part a person sees."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_ESCAPE_SEQUENCE: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])"
)
_LONGEST_LINE: Final = 500
"""Characters of a line to show."""
_LAST_BYTES: Final = 16_384
"""Bytes at the end of a log to search for its last line."""


def tail(log: Path, max_bytes: int) -> str:
    """The last `max_bytes` of a log as text, without escape sequences. Without a log: ""."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - max_bytes))
            data = file.read()
    except OSError:
        return ""
    if size > max_bytes:
        data = data.lstrip(bytes(range(0x80, 0xC0)))
    return _ESCAPE_SEQUENCE.sub("", data.decode("utf-8", "replace"))


def last_line(log: Path) -> str:
    """The last line of a log that is not blank, cut to a readable length. Without one: ""."""
    lines = (line.strip() for line in reversed(tail(log, _LAST_BYTES).splitlines()))
    line = "".join(char for char in next(filter(None, lines), "") if char.isprintable())
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"
