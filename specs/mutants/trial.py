"""The trial of one mutant, by the interpreter that runs in its copy of the code.

Standard input has, as JSON, the place of the copy, the layers that judge, and what they need
(`Brief`). Each verdict is one line of JSON on standard output: the layer, and how it noticed. A
judge that fails with an error has noticed the mutant, unless a package is missing.
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from specs.mutants.mutant import Kill, Layer

PROCESSOR_SECONDS: Final = 180
"""Seconds of processor time for all judges of a mutant; then the system ends them."""


def main() -> None:
    """Judge, and print the verdicts."""
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    asked: dict[str, Any] = json.load(sys.stdin)
    for layer in asked["layers"]:
        kill = _judged(layer, asked)
        print(json.dumps([layer, kill and asdict(kill)]), flush=True)


def _judged(layer: Layer, asked: dict[str, Any]) -> Kill | None:
    try:
        require_copy(Path(asked["copy"]))
        from specs.mutants.judges import JUDGES, Brief

        rows = frozenset(asked["rows"])
        brief = Brief(asked["kind"], rows, asked["lines"], asked["schedules"])
        return JUDGES[layer](brief)
    except (NotTheCopy, ModuleNotFoundError):
        raise
    except Exception as error:
        return Kill("crash", f"{type(error).__name__}: {error}"[:200])


class NotTheCopy(RuntimeError):
    """The judged code is not the copy."""


def require_copy(copy: Path) -> None:
    """Raise `NotTheCopy` unless all packages are imported from the copy."""
    for package in ("specs", "wavelane", "wavelane_model"):
        found = find_spec(package)
        at = Path(found.origin if found and found.origin else "nowhere").resolve()
        if not at.is_relative_to(copy.resolve()):
            raise NotTheCopy(f"{package} is imported from {at}, not from {copy}")


if __name__ == "__main__":
    main()
