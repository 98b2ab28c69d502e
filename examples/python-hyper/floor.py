"""The implementing session of the "floor" issues: ask for Python 3.11 or later in the metadata.

It raises what the package requires, drops the classifiers of older versions (and names 3.11 where
no later one was named), and passes ruff the Python version that the code is for.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

OLDEST = 11
REQUIRES = re.compile(r"""((?:requires-python|python_requires)\s*=\s*)(["'])>=3\.\d+(?:\.\d+)?\2""")
CLASSIFIER = re.compile(
    r"""^[ \t]*(["'])Programming Language :: Python :: 3\.(\d+)\1,\n""", re.MULTILINE
)
TARGET = re.compile(r'^target-version = "py3\d+"$', re.MULTILINE)


def main() -> int:
    found = [path for name in ("pyproject.toml", "setup.py") if (path := Path(name)).exists()]
    asked = [path for path in found if REQUIRES.search(path.read_text())]
    if not asked:
        print("neither pyproject.toml nor setup.py says which Python is required")
        return 10
    for path in asked:
        path.write_text(raised(path.read_text()))
    return 0


def raised(text: str) -> str:
    text = REQUIRES.sub(rf"\g<1>\g<2>>=3.{OLDEST}\g<2>", text)
    text = TARGET.sub(f'target-version = "py3{OLDEST}"', text)
    named = list(CLASSIFIER.finditer(text))
    if named and all(int(one[2]) < OLDEST for one in named):
        last = named[-1]
        line = last[0].replace(f"3.{last[2]}", f"3.{OLDEST}")
        text = text[: last.end()] + line + text[last.end() :]
    return CLASSIFIER.sub(lambda one: one[0] if int(one[2]) >= OLDEST else "", text)


if __name__ == "__main__":
    sys.exit(main())
