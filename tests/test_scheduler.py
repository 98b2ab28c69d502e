"""A run from its start to its end, orderly or not, and its report."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.helpers import scheduler_of, wave_of
from tests.runs import Overridden, cancelled, started

from wavelane import (
    Assignment,
    Blocked,
    ChangesRequested,
    IllegalEvent,
    Limits,
    Merged,
    Postponed,
    Report,
    Scheduler,
    Wave,
)
from wavelane.journal import read_journal
from wavelane.testing import ScriptedPipeline, run_virtual
from wavelane.testing.virtual import EPOCH, VirtualLoop
from wavelane_model.events import SessionEnded, WaveStarted

# Interrupts


@pytest.fixture
def collected() -> Iterator[None]:
    """Has asyncio report interrupted tasks after their own test, not during another."""
    yield
    gc.collect()


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("with_journal", [False, True])
def test_an_interrupt_in_a_session_ends_the_run_and_the_other_sessions(
    tmp_path: Path, interrupt: type[BaseException], with_journal: bool
) -> None:
    async def implement(issue: Assignment) -> None:
        await asyncio.sleep(30)
        raise interrupt

    pipeline = Overridden("implement", implement)
    journal = tmp_path / "journal" if with_journal else None
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline, journal=journal)

    with pytest.raises(interrupt):
        run_virtual(scheduler.run)

    assert [(call.name, call.outcome) for call in pipeline.calls] == [
        (("implement", "b#1"), "cancelled")
    ]
    if journal is not None:
        ended = [
            entry for entry in read_journal(journal)[1] if isinstance(entry.event, SessionEnded)
        ]
        assert ended == []


def test_what_is_no_exception_of_a_program_ends_the_run_and_is_raised_by_it() -> None:
    class Abort(BaseException):
        pass

    pipeline = ScriptedPipeline({("implement", "a#1"): [Abort("now")]})
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline)

    with pytest.raises(Abort, match="now"):
        run_virtual(scheduler.run)

    assert pipeline.under_way() == []


# Cancelling the run


@pytest.mark.parametrize("after", [0, 30, 60, 90, 150, 170])
def test_a_cancelled_run_cancels_its_sessions_and_leaves_no_task(after: float) -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("a#1", "b#1", "b#2"), pipeline)

    async def main() -> set[Any]:
        await cancelled(await started(scheduler, after))
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert run_virtual(main) == set()
    assert pipeline.under_way() == []


def test_a_run_that_is_cancelled_before_it_began_has_started_nothing() -> None:
    pipeline = ScriptedPipeline()

    async def main() -> None:
        await cancelled(asyncio.create_task(scheduler_of(wave_of("a#1"), pipeline).run()))

    run_virtual(main)

    assert pipeline.calls == []


def test_a_cancelled_run_waits_for_the_clean_up_of_its_sessions() -> None:
    cleaned_up_at: list[float] = []

    async def implement(issue: Assignment) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(500)
            cleaned_up_at.append(asyncio.get_running_loop().time())

    scheduler = scheduler_of(wave_of("a#1"), Overridden("implement", implement))

    async def main() -> float:
        await cancelled(await started(scheduler, 30))
        return asyncio.get_running_loop().time()

    assert run_virtual(main) == cleaned_up_at[0] == EPOCH + 530


def test_a_run_that_its_caller_times_out_raises_the_callers_timeout() -> None:
    pipeline = ScriptedPipeline()

    async def main() -> None:
        async with asyncio.timeout(90):
            await scheduler_of(wave_of("a#1"), pipeline).run()

    with pytest.raises(TimeoutError):
        run_virtual(main)

    assert pipeline.under_way() == []


def test_a_merge_that_is_in_when_the_run_is_cancelled_is_written_down(tmp_path: Path) -> None:
    async def merge(issue: Assignment) -> Merged:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(5)
            return Merged()
        raise AssertionError

    journal = tmp_path / "journal"
    pipeline = Overridden("merge", merge)
    scheduler = scheduler_of(wave_of("a#1", "b#1 < a#1"), pipeline, journal=journal)

    async def main() -> None:
        await cancelled(await started(scheduler, 130))

    run_virtual(main)

    written = Report.from_journal(journal)
    assert written.issues["a#1"].state == "done"
    assert written.issues["a#1"].ended_at == EPOCH + 135
    assert scheduler.report() == written
    assert ("implement", "b#1") not in pipeline.names()


class BusyWriter(ThreadPoolExecutor):
    """Has something else to do until it is shut down."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.free = threading.Event()
        self.submit(self.free.wait)

    def shutdown(self, *arguments: Any, **options: Any) -> None:
        self.free.set()
        super().shutdown(*arguments, **options)


def test_a_run_that_is_cancelled_while_it_writes_has_written_what_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "journal"
    monkeypatch.setattr("wavelane.scheduler.run_journal.ThreadPoolExecutor", BusyWriter)
    scheduler = Scheduler(wave_of("a#1"), ScriptedPipeline(), journal=journal)

    async def main() -> None:
        await cancelled(await started(scheduler))

    asyncio.run(main())

    assert [entry.event for entry in read_journal(journal)[1]] == [WaveStarted()]
    assert Report.from_journal(journal).issues["a#1"].state == "running"


def test_the_report_of_a_cancelled_run_can_still_be_had() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"), ScriptedPipeline(), cap=1)

    async def main() -> Report:
        await cancelled(await started(scheduler, 200))
        return scheduler.report()

    report = run_virtual(main)

    assert report.outcome == "unfinished"
    assert report.issues["a#1"].ended_at == EPOCH + 180
    assert report.issues["b#1"].state == "running"


def test_nobody_can_act_on_a_run_that_was_cancelled() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> None:
        await cancelled(await started(scheduler, 30))
        with pytest.raises(IllegalEvent, match="the run is over; ParkRequested comes too late"):
            scheduler.park("a#1", "?")
        with pytest.raises(IllegalEvent, match="the run is over; MergeTurnRequested comes too"):
            async with scheduler.merge_turn("a"):
                pass
        assert scheduler.cap.step_down() == 1
        scheduler.stop()

    run_virtual(main)


# The life of a run


def test_after_a_run_no_task_of_it_is_left() -> None:
    async def main() -> set[Any]:
        quota = ScriptedPipeline({("implement", "a#1"): [Postponed(), ValueError()]})
        await scheduler_of(wave_of("a#1", "b#1"), quota).run()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert run_virtual(main) == set()


def test_after_a_run_no_timer_of_it_is_left() -> None:
    pipeline = ScriptedPipeline({("implement", "a#1"): [Postponed(EPOCH + 86_400)]})
    scheduler = scheduler_of(wave_of("a#1"), pipeline)

    async def main() -> list[asyncio.TimerHandle]:
        run = await started(scheduler, 90)
        scheduler.stop()
        assert (await run).outcome == "stopped"
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return [timer for timer in loop._scheduled if not timer.cancelled()]

    assert run_virtual(main) == []


def test_after_a_run_no_thread_of_it_is_left(tmp_path: Path) -> None:
    before = threading.active_count()

    asyncio.run(
        scheduler_of(wave_of("a#1"), ScriptedPipeline(seconds=0), journal=tmp_path / "j").run()
    )

    assert threading.active_count() == before


def test_a_scheduler_runs_once() -> None:
    scheduler = scheduler_of(wave_of("a#1"))
    run_virtual(scheduler.run)

    with pytest.raises(RuntimeError, match=r"run\(\) was called before; make a new Scheduler"):
        run_virtual(scheduler.run)


def test_a_wave_without_issues_is_complete() -> None:
    report = run_virtual(scheduler_of(Wave([])).run)

    assert report.outcome == "complete"
    assert report.issues == {}


@pytest.mark.parametrize("cap", [0, -1])
def test_a_cap_below_one_is_refused(cap: int) -> None:
    with pytest.raises(ValueError, match=r"the cap is .*; give 1 or more"):
        scheduler_of(wave_of("a#1"), cap=cap)


@pytest.mark.parametrize("cap", [1.5, "2", True])
def test_a_cap_that_is_no_whole_number_is_refused(cap: Any) -> None:
    with pytest.raises(TypeError, match=r"the cap is .*; give a whole number"):
        scheduler_of(wave_of("a#1"), cap=cap)


def test_an_unknown_lane_policy_is_refused() -> None:
    with pytest.raises(ValueError, match=r'lane_release is .*; give "done" or "review"'):
        scheduler_of(wave_of("a#1"), lane_release="never")


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"failures": -1}, "failures is -1; give 0 or more"),
        ({"checkpoints": 0}, "checkpoints is 0; give 1 or more"),
        ({"review_rounds": None}, "review_rounds is None; give 0 or more"),
        ({"postpone_delay": float("inf")}, "postpone_delay is inf; give 0 or more"),
        ({"postpone_delay": float("nan")}, "postpone_delay is nan; give 0 or more"),
        ({"merge_timeout": 0}, "merge_timeout is 0; give seconds above 0, or None"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        Limits(**limits)


# Status and report


def test_a_status_tells_state_reason_attempts_and_since_when() -> None:
    pipeline = ScriptedPipeline({("implement", "a#1"): [ValueError()]})
    scheduler = scheduler_of(wave_of("a#1", "b#1 < a#1"), pipeline)
    before = scheduler.status("b#1")

    async def main() -> None:
        run = await started(scheduler, 90)
        first, second = scheduler.status("a#1"), scheduler.status("b#1")
        assert (first.state, first.attempts, first.since) == ("running", 2, EPOCH + 60)
        assert (second.state, second.why.text) == ("queued", "waits for a#1 (running)")
        assert second.since is None
        await run

    run_virtual(main)

    assert (before.state, before.why.text) == ("queued", "waits for a#1 (queued)")
    assert scheduler.status("b#1").since == EPOCH + 420


def test_what_is_in_flight_is_told_in_the_order_of_admission() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1 !1", "c#1 < a#1"))
    assert scheduler.in_flight == ()

    async def main() -> list[str]:
        run = await started(scheduler, 30)
        found = [issue.id for issue in scheduler.in_flight]
        await run
        return found

    assert run_virtual(main) == ["b#1", "a#1"]
    assert scheduler.in_flight == ()


def test_a_report_tells_when_each_issue_began_and_ended_and_where_its_time_went() -> None:
    pipeline = ScriptedPipeline(
        {("review", "a#1"): [ChangesRequested("a test")], ("implement", "b#1"): [Blocked("?")]},
        seconds=lambda step, issue: {"implement": 100, "review": 10, "merge": 1}[step],
    )
    scheduler = scheduler_of(wave_of("a#1", "a#2", "b#1", "b#2 < b#1"), pipeline)

    report = run_virtual(scheduler.run)

    assert (report.started_at, report.ended_at) == (EPOCH, EPOCH + 221 + 111)
    first = report.issues["a#1"]
    assert (first.started_at, first.ended_at, first.attempts) == (EPOCH, EPOCH + 221, 2)
    assert first.seconds == {"admitted": 0, "running": 200, "review": 20, "merging": 1}
    assert report.issues["a#2"].started_at == EPOCH + 221
    assert (report.issues["b#1"].state, report.issues["b#1"].ended_at) == ("parked", EPOCH + 100)
    assert report.issues["b#2"].started_at is None
    assert report.issues["b#2"].ended_at is None
    assert (report.count("done"), report.count("parked"), report.count("queued")) == (2, 1, 1)
    assert (report.outcome, report.highest_cap) == ("blocked", 2)


def test_a_report_begins_with_the_run_and_not_with_a_lever_that_was_moved_before() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"))

    async def main() -> Report:
        scheduler.cap.step_down()
        await asyncio.sleep(3600)
        return await scheduler.run()

    assert run_virtual(main).started_at == EPOCH + 3600


def test_a_report_of_a_live_run_stays_as_it_was_made() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> tuple[Report, dict[str, Any], Report]:
        run = await started(scheduler, 90)
        live = scheduler.report()
        as_it_was = live.to_dict()
        return live, as_it_was, await run

    live, as_it_was, last = run_virtual(main)

    assert live.outcome == "unfinished"
    assert live.to_dict() == as_it_was
    assert last.to_dict() != as_it_was


def test_a_report_is_plain_values_for_json() -> None:
    report = run_virtual(scheduler_of(wave_of("a#1", "b#1 < a#1")).run)

    found = json.loads(json.dumps(report.to_dict()))

    assert found["outcome"] == "complete"
    assert [issue["id"] for issue in found["issues"]] == ["a#1", "b#1"]
    assert found["issues"][0]["why"] == {"code": "done", "text": "done", "issues": []}
