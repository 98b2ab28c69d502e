"""The command as a user starts it: in its own process, on real repos."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENV = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "PYTHONPATH": os.pathsep.join((str(ROOT / "model"), str(ROOT / "executor"))),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "COLUMNS": "160",
}

PATIENCE = 60


def wavelane(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wavelane", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=ENV,
        cwd=cwd,
        timeout=PATIENCE,
        check=False,
    )


def git(repo: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(
        ["git", "-C", repo, *identity, *arguments],
        capture_output=True,
        text=True,
        env=ENV,
        check=True,
    )
    return done.stdout.strip()


def make_repo(path: Path) -> Path:
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    (path / "file.txt").write_text("one\n")
    git(path, "add", ".")
    git(path, "commit", "-qm", "start")
    return path


def edit(project: Path, old: str, new: str) -> None:
    file = project / "wave.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        select.select([], [], [], 0.01)
