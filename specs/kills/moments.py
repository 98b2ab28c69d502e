"""Moments: when a run is killed. The code under test has no switch for it.

A moment is *met* when the run gets there; then the process kills itself with SIGKILL, in the
middle of a call that is wrapped for it in that one process. A random moment is chosen by the clock,
and the kill comes from outside.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable
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
    "session": ("before", "after", "while"),
    "call": ("before", "after"),
    "files": ("while",),
}
"""How a kill stands to what it is aimed at. `begun`: in the transaction, and nothing is written;
`uncommitted`: all is written in it; `while`: what was started runs on without the scheduler."""

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
_OUTLIVES: Final = 1.5
"""Seconds that the user's hooks take where git is to outlive the run: into the next one."""
CALLS: Final = {
    "journal made": (Journal, "_prepare"),
    "journal opened": (Journal, "__init__"),
    "prepared": (CommandPipeline, "prepare"),
    "tidied": (CommandPipeline, "close"),
    "recover": (CommandPipeline, "recover"),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """The `nth` time that the run gets to `what`, in a phase of it.

    `delay`: seconds, and for a random moment, lengths of a wave that is not disturbed.
    """

    place: str
    what: str
    phase: str
    nth: int = 1
    delay: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.place}: {self.what}"

    def __str__(self) -> str:
        if self.place == "time":
            return f"after {self.delay:.3f} of a wave's length"
        after = f", {self.delay * 1000:.1f} ms later" if self.phase == "while" else ""
        return f"{self.phase} {self.what} ({self.place}, time {self.nth}){after}"

    def arm(self) -> None:
        """See to it that this process is killed then."""
        if (self.place, self.phase) == ("git", "while"):
            os.environ[SLOW_GIT] = str(_OUTLIVES)
        if self.place != "time":
            _ARMING[self.place](self)


def die() -> NoReturn:
    """Be killed, as by `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives that")


def kind_of(entry: RecordedEvent) -> str:
    """The kind of an event, with the outcome where it has one."""
    name = type(entry.event).__name__
    if isinstance(entry.event, SessionEnded):
        return f"{name}:{type(entry.event.outcome).__name__}"
    return name


def _counted(nth: int) -> Callable[..., bool]:
    """Says whether the nth of something is among the next `many`."""
    seen = 0

    def reached(many: int = 1) -> bool:
        nonlocal seen
        before, seen = seen, seen + many
        return before < nth <= seen

    return reached


def _arm_journal(moment: Moment) -> None:
    append, insert = Journal.append, Journal._insert
    reached = _counted(moment.nth)

    def begun(*_: object) -> None:
        die()

    def uncommitted(self: Journal, *rows: Any) -> None:
        insert(self, *rows)
        die()

    def killed(self: Journal, entries: Any, *rest: Any) -> None:
        if not reached(sum(kind_of(entry) == moment.what for entry in entries)):
            append(self, entries, *rest)
            return
        if moment.phase == "before":
            die()
        if moment.phase == "begun":
            setattr(Journal, "_insert", begun)  # noqa: B010
        if moment.phase == "uncommitted":
            setattr(Journal, "_insert", uncommitted)  # noqa: B010
        append(self, entries, *rest)
        die()

    setattr(Journal, "append", killed)  # noqa: B010


def _arm_git(moment: Moment) -> None:
    run = Git.run
    reached = _counted(moment.nth)
    wanted = tuple(moment.what.split())

    async def killed(self: Git, *arguments: str, limit: int | None = None) -> Any:
        if arguments[: len(wanted)] != wanted or not reached():
            return await run(self, *arguments, limit=limit)
        return await _killed_in(moment, lambda: run(self, *arguments, limit=limit))

    setattr(Git, "run", killed)  # noqa: B010


def _arm_session(moment: Moment) -> None:
    create = asyncio.create_subprocess_exec
    reached = _counted(moment.nth)

    async def killed(*argv: Any, **options: Any) -> Any:
        if f'agent.sh" {moment.what} ' not in str(argv[-1]) or "-n" in argv or not reached():
            return await create(*argv, **options)
        if moment.phase == "while":
            asyncio.get_running_loop().call_later(moment.delay, die)
            return await create(*argv, **options)
        return await _killed_in(moment, lambda: create(*argv, **options))

    setattr(asyncio, "create_subprocess_exec", killed)  # noqa: B010


def _arm_call(moment: Moment) -> None:
    owner, name = CALLS[moment.what]
    call = getattr(owner, name, None)
    if call is None:
        return
    reached = _counted(moment.nth)

    async def killed_later(*arguments: Any, **named: Any) -> Any:
        if not reached():
            return await call(*arguments, **named)
        return await _killed_in(moment, lambda: call(*arguments, **named))

    def killed(*arguments: Any, **named: Any) -> Any:
        if not reached():
            return call(*arguments, **named)
        if moment.phase == "after":
            call(*arguments, **named)
        die()

    setattr(owner, name, killed_later if asyncio.iscoroutinefunction(call) else killed)


def _arm_files(moment: Moment) -> None:
    rmtree = shutil.rmtree
    reached = _counted(moment.nth)

    def killed(directory: Any, *rest: Any, **named: Any) -> None:
        if Path(directory).name == AGENT_TREE and reached():
            max(path for path in Path(directory).iterdir() if path.is_file()).unlink()
            die()
        rmtree(directory, *rest, **named)

    setattr(shutil, "rmtree", killed)  # noqa: B010


async def _killed_in(moment: Moment, work: Callable[[], Any]) -> Any:
    if moment.phase == "before":
        die()
    if moment.phase == "while":
        asyncio.get_running_loop().call_later(moment.delay, die)
    await work()
    die()


_ARMING: Final[dict[str, Callable[[Moment], None]]] = {
    "journal": _arm_journal,
    "git": _arm_git,
    "session": _arm_session,
    "call": _arm_call,
    "files": _arm_files,
}
