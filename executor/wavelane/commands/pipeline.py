"""The command pipeline: issues implemented, gated and reviewed by commands, and merged by git.

1. A session is a command in the issue's own worktree. How it exits says how the session ended:

       implement   0 implemented · 10 blocked · 11 checkpoint · 75 postponed · else failed
       review      0 approved · 1 changes requested · 10 blocked · 75 postponed · else failed

   The last line of its output is the reason; all output of a review that requests changes is the
   feedback. Where the reason of a postponed one ends with a time, or with a delay such as +30m, it
   comes back then.
2. What an implementing command leaves uncommitted is committed for it: when it is through, at a
   checkpoint, and when it is blocked. Failed, cancelled or out of time, it leaves nothing: branch
   and files go back to where the step began. Postponed, its commits stay.
3. The repo's gates follow, in order. A failing one goes back to implementing with its output, at
   most `gate_attempts` times; then the issue is blocked. What gates and reviews change in the
   worktree is undone.
4. Merging is `git merge --no-ff` into the wave's agent branch, in a worktree of its own. A merge
   that is in already is not made again. On a conflict the next attempt discards the issue's
   worktree and branch, and starts from what the agent branch then has.
5. The user's own checkouts are not touched.
6. After a crash, sessions that outlived it are ended first, and a git command that still runs is
   waited for. Then git tells what is left of an issue that was in flight: a merge that is in is
   `Merged`; one that is not is made again; a review is made again, on what it began with; an
   implementing session that died is discarded with its branch and worktree.
"""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from wavelane.commands.preflight import Preflight, RepoFacts
from wavelane.commands.runs import CommandRun, Runner
from wavelane.commands.settings import IssueCommands, PipelineError, RepoSettings
from wavelane.git.program import Git, GitError
from wavelane.git.repos import Repo, agent_branch, feature_branch, signed
from wavelane.git.slugs import slug
from wavelane.git.worktrees import Worktree
from wavelane.lock import InUseError, Lock
from wavelane.pipeline import Assignment, Discarded, Found, Resumed, SessionFailed
from wavelane.processes.command import Command, uninterrupted
from wavelane.times import time_at_end
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
from wavelane_model.wave import Issue

__all__ = [
    "Command",
    "CommandPipeline",
    "IssueCommands",
    "PipelineError",
    "RepoSettings",
    "SessionExit",
]

_DIFF_BYTES: Final = 65_536
_LEASH: Final = "git-leash"
_PATIENCE: Final = 60.0
"""Seconds for which a git command of the run before is waited for."""
_SUBJECT_LENGTH: Final = 200
_ONE_AT_A_TIME: Final = "one run at a time works in it: wait for the end of that one, or stop it"


class SessionExit(IntEnum):
    """What the exit code of a session's command means. Any other: it has failed."""

    DONE = 0
    CHANGES_REQUESTED = 1
    BLOCKED = 10
    CHECKPOINT = 11
    POSTPONED = 75


class CommandPipeline:
    """A `Pipeline` of commands over real git repos, for the wave called `name`.

    `commands` says what is run for each issue. Worktrees, logs and what the commands are told are
    kept in `state_dir`; `wave_dir` is where the wave file is. `gate_attempts` is how often a
    failing gate goes back within one step, `grace` the seconds that a command has between SIGTERM
    and SIGKILL. Call `prepare` first and `close` last.
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
    ) -> None:
        self._name = name
        self._settings = {
            repo: RepoSettings(one.path.resolve(), one.base, one.gates)
            for repo, one in repos.items()
        }
        self._commands = commands
        self._state_dir = state_dir.resolve()
        self._wave_dir = wave_dir.resolve()
        self._gate_attempts = gate_attempts
        self._grace = grace
        self._lock: Lock | None = None
        self._git_lock: int | None = None
        self._runner = Runner(self._state_dir, self._wave_dir, grace=grace)
        self._repos: dict[str, Repo] = {}

    def agent_branch(self, repo: str) -> str:
        """The branch of `repo` that the wave's issues are merged into."""
        return agent_branch(self._name)

    def feature_branch(self, issue_id: str) -> str:
        """The branch that an issue is worked on, until it is merged."""
        return feature_branch(self._name, issue_id)

    def worktree(self, repo: str, issue_id: str) -> Path:
        """The directory that an issue is worked on in. No other issue ever uses it."""
        return self._root(repo) / slug(issue_id)

    async def check(self) -> dict[str, RepoFacts]:
        """Check everything and change nothing: the facts of each repo.

        Raises `PipelineError` with all problems at once.
        """
        preflight = Preflight(
            self._name,
            self._settings,
            self._commands,
            roots={repo: self._root(repo) for repo in self._settings},
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

        `before_repos` is called when all is checked and `state_dir` is there, and no repo has
        been touched; what it raises goes through. Then what is left running of a run that was
        killed is ended. An agent branch that is there already is kept; where the wave `begins`, it
        may have no merge of an issue yet. Raises `PipelineError` with all problems at once, and
        then has changed nothing.
        """
        facts = await self.check()
        try:
            await self._claim(before_repos)
            await self._make_repos(facts, begins())
        except BaseException:
            self._release()
            raise

    async def _make_repos(self, facts: Mapping[str, RepoFacts], begins: bool) -> None:
        repos = {
            name: Repo(
                Git(self._settings[name].path, found.identity, git_lock=self._git_lock),
                found.base,
                found.common_dir,
                wave=self._name,
                root=self._root(name),
            )
            for name, found in facts.items()
        }
        if begins:
            await self._refuse_what_is_merged(repos)
        await self._make(repos)
        self._repos = repos

    async def _refuse_what_is_merged(self, repos: Mapping[str, Repo]) -> None:
        """Nothing is done twice because a journal was lost."""
        problems = [
            f'repo "{name}": branch "{repo.agent_branch}" has merges of {", ".join(merged)}, and '
            "the journal is new; restore the old one, or list these issues under done instead"
            for name, repo in repos.items()
            if (merged := await repo.merged(self._commands))
        ]
        if problems:
            raise PipelineError(problems)

    async def implement(
        self, issue: Assignment
    ) -> Implemented | Checkpoint | Blocked | Postponed | None:
        """Run the implementing command, and the gates after it.

        Raises `SessionFailed` when the command fails, and `GitError`.
        """
        repo = self._repo(issue)
        tree = await repo.issue_tree(issue.id)
        if await repo.marked("conflicted", issue.id) is not None:
            await uninterrupted(repo.discard(issue.id))
            tree = await repo.issue_tree(issue.id)
        if not tree.is_new:
            await self._commit(tree, _message("Found in the worktree: ", issue))
            await tree.catch_up(repo.agent_branch)
        async with repo.putting_back(tree, only_on_failure=True):
            return await self._implement(repo, tree, issue)

    async def review(self, issue: Assignment) -> Approved | ChangesRequested | Blocked | Postponed:
        """Run the reviewing command, if there is one; what it changes in the worktree is undone.

        Raises `SessionFailed` when the command fails, and `GitError`.
        """
        command = self._commands[issue.id].review
        if command is None:
            return Approved()
        repo = self._repo(issue)
        if not await repo.has_branch_of(issue.id):
            raise SessionFailed(self._nothing_to("review", issue))
        tree = await repo.issue_tree(issue.id)
        await repo.set_mark("reviewed", issue.id, await tree.head())
        async with repo.putting_back(tree):
            run = await self._run(issue, "review", command, repo, tree, issue.feedback)
        await repo.drop_mark("reviewed", issue.id)
        match run.exit.code:
            case SessionExit.DONE:
                return Approved()
            case SessionExit.CHANGES_REQUESTED:
                return ChangesRequested(run.output() or run.last_line())
            case SessionExit.BLOCKED:
                return Blocked(run.last_line())
            case SessionExit.POSTPONED:
                return _postponed(run)
            case _:
                raise run.failure()

    async def merge(self, issue: Assignment) -> Merged | Conflicted:
        """Merge the issue's branch into the agent branch, unless it is in, and remove it.

        A merge that is in is `Merged`, even when the call is cancelled. Raises `SessionFailed`
        when there is nothing to merge, and `GitError`.
        """
        repo = self._repo(issue)
        try:
            conflicted = None if await repo.is_in(issue.id) else await self._merge(repo, issue)
        except asyncio.CancelledError:
            if not await _is_surely_in(repo, issue):
                raise
            conflicted = None
        if conflicted is not None:
            return conflicted
        # The merge is in, whatever becomes of the rest; `close` removes what is left.
        with suppress(GitError, OSError, asyncio.CancelledError):
            await uninterrupted(repo.advance(issue.id))
        return Merged()

    def details_of(self, issues: Sequence[Issue]) -> dict[str, Any]:
        """What `extend` of another such pipeline has to be told about these issues."""
        return {issue.id: self._commands[issue.id].to_details() for issue in issues}

    def extend(self, issues: Sequence[Issue], details: Mapping[str, Any]) -> None:
        """Take in the commands of issues that are about to be added.

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

    async def recover(self, issue: Assignment, state: State) -> Found:
        """What is left of an issue that was in flight in `state`. Raises `GitError`, `OSError`."""
        repo = self._repo(issue)
        if state == "running":
            await uninterrupted(repo.discard(issue.id))
            return Discarded()
        if state == "merging" and await repo.is_in(issue.id):
            await uninterrupted(repo.advance(issue.id))
            return Merged()
        if await repo.has_branch_of(issue.id):
            await uninterrupted(repo.put_back(issue.id))
            return Resumed()
        if state == "admitted":
            return Resumed()
        return Blocked(
            f'its branch "{self.feature_branch(issue.id)}" is gone, and it is not merged; '
            "unpark it to have it implemented anew, or cancel it"
        )

    async def discard(self, issue: Issue) -> None:
        """Remove an issue's worktree and branch, with all that is in them."""
        await uninterrupted(self._repo(issue).discard(issue.id))

    async def close(self, *, all_told: bool = True) -> None:
        """Remove the worktrees that nobody needs: for merging, and of merged issues.

        Those of other issues stay, and so does what has uncommitted changes. The folder of
        worktrees is free for others then. `all_told`: it is on record which issues are merged, so
        that `recover` need not be able to tell. Raises `GitError` or `OSError` for the first repo
        where that fails, after having tried all.
        """
        try:
            await self._tidy(all_told)
        finally:
            self._release()

    async def _tidy(self, all_told: bool) -> None:
        trouble: Exception | None = None
        for repo in self._repos.values():
            try:
                await uninterrupted(repo.tidy())
                if all_told:
                    await uninterrupted(repo.forget_unchanged())
            except (GitError, OSError) as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble

    # Preparing

    def _root(self, repo: str) -> Path:
        return self._state_dir / "worktrees" / slug(repo)

    def _repo(self, issue: Issue) -> Repo:
        if issue.repo not in self._repos:
            raise RuntimeError(
                f'repo "{issue.repo}" of issue "{issue.id}" is not prepared; '
                f"await prepare() first (prepared: {', '.join(self._repos) or 'none'})"
            )
        return self._repos[issue.repo]

    async def _claim(self, before_repos: Callable[[], None]) -> None:
        """Have the folder of worktrees for ourselves, with nothing of a killed run left in it."""
        try:
            await asyncio.to_thread(_make_hidden, self._state_dir)
            self._lock = Lock(self._state_dir / "worktrees", "folder", _ONE_AT_A_TIME)
        except InUseError as error:
            raise PipelineError([str(error)]) from None
        except OSError as error:
            raise PipelineError([_cannot_make(self._state_dir, error)]) from error
        before_repos()
        try:
            await self._runner.registry.end_leftovers(self._grace)
            self._git_lock = os.open(
                self._state_dir / _LEASH, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666
            )
        except OSError as error:
            raise PipelineError([_cannot_make(self._state_dir, error)]) from error
        await _locked(self._git_lock, self._state_dir)

    def _release(self) -> None:
        if self._git_lock is not None:
            (self._state_dir / _LEASH).unlink(missing_ok=True)
            os.close(self._git_lock)
            self._git_lock = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def _make(self, repos: Mapping[str, Repo]) -> None:
        """Make all, or on failure take back what was made."""
        begun: list[Repo] = []
        try:
            for repo in repos.values():
                begun.append(repo)
                repo.drop_lock_files()
                await repo.make()
        except BaseException as error:
            for repo in begun:
                with suppress(GitError, OSError):
                    await uninterrupted(repo.unmake())
            if isinstance(error, (GitError, OSError)):
                raise PipelineError([_cannot_make(self._state_dir, error)]) from error
            raise

    # Implementing

    async def _implement(
        self, repo: Repo, tree: Worktree, issue: Assignment
    ) -> Implemented | Checkpoint | Blocked | Postponed:
        """One session, and up to `gate_attempts` more to fix what a gate found."""
        feedback = issue.feedback
        for fix in itertools.count():
            outcome = await self._session(repo, tree, issue, feedback, fix)
            if not isinstance(outcome, Implemented):
                return outcome
            failed = await self._failing_gate(repo, tree, issue)
            if failed is None:
                return outcome
            if fix == self._gate_attempts:
                return Blocked(failed.still_failing(fix))
            feedback = failed.as_feedback()
        raise AssertionError("unreachable")

    async def _session(
        self, repo: Repo, tree: Worktree, issue: Assignment, feedback: str, fix: int
    ) -> Implemented | Checkpoint | Blocked | Postponed:
        """Run the implementing command, and commit or drop its changes as its exit code says."""
        command = self._commands[issue.id].implement
        run = await self._run(issue, "implement", command, repo, tree, feedback, fix)
        match run.exit.code:
            case SessionExit.DONE:
                await self._commit(tree, _message("", issue))
                return Implemented()
            case SessionExit.BLOCKED:
                # For a human to look at, so conflicts and hooks that refuse it do not matter.
                with suppress(GitError):
                    await tree.take_over_head()
                    await tree.commit_all(_message("", issue))
                return Blocked(run.last_line())
            case SessionExit.CHECKPOINT:
                await self._commit(tree, _message("", issue))
                return Checkpoint(run.last_line())
            case SessionExit.POSTPONED:
                await tree.take_over_head()
                await tree.restore()
                return _postponed(run)
            case _:
                raise run.failure()

    async def _commit(self, tree: Worktree, message: str) -> None:
        await tree.take_over_head()
        if files := await tree.conflicts():
            raise SessionFailed(
                f"conflicts are left in {', '.join(files)} of {tree.directory}; resolve them"
            )
        await tree.commit_all(message)

    async def _failing_gate(
        self, repo: Repo, tree: Worktree, issue: Assignment
    ) -> CommandRun | None:
        """The first gate that fails. What the gates leave in the worktree is undone."""
        gates = self._settings[issue.repo].gates
        if not gates:
            return None
        async with repo.putting_back(tree):
            for name, command in gates.items():
                run = await self._run(issue, f"gate '{name}'", command, repo, tree, issue.feedback)
                if run.exit.code != 0:
                    return run
        return None

    async def _run(
        self,
        issue: Assignment,
        what: str,
        command: Command,
        repo: Repo,
        tree: Worktree,
        feedback: str,
        fix: int = 0,
    ) -> CommandRun:
        env = {
            **repo.git.identity,
            "WAVELANE_AGENT_BRANCH": repo.agent_branch,
            "WAVELANE_BRANCH": tree.branch,
        }
        return await self._runner.run(
            issue, what, command, tree.directory, env=env, feedback=feedback, fix=fix
        )

    # Merging

    async def _merge(self, repo: Repo, issue: Assignment) -> Conflicted | None:
        """Make the merge. None when it is in."""
        if not await repo.has_branch_of(issue.id):
            raise SessionFailed(self._nothing_to("merge", issue))
        tree = await repo.agent_tree()
        branch = repo.feature_branch(issue.id)
        message = _message(f"Merge {issue.id}: " if issue.title else "Merge ", issue)
        files = await tree.merge(f"refs/heads/{branch}", message)
        if not files:
            return None
        change = await repo.change_of(issue.id, _DIFF_BYTES)
        await repo.set_mark("conflicted", issue.id, f"refs/heads/{branch}")
        return Conflicted(
            f"merging into {repo.agent_branch} conflicts in {', '.join(files)}. "
            f"The earlier change was:\n{change}"
        )

    def _nothing_to(self, verb: str, issue: Issue) -> str:
        return (
            f'there is nothing to {verb} for issue "{issue.id}": repo "{issue.repo}" has no branch '
            f'"{self.feature_branch(issue.id)}"; implement it first'
        )


def _postponed(run: CommandRun) -> Postponed:
    """Until the time with which the reason ends, if it does."""
    return Postponed(time_at_end(run.last_line(), time.time()), run.last_line())


async def _is_surely_in(repo: Repo, issue: Issue) -> bool:
    """Ask git, however often this is cancelled meanwhile."""
    look = asyncio.ensure_future(repo.is_in(issue.id))
    with suppress(asyncio.CancelledError, GitError, OSError):
        await uninterrupted(look)
    return not look.cancelled() and look.exception() is None and look.result()


async def _locked(git_lock: int, state_dir: Path) -> None:
    """Wait until no git command of a killed run is under way."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + _PATIENCE
    while True:
        try:
            fcntl.flock(git_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock() >= deadline:
                raise PipelineError(
                    [
                        "a git command of the run before is still under way, or something that a "
                        f"hook of it has started (it has {state_dir}/{_LEASH} open); end it"
                    ]
                ) from None
            await asyncio.sleep(0.05)
        else:
            return


def _message(prefix: str, issue: Issue) -> str:
    """A commit message about the issue: one line, and the trailer."""
    title = " ".join((issue.title or issue.id).split())
    line = "".join(char for char in prefix + title if char.isprintable())
    return signed(line[:_SUBJECT_LENGTH], issue.id)


def _make_hidden(directory: Path) -> None:
    """Make a directory that git does not see, should it be inside a checkout."""
    directory.mkdir(parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def _cannot_make(directory: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        why = f"{error.strerror or error}: {error.filename or directory}"
        return f"{directory} cannot be used: {why}; give a work_dir that can be written to"
    return f"the worktrees cannot be made: {error}"
