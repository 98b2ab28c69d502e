"""Processes: one command in a process group of its own, until the whole group is gone.

1. A command leads its own session and process group. A signal to the group reaches everything that
   the command has started, and a Ctrl-C at the terminal does not reach it.
2. When the command has ended, the rest of its group is ended too.
3. When the caller is cancelled, the group gets SIGTERM, `grace` seconds, then SIGKILL. The
   cancellation proceeds when the whole group is gone.
4. Nothing but that group is ever signalled. A process that made a session of its own (a daemon) has
   left the group and is not ended.
5. A command that later runs must know (`register`) begins only when it is on record: it waits for a
   line on its input, and ends if its input ends without one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from errno import EACCES, ENOENT
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TypeVar

from wavelane.processes.groups import end_group

CommandLine = str | tuple[str, ...]
"""Text is run by `sh -c`; a tuple is run as it is, without a shell."""

T = TypeVar("T")

_LATCH = ("sh", "-c", 'read -r begin && exec "$@" </dev/null', "sh")
"""Waits for a line on its input, and becomes the command that follows."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: with an exit `code`, or by a `signal`; the other one is None."""

    code: int | None = None
    signal: int | None = None

    @classmethod
    def of(cls, returncode: int) -> Exit:
        """From the number that `subprocess` gives, which is negative for a signal."""
        return cls(signal=-returncode) if returncode < 0 else cls(code=returncode)

    @property
    def brief(self) -> str:
        """In two words: `exit 3`, `signal SIGKILL`."""
        if self.signal is not None:
            return f"signal {_signal_name(self.signal)}"
        return f"exit {self.code}"

    def __str__(self) -> str:
        """As the end of a sentence: `exited with 3`, `was killed by signal SIGKILL`."""
        if self.signal is not None:
            return f"was killed by signal {_signal_name(self.signal)}"
        return f"exited with {self.code}"


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The output of a short command. `out` may have been cut to the length asked for."""

    exit: Exit
    out: str
    errors: str

    @property
    def ok(self) -> bool:
        """Whether the command succeeded."""
        return self.exit.code == 0


async def run(
    command: CommandLine,
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    grace: float = 5.0,
    register: Callable[[int], None] = lambda pid: None,
) -> Exit:
    """Run `command` in `cwd` and wait until it and its group have ended.

    Its input is empty; both its outputs go to the new file `log`. `grace` is in seconds. `register`
    is called with its process id before it begins; its exceptions pass through. Raises `OSError` if
    the command cannot be started, or if `log` exists already.
    """
    argv = ("sh", "-c", command) if isinstance(command, str) else command
    _look_for(argv[0], cwd, env)
    with _new_file(log) as output:
        return await execute(
            (*_LATCH, *argv),
            cwd=cwd,
            env=env,
            stdout=output,
            stderr=output,
            grace=grace,
            register=register,
        )


async def ask(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    limit: int | None = None,
    patience: float = 0.0,
    keeps: tuple[int, ...] = (),
) -> CommandResult:
    """Run a short command for its output; see `execute`. `limit`: bytes of output to read.

    `keeps` are open files that it inherits. Whatever it leaves running in the background is left
    alone. Raises `OSError` if it cannot be started.
    """
    with TemporaryFile() as out, TemporaryFile() as errors:
        ended = await execute(
            argv,
            env=env,
            stdout=out,
            stderr=errors,
            patience=patience,
            leave_rest=True,
            keeps=keeps,
        )
        return CommandResult(ended, _read(out, limit), _read(errors, 65_536))


async def execute(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdout: IO[bytes],
    stderr: IO[bytes],
    cwd: Path | None = None,
    patience: float = 0.0,
    grace: float = 5.0,
    leave_rest: bool = False,
    keeps: tuple[int, ...] = (),
    register: Callable[[int], None] | None = None,
) -> Exit:
    """Run `argv` and wait for its end. The outputs are real files, so nothing ever blocks on them.

    With `register`, it gets a line of input once that has returned, and no input without it. When
    cancelled, the process has `patience` seconds to end by itself before its group is ended. With
    `leave_rest`, whatever it left running in the background is left alone. Raises `OSError` if it
    cannot be started.
    """
    cancelled = asyncio.Event()

    async def lead() -> Exit:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=env,
            stdin=asyncio.subprocess.PIPE if register else asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            pass_fds=keeps,
        )
        try:
            if register is not None:
                register(process.pid)
                _release_latch(process)
            await _end_or_cancellation(process, cancelled, patience)
        finally:
            if process.returncode is None or not leave_rest:
                await end_group(process.pid, grace)
        return Exit.of(await process.wait())

    return await uninterrupted(lead(), on_cancel=cancelled.set)


async def uninterrupted(work: Awaitable[T], *, on_cancel: Callable[[], None] = lambda: None) -> T:
    """Await `work` to its end, even when cancelled; only then does the cancellation proceed.

    `on_cancel` is called at each cancellation. A cancellation hides what `work` returned or raised.
    """
    task = asyncio.ensure_future(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancellation = error
            on_cancel()
    if cancellation is None:
        return task.result()
    if not task.cancelled():
        task.exception()
    raise cancellation


def _release_latch(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.close()


def _look_for(program: str, cwd: Path, env: Mapping[str, str]) -> None:
    """Raise `OSError` for a program that cannot be started."""
    path = os.path.join(cwd, program) if "/" in program else program  # noqa: PTH118
    if shutil.which(path, path=env.get("PATH")) is None:
        if os.path.exists(path):  # noqa: PTH110
            raise PermissionError(EACCES, os.strerror(EACCES), program)
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), program)


def _new_file(path: Path) -> IO[bytes]:
    return path.open("xb")


def _read(file: IO[bytes], limit: int | None) -> str:
    file.seek(0)
    return file.read(-1 if limit is None else limit).decode("utf-8", "replace")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


async def _end_or_cancellation(
    process: asyncio.subprocess.Process, cancelled: asyncio.Event, patience: float
) -> None:
    ended = asyncio.ensure_future(process.wait())
    cancellation = asyncio.ensure_future(cancelled.wait())
    try:
        await asyncio.wait((ended, cancellation), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done() and patience > 0:
            await asyncio.wait((ended,), timeout=patience)
    finally:
        ended.cancel()
        cancellation.cancel()
        await asyncio.wait((ended, cancellation))
