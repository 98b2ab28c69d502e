"""The map of the tree: each wing of the executor with the sentence that it says about itself.

What a wing is for is the first line of its `__init__`; so the map, the architecture picture and the
code say the same.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from wavelane.diagrams.architecture import wings

CONTRIBUTING: Final = Path(__file__).parent.parent.parent / "CONTRIBUTING.md"
_BETWEEN: Final = re.compile(
    r"(?<=<!-- map: python -m docs.generate -->\n).*?(?=<!-- end of the map -->)", re.DOTALL
)


def markdown() -> str:
    """A table with a row for each wing."""
    rows = (f"| `{name}/` | {sentence} |" for name, sentence in wings().items())
    return "\n".join(["| wing | what it is for |", "|---|---|", *rows, ""])


def with_map(page: str) -> str:
    """The page with the map as it is now, between its marks."""
    return _BETWEEN.sub(lambda _: markdown(), page)
