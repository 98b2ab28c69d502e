"""The check of a command: whether it can be run at all, determined without running it.

A command counts as missing only if that is certain: a path that a session may create first (a
gate's `node_modules/.bin/…`) and a word that only the shell can expand are not judged.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from wavelane.git import environment
from wavelane.processes import CommandLine, ask

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9_.+/-]*/[A-Za-z0-9_.+/-]+")


class Fault(NamedTuple):
    """What is wrong with a command: the kind of fault, and in words what it is and what to do."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class CommandCheck:
    """Checks commands of a wave.

    Attributes:
        wave_dir: The directory of the wave file.
        is_in_a_repo: Returns whether any repo has a file at this path. None: no repo could be read,
            so files of repos are not checked.
    """

    wave_dir: Path
    is_in_a_repo: Callable[[str], Awaitable[bool]] | None

    async def fault(self, command: CommandLine, *, is_session: bool) -> Fault | None:
        """What is wrong with a command. `is_session`: it runs before anything is made for it."""
        if isinstance(command, str):
            return await self._fault_of_shell_text(command, is_session)
        if not command or not command[0]:
            return Fault("empty-command", "the command is empty; give at least the program's name")
        word = command[0]
        if "/" not in word:
            return None if shutil.which(word) else _missing(word)
        if _is_there(self.wave_dir / word) or Path(word).is_absolute():
            return _fault_of_file(self.wave_dir / word)
        if is_session and self.is_in_a_repo and not await self.is_in_a_repo(_normal(word)):
            return Fault(
                "no-such-file",
                f'"{word}" is neither in {self.wave_dir} nor in a repo; '
                "correct it, or commit the file",
            )
        return None

    async def _fault_of_shell_text(self, command: str, is_session: bool) -> Fault | None:
        if not command.strip():
            return Fault("empty-command", "the command is empty; give a command for the shell")
        env = environment(self.wave_dir)
        syntax = await ask(("sh", "-n", "-c", command), env=env)
        if not syntax.ok:
            words = f'"{command}" is not a valid shell command: {syntax.errors.strip()}'
            return Fault("not-a-shell-command", words)
        word = _first_word(command)
        if _PLAIN_NAME.fullmatch(word):
            known = await ask(("sh", "-c", 'command -v -- "$0"', word), env=env)
            return None if known.ok else _missing(word)
        if not _PLAIN_PATH.fullmatch(word):
            return None
        if Path(word).is_absolute():
            return _fault_of_file(Path(word))
        return await self._fault_of_path(word, is_session)

    async def _fault_of_path(self, word: str, is_session: bool) -> Fault | None:
        """A relative path of a shell text is looked for in the worktree."""
        if self.is_in_a_repo is None or await self.is_in_a_repo(_normal(word)):
            return None
        if _is_there(self.wave_dir / word):
            return Fault(
                "not-in-the-worktree",
                f'"{word}" is looked for in the issue\'s worktree, and is in {self.wave_dir}; '
                f'write "$WAVELANE_DIR/{_normal(word)}"',
            )
        if not is_session:
            return None
        return Fault("no-such-file", f'"{word}" is in no repo; correct it, or commit the file')


def _fault_of_file(path: Path) -> Fault | None:
    if not path.exists():
        return Fault("no-such-file", f'"{path}" does not exist; correct it')
    if not path.is_file() or not os.access(path, os.X_OK):
        return Fault(
            "not-executable", f'"{path}" cannot be run; make it executable: chmod +x {path}'
        )
    return None


def _missing(name: str) -> Fault:
    return Fault(
        "no-such-program", f'the program "{name}" was not found; install it, or correct the name'
    )


def _first_word(command: str) -> str:
    """The first word of a shell command, "" if only the shell knows it."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return ""
    return words[0] if words else ""


def _normal(path: str) -> str:
    return os.path.normpath(path)


def _is_there(path: Path) -> bool:
    return path.exists()
