"""Projects: three small git repos and a wave file over them, with all that can happen to an issue.

Where the commands are run in another order, or again, the same content comes out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wavelane_model.lifecycle import LaneRelease

WAVE: Final = "storm"
AGENT_BRANCH: Final = f"wavelane/{WAVE}/agent"
REPOS: Final = ("core", "api", "web")
ENV: Final = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "COLUMNS": "160",
}
_AGENT: Final = Path(__file__).with_name("agent.sh")
_HOOKS: Final = ("pre-merge-commit", "post-checkout", "pre-commit")
SLOW_GIT: Final = "SLOW_GIT"
"""The environment variable with the seconds that the user's hooks take."""


@dataclass(frozen=True, slots=True)
class Task:
    """An issue: its id, what is special about it, what it needs, and how long a session takes.

    `estimate` is what a wave with estimates says of it, which is not so.
    """

    id: str
    kind: str
    needs: tuple[str, ...] = ()
    seconds: float = 0.03
    estimate: float = 1.0

    @property
    def repo(self) -> str:
        return self.id.partition("#")[0]

    @property
    def changes_files(self) -> bool:
        return "nothing" not in self.kind


TASKS: Final = (
    Task("core#1", "shared", seconds=0.06, estimate=0.2),
    Task("core#2", "shared changes", seconds=0.05),
    Task("core#3", "nothing", seconds=0.02, estimate=0.2),
    Task("api#1", "gate", ("core#1",), seconds=0.04, estimate=2.0),
    Task("api#2", "fails", ("core#2",), seconds=0.05),
    Task("api#3", "stubborn", seconds=0.15, estimate=0.5),
    Task("web#1", "outside", seconds=0.04, estimate=0.5),
    Task("web#2", "checkpoint", ("web#1", "core#2", "api#1"), seconds=0.03, estimate=2.0),
)
PARKED_TASKS: Final = (
    Task("web#3", "blocked", seconds=0.02),
    Task("web#4", "plain", ("web#3",)),
)
"""One that a human has to look at, and one that waits for it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What differs from wave to wave.

    `has_parked`: one issue is blocked, so that the wave ends with exit code 1. `has_estimates`: the
    order is planned, and lanes are held.
    """

    policy: LaneRelease = "done"
    ceiling: int = 3
    has_parked: bool = False
    has_estimates: bool = False

    @property
    def tasks(self) -> tuple[Task, ...]:
        return (*TASKS, *(PARKED_TASKS if self.has_parked else ()))

    @property
    def done(self) -> frozenset[str]:
        """The issues that are done in the end."""
        return frozenset(task.id for task in TASKS)

    @property
    def exit_code(self) -> int:
        """How the run exits that ends the wave."""
        return 1 if self.has_parked else 0


@dataclass(frozen=True, slots=True)
class Project:
    """A project in a folder."""

    folder: Path
    setting: Setting
    disk: Path | None = None
    """Where the journal is, if it has a disk of its own."""

    @classmethod
    def make(cls, folder: Path, setting: Setting) -> Project:
        """Make it in a folder that is there and empty."""
        for name in REPOS:
            _make_repo(folder / name)
        for name in ("issues", "locks", "marks"):
            (folder / name).mkdir()
        shutil.copyfile(_AGENT, folder / "agent.sh")
        for task in setting.tasks:
            needs = " ".join(f"{need.partition('#')[0]}/{need}" for need in task.needs)
            text = f"kind='{task.kind}' needs='{needs}' seconds={task.seconds}\n"
            (folder / "issues" / task.id).write_text(text)
        (folder / "wave.yaml").write_text(_wave_file(setting))
        return cls(folder, setting)

    @property
    def command(self) -> list[str]:
        """What `wavelane` is told to run the wave."""
        run = ["run", str(self.folder / "wave.yaml")]
        return run if self.disk is None else [*run, "--journal", str(self.journal)]

    @property
    def state_dir(self) -> Path:
        return self.folder / ".wavelane" / WAVE

    @property
    def journal(self) -> Path:
        return (self.disk or self.state_dir) / "journal.db"

    @property
    def log(self) -> Path:
        """What the sessions tell."""
        return self.folder / "sessions.log"


def git(directory: Path, *arguments: str) -> str:
    """Run git as a user of the repo would; its output without the last newline."""
    identity = ("-c", "user.name=A User", "-c", "user.email=user@example.org")
    command = ("git", "--no-optional-locks", "-C", str(directory), *identity, *arguments)
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENV)
    return done.stdout.removesuffix("\n")


def _make_repo(directory: Path) -> None:
    """One commit on main, a checkout in which the user is at work, and hooks of the user's."""
    directory.mkdir()
    git(directory, "init", "--quiet", "--initial-branch=main")
    (directory / "README").write_text(f"{directory.name}\n")
    (directory / "shared.txt").write_text("the beginning\n")
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "-m", "start")
    (directory / "README").write_text("half a sentence\n")
    (directory / "notes").write_text("not for git\n")
    for name in _HOOKS:
        hook = directory / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f'#!/bin/sh\n[ -z "${SLOW_GIT}" ] || sleep "${SLOW_GIT}"\n')
        hook.chmod(0o755)


def _wave_file(setting: Setting) -> str:
    def agent(step: str) -> str:
        return f'sh "$WAVELANE_DIR/agent.sh" {step} {setting.policy} {setting.ceiling}'

    lines = [
        f"wave: {WAVE}",
        f"implement: {agent('implement')}",
        f"review: {agent('review')}",
        f"gates: {{check: '{agent('gate')}'}}",
        f"cap: {setting.ceiling}",
        f"lane_release: {setting.policy}",
        f"repos: {{{', '.join(f'{name}: {name}' for name in REPOS)}}}",
        "issues:",
    ]
    for task in setting.tasks:
        needs = ", ".join(f'"{need}"' for need in task.needs)
        estimate = f", estimate: {task.estimate}" if setting.has_estimates else ""
        lines.append(f'  - {{id: "{task.id}", repo: {task.repo}, depends_on: [{needs}]{estimate}}}')
    return "\n".join(lines) + "\n"
