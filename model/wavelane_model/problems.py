"""Problems: what is wrong with something that was given, as values.

1. A problem has a kind (`code`), something that it is about (`subject`), words that say what is
   wrong and what to do (`message`), and a place.
2. The words are for people. A program goes by the code, the subject and the place.
3. Whatever refuses something lists all of its problems at once (`ProblemsError`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Location = tuple[str | int, ...]
"""The keys and positions that lead to a value, e.g. `("issues", 2, "depends_on")`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands.

    Attributes:
        path: The keys and positions that lead to it from the top of what was given. Positions
            count from 0. Empty: it is about the whole.
        file: The file that it was read from, or "".
        line: The line in that file, from 1, where there is one.
        column: The column in that line, from 1, where it is known.
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
        code: Its kind, e.g. "unknown-dependency"; the same for all problems of that kind.
        subject: What it is about: the id of an issue, the name of a repo, a key, a command; or "".
        message: A sentence that names the thing, what is wrong with it, and what to do.
        place: Where it stands.
    """

    code: str
    subject: str
    message: str
    place: Place = Place()

    def __str__(self) -> str:
        """The message, after the place in the file if it stands in one."""
        return f"{self.place}: {self.message}" if self.place.file else self.message

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
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
    """Something that cannot be used, with everything that is wrong with it.

    Attributes:
        problems: All of them. The error's text is theirs, a line each.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
