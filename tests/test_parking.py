"""Issues that are parked, unparked or cancelled, and runs that are stopped, while under way."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from tests.helpers import scheduler_of, wave_of
from tests.runs import Overridden, started

from wavelane import (
    Assignment,
    IllegalEvent,
    Merged,
    Report,
    Scheduler,
)
from wavelane.steps import Step
from wavelane.testing import ScriptedPipeline, run_virtual
from wavelane.testing.virtual import EPOCH


@pytest.mark.parametrize(
    ("after", "step"), [(30, "implement"), (90, "review"), (150, "merge")], ids=str
)
@pytest.mark.parametrize("target", ["parked", "cancelled"])
def test_parking_or_cancelling_ends_the_session_first(
    after: float, step: Step, target: str
) -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("a#1", "a#2"), pipeline)

    async def main() -> Report:
        run = await started(scheduler, after)
        if target == "parked":
            scheduler.park("a#1", "which key?")
        else:
            scheduler.cancel("a#1")
        return await run

    report = run_virtual(main)

    assert report.issues["a#1"].state == target
    assert pipeline.calls[-4].name == (step, "a#1")
    assert pipeline.calls[-4].outcome == "cancelled"
    assert pipeline.calls[-4].ended == pipeline.calls[-3].began == EPOCH + after
    assert report.issues["a#2"].state == "done"


def test_a_session_that_takes_long_to_clean_up_keeps_slot_and_lane_until_it_is_gone() -> None:
    async def implement(issue: Assignment) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(500)

    pipeline = Overridden("implement", implement)
    scheduler = scheduler_of(wave_of("a#1", "a#2"), pipeline)

    async def main() -> Report:
        run = await started(scheduler, 30)
        scheduler.cancel("a#1")
        await asyncio.sleep(100)
        assert [issue.id for issue in scheduler.in_flight] == ["a#1"]
        return await run

    report = run_virtual(main)

    assert report.issues["a#2"].started_at == EPOCH + 530


def test_a_session_that_ignores_its_end_is_ended_by_its_own_report() -> None:
    async def implement(issue: Assignment) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        await asyncio.sleep(10)

    scheduler = scheduler_of(wave_of("a#1", "b#1"), Overridden("implement", implement))

    async def main() -> Report:
        run = await started(scheduler, 30)
        scheduler.park("a#1", "which key?")
        return await run

    report = run_virtual(main)

    assert report.issues["a#1"].why.text == "parked: which key?"
    assert report.issues["a#1"].ended_at == EPOCH + 40


def test_a_merge_that_is_in_when_its_issue_is_cancelled_is_in() -> None:
    async def merge(issue: Assignment) -> Merged:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return Merged()
        raise AssertionError

    scheduler = scheduler_of(wave_of("a#1", "b#1 < a#1"), Overridden("merge", merge))

    async def main() -> Report:
        run = await started(scheduler, 150)
        scheduler.cancel("a#1")
        return await run

    assert run_virtual(main).outcome == "complete"


@pytest.mark.parametrize("then_pause", [False, True])
@pytest.mark.parametrize("with_journal", [False, True])
@pytest.mark.parametrize("target", ["parked", "cancelled"])
def test_a_session_that_was_ordered_and_has_not_begun_does_not_begin_when_its_issue_is_taken_out(
    tmp_path: Path, target: str, with_journal: bool, then_pause: bool
) -> None:
    async def take_out(issue: Assignment) -> None:
        if target == "parked":
            scheduler.park("b#1", "which key?")
        else:
            scheduler.cancel("b#1")
        if then_pause:
            scheduler.cap.pause()

    pipeline = Overridden("implement", take_out)
    journal = tmp_path / "journal" if with_journal else None
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline, journal=journal)

    async def main() -> Report:
        run = await started(scheduler, 1000)
        scheduler.cap.resume()
        return await run

    report = run_virtual(main)

    assert report.issues["b#1"].state == target
    assert report.issues["a#1"].state == "done"
    assert [name for name in pipeline.names() if name[1] == "b#1"] == []


def test_an_issue_that_is_parked_and_unparked_before_the_run_is_run() -> None:
    scheduler = scheduler_of(wave_of("a#1"))
    scheduler.park("a#1", "which key?")
    assert scheduler.status("a#1").why.text == "parked: which key?"
    scheduler.unpark("a#1")

    assert run_virtual(scheduler.run).outcome == "complete"


def test_an_unparked_issue_starts_at_once_and_its_counters_anew() -> None:
    pipeline = ScriptedPipeline(
        {("implement", "a#1"): [ValueError("no")] * 5},
        seconds=lambda step, issue: 1000 if issue.id == "b#1" else 60,
    )
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline)

    async def main() -> Report:
        run = await started(scheduler, 200)
        assert scheduler.status("a#1").state == "parked"
        scheduler.unpark("a#1")
        return await run

    report = run_virtual(main)

    assert report.outcome == "complete"
    assert report.issues["a#1"].attempts == 6


@pytest.mark.parametrize("name", ["unpark", "cancel"])
def test_an_issue_that_is_not_in_the_wave_is_refused_by_name(name: str) -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    with pytest.raises(IllegalEvent, match='there is no issue "a#9" in the wave'):
        getattr(scheduler, name)("a#9")
    with pytest.raises(IllegalEvent, match='there is no issue "a#9" in the wave'):
        scheduler.park("a#9", "?")
    with pytest.raises(KeyError):
        scheduler.status("a#9")


def test_a_reason_to_park_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="the reason to park 'a#1' is None; give a text"):
        scheduler_of(wave_of("a#1")).park("a#1", None)  # type: ignore[arg-type]


def test_a_stop_lets_sessions_finish_their_step_and_merges_through() -> None:
    pipeline = ScriptedPipeline(seconds=lambda step, issue: 200 if issue.id == "b#1" else 60)
    scheduler = scheduler_of(wave_of("a#1", "b#1", "c#1", "c#2"), pipeline)

    async def main() -> Report:
        run = await started(scheduler, 90)
        scheduler.stop()
        scheduler.stop()
        return await run

    report = run_virtual(main)

    assert report.outcome == "stopped"
    assert {one.id: one.state for one in report.issues.values()} == {
        "a#1": "done",
        "b#1": "review",
        "c#1": "done",
        "c#2": "queued",
    }
    assert report.ended_at == EPOCH + 200
    assert [call.outcome for call in pipeline.calls if call.outcome == "cancelled"] == []


def test_a_stop_before_the_run_ends_it_at_its_start() -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("a#1"), pipeline)
    scheduler.stop()

    assert run_virtual(scheduler.run).outcome == "stopped"
    assert pipeline.calls == []


def test_a_stop_after_the_run_is_none() -> None:
    scheduler = scheduler_of(wave_of("a#1"))
    run_virtual(scheduler.run)

    scheduler.stop()

    assert scheduler.report().outcome == "complete"


def test_a_paused_wave_can_be_stopped() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> Report:
        run = await started(scheduler, 30)
        scheduler.cap.pause()
        await asyncio.sleep(1000)
        scheduler.stop()
        return await run

    assert run_virtual(main).outcome == "stopped"


def test_another_thread_can_stop_a_paused_wave() -> None:
    scheduler = Scheduler(wave_of("a#1"), ScriptedPipeline(seconds=0))
    scheduler.cap.pause()

    async def main() -> Report:
        run = await started(scheduler)
        await asyncio.to_thread(scheduler.stop)
        return await asyncio.wait_for(run, timeout=30)

    assert asyncio.run(main()).outcome == "stopped"
