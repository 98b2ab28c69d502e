"""The project of a wave: its repos, with the branches and worktrees that the wave needs in each.

They are made in all repos or in none, and tidied up in all, even if one of them fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from wavelane.git.program import GitError
from wavelane.git.repos import Repo
from wavelane.git.workspace import Workspace
from wavelane.processes import uninterrupted
from wavelane_model.wave import Issue


class Project:
    """The repos of a wave by name; empty until they are made."""

    def __init__(self) -> None:
        self._repos: Mapping[str, Repo] = {}

    async def make(self, repos: Mapping[str, Repo]) -> None:
        """Make the agent branches and their worktrees; on failure undo what was made.

        No git may be running in these repos for this wave. Raises `GitError`, `OSError`.
        """
        begun: list[Repo] = []
        try:
            for repo in repos.values():
                begun.append(repo)
                repo.drop_lock_files()
                await repo.make()
        except BaseException:
            for repo in begun:
                with suppress(GitError, OSError):
                    await uninterrupted(repo.unmake())
            raise
        self._repos = repos

    def workspace(self, issue: Issue) -> Workspace:
        """The workspace of an issue. Raises `RuntimeError` if its repo is not made."""
        if issue.repo not in self._repos:
            raise RuntimeError(
                f'repo "{issue.repo}" of issue "{issue.id}" is not prepared; '
                f"await prepare() first (prepared: {', '.join(self._repos) or 'none'})"
            )
        return Workspace(self._repos[issue.repo], issue)

    async def tidy(self, *, forget_unchanged: bool) -> None:
        """Remove worktrees that are no longer needed: for merging, and of merged issues.

        Those of other issues stay, and so does any with uncommitted changes. `forget_unchanged`:
        the marks of issues that had nothing to merge are no longer needed. Raises `GitError` or
        `OSError` for the first repo where that fails, after trying all.
        """
        trouble: Exception | None = None
        for repo in self._repos.values():
            try:
                await uninterrupted(repo.tidy())
                if forget_unchanged:
                    await uninterrupted(repo.forget_unchanged())
            except (GitError, OSError) as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble


async def merged_in(repos: Mapping[str, Repo], issue_ids: Iterable[str]) -> dict[str, list[str]]:
    """For each repo that has any, the issues whose merges are in its agent branch."""
    ids = [*issue_ids]
    found = {name: await repo.merged(ids) for name, repo in repos.items()}
    return {name: merged for name, merged in found.items() if merged}
