"""Processes: the runs, each a child of this process, and whatever they leave behind.

This process is the *subreaper*: what loses its parent becomes its child. So an orphan is never lost
sight of, and the process id of a child cannot be given to another process before it is reaped here.
Only children are ever signalled.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from specs.kills.project import ENV
from wavelane import wavefile
from wavelane.cli import app as cli
from wavelane.cli import display
from wavelane.cli import wave_run as wave_run

PRELOADED: Final = (wave_run, cli, display, wavefile)
"""What a run would import first; it is a copy of this process, and so it begins at once."""
PATIENCE: Final = 60.0
"""Seconds that a run may take. It takes two or three."""
INTERRUPTED: Final = 130
"""How the command ends when it is interrupted before it has begun to run the wave."""
_PR_SET_CHILD_SUBREAPER: Final = 36


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: with an exit `code`, or by a `signal`; the other is None."""

    code: int | None
    signal: int | None

    @property
    def was_killed(self) -> bool:
        return self.signal == signal.SIGKILL

    def __str__(self) -> str:
        if self.signal is not None:
            return signal.Signals(self.signal).name
        return f"exit {self.code}"


class Trap(Protocol):
    """What is to befall a run, made ready in its process before it begins."""

    def arm(self) -> None: ...


class Run:
    """One run of the command, in a process of its own."""

    def __init__(self, number: str, arguments: list[str], folder: Path, trap: Trap | None):
        """Start it. `number` stands in its sessions' log, and names the files with its output."""
        self.number = number
        self.output = folder / f"run-{number}.out"
        self.errors = folder / f"run-{number}.err"
        self.ended: Ended | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _be_the_command(self, arguments, trap)
            finally:
                os._exit(INTERRUPTED)  # should an interrupt come as it ends

    def wait(self, seconds: float = PATIENCE) -> Ended | None:
        """Wait for its end; None when it has not ended within that time."""
        deadline = time.monotonic() + seconds
        while self.ended is None:
            self.ended = reaped().get(self.pid) or self.ended
            left = deadline - time.monotonic()
            if self.ended is None and left <= 0:
                return None
            if self.ended is None:
                signal.sigtimedwait({signal.SIGCHLD}, min(left, 1.0))
        return self.ended

    def send(self, number: signal.Signals) -> bool:
        """Signal it; False when it has ended."""
        if self.wait(0) is not None:
            return False
        os.kill(self.pid, number)  # a child that is not reaped: nobody else can have its id
        return True


def take_orphans() -> None:
    """Make this process the one that orphans are given to, and that is told of their end."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this process cannot be the one that takes orphans")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    _reaped.clear()


_reaped: dict[int, Ended] = {}


def reaped() -> dict[int, Ended]:
    """All children that have ended so far, with how they ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return _reaped
        if pid == 0:
            return _reaped
        code = os.waitstatus_to_exitcode(status)
        _reaped[pid] = Ended(None, -code) if code < 0 else Ended(code, None)


def alive(folder: Path) -> dict[int, str]:
    """The processes that belong to a folder: children, and who has it in environment or cwd."""
    reaped()
    mark = os.fsencode(f"{folder}")
    found = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if entry.isdecimal() and int(entry) != os.getpid():
            place = Path("/proc", entry)
            with suppress(OSError):
                state, parent = _state_and_parent(place)
                if state not in "ZX" and (parent == os.getpid() or _names(place, mark)):
                    found[int(entry)] = _command_line(place)
    return found


def end_all(folder: Path) -> None:
    """Kill what is left of a folder after a failure. Only children: orphans have become that."""
    for _ in range(1000):
        left = [pid for pid in alive(folder) if _is_child(pid)]
        if not left:
            return
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, 0.01)


def _be_the_command(run: Run, arguments: list[str], trap: Trap | None) -> None:
    """In the child: become the command `wavelane`, with its output in files."""
    code = 70
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        for number, path in ((0, Path(os.devnull)), (1, run.output), (2, run.errors)):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
            opened = os.open(path, flags, 0o644)
            os.dup2(opened, number)
            os.close(opened)
        os.environ.clear()
        os.environ.update(ENV, RUN_NUMBER=run.number)
        faulthandler.dump_traceback_later(PATIENCE * 0.9)
        if trap is not None:
            trap.arm()
        sys.argv = ["wavelane", *arguments]
        cli.main()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _state_and_parent(place: Path) -> tuple[str, int]:
    stat = (place / "stat").read_bytes()
    state, parent, *_ = stat[stat.rindex(b")") + 2 :].split()
    return state.decode(), int(parent)


def _is_child(pid: int) -> bool:
    with suppress(OSError):
        return _state_and_parent(Path("/proc", str(pid)))[1] == os.getpid()
    return False


def _names(place: Path, mark: bytes) -> bool:
    inside = mark + b"/"
    if inside in os.fsencode(os.readlink(place / "cwd")) + b"/":  # noqa: PTH115
        return True
    environment = (place / "environ").read_bytes().split(b"\0")
    return any(value.startswith((b"PWD=", b"WAVELANE_")) and mark in value for value in environment)


def _command_line(place: Path) -> str:
    return (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
