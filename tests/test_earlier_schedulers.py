"""The mistakes of earlier schedulers of this kind, each as a situation."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import FrameType

import pytest
from tests.helpers import scheduler_of, wave_of

from wavelane import Issue, JournalError, Limits, Scheduler, Wave, WaveError
from wavelane.journal import JournalReader, read_journal
from wavelane.pipeline import Assignment
from wavelane.testing import ScriptedPipeline, run_virtual
from wavelane.testing.virtual import EPOCH
from wavelane_model.events import SessionEnded
from wavelane_model.outcomes import Blocked, ChangesRequested, Failed, Postponed


def test_lowering_the_cap_holds_for_the_very_next_admission() -> None:
    pipeline = ScriptedPipeline()
    wave = wave_of(*(f"{repo}#{n}" for repo in "abcd" for n in (1, 2)))
    scheduler = scheduler_of(wave, pipeline)

    async def main() -> list[int]:
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(90)
        scheduler.cap.set(1)
        widths = []
        while not run.done():
            await asyncio.sleep(60)
            widths.append(len(pipeline.under_way()))
        return widths

    widths = run_virtual(main)

    assert widths[0] == 4, "what was in flight goes on"
    assert {*widths[1:]} == {0, 1}


def test_a_session_that_was_ordered_at_the_old_width_does_not_start_after_the_cap_was_lowered() -> (
    None
):
    class LowersAtOnce(ScriptedPipeline):
        async def implement(self, issue: Assignment) -> object:
            if len(self.calls) == 0:
                scheduler.cap.set(1)
            return await super().implement(issue)

    pipeline = LowersAtOnce()
    scheduler = scheduler_of(wave_of("a#1", "b#1", "c#1"), pipeline)

    run_virtual(scheduler.run)

    assert [step for step, _ in pipeline.names()] == ["implement", "review", "merge"] * 3


def test_a_dependency_that_failed_is_not_done() -> None:
    pipeline = ScriptedPipeline({("implement", "api#1"): [ValueError("no")] * 3})
    scheduler = scheduler_of(wave_of("api#1", "web#1 < api#1", "app#1"), pipeline)

    report = run_virtual(scheduler.run)

    assert report.outcome == "blocked"
    assert ("implement", "web#1") not in pipeline.names()
    assert report.issues["web#1"].state == "queued"
    assert report.issues["web#1"].why.text == "waits for api#1 (parked)"


def test_a_dependency_that_was_parked_or_cancelled_is_not_done() -> None:
    pipeline = ScriptedPipeline({("review", "api#1"): [Blocked("which key?")]})
    scheduler = scheduler_of(wave_of("api#1", "web#1 < api#1", "app#1", "web#2 < app#1"), pipeline)
    scheduler.cancel("app#1")

    report = run_virtual(scheduler.run)

    assert pipeline.names("implement") == [("implement", "api#1")]
    assert report.issues["web#2"].why.text == "waits for app#1 (cancelled)"


def test_no_slot_is_taken_before_the_repo_is_free() -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("api#1", "api#2", "web#1"), pipeline, cap=2)

    run_virtual(scheduler.run)

    assert [call.name for call in pipeline.calls if call.began == EPOCH] == [
        ("implement", "api#1"),
        ("implement", "web#1"),
    ]


def test_a_dependency_outside_the_wave_is_an_error_and_not_dropped() -> None:
    with pytest.raises(WaveError, match='issue "web#1" depends on "api#9", which is not in the'):
        Wave([Issue("web#1", "web", ["api#9"])])


def test_two_repos_may_both_have_an_issue_of_the_same_number() -> None:
    pipeline = ScriptedPipeline({("review", "api#12"): [ChangesRequested("a test")]})
    scheduler = scheduler_of(wave_of("api#12", "web#12", "app#1 < web#12"), pipeline)

    report = run_virtual(scheduler.run)

    assert report.count("done") == 3
    assert report.issues["api#12"].attempts == 2
    assert report.issues["web#12"].attempts == 1
    feedback = {
        (call.issue.id, call.issue.feedback) for call in pipeline.calls if call.issue.feedback
    }
    assert {issue for issue, _ in feedback} == {"api#12"}


def work_of(issues: int) -> tuple[int, int]:
    """The loop's callbacks and the Python function calls for a wave of so many issues."""
    wave = Wave([Issue(f"i{n}", f"r{n % 50}") for n in range(issues)])
    scheduler = scheduler_of(wave, ScriptedPipeline(seconds=1), cap=16)
    callbacks = calls = 0

    def on_call(frame: FrameType, event: str, argument: object) -> None:
        nonlocal callbacks, calls
        if event == "call":
            calls += 1
            callbacks += frame.f_code is asyncio.Handle._run.__code__

    before = sys.getprofile()
    sys.setprofile(on_call)
    try:
        report = run_virtual(scheduler.run)
    finally:
        sys.setprofile(before)
    assert report.outcome == "complete"
    return callbacks, calls


def test_twice_the_issues_take_about_twice_the_work_because_no_waiter_is_woken_in_vain() -> None:
    callbacks, calls = work_of(500)
    twice_the_callbacks, twice_the_calls = work_of(1000)

    assert twice_the_callbacks < 2.1 * callbacks
    assert twice_the_calls < 2.1 * calls


def test_one_issues_exception_ends_neither_the_wave_nor_vanishes(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    pipeline = ScriptedPipeline({("merge", "api#1"): [OSError("no disk")] * 3})
    scheduler = scheduler_of(wave_of("api#1", "web#1"), pipeline, journal=journal)

    report = run_virtual(scheduler.run)

    assert report.issues["web#1"].state == "done"
    assert report.issues["api#1"].why.text == (
        "parked: 3 failures, the last: merge raised OSError: no disk"
    )
    written = [
        entry.event.outcome.error
        for entry in read_journal(journal)[1]
        if isinstance(entry.event, SessionEnded) and isinstance(entry.event.outcome, Failed)
    ]
    assert written == ["merge raised OSError: no disk"] * 3


def test_a_quota_limit_is_not_counted_as_the_issues_failure() -> None:
    quota = Postponed(reason="quota")
    pipeline = ScriptedPipeline(
        {("implement", "api#1"): [quota] * 20, ("review", "api#1"): [quota] * 20}
    )
    scheduler = scheduler_of(wave_of("api#1"), pipeline, limits=Limits(failures=0))

    report = run_virtual(scheduler.run)

    assert report.outcome == "complete"
    assert report.ended_at - report.started_at == 40 * (60 + 300) + 180
    assert pipeline.names().count(("implement", "api#1")) == 21


def test_a_parked_issue_keeps_neither_slot_nor_lane() -> None:
    pipeline = ScriptedPipeline({("implement", "api#1"): [Blocked("which key?")]})
    scheduler = scheduler_of(wave_of("api#1", "api#2"), pipeline, cap=1)

    report = run_virtual(scheduler.run)

    assert report.issues["api#2"].state == "done"
    assert report.issues["api#2"].started_at == report.issues["api#1"].ended_at


def test_a_waiting_issue_keeps_neither_slot_nor_lane() -> None:
    pipeline = ScriptedPipeline({("implement", "api#1"): [Postponed(EPOCH + 86_400)]})
    scheduler = scheduler_of(wave_of("api#1", "api#2", "web#1 < api#2"), pipeline, cap=1)

    report = run_virtual(scheduler.run)

    assert report.issues["web#1"].ended_at == EPOCH + 7 * 60
    assert report.issues["api#1"].ended_at == EPOCH + 86_400 + 3 * 60


def test_a_second_run_with_the_same_journal_does_nothing_twice(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    run_virtual(scheduler_of(wave_of("api#1", "web#1"), journal=journal).run)
    pipeline = ScriptedPipeline()

    async def later() -> str:
        await asyncio.sleep(86_400)
        second = scheduler_of(wave_of("api#1", "web#1"), pipeline, journal=journal)
        return (await second.run()).outcome

    assert run_virtual(later) == "complete"
    assert pipeline.calls == []


def test_a_second_run_beside_a_live_one_is_refused_and_does_not_disturb_it(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    live = scheduler_of(wave_of("api#1"), journal=journal)
    pipeline = ScriptedPipeline()

    async def main() -> str:
        run = asyncio.create_task(live.run())
        await asyncio.sleep(90)
        with pytest.raises(JournalError):
            await scheduler_of(wave_of("api#1"), pipeline, journal=journal).run()
        return (await run).outcome

    assert run_virtual(main) == "complete"
    assert pipeline.calls == []


def test_what_ran_when_a_run_was_cancelled_is_not_written_down_as_failed(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    scheduler = scheduler_of(wave_of("api#1", "web#1"), journal=journal)

    async def main() -> None:
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(90)
        run.cancel()
        await asyncio.wait([run])
        assert run.cancelled()

    run_virtual(main)

    outcomes = [
        entry.event for entry in read_journal(journal)[1] if isinstance(entry.event, SessionEnded)
    ]
    assert [type(event.outcome).__name__ for event in outcomes] == ["Implemented"] * 2
    with JournalReader(journal) as reader:
        assert {standing.state for standing in reader.standings().values()} == {"review"}


def test_a_stopped_run_has_no_live_work_that_could_be_done_twice() -> None:
    pipeline = ScriptedPipeline()
    scheduler: Scheduler = scheduler_of(wave_of("api#1", "web#1", "web#2"), pipeline)

    async def main() -> None:
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(90)
        scheduler.stop()
        assert (await run).outcome == "stopped"

    run_virtual(main)

    assert pipeline.under_way() == []
    assert [call for call in pipeline.calls if call.outcome == "cancelled"] == []
    assert sorted(pipeline.names("merge")) == [("merge", "api#1"), ("merge", "web#1")]
