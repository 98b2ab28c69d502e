"""The implementing session of most issues: one kind of chore, done by ruff in the worktree.

The kind is what follows the "#" in the issue's id. A project with settings for ruff keeps them
(line length, what it allows); the others are done with ruff's defaults.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

FIX = ["check", "--fix", "--unsafe-fixes", "--exit-zero"]
CHORES = {
    "syntax": [*FIX, "--select", "UP"],
    "simplify": [*FIX, "--select", "C4,FURB,PIE,PT,RET,RSE,SIM"],
    "imports": [*FIX, "--select", "I001"],
    "format": ["format"],
}


def main() -> int:
    chore = CHORES[os.environ["WAVELANE_ISSUE"].partition("#")[2]]
    return subprocess.run(
        ["ruff", *chore, "--quiet", "--no-cache", *settings(), "."], check=False
    ).returncode


def settings() -> list[str]:
    """The settings for ruff where the project has none."""
    project = Path("pyproject.toml")
    if project.exists() and "ruff" in tomllib.loads(project.read_text()).get("tool", {}):
        return []
    return ["--isolated", "--target-version", "py311"]


if __name__ == "__main__":
    sys.exit(main())
