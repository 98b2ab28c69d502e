"""Real git repos for tests, made and inspected without the code under test."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest


def git(directory: Path, *arguments: str) -> str:
    """Run git as a user of the repo would; its output without the last newline."""
    identity = ("-c", "user.name=A User", "-c", "user.email=user@example.org")
    command = ("git", "-C", str(directory), *identity, *arguments)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.removesuffix("\n")


def make_repo(directory: Path, files: Mapping[str, str] | None = None) -> Path:
    """A repo on branch main with one commit."""
    directory.mkdir(parents=True)
    git(directory, "init", "--quiet", "--initial-branch=main")
    return commit(directory, files or {"README": "hello\n"})


def commit(directory: Path, files: Mapping[str, str], message: str = "a commit") -> Path:
    """Commit these files."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "-m", message)
    return directory


def snapshot(directory: Path) -> dict[str, bytes]:
    """Every file of a checkout, its index and HEAD, but not git's refs and objects."""
    inside_git = ("index", "HEAD", "config", "ORIG_HEAD", "MERGE_HEAD")
    paths = [path for path in directory.rglob("*") if ".git" not in path.parts and path.is_file()]
    paths += [directory / ".git" / name for name in inside_git]
    found = {str(path): path.read_bytes() for path in paths if path.is_file()}
    for question in (("status", "--porcelain"), ("stash", "list"), ("branch", "--show-current")):
        found[" ".join(question)] = git(directory, "--no-optional-locks", *question).encode()
    return found


def without_identity(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Hide this machine's user from git."""
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("EMAIL", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_DIR", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)


def hook(repo: Path, name: str, script: str) -> None:
    """Give the repo a user's git hook."""
    path = repo / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


async def until(seen: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    async with asyncio.timeout(60):
        while not seen():  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(0.002)
