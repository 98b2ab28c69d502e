"""Repos: the branches and worktrees that a wave has in one repo.

1. Only worktrees under `Repo.root` and branches under the wave's prefix are ever changed. The
   user's own checkout, its index and its files are not read.
2. Whatever changes the repo's list of worktrees or deletes a branch takes the repo's lock, so that
   concurrent sessions never compete for one of git's own locks.
3. A worktree that is not sound is made again. Its branch keeps its commits.
4. A merge is in when the feature branch is contained in the agent branch. If the feature branch is
   gone, the trailer in the merge's message shows it.
5. A *mark* is a ref, not a branch, that remembers over a crash what was being done to a branch:
   `reviewed` is its tip when its review began, `conflicted` is what did not merge, `unchanged` is
   the tip of one that had nothing to merge.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from wavelane.git.program import Git, GitError
from wavelane.git.slugs import slug
from wavelane.git.worktrees import Worktree, worktrees
from wavelane.processes import uninterrupted

TRAILER: Final = "Wavelane-Issue"
"""The key of the line in a merge's message that names the issue."""
Mark = Literal["reviewed", "conflicted", "unchanged"]
"""The meaning of a ref that is not a branch, see rule 5."""
AGENT_TREE: Final = "@agent"
"""Directory of the worktree for merging; no slug has an `@`."""


class Repo:
    """One repo of a wave: its agent branch, its feature branches, and their worktrees."""

    def __init__(self, git: Git, base: str, common_dir: Path, *, wave: str, root: Path) -> None:
        self.git = git
        self.root = root
        """The directory of its worktrees."""
        self._base = base
        self._common_dir = common_dir
        self._wave = wave
        self._lock = asyncio.Lock()
        self._made_agent_branch = False

    @property
    def agent_branch(self) -> str:
        """The branch that the wave's issues are merged into."""
        return agent_branch(self._wave)

    def feature_branch(self, issue_id: str) -> str:
        """The branch of one issue."""
        return feature_branch(self._wave, issue_id)

    async def make(self) -> None:
        """Make the agent branch, unless it exists, and its worktree."""
        if not await self._has_branch(self.agent_branch):
            self._made_agent_branch = True
            await self.git.out("branch", "--no-track", self.agent_branch, self._base)
        await self.agent_tree()

    async def unmake(self) -> None:
        """Undo `make`."""
        async with self._lock:
            await self._forget(self.root / AGENT_TREE)
            if self._made_agent_branch:
                await self._delete_branch(self.agent_branch)

    async def agent_tree(self) -> Worktree:
        """The worktree for merging, made if need be."""
        tree = self._tree(AGENT_TREE, self.agent_branch)
        async with self._lock:
            if not tree.is_sound():
                await self._add(tree)
        return tree

    async def issue_tree(self, issue_id: str) -> Worktree:
        """An issue's own worktree; it and its branch are made if need be."""
        tree = self._tree(slug(issue_id), self.feature_branch(issue_id))
        async with self._lock:
            if not tree.is_sound():
                await self._add(tree)
        return tree

    async def has_branch_of(self, issue_id: str) -> bool:
        """Whether the issue has a feature branch."""
        return await self._has_branch(self.feature_branch(issue_id))

    async def is_in(self, issue_id: str) -> bool:
        """Whether the agent branch has everything of the issue."""
        tip = await self.git.commit_of(f"refs/heads/{self.feature_branch(issue_id)}")
        if tip is not None:
            return await self._contains(tip)
        return (
            trailer(issue_id) in await self._merges("%B")
            or await self.marked("unchanged", issue_id) is not None
        )

    async def advance(self, issue_id: str) -> None:
        """Remove the worktree and the branch of an issue that is in; `is_in` stays true."""
        tip = await self.git.commit_of(f"refs/heads/{self.feature_branch(issue_id)}")
        if tip is not None and trailer(issue_id) not in await self._merges("%B"):
            await self.set_mark("unchanged", issue_id, tip)
        await self.discard(issue_id)

    async def forget_unchanged(self) -> None:
        """Drop the marks of issues that had nothing to merge: that is on record elsewhere now."""
        prefix = f"refs/wavelane/{self._wave}/unchanged/"
        for ref in (await self.git.out("for-each-ref", "--format=%(refname)", prefix)).split():
            await self.git.out("update-ref", "-d", ref)

    async def merged(self, issue_ids: Iterable[str]) -> list[str]:
        """The issues among these that merges into the agent branch name, if it exists."""
        if not await self._has_branch(self.agent_branch):
            return []
        said = frozenset(await self._merges("%B"))
        return [one for one in issue_ids if trailer(one) in said]

    async def set_mark(self, mark: Mark, issue_id: str, commit: str) -> None:
        """Keep a commit of an issue's branch over a crash."""
        await self.git.out("update-ref", self._mark(mark, issue_id), commit)

    async def marked(self, mark: Mark, issue_id: str) -> str | None:
        """The marked commit, if any."""
        return await self.git.commit_of(self._mark(mark, issue_id))

    async def drop_mark(self, mark: Mark, issue_id: str) -> None:
        """Remove a mark, if it exists."""
        if await self.marked(mark, issue_id) is not None:
            await self.git.out("update-ref", "-d", self._mark(mark, issue_id))

    async def put_back(self, issue_id: str) -> None:
        """Undo what an interrupted step has left in an issue's worktree and on its branch."""
        start = await self.marked("reviewed", issue_id)
        tree = await self.issue_tree(issue_id)
        await self._put_back(tree, start or await tree.head())
        await self.drop_mark("reviewed", issue_id)

    def drop_lock_files(self) -> None:
        """Remove lock files of the wave's branches. No git may be running on them."""
        branches = self._common_dir / "refs" / "heads" / "wavelane" / self._wave
        marks = self._common_dir / "refs" / "wavelane" / self._wave
        for lock in (*branches.rglob("*.lock"), *marks.rglob("*.lock")):
            lock.unlink(missing_ok=True)

    async def change_of(self, issue_id: str, limit: int) -> str:
        """The changes on the issue's branch, as a diff of at most `limit` bytes."""
        span = f"refs/heads/{self.agent_branch}...refs/heads/{self.feature_branch(issue_id)}"
        diff = await self.git.out("diff", "--no-color", "--no-ext-diff", span, limit=limit)
        return diff if len(diff.encode()) < limit else f"{diff}\n[cut here]"

    @asynccontextmanager
    async def putting_back(
        self, tree: Worktree, *, only_on_failure: bool = False
    ) -> AsyncIterator[None]:
        """Afterwards, restore a worktree and its branch to the commit where they are now."""
        start = await tree.head()
        try:
            yield
        except BaseException:
            with suppress(GitError, OSError):
                await uninterrupted(self._put_back(tree, start))
            raise
        if not only_on_failure:
            await uninterrupted(self._put_back(tree, start))

    async def discard(self, issue_id: str) -> None:
        """Remove an issue's worktree and branch, whatever they contain."""
        async with self._lock:
            await self._forget(self.root / slug(issue_id))
            await self._delete_branch(self.feature_branch(issue_id))
            await self.drop_mark("reviewed", issue_id)
            await self.drop_mark("conflicted", issue_id)

    async def tidy(self) -> None:
        """Remove the worktree for merging, and those of merged issues that have no changes."""
        async with self._lock:
            merged = await self._merged_tips()
            for one in await worktrees(self.git):
                if one.directory.parent != self.root:
                    continue
                tree = self._tree(one.directory.name, one.branch)
                is_agent = one.directory.name == AGENT_TREE
                if (is_agent or one.tip in merged) and await _has_nothing_to_lose(tree):
                    await self._forget(one.directory)
                    if not is_agent:
                        await self._delete_branch(one.branch)
        await asyncio.to_thread(_remove_if_empty, self.root)

    def _mark(self, mark: Mark, issue_id: str) -> str:
        return f"refs/wavelane/{self._wave}/{mark}/{slug(issue_id)}"

    def _tree(self, name: str, branch: str) -> Worktree:
        return Worktree(self.git.at(self.root / name), branch, self._common_dir)

    async def _put_back(self, tree: Worktree, commit: str) -> None:
        """Restore the worktree; if that fails, remove it, and it is made again when needed."""
        try:
            await tree.restore(commit)
        except (GitError, OSError):
            async with self._lock:
                await self._forget(tree.directory)
                await self.git.out("update-ref", f"refs/heads/{tree.branch}", commit)

    async def _add(self, tree: Worktree) -> None:
        await self._forget(tree.directory)
        await asyncio.to_thread(self.root.mkdir, parents=True, exist_ok=True)
        add = ("worktree", "add", "--quiet")
        if await self._has_branch(tree.branch):
            await self.git.out(*add, str(tree.directory), tree.branch)
        else:
            new = ("--no-track", "-b", tree.branch)
            await self.git.out(*add, *new, str(tree.directory), self.agent_branch)
        tree.is_new = True

    async def _forget(self, directory: Path) -> None:
        """Remove a worktree in whatever state it is, and git's record of it."""
        await uninterrupted(asyncio.to_thread(_delete, directory))
        if any(one.directory == directory for one in await worktrees(self.git)):
            await self.git.out("worktree", "remove", "--force", "--force", str(directory))

    async def _delete_branch(self, branch: str) -> None:
        if await self._has_branch(branch):
            await self.git.out("branch", "-D", "--quiet", branch)

    async def _has_branch(self, branch: str) -> bool:
        return await self.git.commit_of(f"refs/heads/{branch}") is not None

    async def _contains(self, tip: str) -> bool:
        return await self.git.is_so(
            "merge-base", "--is-ancestor", tip, f"refs/heads/{self.agent_branch}"
        )

    async def _merges(self, what: str) -> list[str]:
        """The requested lines of each merge into the agent branch since its base."""
        span = f"{self._base}..refs/heads/{self.agent_branch}"
        form = ("log", "--first-parent", "--merges", f"--format={what}")
        return (await self.git.out(*form, span)).splitlines()

    async def _merged_tips(self) -> frozenset[str]:
        return frozenset(tip for line in await self._merges("%P") for tip in line.split()[1:])


def agent_branch(wave: str) -> str:
    """The branch into which a wave's issues are merged."""
    return f"wavelane/{wave}/agent"


def feature_branch(wave: str, issue_id: str) -> str:
    """The branch of one issue of a wave."""
    return f"wavelane/{wave}/issue/{slug(issue_id)}"


def signed(subject: str, issue_id: str) -> str:
    """A commit message ending with the trailer that names the issue."""
    return f"{subject}\n\n{trailer(issue_id)}"


def trailer(issue_id: str) -> str:
    """The line of a commit message that names the issue; no two ids share one."""
    plain = "".join(
        char if char.isprintable() and char != "%" else quote(char, safe="", errors="surrogatepass")
        for char in issue_id
    )
    return f"{TRAILER}: {plain if plain == plain.strip() else slug(issue_id)}"


async def _has_nothing_to_lose(tree: Worktree) -> bool:
    return not tree.is_sound() or not await tree.uncommitted()


def _delete(directory: Path) -> None:
    """Delete a directory, a worktree's link to its repo first.

    If the deletion is interrupted, the rest is no longer a worktree, and is never mistaken for one
    in which a user has deleted files.
    """
    if directory.is_symlink() or directory.is_file():
        directory.unlink()
    elif directory.exists():
        link = directory / ".git"
        if link.is_file():
            link.unlink()
        shutil.rmtree(directory)


def _remove_if_empty(directory: Path) -> None:
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()
