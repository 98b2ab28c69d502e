"""Fetch the source releases of sources.txt and make a git repo of each, in work/repos.

The releases come from the package index that pip is set up for, checked against their hashes. A
repo that is there already is left as it is. To start again, remove the work directory.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "sources.txt"
REPOS = HERE / "work" / "repos"

MADE_BY_THE_RELEASE = ("PKG-INFO", "*.egg-info", "src/*.egg-info")
"""What a source release holds and its repo does not."""

AUTHOR = {
    **{f"GIT_{who}_NAME": "python-hyper" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "releases@localhost" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_DATE": "2025-01-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER")},
}


def main() -> int:
    versions = dict(
        line.split()[0].split("==") for line in SOURCES.read_text().splitlines() if "==" in line
    )
    missing = [name for name in versions if not (REPOS / name / ".git").exists()]
    if missing:
        with tempfile.TemporaryDirectory() as folder:
            download(Path(folder))
            for name in missing:
                make_repo(name, versions[name], Path(folder))
    for name, version in versions.items():
        made = "made" if name in missing else "there already"
        print(f"{name:<11}{version:<8}{made}: {os.path.relpath(REPOS / name)}")
    return 0


def download(folder: Path) -> None:
    options = ["--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes"]
    subprocess.run(
        [*pip(), "download", *options, "--requirement", str(SOURCES), "--dest", str(folder)],
        check=True,
    )


def pip() -> list[str]:
    """How pip is called: with this Python where it has it, else through uv."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if (uv := os.environ.get("UV") or shutil.which("uv")) is not None:
        return [uv, "tool", "run", "--python", sys.executable, "pip"]
    sys.exit("this Python has no pip, and uv was not found; run: python -m ensurepip")


def make_repo(name: str, version: str, folder: Path) -> None:
    """Unpack a release into a repo with one commit, whole or not at all."""
    REPOS.mkdir(parents=True, exist_ok=True)
    unpacked = folder / "unpacked" / name
    with tarfile.open(next(folder.glob(f"{name}-{version}.tar.gz"))) as release:
        release.extraction_filter = getattr(tarfile, "data_filter", None)
        release.extractall(unpacked)
    tree = unpacked / f"{name}-{version}"
    for pattern in MADE_BY_THE_RELEASE:
        for path in tree.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    git(tree, "init", "--quiet", "--initial-branch=main")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", f"--message={name} {version}, as released")
    shutil.rmtree(REPOS / name, ignore_errors=True)
    shutil.move(tree, REPOS / name)


def git(tree: Path, *arguments: str) -> None:
    settings = ["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"]
    subprocess.run(
        ["git", *settings, "-C", str(tree), *arguments], check=True, env={**os.environ, **AUTHOR}
    )


if __name__ == "__main__":
    sys.exit(main())
