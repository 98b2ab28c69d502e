"""Kinds of tests, by which a run chooses.

- `git`: the test runs git, or the `wavelane` command. Whatever is in a module that imports the
  helpers for that (`HELPERS`) is one without being marked; any other test that starts git or the
  command fails, and says so.
- `slow`: its processor time is felt: a layer of the specs, a solver, a process after the other.
- `layer`: a layer of the specs in its short form, as `python -m specs` runs it. It is slow.
- `nightly`: the long forms. They are left out, and the run says how many were, unless it asks for
  them: `-m nightly`, or the id of the test.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Generator, Iterable, Sequence
from pathlib import PurePath
from typing import Any, Final

import pytest

HELPERS: Final = frozenset({"tests.gitrepos", "tests.commandline", "tests.bench"})
MARKERS: Final = (
    "git: runs git or the command (most are found by what they import)",
    "slow: takes seconds; not part of the loop",
    "layer: a whole layer of the specs, as `python -m specs` runs it; slow, too",
    "nightly: a long form; left out unless asked for by `-m nightly` or by its id",
)
LEFT_OUT: Final = pytest.StashKey[int]()
STARTED: Final = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if _uses_git(item):
            item.add_marker("git")
        if item.get_closest_marker("layer"):
            item.add_marker("slow")
    if not _asks_for_nightly(config):
        _leave_out_nightly(config, items)


def _uses_git(item: pytest.Item) -> bool:
    names = vars(getattr(item, "module", None) or item).values()
    return any(getattr(one, "__module__", None) in HELPERS for one in names)


def _asks_for_nightly(config: pytest.Config) -> bool:
    return "nightly" in config.option.markexpr


def _leave_out_nightly(config: pytest.Config, items: list[pytest.Item]) -> None:
    named = {one for one in config.args if "::" in one}
    left_out = [
        item
        for item in items
        if item.get_closest_marker("nightly") and not _is_named(item.nodeid, named)
    ]
    if left_out:
        items[:] = [item for item in items if item not in set(left_out)]
        config.hook.pytest_deselected(items=left_out)
    config.stash[LEFT_OUT] = len(left_out)


def _is_named(nodeid: str, named: Iterable[str]) -> bool:
    return any(nodeid == one or nodeid.startswith((f"{one}[", f"{one}::")) for one in named)


# What was left out is said in the end, also by tests that run in several processes.


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["nightly tests left out"] = session.config.stash.get(LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    if "nightly tests left out" in output:
        node.config.stash[LEFT_OUT] = output["nightly tests left out"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    if count := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(
            f"{count} nightly tests were left out; run them by: uv run --locked pytest -m nightly"
        )


# A test that starts git, or the command, is known to do so.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if item.get_closest_marker("git"):
        return (yield)
    item.stash[STARTED] = started = []
    begin = subprocess.Popen.__init__

    def noted(self: Any, args: Any, *more: Any, **named: Any) -> None:
        words = [args] if isinstance(args, str | bytes | os.PathLike) else [*args]
        if runs_git_or_the_command([os.fsdecode(word) for word in words]):
            started.append(" ".join(os.fsdecode(word) for word in words)[:80])
        begin(self, args, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", noted)
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    if started := item.stash.get(STARTED, []):
        pytest.fail(f"it runs {started[0]!r}; mark it with pytest.mark.git", pytrace=False)


def runs_git_or_the_command(words: Sequence[str]) -> bool:
    """Whether these are the words of a command line of git or of ours."""
    program = PurePath(words[0]).name
    if program in ("sh", "bash"):
        return any(re.search(r"\b(git|wavelane)\s", word) for word in words[1:])
    return program in ("git", "wavelane") or [*words[1:3]] == ["-m", "wavelane"]
