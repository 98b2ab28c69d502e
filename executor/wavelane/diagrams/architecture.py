"""The modules as a drawing: who imports whom, read from the source code.

1. A module is a node, and a package inside one of the two packages is one node.
2. An edge leads from a module to what it imports, wherever in its text the import stands. An
   import that a longer way of imports leads to as well is not drawn.
3. The doors (`__init__`, `__main__`) and what is only there for tests are left out. What is
   imported through a door counts as imported from where the door has it from.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

from wavelane.diagrams.drawing import Drawing, Edge, Node, Role

PACKAGES: Final[dict[str, str]] = {
    "wavelane": "wavelane, the executor: waits, reads, writes and knows the time",
    "wavelane_model": "wavelane_model, the pure core: decides",
}
_LEFT_OUT: Final = frozenset({"wavelane.testing"})
_ROLES: Final[dict[str, Role]] = {"wavelane": "rework", "wavelane_model": "forward"}


def architecture() -> Drawing:
    """The modules of both packages and their imports."""
    sources = {name: texts for package in PACKAGES for name, texts in _sources(package)}
    doors = {name: _imported_names(sources.pop(name)) for name in PACKAGES}
    imports = {name: _imports(texts, set(sources), doors) for name, texts in sources.items()}
    names = sorted(sources, key=lambda name: (_package(name), -len(_led_to(imports, name)), name))
    return Drawing(
        name="architecture",
        title="Who imports whom",
        nodes=tuple(_node(name, sources[name]) for name in names),
        edges=tuple(
            Edge(source, target, role=_ROLES[_package(source)])
            for source, target in reduced(_grouped(imports))
        ),
        groups=PACKAGES,
        caption=("an arrow: imports", "an import to which a longer way leads is not drawn"),
        kind="modules",
    )


def _grouped(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """The imports, with those of another package leading to that package."""
    return {
        source: {
            target if _package(target) == _package(source) else _package(target)
            for target in targets
        }
        for source, targets in imports.items()
    }


def reduced(imports: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The imports without those to which a longer way leads as well, sorted."""
    left = {source: targets - {source} for source, targets in imports.items()}
    for source, target in sorted((s, t) for s, targets in left.items() for t in targets):
        left[source].discard(target)
        if target not in _led_to(left, source):
            left[source].add(target)
    return sorted((source, target) for source, targets in left.items() for target in targets)


def _led_to(imports: dict[str, set[str]], start: str) -> set[str]:
    """All that one node imports, directly or through others."""
    found: set[str] = set()
    ahead = [*imports.get(start, ())]
    while ahead:
        at = ahead.pop()
        if at not in found:
            found.add(at)
            ahead += imports.get(at, ())
    return found


def _sources(package: str) -> Iterator[tuple[str, list[ast.Module]]]:
    """Each node of a package by its full name, with the syntax trees of its files.

    The package's own name stands for its door.
    """
    for root in sorted(map(Path, import_module(package).__path__)):
        yield package, [_parsed(root / "__init__.py")]
        for path in sorted(root.iterdir()):
            name = f"{package}.{path.stem}"
            if name in _LEFT_OUT or path.stem.startswith("__"):
                continue
            if path.suffix == ".py":
                yield name, [_parsed(path)]
            elif (path / "__init__.py").is_file():
                inner = [found for found in sorted(path.rglob("*.py")) if found.stem != "__init__"]
                yield name, [_parsed(path / "__init__.py"), *map(_parsed, inner)]


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


def _imported_names(texts: list[ast.Module]) -> dict[str, str]:
    """Where a door has its names from: name to the module's full name."""
    return {
        alias.asname or alias.name: statement.module
        for text in texts
        for statement in text.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }


def _imports(
    texts: Iterable[ast.Module], known: set[str], doors: dict[str, dict[str, str]]
) -> set[str]:
    """The nodes that these files import."""
    found = {name for text in texts for node in ast.walk(text) for name in _named(node, doors)}
    return {node for name in found if (node := _node_of(name, known)) is not None}


def _named(node: ast.AST, doors: dict[str, dict[str, str]]) -> Iterator[str]:
    """The full names that one statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            door = doors.get(node.module, {})
            yield door.get(alias.name, f"{node.module}.{alias.name}")


def _node_of(name: str, known: set[str]) -> str | None:
    """The node in which a module, or a name in a module, is found."""
    node = ".".join(name.split(".")[:2])
    return node if node in known else None


def _package(name: str) -> str:
    return name.partition(".")[0]


def _node(name: str, texts: list[ast.Module]) -> Node:
    first = (ast.get_docstring(texts[0]) or "").partition("\n")[0].replace("`", "")
    package, _, title = name.partition(".")
    return Node(name, sentence=first, group=package, role=_ROLES[package], title=title)
