"""The gate of every repo: the package's own test suite, run on the code in the worktree.

What the package needs of the other repos comes from their agent branches, as it is merged there
at this moment, and not from an index.

    python suite.py             the repo $WAVELANE_REPO, in the current directory
    python suite.py --merged    all repos, as they are on their agent branches
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

REPOS = Path(__file__).resolve().parent / "work" / "repos"
AGENT_BRANCH = os.environ.get("WAVELANE_AGENT_BRANCH", "wavelane/python-hyper/agent")

NEEDS = {"h2": ("hpack", "hyperframe"), "wsproto": ("h11",)}
OPTIONS = {
    # Its conftest.py lists the stories of the fixtures, which its source release leaves out
    # together with the tests that need them.
    "hpack": ["--noconftest"],
}


def main(arguments: list[str]) -> int:
    if arguments == ["--merged"]:
        return max(test_merged(path.name) for path in sorted(REPOS.iterdir()))
    return test(os.environ["WAVELANE_REPO"], Path.cwd())


def test_merged(repo: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        print(f"== {repo} on {AGENT_BRANCH}", flush=True)
        code = test(repo, merged(repo, Path(folder)))
        print(f"== {repo}: exit {code} after {time.monotonic() - began:.1f} s", flush=True)
        return code


def test(repo: str, tree: Path) -> int:
    with tempfile.TemporaryDirectory() as folder:
        trees = [tree, *(merged(needed, Path(folder)) for needed in NEEDS.get(repo, ()))]
        settings = {
            "HYPOTHESIS_STORAGE_DIRECTORY": folder,
            "PYTEST_ADDOPTS": "-p no:asyncio",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(str(importable(one)) for one in trees),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        return subprocess.run(
            [*command, f"--rootdir={tree}", f"-c={settings(tree)}", *OPTIONS.get(repo, [])],
            cwd=tree,
            env={**os.environ, **settings},
            check=False,
        ).returncode


def settings(tree: Path) -> str:
    """The package's own settings of pytest, or none: never those of a project around it."""
    for name, section in (("pyproject.toml", "[tool.pytest"), ("setup.cfg", "[tool:pytest]")):
        file = tree / name
        if file.is_file() and section in file.read_text(encoding="utf-8"):
            return str(file)
    return os.devnull


def merged(repo: str, folder: Path) -> Path:
    """The files of a repo's agent branch, unpacked into `folder`."""
    archive = subprocess.run(
        ["git", "-C", str(REPOS / repo), "archive", AGENT_BRANCH], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extraction_filter = getattr(tarfile, "data_filter", None)
        files.extractall(folder / repo)
    return folder / repo


def importable(tree: Path) -> Path:
    """Where the package of a repo is imported from."""
    return tree / "src" if (tree / "src").is_dir() else tree


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
