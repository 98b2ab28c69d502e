"""Command runs: one command for one issue, with its inputs and its output.

A command runs in the issue's worktree and gets its task from the environment:

    WAVELANE_ISSUE, WAVELANE_REPO, WAVELANE_TITLE   the issue
    WAVELANE_BODY_FILE                              file with its text
    WAVELANE_LABELS                                 its labels, one a line; empty without any
    WAVELANE_FEEDBACK_FILE                          file with the feedback of the last review,
                                                    conflict, checkpoint or gate; may be empty
    WAVELANE_ATTEMPT, WAVELANE_ROUND                the number of the session from 1, and of the
                                                    requests for changes so far
    WAVELANE_FIX                                    0, or the number of the fix of a failing gate
    WAVELANE_DIR                                    the directory of the wave file
    WAVELANE_AGENT_BRANCH, WAVELANE_BRANCH          where it will be merged to, and its own branch
    WAVELANE_SESSION                                a token of this run of the command alone

Its output goes to a log of its own, numbered in the order of the issue's runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wavelane.commands.state_dir import StateDir
from wavelane.git import environment, slug
from wavelane.pipeline import Assignment, SessionFailed
from wavelane.processes import TOKEN, CommandLine, Exit, last_line, run, tail

_OUTPUT_BYTES: Final = 65_536
_OUTPUT_LINES: Final = 200


@dataclass(frozen=True, slots=True)
class CommandRun:
    """A run that has ended. `what` names the command: implement, review, or a gate."""

    what: str
    exit: Exit
    log: Path

    def last_line(self) -> str:
        """The last line of its output, or a sentence that names the log."""
        return last_line(self.log) or f"{self.what} gave no reason; log: {self.log}"

    def output(self) -> str:
        """Its output, or the last 64 KiB of it."""
        return tail(self.log, _OUTPUT_BYTES).strip()

    def as_feedback(self) -> str:
        """How it failed, for the session that will fix it: the last 200 lines of its output."""
        lines = self.output().splitlines()[-_OUTPUT_LINES:]
        return "\n".join((f"{self.what} failed ({self.exit.brief}):", *lines))

    def still_failing(self, fixes: int) -> str:
        """How it failed, for the human who looks at it after this many fixes."""
        after = f"still fails after {fixes} {'fix' if fixes == 1 else 'fixes'}"
        return f"{self.what} {after if fixes else 'fails'}; see {self.log}: {self.last_line()}"

    def failure(self) -> SessionFailed:
        """The error that says how it ended."""
        said = last_line(self.log)
        return SessionFailed(
            f"{self.what} {self.exit}{f': {said}' if said else ''}; log: {self.log}"
        )


class Runner:
    """Runs commands for issues, and keeps records. `grace`: seconds between SIGTERM and SIGKILL."""

    def __init__(self, state_dir: StateDir, wave_dir: Path, *, grace: float) -> None:
        self._state_dir = state_dir
        self._wave_dir = wave_dir
        self._grace = grace

    async def run(
        self,
        issue: Assignment,
        what: str,
        command: CommandLine,
        directory: Path,
        *,
        env: Mapping[str, str],
        fix: int = 0,
    ) -> CommandRun:
        """Run `command` in `directory`, with `env` added. `fix`: the number of the fix of a gate.

        Raises `SessionFailed` when it cannot be started.
        """
        sessions = self._state_dir.sessions
        token = sessions.new_token()
        variables = environment(directory) | dict(env) | self._task(issue, fix) | {TOKEN: token}
        log = self._new_log(issue, what)
        try:
            with sessions.session(token) as session:
                ended = await run(
                    self._found(command),
                    cwd=directory,
                    env={name: _for_environment(value) for name, value in variables.items()},
                    log=log,
                    grace=self._grace,
                    register=session.register,
                )
        except (OSError, ValueError) as error:
            raise SessionFailed(f"{what} cannot be started: {error}") from error
        return CommandRun(what, ended, log)

    def _task(self, issue: Assignment, fix: int) -> dict[str, str]:
        inputs = _made(self._state_dir.path / "inputs" / slug(issue.id))
        return {
            "WAVELANE_ISSUE": issue.id,
            "WAVELANE_REPO": issue.repo,
            "WAVELANE_TITLE": issue.title,
            "WAVELANE_BODY_FILE": str(_written(inputs / "body.md", issue.body)),
            "WAVELANE_LABELS": "\n".join(issue.labels),
            "WAVELANE_FEEDBACK_FILE": str(_written(inputs / "feedback.md", issue.feedback)),
            "WAVELANE_ATTEMPT": str(issue.attempt),
            "WAVELANE_ROUND": str(issue.round),
            "WAVELANE_FIX": str(fix),
            "WAVELANE_DIR": str(self._wave_dir),
        }

    def _found(self, command: CommandLine) -> CommandLine:
        """The command; the program of an argv may be a path from the wave file's directory."""
        if isinstance(command, str) or "/" not in command[0]:
            return command
        beside_the_file = self._wave_dir / command[0]
        return (str(beside_the_file), *command[1:]) if beside_the_file.exists() else command

    def _new_log(self, issue: Assignment, what: str) -> Path:
        logs = _made(self._state_dir.path / "logs" / slug(issue.id))
        numbers = (re.match(r"\d+", log.name) for log in logs.iterdir())
        number = 1 + max((int(found[0]) for found in numbers if found), default=0)
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", what).strip("-")[:60]
        return logs / f"{number:03}-{name}.log"


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8", "replace"))
    return path


def _for_environment(value: str) -> str:
    return value.replace("\0", "")
