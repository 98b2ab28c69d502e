"""The hash chain of a journal: a digest of everything in it up to an event.

The first digest covers what the run was started with: the rows of meta and the definitions of the
issues. Each event's digest covers the one before it and the columns of its row. The table meta
keeps the last one, under the key "seal".

The chain holds no secret: it reveals damage and accidental changes, but not a forger who computes a
new one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Final

META_KEY: Final = "seal"
"""The key of the last digest in the table meta."""

_JSON: Final = json.JSONEncoder(default=repr)


def first_digest(meta: Iterable[tuple[str, str]], definitions: Iterable[str]) -> str:
    """The digest of a journal without events.

    Args:
        meta: The rows of the table meta, in any order, without the digest itself.
        definitions: The JSON texts that define the issues, in the order of the wave.
    """
    return next_digest("", [sorted(meta), list(definitions)])


def next_digest(digest: str, row: Iterable[object]) -> str:
    """The digest after one more row, from the digest before it and the row's columns."""
    text = ", ".join([_json_text(value) for value in row])
    return hashlib.sha256(f"{digest}[{text}]".encode()).hexdigest()


def _json_text(value: object) -> str:
    """The JSON text of one value.

    Encoding a list as a whole gives the same text and takes three times as long.
    """
    kind = type(value)
    if kind is str:
        return encode_basestring_ascii(value)  # type: ignore[arg-type]
    if value is None:
        return "null"
    if kind is int or (kind is float and isfinite(value)):  # type: ignore[arg-type]
        return repr(value)
    return _JSON.encode(value)
