"""The architecture as a drawing: which wing imports which, read from the source code.

1. A package inside the executor, a *wing*, is a node, and so is the whole model.
2. An edge leads from a wing to each of its imports, wherever in its text the import is. An import
   is not drawn if a longer chain of imports leads to the same target.
3. The small modules beside the wings, the package doors (`__init__`, `__main__`) and test helpers
   are left out. A name imported through a door counts as imported from the module where the door
   gets it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

from wavelane.diagrams.drawing import Drawing, Edge, Node, Role

EXECUTOR: Final = "wavelane"
MODEL: Final = "wavelane_model"
_LEFT_OUT: Final = frozenset({"testing"})
_FRAME: Final = "wavelane, the executor: waits, reads, writes and knows the time"
_ROLES: Final[dict[str, Role]] = {EXECUTOR: "rework", MODEL: "forward"}


def architecture() -> Drawing:
    """The wings of the executor, the model, and their imports."""
    sources = dict(_nodes())
    doors = {EXECUTOR: _imported_names(_parsed(_folder(EXECUTOR) / "__init__.py"))}
    imports = {name: _imports(texts, sources, doors) - {name} for name, texts in sources.items()}
    names = sorted(sources, key=lambda name: (-len(_led_to(imports, name)), name))
    return Drawing(
        name="architecture",
        title="Which wing imports which",
        nodes=tuple(_node(name, sources[name][0]) for name in names),
        edges=tuple(
            Edge(source, target, role=_ROLES[_package(source)])
            for source, target in reduced(imports)
        ),
        groups={EXECUTOR: _FRAME},
        caption=("an arrow: imports", "an import to which a longer way leads is not drawn"),
        kind="modules",
    )


def wings() -> dict[str, str]:
    """The summary that each wing of the executor gives of itself, by name."""
    folders = sorted(path.parent for path in _folder(EXECUTOR).glob("*/__init__.py"))
    return {folder.name: _said(_parsed(folder / "__init__.py")) for folder in folders}


def _said(text: ast.Module) -> str:
    """The first line of a module's docstring, without the title before a colon."""
    first = (ast.get_docstring(text) or "").partition("\n")[0].replace("`", "")
    said = first.partition(": ")[2] or first
    return said[:1].upper() + said[1:]


def reduced(imports: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The imports without those to which a longer chain leads as well, sorted."""
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


def _nodes() -> Iterator[tuple[str, list[ast.Module]]]:
    """Each node by its full name, with the syntax trees of its files, its `__init__` first."""
    for wing in wings():
        if wing not in _LEFT_OUT:
            yield f"{EXECUTOR}.{wing}", _texts(_folder(EXECUTOR) / wing)
    yield MODEL, _texts(_folder(MODEL))


def _texts(folder: Path) -> list[ast.Module]:
    door = folder / "__init__.py"
    return [_parsed(door), *(_parsed(one) for one in sorted(folder.rglob("*.py")) if one != door)]


def _folder(package: str) -> Path:
    return Path(next(iter(import_module(package).__path__)))


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


def _imported_names(text: ast.Module) -> dict[str, str]:
    """The module from which a door gets each of its names: name to the module's full name."""
    return {
        alias.asname or alias.name: statement.module
        for statement in text.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }


def _imports(
    texts: Iterable[ast.Module], known: Iterable[str], doors: dict[str, dict[str, str]]
) -> set[str]:
    """The nodes that these files import."""
    found = {name for text in texts for node in ast.walk(text) for name in _named(node, doors)}
    return {node for name in found if (node := _node_of(name)) in known}


def _named(node: ast.AST, doors: dict[str, dict[str, str]]) -> Iterator[str]:
    """The full names that one statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            door = doors.get(node.module, {})
            yield door.get(alias.name, f"{node.module}.{alias.name}")


def _node_of(name: str) -> str:
    """The node that contains a module, or a name in a module."""
    return MODEL if _package(name) == MODEL else ".".join(name.split(".")[:2])


def _package(name: str) -> str:
    return name.partition(".")[0]


def _node(name: str, door: ast.Module) -> Node:
    package, _, wing = name.partition(".")
    return Node(
        name,
        sentence=_said(door),
        group=EXECUTOR if wing else "",
        role=_ROLES[package],
        title=wing or package,
    )
