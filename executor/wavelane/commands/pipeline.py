"""The command pipeline: issues implemented, gated and reviewed by commands, and merged by git.

1. A session is a command in the issue's own worktree. `wavelane.commands.sessions` decides what it
   runs and what its exit code means; `wavelane.git.workspace`, what happens to its changes.
2. Before the first session everything is checked (`preflight`) and the state directory is claimed
   (`state_dir`): sessions that outlived an earlier run are ended first, and a git command that
   still runs is waited for.
3. After a crash git shows what is left of an issue that was in flight: a merge that is in is
   `Merged`; one that is not is made again; a review is made again, on what it began with; an
   implementing session that died is discarded with its branch and worktree.
4. The user's own checkouts are not touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from wavelane.commands.preflight import Preflight
from wavelane.commands.runs import Runner
from wavelane.commands.sessions import CommandSessions
from wavelane.commands.settings import IssueCommands, PipelineError, RepoSettings
from wavelane.commands.state_dir import StateDir
from wavelane.git import (
    Git,
    GitError,
    Project,
    Repo,
    RepoFacts,
    agent_branch,
    feature_branch,
    merged_in,
    slug,
)
from wavelane.pipeline import Assignment, Discarded, Found, Resumed
from wavelane_model.lifecycle import State
from wavelane_model.outcomes import (
    Approved,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Conflicted,
    Implemented,
    Merged,
    Postponed,
)
from wavelane_model.problems import Place, Problem
from wavelane_model.wave import Issue


class CommandPipeline:
    """A `Pipeline` of commands over real git repos. Call `prepare` first and `close` last.

    Args:
        name: The name of the wave, in the names of its branches.
        repos: Where each repo is, and its gates.
        commands: The commands for each issue, by id.
        state_dir: Directory of worktrees, logs and the inputs of commands.
        wave_dir: Directory of the wave file.
        gate_attempts: How often a failing gate goes back to implementing within one step.
        grace: Seconds a command has between SIGTERM and SIGKILL.
        git_wait: Seconds for which `prepare` waits for a git command of a killed run.
    """

    def __init__(
        self,
        name: str,
        repos: Mapping[str, RepoSettings],
        commands: Mapping[str, IssueCommands],
        *,
        state_dir: Path,
        wave_dir: Path,
        gate_attempts: int = 3,
        grace: float = 5.0,
        git_wait: float = 60.0,
    ) -> None:
        self._name = name
        self._settings = {
            repo: replace(one, path=one.path.resolve()) for repo, one in repos.items()
        }
        self._commands = commands
        self._wave_dir = wave_dir.resolve()
        self._grace = grace
        self._git_wait = git_wait
        self._state_dir = StateDir(state_dir.resolve())
        runner = Runner(self._state_dir, self._wave_dir, grace=grace)
        self._sessions = CommandSessions(runner, gate_attempts)
        self._project = Project()

    def agent_branch(self, repo: str) -> str:
        """The branch of `repo` that the wave's issues are merged into."""
        return agent_branch(self._name)

    def feature_branch(self, issue_id: str) -> str:
        """The branch for the work on an issue, until it is merged."""
        return feature_branch(self._name, issue_id)

    def worktree(self, repo: str, issue_id: str) -> Path:
        """The directory for the work on an issue. No other issue ever uses it."""
        return self._state_dir.worktrees_of(repo) / slug(issue_id)

    # Before the first session, and after the last

    async def check(self) -> dict[str, RepoFacts]:
        """Check everything and change nothing: the facts of each repo.

        Raises `PipelineError` with all problems at once.
        """
        preflight = Preflight(
            self._name,
            self._settings,
            self._commands,
            roots={repo: self._state_dir.worktrees_of(repo) for repo in self._settings},
            wave_dir=self._wave_dir,
        )
        await preflight.check()
        if preflight.problems:
            raise PipelineError(preflight.problems)
        return preflight.facts

    async def prepare(
        self,
        before_repos: Callable[[], None] = lambda: None,
        *,
        begins: Callable[[], bool] = lambda: False,
    ) -> None:
        """Check everything, then make the agent branches and their worktrees.

        An existing agent branch is kept.

        Args:
            before_repos: Called when everything is checked and the state directory exists, before
                any repo is touched; its exceptions pass through. Then whatever a killed run left
                running is ended.
            begins: Whether the wave begins: then its agent branch may have no merge of an issue.

        Raises:
            PipelineError: With all problems at once. Nothing has been changed then.
        """
        facts = await self.check()
        try:
            await self._state_dir.claim(before_repos, grace=self._grace, git_wait=self._git_wait)
            repos = {name: self._repo(name, found) for name, found in facts.items()}
            if begins():
                await self._refuse_what_is_merged(repos)
            await self._make(repos)
        except BaseException:
            self._state_dir.release()
            raise

    async def close(self, *, recorded: bool = True) -> None:
        """Remove the worktrees that are no longer needed: for merging, and of merged issues.

        Those of other issues stay, and so does any with uncommitted changes. Then the state
        directory is free for others.

        Args:
            recorded: It is on record which issues are merged, so `recover` need not know.

        Raises:
            GitError, OSError: For the first repo where that fails, after trying all.
        """
        try:
            await self._project.tidy(forget_unchanged=recorded)
        finally:
            self._state_dir.release()

    def _repo(self, name: str, facts: RepoFacts) -> Repo:
        lock = self._state_dir.git_lock.descriptor
        return Repo(
            Git(self._settings[name].path, facts.identity, git_lock=lock),
            facts.base,
            facts.common_dir,
            wave=self._name,
            root=self._state_dir.worktrees_of(name),
        )

    async def _refuse_what_is_merged(self, repos: Mapping[str, Repo]) -> None:
        """Require that no work is done twice because a journal was lost."""
        found = await merged_in(repos, self._commands)
        if found:
            raise PipelineError(
                Problem(
                    "merged-already",
                    name,
                    f'repo "{name}": branch "{self.agent_branch(name)}" has merges of '
                    f"{', '.join(merged)}, and the journal is new; restore the old one, or list "
                    "these issues under done instead",
                    Place(("repos", name)),
                )
                for name, merged in found.items()
            )

    async def _make(self, repos: Mapping[str, Repo]) -> None:
        try:
            await self._project.make(repos)
        except OSError as error:
            raise PipelineError([self._state_dir.unusable(error)]) from error
        except GitError as error:
            text = f"the worktrees cannot be made: {error}"
            raise PipelineError([Problem("git-fails", "", text)]) from error

    # Issues that are added

    def details_of(self, issues: Sequence[Issue]) -> dict[str, Any]:
        """What `extend` of another command pipeline needs to know about these issues."""
        return {issue.id: self._commands[issue.id].to_details() for issue in issues}

    def extend(self, issues: Sequence[Issue], details: Mapping[str, Any]) -> None:
        """Accept the commands of issues that are about to be added.

        `details` has for each id what `IssueCommands.to_details` gives. Raises `ValueError`.
        """
        commands: dict[str, IssueCommands] = {}
        for issue in issues:
            if issue.repo not in self._settings:
                raise ValueError(
                    f'issue "{issue.id}" is in repo "{issue.repo}", which this run does not have'
                )
            if issue.id in details:
                commands[issue.id] = IssueCommands.from_details(issue.id, details[issue.id])
            elif issue.id not in self._commands:
                raise ValueError(f'nothing says what implements issue "{issue.id}"')
        self._commands = {**self._commands, **commands}

    # The three steps

    async def implement(
        self, issue: Assignment
    ) -> Implemented | Checkpoint | Blocked | Postponed | None:
        """Run the implementing command, and the gates after it.

        Raises `SessionFailed` when the command fails, and `GitError`.
        """
        command = self._commands[issue.id].implement
        gates = self._settings[issue.repo].gates
        workspace = self._project.workspace(issue)
        return await self._sessions.implement(issue, workspace, command, gates)

    async def review(self, issue: Assignment) -> Approved | ChangesRequested | Blocked | Postponed:
        """Run the reviewing command, if there is one; what it changes in the worktree is undone.

        Raises `SessionFailed` when the command fails, and `GitError`.
        """
        command = self._commands[issue.id].review
        if command is None:
            return Approved()
        workspace = self._project.workspace(issue)
        return await self._sessions.review(issue, workspace, command)

    async def merge(self, issue: Assignment) -> Merged | Conflicted:
        """Merge the issue's branch into the agent branch, unless it is in, and remove the branch.

        A merge that is in is `Merged`, even when the call is cancelled. Raises `SessionFailed`
        when there is nothing to merge, and `GitError`.
        """
        workspace = self._project.workspace(issue)
        try:
            conflict = None if await workspace.is_merged() else await workspace.merge()
        except asyncio.CancelledError:
            if not await workspace.is_surely_merged():
                raise
            conflict = None
        if conflict is not None:
            return Conflicted(conflict)
        # The merge is in, whatever happens to the rest; `close` removes what is left.
        with suppress(GitError, OSError, asyncio.CancelledError):
            await workspace.retire()
        return Merged()

    # After a crash

    async def recover(self, issue: Assignment, state: State) -> Found:
        """What is left of an issue that was in flight in `state`. Raises `GitError`, `OSError`."""
        workspace = self._project.workspace(issue)
        if state == "running":
            await workspace.discard()
            return Discarded()
        if state == "merging" and await workspace.is_merged():
            await workspace.retire()
            return Merged()
        if await workspace.put_back() or state == "admitted":
            return Resumed()
        return Blocked(
            f'its branch "{workspace.branch}" is gone, and it is not merged; '
            "unpark it to have it implemented anew, or cancel it"
        )

    async def discard(self, issue: Issue) -> None:
        """Remove an issue's worktree and branch, with everything in them."""
        await self._project.workspace(issue).discard()
