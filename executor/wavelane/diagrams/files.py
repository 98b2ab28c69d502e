"""The files with the pictures: generated from the code, and compared with it.

DOT, Mermaid and the page are compared byte for byte. An SVG is compared by its words, in their
order: their positions depend on the fonts and the graphviz of the machine that drew it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from wavelane.diagrams.pictures import NAMES, Format, drawn, render
from wavelane_model import cap, lifecycle

COMMAND: Final = "uv run python -m wavelane.diagrams"
_SUFFIXES: Final[dict[Format, str]] = {"svg": "svg", "dot": "dot", "mermaid": "mmd"}
_SVG: Final = "{http://www.w3.org/2000/svg}"


def write_all(directory: str | os.PathLike[str]) -> list[Path]:
    """Write all files into `directory`, which is made if missing, and return their paths.

    Raises `DotMissing` before anything is written.
    """
    folder = Path(directory)
    contents = _contents()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in contents]


def differences(directory: str | os.PathLike[str]) -> list[str]:
    """The differences between `directory` and the code: a sentence each, none if all is well.

    Raises `DotMissing`, because an SVG that could not be compared is not known to be right.
    """
    return [
        f"{path} {problem}; run: {COMMAND} write {directory}"
        for name, text in _contents().items()
        if (problem := _problem(path := Path(directory) / name, text))
    ]


def _problem(path: Path, text: str) -> str | None:
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return "is missing"
    same = (
        _words(found) == _words(text.encode())
        if path.suffix == ".svg"
        else (found == text.encode())
    )
    return None if same else "is out of date"


def _words(svg: bytes) -> list[str] | None:
    """The texts and titles of an SVG in their order; None if it is not one."""
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError:
        return None
    texts = (one for one in root.iter() if one.tag in (f"{_SVG}text", f"{_SVG}title"))
    return ["".join(one.itertext()) for one in texts]


def _contents() -> dict[str, str]:
    """All files by name."""
    texts = {
        f"{name}.{suffix}": str(render(name, kind))
        for name in NAMES
        for kind, suffix in _SUFFIXES.items()
    }
    return {**texts, "README.md": "\n".join(_page()) + "\n"}


def _page() -> Iterator[str]:
    yield "# The pictures"
    yield ""
    yield "Made from the tables and the code by one command. Do not edit them: change the table or"
    yield "the code, and run"
    yield ""
    yield f"    {COMMAND} write"
    yield ""
    yield f"CI runs `{COMMAND} check`, which fails when a file here"
    yield "is out of date. SVG needs graphviz's `dot`. The same pictures are here as DOT (`.dot`)"
    yield "and Mermaid (`.mmd`)."
    for name in NAMES:
        title = drawn(name).title
        yield from ("", f"## {title}", "", f"![{title}]({name}.svg)")
        yield from _words_of(name)


def _words_of(name: str) -> Iterator[str]:
    """The glossary of a picture."""
    match name:
        case "issue":
            yield from ("", "Dark: nothing goes wrong. Violet: a shortcut. Orange: back to work.")
            yield "Grey: back to the queue, or given up. Red: to be answered by a human."
            yield from _table("trigger", "meaning", lifecycle.TRIGGERS.items())
            yield from _table("guard", "holds when", lifecycle.GUARDS.items())
        case "cap":
            yield from _table("move", "leads", cap.MOVES.items())
        case _:
            yield ""
            yield "The small modules beside the wings are not drawn, and neither is `testing`."


def _table(key: str, value: str, words: Iterable[tuple[str, str]]) -> Iterable[str]:
    rows = (f"| `{word}` | {meaning} |" for word, meaning in words)
    return ("", f"| {key} | {value} |", "|---|---|", *rows)
