"""Slugs: an issue's id as one part of a branch name and as a file name.

1. Two ids never have the same slug, even where file names ignore case.
2. Letters, digits, `_`, `#` and `-` stay, and so does a dot between two of them; all else becomes
   `%XX`. So no slug is hidden, ends in `.lock`, leads out of its directory or has a character that
   git does not allow.
3. A slug has at most 100 characters: a longer one is cut, and ends in `+` and a hash of the id.
   `+` and `@` are in no other slug, so names with `@` are free for other uses.
"""

from __future__ import annotations

import re
from hashlib import sha256

_LONGEST = 100
_ENCODED = re.compile(r"[^A-Za-z0-9_#.-]|\.(?![A-Za-z0-9_#-])|(?<![A-Za-z0-9_#-])\.|\.(?=lock$)")


def slug(issue_id: str) -> str:
    """The slug of an id that is not empty."""
    found = _ENCODED.sub(_percent, issue_id)
    if len(found) <= _LONGEST:
        return found
    return f"{found[:64]}+{sha256(_bytes(issue_id)).hexdigest()[:32]}"


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in _bytes(match[0]))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
