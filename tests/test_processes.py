from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.gitrepos import until

from wavelane.processes import (
    Exit,
    ask,
    group_is_alive,
    last_line,
    run,
    tail,
    uninterrupted,
)

ENV = {"PATH": os.environ["PATH"]}


async def group_written_to(path: Path) -> int:
    await until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


@asynccontextmanager
async def started(
    command: str, tmp_path: Path, grace: float = 5.0
) -> AsyncIterator[asyncio.Task[Exit]]:
    task = asyncio.create_task(
        run(command, cwd=tmp_path, env=ENV, log=tmp_path / "log", grace=grace)
    )
    yield task
    assert task.done()


async def test_a_text_is_run_by_the_shell(tmp_path: Path) -> None:
    ended = await run("echo one && exit 3", cwd=tmp_path, env=ENV, log=tmp_path / "log")

    assert ended == Exit(code=3)
    assert (tmp_path / "log").read_text() == "one\n"


async def test_a_tuple_is_run_as_it_is(tmp_path: Path) -> None:
    ended = await run(("echo", "$HOME  *"), cwd=tmp_path, env=ENV, log=tmp_path / "log")

    assert ended == Exit(code=0)
    assert (tmp_path / "log").read_text() == "$HOME  *\n"


async def test_both_outputs_go_to_the_log_and_the_input_is_empty(tmp_path: Path) -> None:
    await run("cat; echo out; echo err >&2", cwd=tmp_path, env=ENV, log=tmp_path / "log")

    assert (tmp_path / "log").read_text() == "out\nerr\n"


async def test_a_command_that_is_killed_tells_the_signal(tmp_path: Path) -> None:
    ended = await run("kill -KILL $$", cwd=tmp_path, env=ENV, log=tmp_path / "log")

    assert ended == Exit(signal=signal.SIGKILL)
    assert str(ended) == "was killed by signal SIGKILL"
    assert ended.brief == "signal SIGKILL"


async def test_a_program_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await run(("no-such-program",), cwd=tmp_path, env=ENV, log=tmp_path / "log")


async def test_a_log_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("kept")

    with pytest.raises(FileExistsError):
        await run("echo lost", cwd=tmp_path, env=ENV, log=tmp_path / "log")

    assert (tmp_path / "log").read_text() == "kept"


async def test_a_time_out_ends_the_whole_tree(tmp_path: Path) -> None:
    command = "(sleep 1000 & sleep 1000) & sleep 1000 & echo $$ > group; sleep 1000"

    async def with_a_time_out() -> None:
        async with asyncio.timeout(None) as limit, started(command, tmp_path) as task:
            groups.append(await group_written_to(tmp_path / "group"))
            limit.reschedule(asyncio.get_running_loop().time())
            await task

    groups: list[int] = []
    with pytest.raises(TimeoutError):
        await with_a_time_out()

    assert [group_is_alive(group) for group in groups] == [False]


async def test_what_ignores_the_polite_signal_is_killed_after_the_grace(tmp_path: Path) -> None:
    command = "trap '' TERM; (trap '' TERM; while :; do sleep 1000; done) & echo $$ > group; wait"

    async with started(command, tmp_path, grace=0.05) as task:
        group = await group_written_to(tmp_path / "group")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert not group_is_alive(group)


async def test_a_command_may_clean_up_within_the_grace(tmp_path: Path) -> None:
    command = "trap 'echo cleaned > done; exit 0' TERM; echo $$ > group; sleep 1000 & wait"

    async with started(command, tmp_path) as task:
        await group_written_to(tmp_path / "group")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert (tmp_path / "done").read_text() == "cleaned\n"


async def test_cancelling_twice_still_ends_the_whole_group(tmp_path: Path) -> None:
    async with started("trap '' TERM; echo $$ > group; sleep 1000", tmp_path, grace=0.05) as task:
        group = await group_written_to(tmp_path / "group")
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert not group_is_alive(group)


async def test_cancelled_while_it_starts_nothing_is_left(tmp_path: Path) -> None:
    async with started("echo $$ > group; sleep 1000", tmp_path) as task:
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    written = tmp_path / "group"
    assert not written.exists() or not group_is_alive(int(written.read_text()))


async def test_what_a_command_left_in_the_background_is_ended(tmp_path: Path) -> None:
    ended = await run(
        "sleep 1000 & echo $$ > group; exit 7", cwd=tmp_path, env=ENV, log=tmp_path / "log"
    )

    assert ended == Exit(code=7)
    assert not group_is_alive(int((tmp_path / "group").read_text()))


async def test_a_process_of_another_group_is_left_alone(tmp_path: Path) -> None:
    other = await asyncio.create_subprocess_exec("sleep", "1000", start_new_session=True)
    try:
        await run("sleep 1000 & exit 0", cwd=tmp_path, env=ENV, log=tmp_path / "log")

        assert other.returncode is None
        assert group_is_alive(other.pid)
    finally:
        other.kill()
        await other.wait()


async def test_many_commands_run_side_by_side(tmp_path: Path) -> None:
    """Each waits until all others have started, so none may queue."""
    everyone = 20
    command = f'touch started-$0; until [ "$(ls | grep -c ^started-)" = {everyone} ]; do :; done'

    ended = await asyncio.gather(
        *(
            run(("sh", "-c", command, str(n)), cwd=tmp_path, env=ENV, log=tmp_path / f"log-{n}")
            for n in range(everyone)
        )
    )

    assert ended == [Exit(code=0)] * everyone


async def test_a_patient_command_is_finished_after_a_cancellation(tmp_path: Path) -> None:
    command = "cd $0; echo $$ > group; until [ -e go ]; do :; done; echo finished > done"
    task = asyncio.create_task(ask(("sh", "-c", command, str(tmp_path)), env=ENV, patience=60))
    await group_written_to(tmp_path / "group")
    task.cancel()
    await asyncio.sleep(0)
    (tmp_path / "go").touch()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (tmp_path / "done").read_text() == "finished\n"


async def test_a_short_command_gives_its_answer() -> None:
    answer = await ask(("sh", "-c", "printf abcdef; echo trouble >&2; exit 4"), env=ENV, limit=3)

    assert (answer.exit, answer.out, answer.errors, answer.ok) == (
        Exit(code=4),
        "abc",
        "trouble\n",
        False,
    )


async def test_uninterrupted_work_ends_before_the_cancellation_goes_on() -> None:
    gate = asyncio.Event()
    ended = []

    async def work() -> None:
        await gate.wait()
        ended.append("work")

    task = asyncio.create_task(uninterrupted(work()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    still_waiting = not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert still_waiting
    assert ended == ["work"]


async def test_uninterrupted_work_that_raises_gives_way_to_a_cancellation() -> None:
    gate = asyncio.Event()

    async def work() -> None:
        await gate.wait()
        raise ValueError("hidden")

    task = asyncio.create_task(uninterrupted(work()))
    await asyncio.sleep(0)
    task.cancel()
    gate.set()

    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"one\ntwo\n\n  \n", "two"),
        (b"\x1b[31mred\x1b[0m alert\n", "red alert"),
        (b"10%\r50%\r100%\n", "100%"),
        (b"broken \xff byte", "broken � byte"),
        (b"", ""),
        (b"\n\n", ""),
        (b"x" * 2_000, "x" * 499 + "…"),
    ],
)
def test_the_last_line_of_a_log(tmp_path: Path, data: bytes, expected: str) -> None:
    (tmp_path / "log").write_bytes(data)

    assert last_line(tmp_path / "log") == expected


def test_the_tail_of_a_log_does_not_begin_in_the_middle_of_a_letter(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("ääää")

    assert tail(tmp_path / "log", 3) == "ä"


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "log", 10) == ""
    assert last_line(tmp_path / "log") == ""
