"""A YAML text: its values, every scalar as it is written, and the line where each of them stands.

1. A scalar is its text, whatever YAML would make of it; one without a value is None.
2. A value with several aliases is made once and shared. A text that would be very much larger
   without its aliases is refused, and so is one that contains itself.
3. What stops the reading is raised alone; all else is kept in `problems`, to be told with the rest.
4. JSON is YAML, but for tabs between its values and characters written as two escapes.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Final

import yaml

from wavelane.wavefile.problems import Location, Problem, WaveFileError, printable, shown

MOST_NODES_BY_ALIAS: Final = 1_000_000
"""How many values more than are written the aliases of a text may stand for."""

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

    `top` is the mapping. `problems` are those of the text itself: keys that are there twice,
    foreign tags; add others to have them told. Raises `WaveFileError` where there is no reading on.
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
            message = "this is nested too deeply; keep to the form of a wave file"
            raise self._unreadable(message) from None

    def told(self) -> list[str]:
        """The problems, each once and with its place, in the order of their lines."""
        placed = dict.fromkeys(
            (problem.line or self._line(problem.where), str(problem)) for problem in self.problems
        )
        return [f"{self._name}:{line}: {text}" for line, text in sorted(placed, key=lambda p: p[0])]

    # The text as YAML nodes

    def _composed(self, text: str) -> yaml.Node:
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            what = error.problem or "it ends in the middle"
            mark = error.problem_mark or error.context_mark
            at = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        except yaml.reader.ReaderError as error:
            what = f"the character U+{ord(text[error.position]):04X} is not allowed"
            before = text[: error.position]
            at = f"{before.count(chr(10)) + 1}:{error.position - before.rfind(chr(10))}"
        except (ValueError, OverflowError):
            what, at = _BAD_ESCAPE, "1"
        else:
            if root is not None:
                return root
            raise self._unreadable("this is empty; start with `wave: NAME`, `repos:` and `issues:`")
        hint = _HINTS.get(what, "check the indentation, the quotes and the brackets up to here")
        raise self._unreadable(f"this is not YAML: {what}; {hint}", at)

    def _unreadable(self, text: str, at: int | str = 1) -> WaveFileError:
        return WaveFileError([f"{self._name}:{at}: {text}"])

    # The nodes as values

    def _read(self) -> dict[str, Any]:
        top = self._value(self._root, ())
        by_alias = self._sizes[id(self._root)] - len(self._sizes)
        if by_alias > MOST_NODES_BY_ALIAS:
            raise self._unreadable(
                f"its aliases (*name) stand for {by_alias:,} values; write it without them"
            )
        if isinstance(top, dict):
            return top
        raise self._unreadable(
            f"this is {shown(top)}; a wave file is a mapping with the keys wave, repos, issues"
        )

    def _value(self, node: yaml.Node, where: Location) -> Any:
        at = id(node)
        if at not in self._sizes:
            self._sizes[at] = 1
            self._values[at] = self._made(node, where)
        elif at not in self._values:
            line = node.start_mark.line + 1
            raise self._unreadable("this contains an alias (*name) of itself; take it out", line)
        return self._values[at]

    def _made(self, node: yaml.Node, where: Location) -> Any:
        if node.tag not in _PLAIN_TAGS:
            self._problem(where, node, f"has the tag {shown(node.tag)}; take the tag away")
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
                self._problem(where, key_node, "has a key that is no text; give a text")
                continue
            key = self._scalar(key_node, where)
            item = self._child(mapping, node, (*where, key))
            if key in entries:
                first = entries[key][0].start_mark.line + 1
                text = f"is there twice (first on line {first}); keep one of the two"
                self._problem((*where, key), key_node, text)
            else:
                entries[key] = key_node, node
                value[key] = item
        return value

    def _scalar(self, node: yaml.Node, where: Location) -> str:
        text: str = node.value
        if "\0" in text:
            self._problem(where, node, "has a NUL character in it; take it out")
        with contextlib.suppress(UnicodeDecodeError):  # JSON writes some characters as two halves
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        self._problem(where, node, "has one half of a character (\\ud800 to \\udfff); take it out")
        return text.encode("utf-8", "replace").decode()

    # Where they stand

    def _problem(self, where: Location, node: yaml.Node, text: str) -> None:
        self.problems.append(Problem(where, text, node.start_mark.line + 1))

    def _line(self, where: Location) -> int:
        """The line of what is there, or of the nearest around it."""
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
