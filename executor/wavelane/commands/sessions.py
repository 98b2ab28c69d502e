"""Sessions of the command pipeline: commands in an issue's worktree, and how each session ended.

1. A command's exit code decides how the session ended:

       implement   0 implemented · 10 blocked · 11 checkpoint · 75 postponed · else failed
       review      0 approved · 1 changes requested · 10 blocked · 75 postponed · else failed

   The last line of its output is the reason; all output of a review that requests changes is the
   feedback. If the reason of a postponed one ends with a time, or with a delay such as +30m, it
   comes back then.
2. Changes that an implementing command leaves uncommitted are committed for it: when it succeeds,
   at a checkpoint, and when it is blocked. If it fails, is cancelled or times out, it leaves
   nothing: branch and files return to where the step began. If it is postponed, its commits stay.
3. The repo's gates follow, in order. A failing one goes back to implementing with its output, at
   most `gate_attempts` times; then the issue is blocked. Changes that gates and reviews make in the
   worktree are undone.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import replace
from enum import IntEnum

from wavelane.commands.runs import CommandRun, Runner
from wavelane.git import Workspace, Worktree
from wavelane.pipeline import Assignment
from wavelane.processes import CommandLine
from wavelane.times import time_at_end
from wavelane_model.outcomes import (
    Approved,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Implemented,
    Postponed,
)


class SessionExit(IntEnum):
    """The meaning of a session command's exit code. Any other: it has failed."""

    DONE = 0
    CHANGES_REQUESTED = 1
    BLOCKED = 10
    CHECKPOINT = 11
    POSTPONED = 75


class CommandSessions:
    """Runs sessions for issues. `gate_attempts`: fixes of a failing gate within one step."""

    def __init__(self, runner: Runner, gate_attempts: int) -> None:
        self._runner = runner
        self._gate_attempts = gate_attempts

    async def implement(
        self,
        issue: Assignment,
        workspace: Workspace,
        command: CommandLine,
        gates: Mapping[str, CommandLine],
    ) -> Implemented | Checkpoint | Blocked | Postponed:
        """One session, and up to `gate_attempts` more to fix what a gate found.

        Raises `SessionFailed` when the command fails, and `GitError`.
        """
        tree = await workspace.begin_attempt()
        async with workspace.repo.putting_back(tree, only_on_failure=True):
            task = issue
            for fix in itertools.count():
                run = await self._run(task, "implement", command, workspace, tree, fix)
                outcome = await self._outcome(run, workspace, tree)
                if not isinstance(outcome, Implemented):
                    return outcome
                failed = await self._failing_gate(issue, workspace, tree, gates)
                if failed is None:
                    return outcome
                if fix == self._gate_attempts:
                    return Blocked(failed.still_failing(fix))
                task = replace(issue, feedback=failed.as_feedback())
        raise AssertionError("unreachable")

    async def review(
        self, issue: Assignment, workspace: Workspace, command: CommandLine
    ) -> Approved | ChangesRequested | Blocked | Postponed:
        """One review. Raises `SessionFailed` when the command fails, and `GitError`."""
        async with workspace.under_review() as tree:
            run = await self._run(issue, "review", command, workspace, tree)
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

    async def _outcome(
        self, run: CommandRun, workspace: Workspace, tree: Worktree
    ) -> Implemented | Checkpoint | Blocked | Postponed:
        """Commit or drop the changes of an implementing command, depending on its exit code."""
        match run.exit.code:
            case SessionExit.DONE:
                await workspace.commit(tree)
                return Implemented()
            case SessionExit.BLOCKED:
                await workspace.commit_for_a_human(tree)
                return Blocked(run.last_line())
            case SessionExit.CHECKPOINT:
                await workspace.commit(tree)
                return Checkpoint(run.last_line())
            case SessionExit.POSTPONED:
                await workspace.drop_changes(tree)
                return _postponed(run)
            case _:
                raise run.failure()

    async def _failing_gate(
        self,
        issue: Assignment,
        workspace: Workspace,
        tree: Worktree,
        gates: Mapping[str, CommandLine],
    ) -> CommandRun | None:
        """The first gate that fails. Changes that gates leave in the worktree are undone."""
        if not gates:
            return None
        async with workspace.repo.putting_back(tree):
            for name, command in gates.items():
                run = await self._run(issue, f"gate '{name}'", command, workspace, tree)
                if run.exit.code != 0:
                    return run
        return None

    async def _run(
        self,
        issue: Assignment,
        what: str,
        command: CommandLine,
        workspace: Workspace,
        tree: Worktree,
        fix: int = 0,
    ) -> CommandRun:
        env = {
            **workspace.repo.git.identity,
            "WAVELANE_AGENT_BRANCH": workspace.repo.agent_branch,
            "WAVELANE_BRANCH": workspace.branch,
        }
        return await self._runner.run(issue, what, command, tree.directory, env=env, fix=fix)


def _postponed(run: CommandRun) -> Postponed:
    """Postponed until the time at the end of the reason, if there is one."""
    return Postponed(time_at_end(run.last_line(), time.time()), run.last_line())
