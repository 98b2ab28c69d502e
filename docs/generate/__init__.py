"""The parts of the pages that are made from the code, by name, so that they cannot rot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from docs.generate import command_line, journal, json_outputs, tree, wave_file

from wavelane.cli.outputs import OUTPUTS, output_schema
from wavelane.wavefile import json_schema

PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "command-line": command_line.markdown,
    "journal": journal.markdown,
    "json-outputs": json_outputs.markdown,
    "map": tree.markdown,
    "wave-file": wave_file.markdown,
}


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON schemas that the site offers, by the name of their file."""
    return {"wave-file": json_schema(), **{name: output_schema(name) for name in OUTPUTS}}
