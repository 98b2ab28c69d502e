"""What may import what, read from the syntax trees and seen in a fresh interpreter."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import pytest

import wavelane
import wavelane_model

MODEL = Path(wavelane_model.__file__).parent
EXECUTOR = Path(wavelane.__file__).parent
MODEL_MAY_IMPORT = {
    *("__future__", "typing", "collections", "collections.abc", "dataclasses", "copy", "heapq"),
    *("itertools", "functools", "enum"),
}
IN_FUNCTIONS_TOO = {"transitions"}
SMALL_THINGS = {"steps", "times", "lock", "pipeline"}
"""Modules at the top that any wing may import; `pipeline` is what an engine implements."""
WINGS: Mapping[str, Set[str]] = {
    "journal": set(),
    "processes": set(),
    "replay": {"journal"},
    "verify": {"journal", "replay"},
    "control": {"journal", "replay"},
    "planning": {"replay"},
    "scheduler": {"control", "journal", "planning", "replay"},
    "timeline": {"journal", "planning", "replay"},
    "gantt": {"timeline"},
    "git": {"processes"},
    "commands": {"git", "processes"},
    "wavefile": {"processes"},
    "diagrams": set(),
    "demo": {"git"},
    "testing": {"verify"},
}
"""What each wing may import of the others, ground floor first. `cli` may import them all."""


def imports(tree: ast.AST, *, inside: bool = False) -> Iterator[tuple[str, bool]]:
    """Module names, and whether they are imported inside a function; not those for typing only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            assert node.module is not None
            yield from ((f"{node.module}.{alias.name}", inside) for alias in node.names)
        elif not is_for_typing(node):
            in_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(node, inside=inside or in_function)


def is_for_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imported_modules(path: Path, known: Mapping[str, Path]) -> set[str]:
    """Those of the known modules that a module imports, itself or a name of."""
    found = {name for name, _ in imports(parsed(path))}
    return {name if name in known else name.rpartition(".")[0] for name in found} & {*known}


def modules(*roots: Path) -> dict[str, Path]:
    found = {}
    for root in roots:
        for path in root.rglob("*.py"):
            if "template" in path.parts:
                continue
            parts = path.relative_to(root.parent).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@pytest.mark.parametrize("path", sorted(MODEL.glob("**/*.py")), ids=lambda path: path.name)
def test_the_model_imports_nothing_that_waits_reads_writes_or_tells_the_time(path: Path) -> None:
    tree = parsed(path)
    everywhere = {one for node in ast.walk(tree) for one in modules_named(node)}
    foreign = {one for one in everywhere if one.partition(".")[0] != "wavelane_model"}

    assert foreign <= MODEL_MAY_IMPORT | IN_FUNCTIONS_TOO
    at_the_top = {one.partition(".")[0] for one, inside in imports(tree) if not inside}
    assert not at_the_top & IN_FUNCTIONS_TOO


def modules_named(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


@pytest.mark.parametrize("path", sorted(MODEL.glob("**/*.py")), ids=lambda path: path.name)
def test_the_model_reaches_no_module_by_a_back_door(path: Path) -> None:
    called = {
        node.func.id
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }

    assert not called & {"__import__", "open", "eval", "exec", "print", "input", "breakpoint"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    paths = modules(MODEL, EXECUTOR)
    graph = {name: imported_modules(path, paths) - {name} for name, path in paths.items()}

    waiting = dict(graph)
    while free := [name for name, needed in waiting.items() if not needed & {*waiting}]:
        for name in free:
            del waiting[name]

    assert waiting == {}


def test_each_wing_imports_only_the_wings_that_it_may() -> None:
    assert {*WINGS, "cli"} == {path.name for path in EXECUTOR.iterdir() if is_a_wing(path)}

    arrows = wings_imported_by_wing()
    trespasses = {wing: arrows[wing] - allowed for wing, allowed in WINGS.items()}
    unused = {wing: allowed - arrows[wing] for wing, allowed in WINGS.items()}

    assert {wing: found for wing, found in trespasses.items() if found} == {}
    assert {wing: found for wing, found in unused.items() if found} == {}


def test_wings_stand_on_one_another_in_one_direction() -> None:
    floors = [*WINGS]

    assert [wing for at, wing in enumerate(floors) if not WINGS[wing] <= {*floors[:at]}] == []


def test_few_modules_stand_outside_the_wings() -> None:
    outside = {path.stem for path in EXECUTOR.glob("*.py")}

    assert outside == {"__init__", "__main__", *SMALL_THINGS}


def is_a_wing(path: Path) -> bool:
    return (path / "__init__.py").is_file()


def wings_imported_by_wing() -> dict[str, set[str]]:
    paths = modules(EXECUTOR)
    arrows: dict[str, set[str]] = {}
    for name, path in paths.items():
        imported = {wing_of(one) for one in imported_modules(path, paths)}
        arrows.setdefault(wing_of(name), set()).update(imported)
    return {wing: found - SMALL_THINGS - {wing} for wing, found in arrows.items()}


def wing_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "wavelane"


def test_the_model_is_imported_without_the_executor() -> None:
    loaded = modules_after("import wavelane_model.step, wavelane_model.properties")

    assert not {name for name in loaded if name.partition(".")[0] == "wavelane"}
    assert "asyncio" not in loaded


def test_importing_wavelane_loads_no_library_that_a_user_of_the_library_does_not_need() -> None:
    loaded = {name.partition(".")[0] for name in modules_after("import wavelane")}

    heavy = {"pydantic", "typer", "rich", "yaml", "transitions", "graphviz", "hypothesis", "click"}
    assert loaded & heavy == set()


def test_every_public_name_is_there() -> None:
    assert [name for name in wavelane.__all__ if not hasattr(wavelane, name)] == []
    assert [*wavelane.__all__] == sorted(wavelane.__all__)


def modules_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a statement."""
    program = f"import sys; sys.path[:0] = {[str(MODEL.parent), str(EXECUTOR.parent)]!r}\n"
    program += f"{statement}\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("folder", ["tests", "specs", "benchmarks"])
def test_no_test_module_is_imported(folder: str) -> None:
    root = Path(__file__).parents[1]
    paths = modules(root / folder)

    imported = {
        f"{name} imports {module}"
        for name, path in paths.items()
        for module in names_in(parsed(path))
        if any(part.startswith("test_") for part in module.split(".")[:-1])
    }

    assert imported == set(), "what tests share stands in a module of its own, beside them"


def names_in(tree: ast.Module) -> set[str]:
    """Every module or name of a module that is imported anywhere, for typing too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {f"{alias.name}." for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found
