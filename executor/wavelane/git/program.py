"""Git, through the `git` program: one command at a time, in one directory.

1. Git sees the directory it is given and never the repo around it: a directory that is not itself a
   checkout or a repo is an error (`GIT_CEILING_DIRECTORIES`). The variables that would send git
   elsewhere (`GIT_DIR`, …) are removed from its environment.
2. A command that has started is finished: a cancellation waits for it, for `patience` seconds. Only
   then is it ended, and git removes its lock files. A command that only reads need not be waited
   for (`Git.only_reading`).
3. The user's settings and hooks apply, except those that would ask, page, colour, run in the
   background or remember. No configuration is ever written.
4. What a command has written is on disk when it has ended, from git 2.36 on.
5. A command inherits the `git_lock`, an open file with a lock. While that lock is taken, git may
   still be running, even if the process that started it is gone.
6. If the user has no name or e-mail address, commits get a fallback one from the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from wavelane.pipeline import SessionFailed
from wavelane.processes import CommandResult, Exit, ask

OLDEST_GIT: Final = (2, 20)

_ELSEWHERE: Final = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
_QUIET: Final = {
    "GIT_EDITOR": "true",
    "GIT_MERGE_AUTOEDIT": "no",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_SETTINGS: Final = (
    "commit.cleanup=whitespace",
    "core.filesRefLockTimeout=5000",
    "core.fsmonitor=false",
    "core.fsync=all",
    "core.packedRefsTimeout=10000",
    "gc.auto=0",
    "maintenance.auto=false",
    "merge.autoStash=false",
    "rerere.enabled=false",
)
_FALLBACK: Final = {"name": "wavelane", "email": "wavelane@localhost"}


class GitError(SessionFailed):
    """A git command failed. The text says which, where, and what git printed last.

    Attributes:
        command: The git command, if one was run.
        ended: How it ended.
    """

    def __init__(self, text: str, *, command: tuple[str, ...] = (), ended: Exit | None = None):
        super().__init__(text)
        self.command = command
        self.ended = ended


@dataclass(frozen=True, slots=True)
class Git:
    """Git in one directory.

    Attributes:
        directory: The checkout, worktree or repo.
        identity: Additions to the environment, see `fallback_identity`.
        patience: Seconds a command has to finish after a cancellation.
        git_lock: An open file that each command inherits, see `wavelane.git.lock`.
    """

    directory: Path
    identity: Mapping[str, str] = field(default_factory=dict)
    patience: float = 30.0
    git_lock: int | None = None

    def at(self, directory: Path) -> Git:
        """The same git in another directory."""
        return replace(self, directory=directory)

    @classmethod
    def only_reading(cls, directory: Path) -> Git:
        """Git for commands that change nothing: a cancellation ends them at once."""
        return cls(directory, patience=0.0)

    async def run(self, *arguments: str, limit: int | None = None) -> CommandResult:
        """Run a git command, whatever its exit code. `limit`: the most bytes of output to read.

        Raises `GitError` when git cannot be started.
        """
        settings = (part for setting in _SETTINGS for part in ("-c", setting))
        argv = ("git", "--no-pager", "-C", str(self.directory), *settings, *arguments)
        env = environment(self.directory) | _QUIET | dict(self.identity)
        keeps = () if self.git_lock is None else (self.git_lock,)
        try:
            return await ask(argv, env=env, limit=limit, patience=self.patience, keeps=keeps)
        except OSError as error:
            raise GitError(f"git cannot be started: {error.strerror or error}") from error

    async def out(self, *arguments: str, limit: int | None = None) -> str:
        """The output of a git command, without its last newline. Raises `GitError` if it fails."""
        result = await self.run(*arguments, limit=limit)
        if not result.ok:
            raise self.error(arguments, result)
        return result.out.removesuffix("\n")

    async def is_so(self, *arguments: str) -> bool:
        """The answer of a yes-or-no command: exit code 0 or 1. Raises `GitError` for any other."""
        result = await self.run(*arguments)
        if result.exit.code not in (0, 1):
            raise self.error(arguments, result)
        return result.ok

    async def commit_of(self, revision: str) -> str | None:
        """The hash of the commit that `revision` names, or None if there is none."""
        result = await self.run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return result.out.strip() if result.ok else None

    def error(self, arguments: tuple[str, ...], result: CommandResult) -> GitError:
        """The error for a failed `result`."""
        said = (result.errors.strip() or result.out.strip()).splitlines()[-8:]
        command = " ".join(part.splitlines()[0] if part else "''" for part in arguments)
        return GitError(
            f"`git {command}` in {self.directory} {result.exit}: {' / '.join(said) or 'no word'}",
            command=("git", *arguments),
            ended=result.exit,
        )


def environment(directory: Path) -> dict[str, str]:
    """This process's environment, changed so that git works on the repo of `directory` only."""
    env = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    env["GIT_CEILING_DIRECTORIES"] = str(directory.parent)
    return env


async def fallback_identity(git: Git) -> dict[str, str]:
    """Additions to the environment so that commits have an author and a committer."""
    pattern = r"^(user|author|committer)\.(name|email)$"
    result = await git.run("config", "--null", "--get-regexp", pattern)
    entries = (entry.partition("\n") for entry in result.out.split("\0"))
    known = {key for key, _, value in entries if value}
    if os.environ.get("EMAIL"):
        known.add("user.email")
    return {
        variable: fallback
        for role in ("author", "committer")
        for what, fallback in _FALLBACK.items()
        if (variable := f"GIT_{role}_{what}".upper()) not in os.environ
        and not {f"user.{what}", f"{role}.{what}"} & known
    }


async def version() -> tuple[int, ...]:
    """Git's version. Raises `GitError` if git is missing."""
    said = await Git.only_reading(Path("/")).out("version")
    found = re.search(r"\d+(\.\d+)+", said)
    return tuple(int(number) for number in found[0].split(".")) if found else ()
