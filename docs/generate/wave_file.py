"""The keys of a wave file, from its JSON schema."""

from __future__ import annotations

from docs.generate.schema_table import tables

from wavelane.wavefile import json_schema


def markdown() -> str:
    """A table for the file, and one for each kind of entry in it."""
    return "\n".join(tables(json_schema(), "The file", prefix="wave-file"))
