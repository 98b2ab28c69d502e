"""Problems: what is wrong with some input, as values.

1. A problem has a kind (`code`), a `subject`, a `message` that says what is wrong and what to do,
   and a `place`.
2. The message is for people. Programs use the code, the subject and the place.
3. Whatever refuses input lists all of its problems at once (`ProblemsError`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Location = tuple[str | int, ...]
"""The keys and positions that lead to a value, e.g. `("issues", 2, "depends_on")`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is in the input.

    Attributes:
        path: The keys and positions that lead to it from the top of the input. Positions count from
            0. Empty: the whole input.
        file: The file that it was read from, or "".
        line: The line in that file, from 1, if it has one.
        column: The column in that line, from 1, if it is known.
    """

    path: Location = ()
    file: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """The place in a file as compilers write it: `wave.yaml:12:3`. Without a file: ""."""
        numbers = (self.line, self.column)
        return ":".join([self.file, *(str(one) for one in numbers if one is not None)])


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        code: Its kind, e.g. "unknown-dependency".
        subject: What it is about: the id of an issue, the name of a repo, a key, a command; or "".
        message: A sentence that names the thing, what is wrong with it, and what to do.
        place: Where it is.
    """

    code: str
    subject: str
    message: str
    place: Place = Place()

    def __str__(self) -> str:
        """The message, after the place if that is in a file."""
        return f"{self.place}: {self.message}" if self.place.file else self.message

    def to_dict(self) -> dict[str, Any]:
        """The problem as plain values, for JSON."""
        place = self.place
        return {
            "code": self.code,
            "subject": self.subject,
            "message": self.message,
            "place": {
                "path": list(place.path),
                "file": place.file,
                "line": place.line,
                "column": place.column,
            },
        }


class ProblemsError(ValueError):
    """Input that cannot be used, with all of its problems.

    Attributes:
        problems: Every problem found. The error's text is theirs, one per line.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
