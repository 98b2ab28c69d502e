"""The control of the cap, from any thread and at any time."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from specs.observers import Observer
from tests.helpers import scheduler_of, wave_of
from tests.runs import Overridden, started

import wavelane.replay.replay
import wavelane.scheduler.scheduler
import wavelane.scheduler.session_tasks
from wavelane import (
    Approved,
    Assignment,
    IllegalEvent,
    Issue,
    Merged,
    Report,
    Scheduler,
    Wave,
)
from wavelane.steps import Step
from wavelane.testing import ScriptedPipeline, run_virtual
from wavelane.testing.virtual import EPOCH
from wavelane_model.lifecycle import LaneRelease


def test_a_level_that_is_set_before_the_run_applies_from_its_start() -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("a#1", "b#1", "c#1"), pipeline)
    assert scheduler.cap.set(1) == 1

    report = run_virtual(scheduler.run)

    assert [call.began - EPOCH for call in pipeline.calls] == [60 * n for n in range(9)]
    assert report.highest_cap == 1


def test_a_move_of_the_cap_returns_the_new_level() -> None:
    cap = scheduler_of(wave_of("a#1", "b#1", "c#1")).cap

    moves = [cap.step_down, cap.step_down, cap.step_down, cap.step_down, cap.step_up, cap.pause]
    assert [move() for move in moves] == [2, 1, 0, 0, 1, 0]
    assert [cap.resume(), cap.resume(), cap.set(3), cap.set(3), cap.step_up()] == [1, 1, 3, 3, 3]
    assert repr(cap) == "<cap 3 of 3>"


@pytest.mark.parametrize("level", [-1, 4])
def test_a_level_out_of_range_is_refused(level: int) -> None:
    with pytest.raises(
        ValueError, match=rf"the cap's level is {level}; give 0 \(paused\) to 3, its"
    ):
        scheduler_of(wave_of("a#1", "b#1", "c#1")).cap.set(level)


@pytest.mark.parametrize("level", [1.0, True, None, "2"])
def test_a_level_that_is_not_a_whole_number_is_refused(level: Any) -> None:
    with pytest.raises(TypeError, match=r"the cap's level is .*; give a whole number"):
        scheduler_of(wave_of("a#1")).cap.set(level)


def test_a_move_of_the_cap_after_the_run_changes_nothing() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"))
    run_virtual(scheduler.run)

    assert scheduler.cap.step_down() == 2


def test_a_session_that_was_ordered_does_not_begin_after_a_pause() -> None:
    async def implement(issue: Assignment) -> None:
        scheduler.cap.pause()

    pipeline = Overridden("implement", implement)
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline)

    async def main() -> str:
        run = await started(scheduler, 1000)
        assert pipeline.calls == []
        assert scheduler.status("b#1").state == "queued"
        scheduler.cap.resume()
        return (await run).outcome

    assert run_virtual(main) == "complete"


class Watched(ScriptedPipeline):
    """Reports each step to an observer; a step needs a permit to end."""

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self.observer = observer
        self.permits = asyncio.Semaphore(0)
        self.errors: list[Exception] = []

    async def _play(self, step: Step, issue: Assignment) -> object:
        try:
            self.observer.started(step, issue.id)
        except Exception as error:
            self.errors.append(error)
            raise
        await self.permits.acquire()
        self.observer.ended(issue.id, approved=step == "review", merged=step == "merge")
        return {"implement": None, "review": Approved(), "merge": Merged()}[step]


@pytest.fixture
def threads_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("threads_take_turns_often")
@pytest.mark.parametrize("lane_release", ["done", "review"])
def test_many_threads_that_move_the_cap_break_no_rule(lane_release: LaneRelease) -> None:
    dice = random.Random(7)
    wave = Wave(
        [
            Issue(f"i{n}", f"r{n % 20}", [f"i{dice.randrange(n)}"] if n % 4 == 3 else ())
            for n in range(300)
        ]
    )
    observer = Observer(wave, lane_release, 8)
    pipeline = Watched(observer)
    scheduler = Scheduler(wave, pipeline, cap=8, lane_release=lane_release)
    one_at_a_time = threading.Lock()
    moved_in_mid_run = 0

    def move_cap(loop: asyncio.AbstractEventLoop, seed: int) -> None:
        """Move the cap, and report each level to the observer once it is in force.

        A higher level is reported before the move; a lower one when the call has returned and the
        callback that the loop was running has ended. Each move lets two steps end.
        """
        nonlocal moved_in_mid_run
        own = random.Random(seed)

        async def report_level(level: int) -> None:
            observer.cap_moved(level)
            pipeline.permits.release()
            pipeline.permits.release()

        for _ in range(60):
            with one_at_a_time:
                level = own.randrange(9)
                higher = level > scheduler.cap.level
                if higher:
                    asyncio.run_coroutine_threadsafe(report_level(level), loop).result(30)
                scheduler.cap.set(level)
                if not higher:
                    asyncio.run_coroutine_threadsafe(report_level(level), loop).result(30)
                moved_in_mid_run += 0 < observer.starts < 900

    async def main() -> Report:
        loop = asyncio.get_running_loop()
        threads = [
            threading.Thread(target=move_cap, args=(loop, seed), daemon=True) for seed in range(8)
        ]
        run = asyncio.create_task(scheduler.run())
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        observer.cap_moved(8)
        scheduler.cap.set(8)
        return await asyncio.wait_for(run, timeout=60)

    report = asyncio.run(main())

    assert pipeline.errors == []
    assert report.outcome == "complete"
    assert observer.starts == 900
    assert moved_in_mid_run > 200


@pytest.mark.usefixtures("threads_take_turns_often")
def test_threads_may_read_and_act_while_the_wave_runs(tmp_path: Path) -> None:
    wave = Wave([Issue(f"i{n}", f"r{n % 20}") for n in range(60)])
    journal = tmp_path / "journal"
    scheduler = Scheduler(wave, ScriptedPipeline(seconds=0), journal=journal)
    errors: list[BaseException] = []
    start_together = threading.Barrier(9)

    def park(number: int) -> None:
        scheduler.park(f"i{number}", "?")

    def unpark(number: int) -> None:
        scheduler.unpark(f"i{number}")

    def move(number: int) -> None:
        scheduler.cap.set(number % 21)

    def look(number: int) -> None:
        scheduler.status(f"i{number}")
        assert len(scheduler.in_flight) <= 20
        if number == 0:
            scheduler.lanes()
            scheduler.report()

    def act(seed: int) -> None:
        own = random.Random(seed)
        start_together.wait()
        try:
            for _ in range(600):
                with contextlib.suppress(IllegalEvent):
                    own.choice((park, unpark, move, look))(own.randrange(60))
        except BaseException as error:
            errors.append(error)

    async def main() -> Report:
        threads = [threading.Thread(target=act, args=(seed,), daemon=True) for seed in range(8)]
        run = await started(scheduler)
        for thread in threads:
            thread.start()
        start_together.wait()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        scheduler.cap.set(20)
        for issue in wave.issues:
            with contextlib.suppress(IllegalEvent):
                scheduler.unpark(issue.id)
        return await asyncio.wait_for(run, timeout=60)

    report = asyncio.run(main())

    assert errors == []
    assert report.count("done") + report.count("parked") == 60
    assert Report.from_journal(journal) == report


class OwnedLock:
    """A lock that knows which thread has acquired it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.owners: list[int] = []

    def __enter__(self) -> None:
        if self.owners[-1:] != [threading.get_ident()]:
            self.lock.acquire()
        self.owners.append(threading.get_ident())

    def __exit__(self, *_: object) -> None:
        self.owners.pop()
        if not self.owners:
            self.lock.release()


def test_one_thread_at_a_time_steps_or_looks_at_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = OwnedLock()
    with monkeypatch.context() as patch:
        patch.setattr("threading.RLock", lambda: lock)
        scheduler = Scheduler(wave_of("a#1", "b#1"), ScriptedPipeline(seconds=0))
    seen: list[str] = []

    def owned(module: ModuleType, name: str) -> None:
        function = getattr(module, name)

        def checked(*arguments: object) -> object:
            assert lock.owners[-1:] == [threading.get_ident()], f"{name} without the lock"
            seen.append(name)
            return function(*arguments)

        monkeypatch.setattr(module, name, checked)

    owned(wavelane.replay.replay, "step")
    owned(wavelane.scheduler.session_tasks, "start_veto")
    for name in ("status_of", "lanes_of"):
        owned(wavelane.scheduler.scheduler, name)

    async def main() -> Report:
        run = await started(scheduler)
        await asyncio.to_thread(scheduler.cap.step_down)
        scheduler.status("a#1")
        scheduler.lanes()
        return await run

    assert asyncio.run(main()).outcome == "complete"
    assert {*seen} == {"step", "start_veto", "status_of", "lanes_of"}
    assert lock.owners == []
