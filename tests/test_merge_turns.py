"""Merges of the engine's own, in turn with those of the issues."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.helpers import scheduler_of, wave_of
from tests.runs import Overridden, cancelled, started

from wavelane import (
    Assignment,
    IllegalEvent,
    JournalError,
    Report,
)
from wavelane.testing import ScriptedPipeline, run_virtual
from wavelane.testing.virtual import EPOCH


def test_the_engines_own_merge_waits_in_the_queue_with_the_issues() -> None:
    pipeline = ScriptedPipeline(seconds=lambda step, issue: 600 if step == "merge" else 60)
    scheduler = scheduler_of(wave_of("a#1", "a#2", "a#3"), pipeline, cap=3, lane_release="review")
    turns: list[tuple[float, float]] = []

    async def main() -> None:
        run = await started(scheduler, 200)  # a#1 merges, a#2 waits, a#3 is implemented
        async with scheduler.merge_turn("a"):
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(100)
            turns.append((began, asyncio.get_running_loop().time()))
        await run

    run_virtual(main)

    merges = [(call.began, call.ended) for call in pipeline.calls if call.name[0] == "merge"]
    assert [begin - EPOCH for begin, _ in merges] == [120, 720, 1420]
    assert turns == [(EPOCH + 1320, EPOCH + 1420)]


def test_a_turn_before_the_run_waits_for_its_start() -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("a#1"), pipeline)
    order: list[str] = []

    async def turn() -> None:
        async with scheduler.merge_turn("a"):
            order.append("turn")
            await asyncio.sleep(10)

    async def main() -> None:
        waiting = asyncio.create_task(turn())
        await asyncio.sleep(100)
        order.append("start")
        await scheduler.run()
        await waiting

    run_virtual(main)

    assert order == ["start", "turn"]


def test_a_turn_goes_on_while_the_wave_is_paused() -> None:
    scheduler = scheduler_of(wave_of("a#1"))
    scheduler.cap.pause()

    async def main() -> None:
        run = await started(scheduler)
        async with scheduler.merge_turn("a"):
            pass
        scheduler.cap.resume()
        await run

    run_virtual(main)


def test_turns_of_two_repos_do_not_wait_for_each_other() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"))

    async def main() -> None:
        run = await started(scheduler)
        async with scheduler.merge_turn("a"), scheduler.merge_turn("b"):
            pass
        await run

    run_virtual(main)


def test_a_turn_that_is_asked_for_after_the_last_issue_has_ended_is_refused() -> None:
    taking: list[asyncio.Task[None]] = []

    async def take() -> None:
        async with scheduler.merge_turn("a"):
            pass

    async def merge_and_go_on(issue: Assignment) -> None:
        taking.append(asyncio.ensure_future(take()))

    scheduler = scheduler_of(wave_of("a#1"), Overridden("merge", merge_and_go_on))

    async def run() -> Report:
        report = await scheduler.run()
        with pytest.raises(IllegalEvent, match="the run is over"):
            await taking[0]
        return report

    assert run_virtual(run).outcome == "complete"


def test_a_turn_in_an_unknown_repo_is_refused_by_name() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"))

    async def main() -> None:
        with pytest.raises(IllegalEvent, match='there is no repo "x" in the wave; its repos are a'):
            async with scheduler.merge_turn("x"):
                pass

    run_virtual(main)


def test_a_turn_after_the_run_is_refused() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> None:
        await scheduler.run()
        with pytest.raises(IllegalEvent, match=r"the run .* comes too late"):
            async with scheduler.merge_turn("a"):
                pass

    run_virtual(main)


def test_an_exception_inside_a_turn_gives_it_back() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> Report:
        run = await started(scheduler)
        with pytest.raises(ValueError, match="mine"):
            async with scheduler.merge_turn("a"):
                raise ValueError("mine")
        return await run

    assert run_virtual(main).outcome == "complete"


def test_who_gives_up_waiting_for_a_turn_gives_up_the_place_in_the_queue() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> Report:
        run = await started(scheduler)
        async with scheduler.merge_turn("a"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(50), scheduler.merge_turn("a"):
                    pass
        return await run

    assert run_virtual(main).outcome == "complete"


def test_who_is_cancelled_in_the_moment_of_the_grant_gives_the_turn_back() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def turn() -> None:
        async with scheduler.merge_turn("a"):
            await asyncio.sleep(3600)

    async def main() -> Report:
        run = await started(scheduler)
        waiting = asyncio.create_task(turn())
        await asyncio.sleep(0)  # it has asked
        await asyncio.sleep(0)  # it has been granted, and not noticed yet
        waiting.cancel()
        return await run

    report = run_virtual(main)

    assert report.outcome == "complete"
    assert report.ended_at == EPOCH + 180


def test_a_run_does_not_end_while_a_turn_is_held() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"))

    async def main() -> Report:
        run = await started(scheduler, 150)
        async with scheduler.merge_turn("b"):
            await asyncio.sleep(1000)
        return await run

    report = run_virtual(main)

    assert report.outcome == "complete"
    assert report.ended_at == EPOCH + 180 + 1000


def test_who_waits_for_a_turn_when_the_run_is_cancelled_is_told() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"))

    async def turn() -> None:
        async with scheduler.merge_turn("a"):
            pass

    async def main() -> None:
        run = await started(scheduler, 130)
        waiting = asyncio.create_task(turn())
        await asyncio.sleep(0)
        await cancelled(run)
        with pytest.raises(RuntimeError, match="the run ended before the merge turn came"):
            await waiting

    run_virtual(main)


def test_who_waits_for_a_turn_of_a_run_that_cannot_begin_is_told(tmp_path: Path) -> None:
    scheduler = scheduler_of(wave_of("a#1"), journal=tmp_path / "missing" / "journal")

    async def turn() -> None:
        async with scheduler.merge_turn("a"):
            pass

    async def main() -> None:
        waiting = asyncio.create_task(turn())
        await asyncio.sleep(0)
        with pytest.raises(JournalError):
            await scheduler.run()
        with pytest.raises(RuntimeError, match="the run ended before the merge turn came"):
            await waiting

    run_virtual(main)


def test_who_holds_a_turn_when_the_run_is_cancelled_may_finish() -> None:
    scheduler = scheduler_of(wave_of("a#1"))
    finished: list[str] = []

    async def turn() -> None:
        async with scheduler.merge_turn("a"):
            await asyncio.sleep(100)
            finished.append("merge")

    async def main() -> None:
        run = await started(scheduler)
        holding = asyncio.create_task(turn())
        await asyncio.sleep(10)
        await cancelled(run)
        await holding

    run_virtual(main)

    assert finished == ["merge"]
