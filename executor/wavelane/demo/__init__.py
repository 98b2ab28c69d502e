"""The demo: three small git repos and a wave in which everything happens.

The repos, their tests, the wave file and the two scripts that stand in for an agent and a reviewer
are ordinary files, made in one folder. The same code runs this wave as any other. It includes a
gate that fails and is fixed, a change request, a merge conflict, an issue that only a human can
answer with another behind it, and a usage monitor that steps the cap down and up again.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from wavelane.git import GitError

if TYPE_CHECKING:
    from wavelane.scheduler.scheduler import Scheduler

REPOS = ("core", "api", "web")
_STEP_DOWN_AFTER = 3
_STEP_UP_AFTER = 5


@dataclass(frozen=True)
class Demo:
    """A demo made in `directory`."""

    directory: Path

    @property
    def wave_file(self) -> Path:
        """The wave to run."""
        return self.directory / "wave.yaml"

    @classmethod
    def make(cls, directory: Path | None = None) -> Demo:
        """Make the repos and the wave file, in an empty or new folder or in a temporary one.

        Raises `OSError` or `GitError` if that fails.
        """
        if directory is None:
            directory = Path(tempfile.mkdtemp(prefix="wavelane-demo-"))
        elif directory.exists() and any(directory.iterdir()):
            raise FileExistsError(17, "it is not empty; name a new folder", str(directory))
        with as_file(files("wavelane.demo") / "template") as template:
            shutil.copytree(
                template,
                directory,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        made = cls(directory.resolve())
        made._name_python()
        for repo in REPOS:
            _make_repo(made.directory / repo)
        return made

    async def monitor(self, scheduler: Scheduler) -> None:
        """Play the usage monitor: one level down when the meter climbs, up when it has fallen."""
        done = 0
        async for notice in scheduler.events():
            if notice.kind == "issue" and notice.target == "done":
                done += 1
                if done == _STEP_DOWN_AFTER:
                    scheduler.cap.step_down()
                elif done == _STEP_UP_AFTER:
                    scheduler.cap.step_up()

    def farewell(self) -> str:
        """What to look at next."""
        lines = [
            "",
            "web#2 is parked on purpose: only a human can answer it, and web#3 waits behind it.",
            f"The repos are in {self.directory}. To see what was merged, and in which order:",
            "",
        ]
        lines += [
            f"    git -C {self.directory / repo} log --graph --oneline wavelane/demo/agent"
            for repo in REPOS
        ]
        return "\n".join(lines)

    def _name_python(self) -> None:
        """Make the wave file's commands use the Python that runs this."""
        text = self.wave_file.read_text(encoding="utf-8")
        python = shlex.quote(sys.executable)
        self.wave_file.write_text(text.replace("PYTHON", python), encoding="utf-8")


def _make_repo(directory: Path) -> None:
    _git(directory, "init", "--quiet", "--initial-branch=main")
    _git(directory, "add", "--all")
    _git(directory, "commit", "--quiet", "--message=Start")


def _git(directory: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=wavelane demo", "-c", "user.email=demo@localhost"]
    command = ["git", "-C", str(directory), *identity, "-c", "commit.gpgsign=false", *arguments]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise FileNotFoundError(2, "it is not installed; install git", "git") from None
    except subprocess.CalledProcessError as error:
        raise GitError(
            f"git {arguments[0]} in {directory} failed: {error.stderr.strip()}"
        ) from None
