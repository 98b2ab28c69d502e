"""Tests run side by side: in how many processes, and how what they say gets out of these.

A single file, or tests that are named, run in one process: two more would start for longer than
the tests take.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    files = {one.partition("::")[0] for one in config.args}
    is_small = len(files) == 1 and all(one.endswith(".py") for one in files)
    return 0 if is_small and "PYTEST_XDIST_AUTO_NUM_WORKERS" not in os.environ else None


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """What a test has logged may hold bytes that are no text; between processes goes text only."""
    return sendable((yield))


def sendable(data: Any) -> Any:
    """The same with bytes that are no text written out."""
    match data:
        case str():
            return data.encode("utf-8", "backslashreplace").decode("utf-8")
        case dict():
            return {sendable(key): sendable(value) for key, value in data.items()}
        case list() | tuple():
            return type(data)(map(sendable, data))
        case _:
            return data
