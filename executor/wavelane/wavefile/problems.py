"""Problems of a wave file: how a place is written, and how quoted values are shown.

A problem is found with the path to its value; `Document` knows the line, and puts both before the
text: `wave.yaml:12: issues[2].repo: what; remedy`. Quoted values are short and harmless to a
terminal.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from wavelane_model.problems import Location, Place, Problem, ProblemsError

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What a line may not contain: control characters, line ends, halves of characters."""


class WaveFileError(ProblemsError):
    """A wave file that cannot be used.

    Attributes:
        problems: Everything that is wrong, each with its file and line. The error's text is a line
            for each: `wave.yaml:12: issues[2].repo: what; remedy`.
    """


def problem_at(where: Location, code: str, text: str, line: int | None = None) -> Problem:
    """A problem of the value at `where`, as its finder knows it: `text` says what is wrong with it.

    `line` is given if it is not the value's own.
    """
    return Problem(code, "", text, Place(where, line=line))


def printable(text: str | Path) -> str:
    """The text without anything that a terminal would obey."""
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


def written(where: Location) -> str:
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
