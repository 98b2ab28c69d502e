"""A problem of a wave file: where it is, what is wrong, and how it is shown.

Whatever is quoted from the file is short and harmless to a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

Location = tuple[str | int, ...]
"""The keys and positions that lead to a value from the top of the file."""

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What a line may not contain: control characters, line ends, halves of characters."""


class WaveFileError(ValueError):
    """A wave file that cannot be used. `problems` lists everything that is wrong, a line each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Problem(NamedTuple):
    """What is wrong at a location; `line` is given where it is not the location's own."""

    where: Location
    text: str
    line: int | None = None

    def __str__(self) -> str:
        """`issues[2].repo: what; remedy`."""
        where = _written(self.where)
        return printable(f"{where}: {self.text}" if where else self.text)


def printable(text: str | Path) -> str:
    """The text without what a terminal would obey."""
    return CONTROL.sub("?", str(text))


def shown(value: object) -> str:
    """A value as an error shows it."""
    match value:
        case None | "":
            return "empty"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case _:
            text = str(value)
            return repr(text if len(text) <= 60 else text[:59] + "…")


def _written(where: Location) -> str:
    """A location as a person writes it: `issues[2].depends_on[0]`."""
    found = ""
    for step in where:
        if isinstance(step, int):
            found += f"[{step}]"
        elif re.fullmatch(r"[\w$#/.-]{1,60}", step):
            found += f".{step}" if found else step
        else:
            found += f"[{shown(step)}]"
    return found
