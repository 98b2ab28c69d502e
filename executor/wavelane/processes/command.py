"""Processes: one command, until everything that it started is gone.

1. A command leads its own session and process group: a Ctrl-C at the terminal does not reach it.
2. `run` puts a supervisor around the command (`wavelane.processes.supervisor`). When the command
   has ended, everything that descends from it is ended, whatever its process group or session is.
   When the caller is cancelled, all of it gets SIGTERM, `grace` seconds, then SIGKILL, and the
   cancellation proceeds when nothing is left. When the caller is killed, the supervisor does the
   same.
3. Then every process that has the session's token in its environment is killed
   (`wavelane.processes.tokens`): what is left if the supervisor was killed, or if the system has no
   subreaper and only the command's group was ended.
4. Nothing else is ever signalled.
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
from wavelane.processes.supervision import Supervision
from wavelane.processes.tokens import TOKEN, kill_by_token

CommandLine = str | tuple[str, ...]
"""Text is run by `sh -c`; a tuple is run as it is, without a shell."""

T = TypeVar("T")


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
    """Run `command` in `cwd`, and wait until it and everything that it started is gone.

    Args:
        command: What to run; its input is empty.
        cwd: The directory to run it in.
        env: Its whole environment. A token in it is the second net, see the module.
        log: A new file that gets both its outputs.
        grace: Seconds between SIGTERM and SIGKILL.
        register: Is called, before the command begins, with the id of the process that a later run
            has to end if this process is killed. Its exceptions pass through.

    Raises:
        OSError: The command cannot be started, or `log` is there already.
    """
    argv = ("sh", "-c", command) if isinstance(command, str) else command
    _look_for(argv[0], cwd, env)
    with _new_file(log) as output, Supervision(argv, grace) as supervision:

        def begin(process: asyncio.subprocess.Process) -> None:
            register(process.pid)
            supervision.begin(process)

        async def supervise() -> Exit:
            ended = await _lead(
                supervision.argv,
                cwd=cwd,
                env=env,
                stdout=output,
                stderr=output,
                grace=supervision.grace,
                keeps=supervision.keeps,
                begin=begin,
                cancelled=cancelled,
            )
            found = supervision.command_exit()
            if TOKEN in env:
                await kill_by_token(env[TOKEN])
            return Exit.of(ended if found is None else found)

        cancelled = asyncio.Event()
        return await uninterrupted(supervise(), on_cancel=cancelled.set)


async def ask(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    limit: int | None = None,
    patience: float = 0.0,
    keeps: tuple[int, ...] = (),
) -> CommandResult:
    """Run a short command for its output.

    Its outputs are real files, so nothing ever blocks on them. Whatever it leaves running in the
    background is left alone.

    Args:
        argv: The program and its arguments.
        env: Its whole environment.
        limit: Bytes of output to read; None: all.
        patience: Seconds that it has, after a cancellation, to end by itself.
        keeps: Open files that it inherits.

    Raises:
        OSError: It cannot be started.
    """
    cancelled = asyncio.Event()
    with TemporaryFile() as out, TemporaryFile() as errors:
        leading = _lead(
            argv,
            env=env,
            stdout=out,
            stderr=errors,
            patience=patience,
            keeps=keeps,
            cancelled=cancelled,
        )
        ended = Exit.of(await uninterrupted(leading, on_cancel=cancelled.set))
        return CommandResult(ended, _read(out, limit), _read(errors, 65_536))


async def _lead(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdout: IO[bytes],
    stderr: IO[bytes],
    cancelled: asyncio.Event,
    cwd: Path | None = None,
    patience: float = 0.0,
    grace: float = 5.0,
    keeps: tuple[int, ...] = (),
    begin: Callable[[asyncio.subprocess.Process], None] | None = None,
) -> int:
    """Run a process as the leader of a session of its own; its return code.

    With `begin`, it has an input, and its group is ended when it has ended.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=cwd,
        env=env,
        stdin=asyncio.subprocess.PIPE if begin else asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        pass_fds=keeps,
    )
    try:
        if begin is not None:
            begin(process)
        await _end_or_cancellation(process, cancelled, patience)
    finally:
        if process.returncode is None or begin is not None:
            await end_group(process.pid, grace)
        ended = await process.wait()
    return ended


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
