"""Stands in for a reviewer: every function has a docstring, or changes are requested."""

import ast
import os
import sys
import time
from pathlib import Path

CHANGES_REQUESTED = 1

# The review of core#3 takes long enough for core#2 to be written meanwhile, from the same base.
time.sleep(2.0 if os.environ["WAVELANE_ISSUE"] == "core#3" else 0.4)
missing = [
    f"{path}: {function.name} has no docstring"
    for path in sorted(Path().glob("*.py"))
    if not path.name.startswith("test_")
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(function, ast.FunctionDef) and ast.get_docstring(function) is None
]
if missing:
    print("\n".join(missing))
    sys.exit(CHANGES_REQUESTED)
print("fine")
