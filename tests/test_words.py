"""The words of the field: none of the private ones that newcomers had to look up has come back.

The glossary (docs/glossary.md) has the words to use.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PRIVATE = {
    "told": "is recorded, applied or reported",
    "nobody": "no process, no issue; or the passive",
    "somebody": "another process, a person; or the passive",
    "bell": "wake-up pipe",
    "leash": "git lock",
    "roster": "session registry",
    "chronicle": "spans",
    "outlook": "cap sweep",
    "campaign": "wave run",
    "seal": "hash chain",
    "sealed": "hash chain",
    "referee": "rule monitor",
    "hearing": "journal check",
    "lawful": "keeps the rules",
    "objection": "explanation of a refusal",
    "lever": "cap control",
    "straightened": "justified",
    "steadiest": "most robust",
    "hang_bell": "open_wakeup",
    "held_back": "reserved",
}
"""Each private word, and what stands in its place."""
ON_DISK = {
    "seal": re.compile(r"""["'`]seal["'`]|key = 'seal'"""),
    "bell": re.compile(r"-bell\b"),
    "leash": re.compile(r"git-leash"),
}
"""Where a file that users have keeps the word."""
LEFT_OUT = ("CHANGELOG.md", "uv.lock", "tests/test_words.py", "tests/data/", "LICENSE")
WORD = re.compile(rf"\b({'|'.join(PRIVATE)})s?\b", re.IGNORECASE)


def texts() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    kinds = {".py", ".md", ".pml", ".toml", ".sh", ".yml", ".yaml", ".dot", ".mmd", ""}
    return [
        name
        for name in listed.stdout.splitlines()
        if not name.startswith(LEFT_OUT) and Path(name).suffix in kinds
    ]


def private_words(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        for found in WORD.finditer(line):
            kept = ON_DISK.get(found[1].lower())
            if kept is None or not kept.search(line):
                yield number, found[0]


@pytest.mark.parametrize("name", texts())
def test_no_private_word_stands_in(name: str) -> None:
    path = ROOT / name
    if path.is_file():
        found = [
            f"{name}:{number}: {word}: {PRIVATE[word.lower().removesuffix('s')]}"
            for number, word in private_words(path.read_text(encoding="utf-8"))
        ]
        assert found == []


def test_a_private_word_is_found_and_one_on_disk_is_not() -> None:
    assert [*private_words('the row is told\nmeta key "seal"\nthe seal')] == [
        (1, "told"),
        (3, "seal"),
    ]
