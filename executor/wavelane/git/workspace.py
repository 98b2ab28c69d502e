"""The workspace of an issue: its worktree and its branch, from the first session to the merge.

1. Changes that an implementing session leaves uncommitted are committed for it, with a trailer that
   names the issue. If a step fails, files and branch return to where it began.
2. Changes made by a review are undone. A mark remembers over a crash where the review began.
3. Merging is `git merge --no-ff` into the agent branch, in the worktree for merging. A merge that
   is in is not made again. After a conflict, the next attempt starts from the agent branch as it is
   then, without the issue's earlier worktree and branch.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from wavelane.git.program import GitError
from wavelane.git.repos import Repo, signed
from wavelane.git.worktrees import Worktree
from wavelane.pipeline import SessionFailed
from wavelane.processes import uninterrupted
from wavelane_model.wave import Issue

_DIFF_BYTES: Final = 65_536
"""Bytes of a conflicting change to show to the next session."""
_SUBJECT_LENGTH: Final = 200


class Workspace:
    """The worktree and the branch of one issue in its repo; made when needed."""

    def __init__(self, repo: Repo, issue: Issue) -> None:
        self.repo = repo
        self._issue = issue

    @property
    def branch(self) -> str:
        """The issue's branch."""
        return self.repo.feature_branch(self._issue.id)

    async def tree(self) -> Worktree:
        """The issue's worktree, made if need be."""
        return await self.repo.issue_tree(self._issue.id)

    # Implementing

    async def begin_attempt(self) -> Worktree:
        """The worktree, ready for an implementing session.

        After a conflict it is a fresh one. Uncommitted changes in it are committed; a branch
        without commits of its own moves forward to the agent branch. Raises `SessionFailed`,
        `GitError`.
        """
        tree = await self.tree()
        if await self.repo.marked("conflicted", self._issue.id) is not None:
            await self.discard()
            tree = await self.tree()
        if not tree.is_new:
            await self._commit(tree, "Found in the worktree: ")
            await tree.catch_up(self.repo.agent_branch)
        return tree

    async def commit(self, tree: Worktree) -> None:
        """Commit what a session has left uncommitted.

        Raises `SessionFailed` if it left conflicts, and `GitError`.
        """
        await self._commit(tree, "")

    async def commit_for_a_human(self, tree: Worktree) -> None:
        """Commit whatever can be committed: conflicts, and hooks that refuse it, do not matter."""
        with suppress(GitError):
            await tree.take_over_head()
            await tree.commit_all(self._message(""))

    async def drop_changes(self, tree: Worktree) -> None:
        """Drop what a session has left uncommitted; its commits stay."""
        await tree.take_over_head()
        await tree.restore()

    async def _commit(self, tree: Worktree, prefix: str) -> None:
        await tree.take_over_head()
        if files := await tree.conflicts():
            raise SessionFailed(
                f"conflicts are left in {', '.join(files)} of {tree.directory}; resolve them"
            )
        await tree.commit_all(self._message(prefix))

    # Reviewing

    @asynccontextmanager
    async def under_review(self) -> AsyncIterator[Worktree]:
        """Around a review: a mark records where it began, and its changes are undone.

        Raises `SessionFailed` if there is nothing to review, and `GitError`.
        """
        await self._refuse_without_branch("review")
        tree = await self.tree()
        await self.repo.set_mark("reviewed", self._issue.id, await tree.head())
        async with self.repo.putting_back(tree):
            yield tree
        await self.repo.drop_mark("reviewed", self._issue.id)

    # Merging

    async def is_merged(self) -> bool:
        """Whether the agent branch has everything of the issue."""
        return await self.repo.is_in(self._issue.id)

    async def is_surely_merged(self) -> bool:
        """The same, even if cancelled meanwhile, however often. If git cannot tell: False."""
        look = asyncio.ensure_future(self.is_merged())
        with suppress(asyncio.CancelledError, GitError, OSError):
            await uninterrupted(look)
        return not look.cancelled() and look.exception() is None and look.result()

    async def merge(self) -> str | None:
        """Merge the branch into the agent branch; returns what conflicts, or None when it is in.

        Raises `SessionFailed` when there is nothing to merge, and `GitError`.
        """
        await self._refuse_without_branch("merge")
        tree = await self.repo.agent_tree()
        branch = f"refs/heads/{self.branch}"
        prefix = f"Merge {self._issue.id}: " if self._issue.title else "Merge "
        files = await tree.merge(branch, self._message(prefix))
        if not files:
            return None
        change = await self.repo.change_of(self._issue.id, _DIFF_BYTES)
        await self.repo.set_mark("conflicted", self._issue.id, branch)
        return (
            f"merging into {self.repo.agent_branch} conflicts in {', '.join(files)}. "
            f"The earlier change was:\n{change}"
        )

    async def retire(self) -> None:
        """Remove the worktree and the branch of a merged issue."""
        await uninterrupted(self.repo.advance(self._issue.id))

    # After a crash, and at the end

    async def put_back(self) -> bool:
        """Undo what an interrupted step has left. False if the branch is gone."""
        if not await self.repo.has_branch_of(self._issue.id):
            return False
        await uninterrupted(self.repo.put_back(self._issue.id))
        return True

    async def discard(self) -> None:
        """Remove the worktree and the branch, with everything in them."""
        await uninterrupted(self.repo.discard(self._issue.id))

    async def _refuse_without_branch(self, verb: str) -> None:
        if not await self.repo.has_branch_of(self._issue.id):
            raise SessionFailed(
                f'there is nothing to {verb} for issue "{self._issue.id}": '
                f'repo "{self._issue.repo}" has no branch "{self.branch}"; implement it first'
            )

    def _message(self, prefix: str) -> str:
        """A commit message about the issue: one line, and the trailer."""
        title = " ".join((self._issue.title or self._issue.id).split())
        line = "".join(char for char in prefix + title if char.isprintable())
        return signed(line[:_SUBJECT_LENGTH], self._issue.id)
