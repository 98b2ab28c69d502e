"""Worktrees: one directory for the work on one branch.

1. A worktree is *sound* when it exists, is whole, and it and its repo point at each other. Nothing
   is done in one that is not: git could mistake it for the repo around it.
2. A worktree is on its own branch. Commits that a session made on another one are taken over if
   they continue the worktree's branch.
3. `restore` removes whatever a session has left: changes, untracked files, a half-done merge or
   rebase, git's lock files. Files that the repo ignores (caches, installed packages) stay.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from wavelane.git.program import Git, GitError
from wavelane.processes import uninterrupted


@dataclass(frozen=True, slots=True)
class Registered:
    """One entry of git's list of a repo's worktrees.

    `branch` is "" where HEAD is detached; `tip` is the commit that HEAD is at.
    """

    directory: Path
    branch: str
    tip: str


class Worktree:
    """One worktree, on one branch."""

    def __init__(self, git: Git, branch: str, common_dir: Path) -> None:
        self.git = git
        self.branch = branch
        self.is_new = False
        """Whether it was made just now."""
        self._common_dir = common_dir

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return self.git.directory

    def is_sound(self) -> bool:
        """Whether it exists, is whole, and is known to its repo."""
        return self._find_admin() is not None

    async def head(self) -> str:
        """The hash of its commit."""
        return await self.git.out("rev-parse", "--verify", "HEAD^{commit}")

    async def uncommitted(self) -> bool:
        """Whether anything differs from HEAD, including files that git does not know yet."""
        return bool(await self.git.out("status", "--porcelain", "--untracked-files=normal"))

    async def conflicts(self) -> tuple[str, ...]:
        """The files left in conflict by a merge, rebase or the like."""
        found = await self.git.out("diff", "--name-only", "--diff-filter=U", "-z")
        return tuple(filter(None, found.split("\0")))

    async def restore(self, commit: str = "HEAD") -> None:
        """Reset branch, index and files to `commit`. Files that the repo ignores stay.

        Raises `GitError` when the directory is no longer a worktree of its repo.
        """
        admin = self._admin()
        _drop_leftovers(admin)
        await self.git.out("symbolic-ref", "HEAD", f"refs/heads/{self.branch}")
        await self.git.out("reset", "--hard", "--quiet", commit)
        await self.git.out("clean", "-ffdq")

    async def commit_all(self, message: str) -> bool:
        """Commit whatever is uncommitted; False if nothing was. The user's hooks are run."""
        admin = self._admin()
        _drop_locks(admin)
        await self.git.out("add", "--all")
        unchanged = await self.git.is_so("diff", "--cached", "--quiet", "--no-ext-diff")
        if unchanged and not _exists(admin / "MERGE_HEAD"):
            return False
        await self.git.out("commit", "--quiet", "-m", message)
        return True

    async def take_over_head(self) -> None:
        """Make HEAD's commit the tip of the branch, if a session continued elsewhere.

        Raises `GitError` when HEAD does not continue the branch.
        """
        self._admin()
        ref = f"refs/heads/{self.branch}"
        if (await self.git.run("symbolic-ref", "--quiet", "HEAD")).out.strip() == ref:
            return
        head = await self.head()
        if not await self.git.is_so("merge-base", "--is-ancestor", ref, head):
            raise GitError(
                f"the worktree {self.directory} was left at {head[:12]}, which lacks commits "
                f'of its branch "{self.branch}"; work on that branch'
            )
        await self.git.out("update-ref", ref, head)
        await self.git.out("symbolic-ref", "HEAD", ref)

    async def catch_up(self, branch: str) -> None:
        """Move forward to `branch` if this one has no commits or changes of its own."""
        if await self.git.is_so("merge-base", "--is-ancestor", "HEAD", branch) and not (
            await self.uncommitted()
        ):
            await self.git.out("reset", "--hard", "--quiet", branch)

    async def merge(self, branch: str, message: str) -> tuple[str, ...]:
        """Merge `branch` with a merge commit; returns the conflicting files, or () when it is in.

        The leftovers of an interrupted merge are cleaned up first. A merge that conflicts or fails
        leaves nothing behind. Raises `GitError`.
        """
        await self.restore()
        arguments = ("merge", "--no-ff", "--no-edit", "--no-log", "--quiet", "-m", message, branch)
        try:
            result = await self.git.run(*arguments)
            if result.ok:
                return ()
            conflicts = await self.conflicts()
        except BaseException:
            await uninterrupted(self.restore())
            raise
        await uninterrupted(self.restore())
        if not conflicts:
            raise self.git.error(arguments, result)
        return conflicts

    def _admin(self) -> Path:
        admin = self._find_admin()
        if admin is None:
            raise GitError(
                f"{self.directory} is no longer a worktree of its repo: its .git file is gone or "
                "changed; leave that file alone"
            )
        return admin

    def _find_admin(self) -> Path | None:
        """The directory that the repo keeps about it, if each points at the other."""
        link = self.directory / ".git"
        try:
            admin = (self.directory / _read(link).removeprefix("gitdir: ")).resolve()
            back = (admin / _read(admin / "gitdir")).resolve()
        except OSError:
            return None
        is_whole = back == link.resolve() and admin.parent == self._common_dir / "worktrees"
        return admin if is_whole and not _is_half_made(admin) else None


async def worktrees(git: Git) -> list[Registered]:
    """Git's list of a repo's worktrees, including the user's own checkouts."""
    listing = await git.out("worktree", "list", "--porcelain")
    return [_registered(entry) for entry in listing.split("\n\n") if entry.strip()]


def _registered(entry: str) -> Registered:
    said: dict[str, str] = {}
    for line in entry.splitlines():
        key, _, value = line.partition(" ")
        said[key] = value
    return Registered(
        directory=Path(said["worktree"]),
        branch=said.get("branch", "").removeprefix("refs/heads/"),
        tip=said.get("HEAD", ""),
    )


def _is_half_made(admin: Path) -> bool:
    """Git locks a worktree with this word while it makes it."""
    try:
        return _read(admin / "locked") == "initializing"
    except OSError:
        return not _exists(admin / "HEAD")


def _drop_leftovers(admin: Path) -> None:
    """Remove the traces of a killed or unfinished git command. Nothing else runs there now."""
    _drop_locks(admin)
    for operation in ("rebase-merge", "rebase-apply", "sequencer"):
        shutil.rmtree(admin / operation, ignore_errors=True)


def _drop_locks(admin: Path) -> None:
    for lock in ("index.lock", "HEAD.lock"):
        (admin / lock).unlink(missing_ok=True)


def _exists(path: Path) -> bool:
    return path.exists()


def _read(path: Path) -> str:
    return path.read_text("utf-8", "surrogateescape").rstrip("\n")
