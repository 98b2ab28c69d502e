"""A pipeline over one real repo, with commands that a test can change on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.gitrepos import git, until

from wavelane.commands import CommandPipeline, IssueCommands, RepoSettings
from wavelane.pipeline import Assignment
from wavelane.processes import CommandLine

ISSUE = Assignment("api#1", "api", title="Say more", body="All of it.")


class Bench:
    """A pipeline over repo api, with commands that the test can change on the way."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.api = tmp_path / "api"
        self.commands = {ISSUE.id: IssueCommands("true")}
        self.gates: dict[str, CommandLine] = {}
        self.repos = {"api": RepoSettings(self.api, gates=self.gates)}
        self.pipeline = self.another_pipeline()

    def another_pipeline(
        self, gate_attempts: int = 3, *, git_wait: float = 60.0
    ) -> CommandPipeline:
        """The pipeline as a second process would make it after the first one died."""
        if pipeline := getattr(self, "pipeline", None):
            pipeline._state_dir.release()
        return CommandPipeline(
            "w",
            self.repos,
            self.commands,
            state_dir=self.tmp_path / "state",
            wave_dir=self.tmp_path,
            gate_attempts=gate_attempts,
            grace=2.0,
            git_wait=git_wait,
        )

    def does(
        self, implement: CommandLine, review: CommandLine | None = None, issue: str = ISSUE.id
    ) -> None:
        self.commands[issue] = IssueCommands(implement, review)

    @property
    def tree(self) -> Path:
        return self.pipeline.worktree("api", ISSUE.id)

    def tip(self, issue: str = ISSUE.id) -> str:
        return git(self.api, "rev-parse", self.pipeline.feature_branch(issue))

    def agent(self, *question: str) -> str:
        return git(self.api, *question, self.pipeline.agent_branch("api"))

    def changes(self) -> str:
        return git(self.tree, "status", "--porcelain")

    def logs(self, issue: str = "api#1") -> list[str]:
        return sorted(log.name for log in (self.tmp_path / "state" / "logs" / issue).iterdir())

    def log(self, name: str) -> Path:
        return self.tmp_path / "state" / "logs" / "api#1" / name


@asynccontextmanager
async def cancelled_when(path: Path, task: asyncio.Task[object]) -> AsyncIterator[None]:
    """Cancel the task as soon as its command has made `path`, and wait for its end."""
    await until(lambda: task.done() or (path.exists() and path.read_text().endswith("\n")))
    assert not task.done(), task
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    yield
