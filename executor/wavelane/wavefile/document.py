"""A YAML text: its values, every scalar as written, and the line of each.

1. A scalar is its text, whatever YAML would make of it; one without a value is None.
2. A value with several aliases is made once and shared. A text that would be very much larger
   without its aliases is refused, and so is one that contains itself.
3. A problem that stops the reading is raised alone; all others are kept in `problems`, with those
   that other checks find.
4. JSON is YAML, except for tabs between its values and characters written as two escapes.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml

from wavelane.wavefile.problems import WaveFileError, printable, problem_at, shown, written
from wavelane_model.problems import Location, Place, Problem

MOST_NODES_BY_ALIAS: Final = 1_000_000
"""How many more values than are written the aliases of a text may stand for."""

_TAG: Final = "tag:yaml.org,2002:"
_PLAIN_TAGS: Final = frozenset(
    _TAG + name
    for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "map", "seq")
)
_BAD_ESCAPE: Final = "an escape (\\U…) stands for no character"
_HINTS: Final = {
    "found character '\\t' that cannot start any token": "indent with spaces, not with tabs",
    "mapping values are not allowed here": "put a text with a colon in it in quotes",
    "but found another document": "keep to one document, without '---' in between",
    _BAD_ESCAPE: "check what follows the backslashes",
}


class Document:
    """A text as a mapping of texts, with its lines.

    `top` is the mapping. `problems` are those of the text itself: duplicate keys, foreign tags;
    others add theirs, and `placed` has all of them. Raises `WaveFileError` if reading cannot
    continue.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.problems: list[Problem] = []
        self._name = printable(path)
        self._values: dict[int, Any] = {}
        self._sizes: dict[int, int] = {}
        self._entries: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = {}
        try:
            self._root = self._composed(text.replace("\t", " ") if path.suffix == ".json" else text)
            self.top: dict[str, Any] = self._read()
        except RecursionError:
            text = "this is nested too deeply; keep to the form of a wave file"
            raise self._unreadable("too-deep", text) from None

    def placed(self) -> list[Problem]:
        """The problems, each once and with its line and subject, in the order of their lines."""
        found = dict.fromkeys(map(self._placed, self.problems))
        return sorted(found, key=lambda problem: problem.place.line or 0)

    def _placed(self, problem: Problem) -> Problem:
        where = problem.place.path
        line = problem.place.line or self._line(where)
        return replace(
            problem,
            subject=problem.subject or self._subject(where),
            message=printable(f"{written(where)}: {problem.message}" if where else problem.message),
            place=Place(where, self._name, line),
        )

    def _subject(self, where: Location) -> str:
        """The issue or the repo that a value belongs to, or else the key of the file."""
        match where:
            case ("issues", int(at), *_):
                return printable(self._id_at(at) or written(where[:2]))
            case ("repos", str(name), *_):
                return printable(name)
            case _:
                return written(where[:1])

    def _id_at(self, position: int) -> str:
        """The id of an issue, "" if it cannot be read."""
        entries = self.top["issues"]
        if not isinstance(entries, list) or position >= len(entries):
            return ""  # it is under a second key of that name
        entry = entries[position]
        named = entry.get("id") if isinstance(entry, dict) else None
        return named if isinstance(named, str) else ""

    # The text as YAML nodes

    def _composed(self, text: str) -> yaml.Node:
        at: tuple[int, int | None]
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            what = error.problem or "it ends in the middle"
            mark = error.problem_mark or error.context_mark
            at = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        except yaml.reader.ReaderError as error:
            what = f"the character U+{ord(text[error.position]):04X} is not allowed"
            before = text[: error.position]
            at = (before.count("\n") + 1, error.position - before.rfind("\n"))
        except (ValueError, OverflowError):
            what, at = _BAD_ESCAPE, (1, None)
        else:
            if root is not None:
                return root
            text = "this is empty; start with `wave: NAME`, `repos:` and `issues:`"
            raise self._unreadable("empty-file", text)
        hint = _HINTS.get(what, "check the indentation, the quotes and the brackets up to here")
        raise self._unreadable("not-yaml", f"this is not YAML: {what}; {hint}", *at)

    def _unreadable(
        self, code: str, text: str, line: int = 1, column: int | None = None
    ) -> WaveFileError:
        return WaveFileError([Problem(code, "", text, Place((), self._name, line, column))])

    # The nodes as values

    def _read(self) -> dict[str, Any]:
        top = self._value(self._root, ())
        by_alias = self._sizes[id(self._root)] - len(self._sizes)
        if by_alias > MOST_NODES_BY_ALIAS:
            raise self._unreadable(
                "too-many-aliases",
                f"its aliases (*name) stand for {by_alias:,} values; write it without them",
            )
        if isinstance(top, dict):
            return top
        raise self._unreadable(
            "not-a-mapping",
            f"this is {shown(top)}; a wave file is a mapping with the keys wave, repos, issues",
        )

    def _value(self, node: yaml.Node, where: Location) -> Any:
        at = id(node)
        if at not in self._sizes:
            self._sizes[at] = 1
            self._values[at] = self._made(node, where)
        elif at not in self._values:
            line = node.start_mark.line + 1
            text = "this contains an alias (*name) of itself; take it out"
            raise self._unreadable("alias-of-itself", text, line)
        return self._values[at]

    def _made(self, node: yaml.Node, where: Location) -> Any:
        if node.tag not in _PLAIN_TAGS:
            text = f"has the tag {shown(node.tag)}; take the tag away"
            self._problem("foreign-tag", where, node, text)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return [self._child(node, item, (*where, at)) for at, item in enumerate(node.value)]
        return None if node.tag == f"{_TAG}null" else self._scalar(node, where)

    def _child(self, parent: yaml.Node, node: yaml.Node, where: Location) -> Any:
        value = self._value(node, where)
        self._sizes[id(parent)] += self._sizes[id(node)]
        return value

    def _mapping(self, mapping: yaml.MappingNode, where: Location) -> dict[str, Any]:
        value: dict[str, Any] = {}
        entries = self._entries[id(mapping)] = {}
        for key_node, node in mapping.value:
            if not isinstance(key_node, yaml.ScalarNode):
                text = "has a key that is not a text; give a text"
                self._problem("key-is-no-text", where, key_node, text)
                continue
            key = self._scalar(key_node, where)
            item = self._child(mapping, node, (*where, key))
            if key in entries:
                first = entries[key][0].start_mark.line + 1
                text = f"is there twice (first on line {first}); keep one of the two"
                self._problem("duplicate-key", (*where, key), key_node, text)
            else:
                entries[key] = key_node, node
                value[key] = item
        return value

    def _scalar(self, node: yaml.Node, where: Location) -> str:
        text: str = node.value
        if "\0" in text:
            self._problem("nul-character", where, node, "has a NUL character in it; take it out")
        with contextlib.suppress(UnicodeDecodeError):  # JSON writes some characters as two halves
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        halved = "has one half of a character (\\ud800 to \\udfff); take it out"
        self._problem("half-character", where, node, halved)
        return text.encode("utf-8", "replace").decode()

    # Where they stand

    def _problem(self, code: str, where: Location, node: yaml.Node, text: str) -> None:
        self.problems.append(problem_at(where, code, text, node.start_mark.line + 1))

    def _line(self, where: Location) -> int:
        """The line of the value, or of the nearest one around it."""
        node, line = self._root, self._root.start_mark.line
        for step in where:
            entry = self._entries.get(id(node), {}).get(str(step))
            if entry is not None:
                line, node = entry[0].start_mark.line, entry[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                node = node.value[step]
                line = node.start_mark.line
            else:
                break
        return line + 1
