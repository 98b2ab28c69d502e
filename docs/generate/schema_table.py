"""A JSON schema as tables: one for each object, a row for each key.

What an object's key is, is said in one line: its type, and what its description says. An object
inside has a table of its own, to which its key leads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def tables(schema: Schema, title: str, *, prefix: str, level: int = 2) -> Iterator[str]:
    """The lines of the tables of a schema, its own first and those of its `$defs` after it."""
    yield from _table(schema, title, schema, prefix, level)
    for name, inner in schema.get("$defs", {}).items():
        if objects := [one for one in (inner, *inner.get("anyOf", ())) if "properties" in one]:
            named = {**objects[0], "description": inner.get("description", "")}
            yield from _table(named, _title(inner, name), schema, prefix, level + 1)


def anchor(prefix: str, title: str) -> str:
    """The anchor of an object's table."""
    return f"{prefix}-{re.sub('[^a-z]+', '-', title.lower()).strip('-')}"


def _table(found: Schema, title: str, root: Schema, prefix: str, level: int) -> Iterator[str]:
    yield f"{'#' * level} {title} {{ #{anchor(prefix, title)} }}"
    yield ""
    yield found.get("description", "")
    yield ""
    yield "| key | type | meaning |"
    yield "|---|---|---|"
    required = found.get("required", ())
    for key, value in found["properties"].items():
        shown = _type(value, root, prefix)
        if key not in required:  # left out and null are the same
            shown = shown.removesuffix(" or null")
        if key not in required and "default" in value and value["default"] not in ({}, [], ""):
            shown += f"; default {_code(value['default'])}"
        name = f"**`{key}`**" if key in required else f"`{key}`"
        yield f"| {name} | {shown} | {_cell(_meaning(value, root))} |"
    yield ""


def _title(inner: Schema, name: str) -> str:
    return str(inner.get("title", name)).removesuffix("Output")


def _meaning(value: Schema, root: Schema) -> str:
    inner = _resolved(value, root)
    return str(value.get("description") or inner.get("description", ""))


def _type(value: Schema, root: Schema, prefix: str) -> str:
    if "$ref" in value:
        inner = _resolved(value, root)
        title = _title(inner, value["$ref"].rpartition("/")[2])
        return f"[{title}](#{anchor(prefix, title)})"
    if "const" in value:
        return _code(value["const"])
    if "enum" in value:
        return " \\| ".join(_code(one) for one in value["enum"])
    if "anyOf" in value:
        kinds = dict.fromkeys(_type(one, root, prefix) for one in value["anyOf"])
        return " or ".join(kinds)
    kind = value.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        items = _type(value.get("items", {}), root, prefix)
        return f"list of ({items})" if " or " in items else f"list of {items}"
    if kind == "object":
        inner = value.get("additionalProperties") or _first(value.get("patternProperties", {}))
        if not isinstance(inner, dict):
            return "mapping"
        values = _type(inner, root, prefix)
        return f"mapping to ({values})" if " or " in values else f"mapping to {values}"
    return str(kind)


def _first(patterns: Schema) -> Any:
    return next(iter(patterns.values()), None)


def _resolved(value: Schema, root: Schema) -> Schema:
    found: Schema = root["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value
    return found


def _code(value: object) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
