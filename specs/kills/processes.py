"""Processes: the runs, each a child of this process, and the processes that they leave behind.

This process is a *subreaper*: a process that loses its parent becomes its child. So no orphan
escapes, and the process id of a child is not reused before it is reaped here. Only children are
ever signalled.
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
"""The modules that a run imports; a run is a fork of this process, so it starts at once."""
RUN_TIMEOUT: Final = 60.0
"""Seconds that a run may take. It takes two or three."""
INTERRUPTED: Final = 130
"""Exit code of a command that is interrupted before it has begun to run the wave."""
_PR_SET_CHILD_SUBREAPER: Final = 36


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: with an exit `code`, or by a `signal`; the other one is None."""

    code: int | None
    signal: int | None

    @property
    def was_killed(self) -> bool:
        return self.signal == signal.SIGKILL

    def __str__(self) -> str:
        if self.signal is not None:
            return signal.Signals(self.signal).name
        return f"exit {self.code}"


class FaultInjector(Protocol):
    """A fault of a run, which is prepared in its process before it begins."""

    def install(self) -> None: ...


class Run:
    """One run of the command, in a process of its own."""

    def __init__(
        self, number: str, arguments: list[str], folder: Path, injector: FaultInjector | None
    ):
        """Start it. Its `number` is in its sessions' log, and in the names of its output files."""
        self.number = number
        self.output = folder / f"run-{number}.out"
        self.errors = folder / f"run-{number}.err"
        self.ended: Ended | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _run_command(self, arguments, injector)
            finally:
                os._exit(INTERRUPTED)  # if an interrupt comes as it ends

    def wait(self, seconds: float = RUN_TIMEOUT) -> Ended | None:
        """Wait for its end; None if it has not ended within that time."""
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
        """Signal it; False if it has ended."""
        if self.wait(0) is not None:
            return False
        os.kill(self.pid, number)  # a child that is not reaped keeps its id
        return True


def become_subreaper() -> None:
    """Make this process a subreaper, which also learns of the end of orphans."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this process cannot become a subreaper")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    _reaped.clear()


_reaped: dict[int, Ended] = {}


def reaped() -> dict[int, Ended]:
    """All children that have ended so far, and how."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return _reaped
        if pid == 0:
            return _reaped
        code = os.waitstatus_to_exitcode(status)
        _reaped[pid] = Ended(None, -code) if code < 0 else Ended(code, None)


def processes_of(folder: Path) -> dict[int, str]:
    """The processes of a folder: children, and those with it in their environment or cwd."""
    reaped()
    mark = os.fsencode(f"{folder}")
    found = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if entry.isdecimal() and int(entry) != os.getpid():
            directory = Path("/proc", entry)
            with suppress(OSError):
                state, parent = _state_and_parent(directory)
                if state not in "ZX" and (parent == os.getpid() or _names(directory, mark)):
                    found[int(entry)] = _command_line(directory)
    return found


def kill_all(folder: Path) -> None:
    """Kill the processes that a failure has left; orphans are children by then."""
    for _ in range(1000):
        left = [pid for pid in processes_of(folder) if _is_child(pid)]
        if not left:
            return
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, 0.01)


def _run_command(run: Run, arguments: list[str], injector: FaultInjector | None) -> None:
    """In the child: run the command `wavelane`, with its output in files."""
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
        faulthandler.dump_traceback_later(RUN_TIMEOUT * 0.9)
        if injector is not None:
            injector.install()
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


def _state_and_parent(directory: Path) -> tuple[str, int]:
    stat = (directory / "stat").read_bytes()
    state, parent, *_ = stat[stat.rindex(b")") + 2 :].split()
    return state.decode(), int(parent)


def _is_child(pid: int) -> bool:
    with suppress(OSError):
        return _state_and_parent(Path("/proc", str(pid)))[1] == os.getpid()
    return False


def _names(directory: Path, mark: bytes) -> bool:
    inside = mark + b"/"
    if inside in os.fsencode(os.readlink(directory / "cwd")) + b"/":  # noqa: PTH115
        return True
    environment = (directory / "environ").read_bytes().split(b"\0")
    return any(value.startswith((b"PWD=", b"WAVELANE_")) and mark in value for value in environment)


def _command_line(directory: Path) -> str:
    return (
        (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    )
