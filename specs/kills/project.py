"""Projects: three small git repos with a wave file, which covers all that can happen to an issue.

The resulting content does not depend on the order of the commands, or on repetitions.
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
class ScriptedIssue:
    """An issue of the wave.

    Attributes:
        id: Its id.
        kind: What its sessions do, in words that `agent.sh` knows.
        needs: Its dependencies.
        seconds: How long a session takes.
        estimate: Its (wrong) estimate in a wave with estimates.
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


ISSUES: Final = (
    ScriptedIssue("core#1", "shared", seconds=0.06, estimate=0.2),
    ScriptedIssue("core#2", "shared changes", seconds=0.05),
    ScriptedIssue("core#3", "nothing", seconds=0.02, estimate=0.2),
    ScriptedIssue("api#1", "gate", ("core#1",), seconds=0.04, estimate=2.0),
    ScriptedIssue("api#2", "fails", ("core#2",), seconds=0.05),
    ScriptedIssue("api#3", "stubborn", seconds=0.15, estimate=0.5),
    ScriptedIssue("web#1", "outside", seconds=0.04, estimate=0.5),
    ScriptedIssue("web#2", "checkpoint", ("web#1", "core#2", "api#1"), seconds=0.03, estimate=2.0),
)
PARKED_ISSUES: Final = (
    ScriptedIssue("web#3", "blocked", seconds=0.02),
    ScriptedIssue("web#4", "plain", ("web#3",)),
)
"""An issue that needs a human, and one that depends on it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What differs from wave to wave.

    Attributes:
        policy: When a lane is released.
        ceiling: The ceiling of the cap.
        has_parked: Whether one issue is blocked, so that the wave ends with exit code 1.
        has_estimates: Whether the order is planned, and lanes are reserved.
    """

    policy: LaneRelease = "done"
    ceiling: int = 3
    has_parked: bool = False
    has_estimates: bool = False

    @property
    def issues(self) -> tuple[ScriptedIssue, ...]:
        return (*ISSUES, *(PARKED_ISSUES if self.has_parked else ()))

    @property
    def done(self) -> frozenset[str]:
        """The issues that are done in the end."""
        return frozenset(issue.id for issue in ISSUES)

    @property
    def exit_code(self) -> int:
        """The exit code of the run that ends the wave."""
        return 1 if self.has_parked else 0


@dataclass(frozen=True, slots=True)
class Project:
    """A project in a folder."""

    folder: Path
    setting: Setting
    disk: Path | None = None
    """The folder of the journal, if it has a disk of its own."""

    @classmethod
    def make(cls, folder: Path, setting: Setting) -> Project:
        """Make it in an empty folder."""
        for name in REPOS:
            _make_repo(folder / name)
        for name in ("issues", "locks", "marks"):
            (folder / name).mkdir()
        shutil.copyfile(_AGENT, folder / "agent.sh")
        for issue in setting.issues:
            needs = " ".join(f"{need.partition('#')[0]}/{need}" for need in issue.needs)
            text = f"kind='{issue.kind}' needs='{needs}' seconds={issue.seconds}\n"
            (folder / "issues" / issue.id).write_text(text)
        (folder / "wave.yaml").write_text(_wave_file(setting))
        return cls(folder, setting)

    @property
    def command(self) -> list[str]:
        """The arguments with which `wavelane` runs the wave."""
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
        """The sessions' log."""
        return self.folder / "sessions.log"


def git(directory: Path, *arguments: str) -> str:
    """Run git as a user of the repo would; its output without the last newline."""
    identity = ("-c", "user.name=A User", "-c", "user.email=user@example.org")
    command = ("git", "--no-optional-locks", "-C", str(directory), *identity, *arguments)
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENV)
    return done.stdout.removesuffix("\n")


def _make_repo(directory: Path) -> None:
    """One commit on main, a checkout with the user's changes, and hooks of the user's."""
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
    for issue in setting.issues:
        needs = ", ".join(f'"{need}"' for need in issue.needs)
        estimate = f", estimate: {issue.estimate}" if setting.has_estimates else ""
        lines.append(
            f'  - {{id: "{issue.id}", repo: {issue.repo}, depends_on: [{needs}]{estimate}}}'
        )
    return "\n".join(lines) + "\n"
