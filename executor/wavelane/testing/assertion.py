"""Assert that a journal keeps the rules, at the end of a test or of an engine's real run."""

from __future__ import annotations

from pathlib import Path

from wavelane.verify import Verdict, verify


def assert_keeps_the_rules(journal: str | Path) -> Verdict:
    """Fail with everything that `verify` finds in a journal; else return its verdict.

    An unfinished run may keep the rules: look at the verdict's `outcome`.

    Args:
        journal: Path of the journal.

    Raises:
        AssertionError: When a rule was broken.
        JournalError: For a file that is not a journal.
    """
    verdict = verify(journal)
    if not verdict.keeps_the_rules:
        raise AssertionError(f"journal {journal} {verdict}")
    return verdict
