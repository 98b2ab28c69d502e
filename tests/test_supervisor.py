"""Nothing that a session has started outlives it, whatever it calls and whoever is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
from tests.gitrepos import until

from wavelane.processes import TOKEN, Exit, SessionRegistry, ask, run
from wavelane.processes.tokens import processes_with

ENV = {"PATH": os.environ["PATH"], TOKEN: "a-token"}
LINGER = "echo $$ > {name}.new; mv {name}.new {name}; while :; do sleep 0.05; done"
ESCAPES = {
    "a session of its own": "setsid sh -c '{linger}' &",
    "a double fork": "(setsid sh -c '{linger}' &) &",
    "a deaf one": "setsid sh -c 'trap \"\" TERM HUP INT; {linger}' &",
    "a process group of its own": "set -m; sh -c '{linger}' & set +m;",
    "an empty environment": "setsid env -i PATH=$PATH sh -c '{linger}' &",
    "a stopped one": "setsid sh -c 'echo $$ > {name}.new; mv {name}.new {name}; kill -STOP $$' &",
}
"""Ways in which a process leaves the group of the command that started it."""


def escaping(how: str, name: str = "escaped") -> str:
    """A command that starts a process in this way, which writes its id to a file."""
    return ESCAPES[how].format(linger=LINGER.format(name=name), name=name)


async def id_in(path: Path) -> int:
    await until(path.exists)
    return int(path.read_text())


def is_alive(pid: int) -> bool:
    try:
        stat = Path("/proc", str(pid), "stat").read_bytes()
    except OSError:
        return False
    return stat[stat.rindex(b")") + 2 :][:1] not in (b"Z", b"X")


@asynccontextmanager
async def cancelled(command: str, tmp_path: Path) -> AsyncIterator[None]:
    """Around what happens while the command runs; then it is cancelled."""
    task = asyncio.create_task(run(command, cwd=tmp_path, env=ENV, log=tmp_path / "log", grace=0.2))
    yield
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("how", ESCAPES)
async def test_what_has_left_the_group_ends_with_the_command(how: str, tmp_path: Path) -> None:
    command = f"{escaping(how)} until [ -e escaped ]; do sleep 0.01; done; exit 3"

    ended = await run(command, cwd=tmp_path, env=ENV, log=tmp_path / "log", grace=0.2)

    assert ended == Exit(code=3)
    assert not is_alive(await id_in(tmp_path / "escaped"))


@pytest.mark.parametrize("how", ESCAPES)
async def test_what_has_left_the_group_ends_when_the_command_is_cancelled(
    how: str, tmp_path: Path
) -> None:
    async with cancelled(f"{escaping(how)} sleep 1000", tmp_path):
        pid = await id_in(tmp_path / "escaped")

    assert not is_alive(pid)


async def test_an_exit_by_a_signal_is_that_of_the_command(tmp_path: Path) -> None:
    ended = await run("kill -USR1 $$", cwd=tmp_path, env=ENV, log=tmp_path / "log")

    assert ended == Exit(signal=signal.SIGUSR1)


async def test_a_command_sees_the_signals_that_it_would_see_without_a_supervisor(
    tmp_path: Path,
) -> None:
    await run("grep Sig[IB] /proc/self/status", cwd=tmp_path, env=ENV, log=tmp_path / "log")
    alone = await ask(("grep", "Sig[IB]", "/proc/self/status"), env=ENV)

    assert (tmp_path / "log").read_text() == alone.out


async def test_a_command_inherits_no_file_of_its_supervisor(tmp_path: Path) -> None:
    await run("ls /proc/self/fd", cwd=tmp_path, env=ENV, log=tmp_path / "log")

    assert (tmp_path / "log").read_text().split() == ["0", "1", "2", "3"]  # 3: the folder itself


async def test_what_was_there_before_is_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen(("sleep", "1000"), start_new_session=True)
    try:
        await run(escaping("a double fork"), cwd=tmp_path, env=ENV, log=tmp_path / "log")

        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("how", [one for one in ESCAPES if one != "an empty environment"])
async def test_when_the_supervisor_is_killed_the_session_ends_by_its_token(
    how: str, tmp_path: Path
) -> None:
    supervisors: list[int] = []
    task = asyncio.create_task(
        run(
            f"{escaping(how)} sleep 1000",
            cwd=tmp_path,
            env=ENV,
            log=tmp_path / "log",
            register=supervisors.append,
        )
    )
    pid = await id_in(tmp_path / "escaped")

    os.kill(supervisors[0], signal.SIGKILL)

    assert await task == Exit(signal=signal.SIGKILL)
    assert not is_alive(pid)


@pytest.mark.parametrize("how", [one for one in ESCAPES if one != "an empty environment"])
async def test_without_a_subreaper_the_session_ends_by_its_token(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wavelane.processes.supervision.is_possible", lambda: False)

    async with cancelled(f"{escaping(how)} sleep 1000", tmp_path):
        pid = await id_in(tmp_path / "escaped")

    assert not is_alive(pid)


# The scheduler is killed

RUNS_A_COMMAND = """
import asyncio, sys
from pathlib import Path
from wavelane.processes import TOKEN, SessionRegistry, run
async def main():
    folder = Path(sys.argv[1])
    with SessionRegistry(folder / "sessions").session("a-token") as session:
        await run(sys.argv[2], cwd=folder, env={"PATH": sys.argv[3], TOKEN: "a-token"},
                  log=folder / "log", grace=0.2, register=session.register)
asyncio.run(main())
"""


@contextmanager
def scheduler_of(command: str, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs the command for a session on record, as a scheduler does."""
    arguments = (sys.executable, "-c", RUNS_A_COMMAND, str(tmp_path), command, ENV["PATH"])
    process = subprocess.Popen(arguments)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pid in processes_with("a-token"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("how", ESCAPES)
async def test_when_the_scheduler_is_killed_the_session_ends_by_itself(
    how: str, tmp_path: Path
) -> None:
    with scheduler_of(f"{escaping(how)} sleep 1000", tmp_path) as scheduler:
        pid = await id_in(tmp_path / "escaped")

        scheduler.kill()

        await until(lambda: not is_alive(pid) and not processes_with("a-token"))


@pytest.mark.parametrize("how", [one for one in ESCAPES if one != "an empty environment"])
async def test_when_both_are_killed_the_next_run_ends_what_is_left(
    how: str, tmp_path: Path
) -> None:
    registry = SessionRegistry(tmp_path / "sessions")
    with scheduler_of(f"{escaping(how)} sleep 1000", tmp_path) as scheduler:
        pid = await id_in(tmp_path / "escaped")
        freeze = [os.getpgid(one) for one in processes_with("a-token") if is_supervisor(one)]
        for supervisor in freeze:
            os.kill(supervisor, signal.SIGSTOP)
        scheduler.kill()
        scheduler.wait()
        for supervisor in freeze:
            os.kill(supervisor, signal.SIGKILL)
        assert is_alive(pid)

        assert await registry.end_leftovers(grace=0.2) == 1

        assert not is_alive(pid)
        assert processes_with("a-token") == []


def is_supervisor(pid: int) -> bool:
    return b"supervisor.py" in Path("/proc", str(pid), "cmdline").read_bytes()


async def test_a_command_does_not_begin_when_it_cannot_be_registered(tmp_path: Path) -> None:
    def refuse(pid: int) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        await run("touch begun", cwd=tmp_path, env=ENV, log=tmp_path / "log", register=refuse)

    assert not (tmp_path / "begun").exists()
