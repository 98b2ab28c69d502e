"""The notices of a run while it is under way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.helpers import scheduler_of, wave_of
from tests.runs import cancelled, started

from wavelane import JournalError, Notice, Scheduler
from wavelane.testing import run_virtual
from wavelane.testing.virtual import EPOCH


def in_words(notices: list[Notice]) -> list[str]:
    return [
        f"{one.issue} {one.source} → {one.target}"
        if one.kind == "issue"
        else f"{one.kind} {one.level if one.kind == 'cap' else one.reason}"
        for one in notices
    ]


async def collect(scheduler: Scheduler) -> list[Notice]:
    return [notice async for notice in scheduler.events()]


def test_the_stream_of_notices_has_all_that_happens_and_ends_with_the_run() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> list[Notice]:
        reading = asyncio.create_task(collect(scheduler))
        await started(scheduler)
        scheduler.cap.pause()
        scheduler.cap.resume()
        return await reading

    notices = run_virtual(main)

    assert in_words(notices) == [
        "cap 1",
        "a#1 queued → admitted",
        "a#1 admitted → running",
        "cap 0",
        "cap 1",
        "a#1 running → review",
        "a#1 review → review",
        "a#1 review → merging",
        "a#1 merging → merging",
        "a#1 merging → done",
        "end complete",
    ]
    assert [notice.at - EPOCH for notice in notices][-4:] == [120, 120, 180, 180]
    assert {notice.repo for notice in notices if notice.kind == "issue"} == {"a"}


def test_a_stream_has_what_happens_after_it_was_opened() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> list[Notice]:
        await started(scheduler, 130)
        return await collect(scheduler)

    assert in_words(run_virtual(main)) == ["a#1 merging → done", "end complete"]


def test_a_stream_after_the_run_is_empty() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> list[Notice]:
        await scheduler.run()
        return await collect(scheduler)

    assert run_virtual(main) == []


def test_a_notice_has_the_reason_at_its_own_time() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> list[Notice]:
        reading = asyncio.create_task(collect(scheduler))
        await asyncio.sleep(0)
        scheduler.park("a#1", "which key?")
        scheduler.unpark("a#1")
        await scheduler.run()
        return await reading

    assert [notice.reason for notice in run_virtual(main)][:2] == ["which key?", ""]


def test_a_reader_that_comes_after_a_park_still_gets_its_reason() -> None:
    scheduler = scheduler_of(wave_of("a#1"))
    scheduler.park("a#1", "which key?")

    async def main() -> list[Notice]:
        reading = asyncio.create_task(collect(scheduler))
        await asyncio.sleep(0)
        await scheduler.run()
        return await reading

    assert run_virtual(main)[0].reason == "which key?"


def test_all_readers_of_one_stream_reach_its_end() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> int:
        stream = scheduler.events()

        async def read() -> int:
            return len([notice async for notice in stream])

        readers = [asyncio.create_task(read()) for _ in range(3)]
        await scheduler.run()
        return sum(await asyncio.gather(*readers))

    assert run_virtual(main) == 9


def test_a_stream_ends_when_the_run_is_cancelled() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> list[str]:
        reading = asyncio.create_task(collect(scheduler))
        await cancelled(await started(scheduler, 30))
        return in_words(await reading)

    assert run_virtual(main)[-1] == "a#1 admitted → running"


def test_a_stream_ends_when_the_run_cannot_begin(tmp_path: Path) -> None:
    scheduler = scheduler_of(wave_of("a#1"), journal=tmp_path / "missing" / "journal")

    async def main() -> list[Notice]:
        reading = asyncio.create_task(collect(scheduler))
        with pytest.raises(JournalError):
            await scheduler.run()
        return await reading

    assert run_virtual(main) == []
