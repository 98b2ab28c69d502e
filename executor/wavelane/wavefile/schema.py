"""The JSON Schema of a wave file, made from its models."""

from __future__ import annotations

from typing import Any

from wavelane.wavefile.file import WaveFile


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a wave file, for editors."""
    schema = WaveFile.model_json_schema()
    _tidy(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _tidy(schema: Any) -> None:
    """Drop defaults of keys that may be left out, and names that the pattern of names forbids."""
    if isinstance(schema, list):
        for item in schema:
            _tidy(item)
    elif isinstance(schema, dict):
        if schema.get("default", ...) is None:
            del schema["default"]
        if "patternProperties" in schema:
            schema["additionalProperties"] = False
        for item in schema.values():
            _tidy(item)
