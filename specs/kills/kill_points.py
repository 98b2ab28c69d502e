"""Kill points: where a run is killed. The code under test has no switch for it.

A point is *met* when the run reaches it; then the process kills itself with SIGKILL, in the middle
of a call that is wrapped for this in that one process. At a random moment the kill comes from
outside instead.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from specs.kills.project import SLOW_GIT
from wavelane.commands import CommandPipeline
from wavelane.git import AGENT_TREE, Git
from wavelane.journal import Journal, RecordedEvent
from wavelane_model.events import SessionEnded

PHASES: Final = {
    "journal": ("before", "begun", "uncommitted", "after"),
    "git": ("before", "while", "after"),
    "session": ("before", "after", "while", "together"),
    "call": ("before", "after"),
    "files": ("while",),
}
"""When a kill comes, relative to its operation. `begun`: in the transaction, with nothing written;
`uncommitted`: with all written in it; `while`: what was started outlives the scheduler; `together`:
the session's supervisor is killed at the same moment, so that only the next run can end what the
session has started."""

PLANNED: Final = "OrderPlanned"
JOURNAL: Final = (
    PLANNED,
    "WaveStarted",
    "SessionEnded:Implemented",
    "SessionEnded:Approved",
    "SessionEnded:Merged",
    "SessionEnded:ChangesRequested",
    "SessionEnded:Conflicted",
    "SessionEnded:Checkpoint",
    "SessionEnded:Failed",
)
GIT: Final = (
    "branch --no-track",
    "worktree add",
    "worktree remove",
    "branch -D",
    "add --all",
    "commit",
    "reset",
    "clean",
    "merge --no-ff",
)
SESSIONS: Final = ("implement", "review", "gate")
REMOVED: Final = "worktree for merging removed"
_LATER: Final = 10
"""How much longer a session is let run that is killed together with its supervisor."""
_OUTLIVES: Final = 1.5
"""Seconds that the user's hooks take if git has to outlive the run into the next one."""
CALLS: Final = {
    "journal made": (Journal, "_prepare"),
    "journal opened": (Journal, "__init__"),
    "prepared": (CommandPipeline, "prepare"),
    "tidied": (CommandPipeline, "close"),
    "recover": (CommandPipeline, "recover"),
}


@dataclass(frozen=True, slots=True)
class KillPoint:
    """The `nth` time that the run reaches an operation, in a phase of it.

    Attributes:
        target: The kind of the operation: a key of `PHASES`, or `time` for a random moment.
        operation: The operation.
        phase: When the kill comes, relative to it.
        nth: Which of its occurrences is meant, from 1.
        delay: Seconds in the phase `while`; for a random moment, a share of the length of an
            undisturbed wave.
    """

    target: str
    operation: str
    phase: str
    nth: int = 1
    delay: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.target}: {self.operation}"

    def __str__(self) -> str:
        if self.target == "time":
            return f"after {self.delay:.3f} of a wave's length"
        after = f", {self.delay * 1000:.1f} ms later" if self.phase == "while" else ""
        return f"{self.phase} {self.operation} ({self.target}, time {self.nth}){after}"

    def install(self) -> None:
        """Have this process killed at this point."""
        if (self.target, self.phase) == ("git", "while"):
            os.environ[SLOW_GIT] = str(_OUTLIVES)
        if self.target != "time":
            _INSTALLERS[self.target](self)


def die() -> NoReturn:
    """Kill this process, as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL was survived")


def _die_with(supervisor: int) -> NoReturn:
    """Kill a session's supervisor, if it has not ended, and this process."""
    with suppress(ProcessLookupError):
        os.kill(supervisor, signal.SIGKILL)
    die()


def kind_of(entry: RecordedEvent) -> str:
    """The kind of an event, with the outcome where it has one."""
    name = type(entry.event).__name__
    if isinstance(entry.event, SessionEnded):
        return f"{name}:{type(entry.event.outcome).__name__}"
    return name


def _counted(nth: int) -> Callable[..., bool]:
    """A function that says whether the nth occurrence is among the next `many`."""
    seen = 0

    def reached(many: int = 1) -> bool:
        nonlocal seen
        before, seen = seen, seen + many
        return before < nth <= seen

    return reached


def _install_journal(point: KillPoint) -> None:
    append, insert = Journal.append, Journal._insert
    reached = _counted(point.nth)

    def begun(*_: object) -> None:
        die()

    def uncommitted(self: Journal, *rows: Any) -> None:
        insert(self, *rows)
        die()

    def killed(self: Journal, entries: Any, *rest: Any) -> None:
        if not reached(sum(kind_of(entry) == point.operation for entry in entries)):
            append(self, entries, *rest)
            return
        if point.phase == "before":
            die()
        if point.phase == "begun":
            setattr(Journal, "_insert", begun)  # noqa: B010
        if point.phase == "uncommitted":
            setattr(Journal, "_insert", uncommitted)  # noqa: B010
        append(self, entries, *rest)
        die()

    setattr(Journal, "append", killed)  # noqa: B010


def _install_git(point: KillPoint) -> None:
    run = Git.run
    reached = _counted(point.nth)
    wanted = tuple(point.operation.split())

    async def killed(self: Git, *arguments: str, limit: int | None = None) -> Any:
        if arguments[: len(wanted)] != wanted or not reached():
            return await run(self, *arguments, limit=limit)
        return await _killed_in(point, lambda: run(self, *arguments, limit=limit))

    setattr(Git, "run", killed)  # noqa: B010


def _install_session(point: KillPoint) -> None:
    create = asyncio.create_subprocess_exec
    reached = _counted(point.nth)

    async def killed(*argv: Any, **options: Any) -> Any:
        if f'agent.sh" {point.operation} ' not in str(argv[-1]) or "-n" in argv or not reached():
            return await create(*argv, **options)
        if point.phase == "while":
            asyncio.get_running_loop().call_later(point.delay, die)
            return await create(*argv, **options)
        if point.phase == "together":
            supervisor = await create(*argv, **options)
            asyncio.get_running_loop().call_later(_LATER * point.delay, _die_with, supervisor.pid)
            return supervisor
        return await _killed_in(point, lambda: create(*argv, **options))

    setattr(asyncio, "create_subprocess_exec", killed)  # noqa: B010


def _install_call(point: KillPoint) -> None:
    owner, name = CALLS[point.operation]
    call = getattr(owner, name, None)
    if call is None:
        return
    reached = _counted(point.nth)

    async def killed_later(*arguments: Any, **named: Any) -> Any:
        if not reached():
            return await call(*arguments, **named)
        return await _killed_in(point, lambda: call(*arguments, **named))

    def killed(*arguments: Any, **named: Any) -> Any:
        if not reached():
            return call(*arguments, **named)
        if point.phase == "after":
            call(*arguments, **named)
        die()

    setattr(owner, name, killed_later if asyncio.iscoroutinefunction(call) else killed)


def _install_files(point: KillPoint) -> None:
    rmtree = shutil.rmtree
    reached = _counted(point.nth)

    def killed(directory: Any, *rest: Any, **named: Any) -> None:
        if Path(directory).name == AGENT_TREE and reached():
            max(path for path in Path(directory).iterdir() if path.is_file()).unlink()
            die()
        rmtree(directory, *rest, **named)

    setattr(shutil, "rmtree", killed)  # noqa: B010


async def _killed_in(point: KillPoint, work: Callable[[], Any]) -> Any:
    if point.phase == "before":
        die()
    if point.phase == "while":
        asyncio.get_running_loop().call_later(point.delay, die)
    await work()
    die()


_INSTALLERS: Final[dict[str, Callable[[KillPoint], None]]] = {
    "journal": _install_journal,
    "git": _install_git,
    "session": _install_session,
    "call": _install_call,
    "files": _install_files,
}
