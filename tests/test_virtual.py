from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from wavelane.testing import Deadlock, VirtualLoop, run_virtual, virtual_clock
from wavelane.testing.virtual import EPOCH


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    found = VirtualLoop(patience=0.01)
    yield found
    found.close()


def test_hours_pass_at_once() -> None:
    async def main() -> float:
        before = asyncio.get_running_loop().time()
        await asyncio.sleep(36_000)
        return asyncio.get_running_loop().time() - before

    before = time.monotonic()
    assert run_virtual(main) == 36_000
    assert time.monotonic() - before < 3_600, "ten hours, in less than one on a slow machine"


def test_days_pass_at_once_too() -> None:
    async def main() -> float:
        await asyncio.sleep(30 * 86_400)
        return virtual_clock()

    assert run_virtual(main) == EPOCH + 30 * 86_400


def test_time_stands_still_while_anything_is_ready() -> None:
    async def main() -> list[float]:
        seen = []
        asyncio.get_running_loop().call_later(1, lambda: None)
        for _ in range(1000):
            await asyncio.sleep(0)
            seen.append(virtual_clock())
        return seen

    assert {*run_virtual(main)} == {EPOCH}


def test_timers_fire_in_the_order_of_their_times() -> None:
    fired: list[int] = []

    async def main() -> None:
        for seconds in (3, 1, 2):
            asyncio.get_running_loop().call_later(seconds, fired.append, seconds)
        await asyncio.sleep(5)

    run_virtual(main)

    assert fired == [1, 2, 3]


@pytest.mark.parametrize("number", [2, 20, 200])
def test_timers_of_one_time_keep_the_order_in_which_they_were_set(number: int) -> None:
    fired: list[int] = []

    async def main() -> None:
        when = asyncio.get_running_loop().time() + 5
        for at in range(number):
            asyncio.get_running_loop().call_at(when, fired.append, at)
        await asyncio.sleep(10)

    run_virtual(main)

    assert fired == [*range(number)]


def test_a_timer_that_was_cancelled_does_not_fire() -> None:
    fired: list[int] = []

    async def main() -> None:
        timers = [asyncio.get_running_loop().call_later(1, fired.append, at) for at in range(300)]
        for timer in timers[1:]:
            timer.cancel()
        await asyncio.sleep(2)

    run_virtual(main)

    assert fired == [0]


def test_a_timeout_is_in_virtual_time() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        return virtual_clock() - EPOCH

    assert run_virtual(main) == 3600


def test_work_for_a_thread_is_done_at_once_in_the_loops_own() -> None:
    async def main() -> tuple[int, float]:
        return await asyncio.to_thread(threading.get_ident), virtual_clock()

    assert run_virtual(main) == (threading.get_ident(), EPOCH)


def test_an_error_of_work_for_a_thread_is_raised_where_it_is_awaited() -> None:
    def work() -> None:
        raise OSError("no disk")

    async def main() -> None:
        with pytest.raises(OSError, match="no disk"):
            await asyncio.to_thread(work)

    run_virtual(main)


def test_when_everything_waits_for_nothing_it_is_a_deadlock() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match=r"everything waits, no timer is set, .* for 0\.01 s"):
        run_virtual(main, patience=0.01)


def test_another_thread_may_still_end_the_waiting() -> None:
    async def main() -> str:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(done.set))
        thread.start()
        await done.wait()
        thread.join()
        return "ended"

    assert run_virtual(main, patience=30) == "ended"


def test_a_loop_that_is_settled_has_run_all_that_is_ready_and_nothing_later(
    loop: VirtualLoop,
) -> None:
    seen: list[str] = []

    async def main() -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        seen.append("ready")
        await asyncio.sleep(1)
        seen.append("later")

    task = loop.create_task(main())
    loop.settle()
    assert seen == ["ready"]
    assert loop.time() == EPOCH

    loop.run_until_complete(task)
    assert seen == ["ready", "later"]


def test_a_loop_with_nothing_to_do_is_settled(loop: VirtualLoop) -> None:
    loop.settle()

    assert loop.time() == EPOCH


def test_the_clock_outside_of_a_loop_shows_when_time_starts() -> None:
    assert virtual_clock() == EPOCH


def test_the_patience_is_what_was_asked_for(loop: VirtualLoop) -> None:
    assert loop.patience == 0.01
