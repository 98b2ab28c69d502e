"""Every journal that a test writes is verified.

Each is verified when it is closed. After a successful test, those in its folder are verified again,
which includes journals written by other processes. A test that writes journals by hand or damages
them is marked `broken_journals`.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from wavelane.journal import Journal, JournalError
from wavelane.verify import verify

MARK = "broken_journals"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{MARK}: its journals are written by hand or damaged; they are not verified"
    )


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    if pyfuncitem.get_closest_marker(MARK):
        return (yield)
    broken: list[str] = []
    close = Journal.close

    def close_and_verify(journal: Journal) -> None:
        close(journal)
        broken.extend(complaints(journal.path))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "close", close_and_verify)
        result = yield
    folder = pyfuncitem.funcargs.get("tmp_path")
    if isinstance(folder, Path):
        for path in sorted(folder.rglob("*.db")):
            broken.extend(complaints(path))
    if broken:
        pytest.fail("\n".join(dict.fromkeys(broken)), pytrace=False)
    return result


def complaints(path: Path) -> list[str]:
    """What is wrong with a journal; nothing if the file is not a journal."""
    try:
        verdict = verify(path)
    except JournalError:
        return []
    return [] if verdict.keeps_the_rules else [f"journal {path} {verdict}"]
