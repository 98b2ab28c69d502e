"""What a command writes into a page: the text between two marks that bear its name."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table


class Place:
    """Where a command writes: a page, between the two marks of a name."""

    def __init__(self, page: Path, name: str) -> None:
        """Raises `ValueError` where the page has no such marks."""
        self._page = page
        self._begin, self._end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        self._all = re.compile(f"{re.escape(self._begin)}.*{re.escape(self._end)}", re.DOTALL)
        if not self._all.search(page.read_text(encoding="utf-8")):
            marks = f"{self._begin} … {self._end}"
            raise ValueError(f"{page} has no {marks}; put both where the text belongs")

    def write(self, text: str) -> None:
        """Put the text there, instead of what was there."""
        before = self._page.read_text(encoding="utf-8")
        between = f"{self._begin}\n\n{text.strip()}\n\n{self._end}"
        self._page.write_text(self._all.sub(lambda _: between, before), encoding="utf-8")


def markdown_of(parts: Iterable[str | Table]) -> str:
    """Tables and paragraphs, an empty line between them."""
    console = Console(file=io.StringIO(), width=1_000)
    texts = []
    for part in parts:
        if isinstance(part, Table):
            with console.capture() as capture:
                console.print(part)
            part = capture.get()
        texts.append("\n".join(line.rstrip() for line in part.strip().splitlines()))
    return "\n\n".join(texts)
