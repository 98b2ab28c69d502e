"""How large files, classes and functions may grow: readable in one sitting."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import wavelane
import wavelane_model

LONGEST_CLASS = 300
LONGEST_CONSTRUCTOR = 30


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    for package in (wavelane, wavelane_model):
        for path in sorted(Path(package.__file__ or "").parent.rglob("*.py")):
            if "template" not in path.parts:
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                    if isinstance(node, ast.ClassDef):
                        yield f"{path.name}: {node.name}", node


def lines(node: ast.ClassDef | ast.FunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_class_is_longer_than_one_reads_in_a_sitting() -> None:
    assert [(name, lines(node)) for name, node in classes() if lines(node) > LONGEST_CLASS] == []


def test_no_constructor_does_more_than_set_up_its_own() -> None:
    constructors = [
        (name, lines(one))
        for name, node in classes()
        for one in node.body
        if isinstance(one, ast.FunctionDef) and one.name == "__init__"
    ]

    assert [one for one in constructors if one[1] > LONGEST_CONSTRUCTOR] == []
