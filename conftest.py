"""Programs that some tests need: `@pytest.mark.needs("dot")`. Kinds of tests, and how they run
side by side, are in tests/plugins.

On a person's machine such a test is skipped where the program is missing, and says what to install.
In CI (`CI` is set) a missing program is a failure.

Where this is started in the background, SIGINT and SIGHUP may be ignored, and all programs would
inherit that; tests send both.

Hypothesis draws the same examples in every run of CI; on a person's machine it looks for new ones.
It has no deadline anywhere: how long an example takes says how busy the machine is.
"""

from __future__ import annotations

import os
import shutil
import signal

import pytest
from hypothesis import settings

settings.register_profile("here", deadline=None)
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")

pytest_plugins = ("pytester", "tests.plugins.kinds", "tests.plugins.parallel")

PACKAGES = {"dot": "graphviz", "spin": "spin", "gcc": "gcc"}


def pytest_configure(config: pytest.Config) -> None:
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    config.addinivalue_line("markers", "needs(*programs): programs that the test calls")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if shutil.which(program) is None:
                missing = f"`{program}` is not installed; install {PACKAGES[program]}"
                if os.environ.get("CI"):
                    pytest.fail(f"{missing}; in CI that is a failure", pytrace=False)
                pytest.skip(missing)
