"""The reviewing session: whether a chore did what its kind may do, and nothing else.

    floor             only metadata changed, and it asks for Python 3.11 or later
    syntax, simplify  only Python code changed, and no public name came or went
    imports           the code is the same but for the order of its imports
    format            the code is the same but for its layout and its docstrings

Whether the code still works is for the gate to say.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

METADATA = frozenset(("pyproject.toml", "setup.py"))
FLOOR = re.compile(r"""(?:requires-python|python_requires)\s*=\s*["']>=3\.11["']""")

Source = str


def main() -> int:
    kind = os.environ["WAVELANE_ISSUE"].partition("#")[2]
    base = git("merge-base", os.environ["WAVELANE_AGENT_BRANCH"], "HEAD").strip()
    changes = git("diff", "--name-status", "--no-renames", base, "HEAD").splitlines()
    problems = list(reviewed(kind, base, [line.split("\t") for line in changes]))
    print("\n".join(problems) or f"{len(changes)} files changed, as they should be")
    return 1 if problems else 0


def reviewed(kind: str, base: str, changes: list[list[str]]) -> Iterator[str]:
    if not changes:
        yield "nothing was changed; do the chore, or take the issue out of the wave"
    for status, path in changes:
        if status != "M":
            yield f"{path}: was added or removed; a chore changes files"
        elif kind == "floor":
            if path not in METADATA:
                yield f"{path}: is no metadata"
            elif not FLOOR.search(git("show", f"HEAD:{path}")):
                yield f"{path}: does not ask for Python 3.11 or later"
        elif not path.endswith(".py"):
            yield f"{path}: is no Python code"
        else:
            yield from code_reviewed(
                kind, path, *(git("show", f"{at}:{path}") for at in (base, "HEAD"))
            )


def code_reviewed(kind: str, path: str, before: Source, after: Source) -> Iterator[str]:
    essence, words = ESSENCE[kind]
    try:
        same = essence(ast.parse(before)) == essence(ast.parse(after))
    except SyntaxError as error:
        yield f"{path}:{error.lineno}: is no longer Python: {error.msg}"
        return
    if not same:
        yield f"{path}: {words}"


def public_names(tree: ast.Module) -> object:
    """The names that a module and its classes define."""
    return sorted(_defined(tree.body))


def _defined(body: list[ast.stmt], of: str = "") -> Iterator[str]:
    for statement in body:
        match statement:
            case ast.ClassDef(name=name, body=inner):
                yield of + name
                yield from _defined(inner, f"{of}{name}.")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield of + name
            case ast.Assign(targets=targets):
                yield from (of + ast.unparse(target) for target in targets)
            case ast.AnnAssign(target=target):
                yield of + ast.unparse(target)


def but_for_imports(tree: ast.Module) -> object:
    """What is imported, in any order, and all other code."""
    imported: list[str] = []

    class Parted(ast.NodeTransformer):
        def visit_Import(self, node: ast.Import) -> None:
            imported.extend(ast.dump(alias) for alias in node.names)

        def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
            origin = "." * node.level + (node.module or "")
            imported.extend(f"{origin} {ast.dump(alias)}" for alias in node.names)

    rest = ast.dump(Parted().visit(tree))
    return sorted(imported), rest


def but_for_layout(tree: ast.Module) -> object:
    """All code, without docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                    node.body = rest
    return ast.dump(tree)


ESSENCE: dict[str, tuple[Callable[[ast.Module], object], str]] = {
    "syntax": (public_names, "a public name came or went"),
    "simplify": (public_names, "a public name came or went"),
    "imports": (but_for_imports, "more than the order of the imports has changed"),
    "format": (but_for_layout, "more than the layout has changed"),
}


def git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True, encoding="utf-8"
    ).stdout


if __name__ == "__main__":
    sys.exit(main())
