"""Each acceptance criterion of the project's founding issue, on a real scheduler."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from tests.helpers import scheduler_of, wave_of

from wavelane import Approved, Scheduler
from wavelane.journal import JournalReader, read_journal
from wavelane.pipeline import Assignment
from wavelane.steps import Step
from wavelane.testing import Call, ScriptedPipeline, run_virtual
from wavelane.testing.virtual import EPOCH
from wavelane_model.lifecycle import IN_FLIGHT, LaneRelease


def overlap(one: Call, other: Call) -> bool:
    """Whether two calls were under way at the same time."""
    assert one.ended is not None
    assert other.ended is not None
    return one.began < other.ended and other.began < one.ended


def most_at_once(calls: list[Call]) -> int:
    """The largest number of these calls under way at once."""
    return max(sum(overlap(call, other) for other in calls) for call in calls)


def of_repo(pipeline: ScriptedPipeline, repo: str) -> list[Call]:
    return [call for call in pipeline.calls if call.issue.repo == repo]


def test_two_repos_run_concurrently_while_one_repo_serialises_two_issues() -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("api#1", "api#2", "web#1"), pipeline)

    report = run_virtual(scheduler.run)

    assert report.outcome == "complete"
    first_api, first_web = of_repo(pipeline, "api")[0], of_repo(pipeline, "web")[0]
    assert first_api.began == first_web.began
    assert most_at_once(of_repo(pipeline, "api")) == 1
    assert [call.name for call in of_repo(pipeline, "api")] == [
        ("implement", "api#1"),
        ("review", "api#1"),
        ("merge", "api#1"),
        ("implement", "api#2"),
        ("review", "api#2"),
        ("merge", "api#2"),
    ]
    assert report.ended_at - report.started_at == 6 * 60


@pytest.mark.parametrize("lane_release", ["done", "review"])
def test_each_repo_has_at_most_one_issue_being_implemented(lane_release: LaneRelease) -> None:
    pipeline = ScriptedPipeline()
    ids = [f"{repo}#{number}" for repo in ("api", "app", "web") for number in range(4)]

    run_virtual(scheduler_of(wave_of(*ids), pipeline, lane_release=lane_release).run)

    for repo in ("api", "app", "web"):
        implementing = [call for call in of_repo(pipeline, repo) if call.name[0] == "implement"]
        assert most_at_once(implementing) == 1
    assert most_at_once(pipeline.calls) == 3


def test_the_cap_is_the_number_of_the_projects_repos_if_not_given() -> None:
    wave = wave_of("api#1", "web#1", repos=["api", "web", "app"])

    assert scheduler_of(wave).cap.ceiling == scheduler_of(wave).cap.level == 3


@pytest.mark.parametrize("lane_release", ["done", "review"])
@pytest.mark.parametrize("cap", [1, 2, 3, 4])
def test_no_more_issues_are_in_flight_than_the_cap_allows(
    cap: int, lane_release: LaneRelease
) -> None:
    seen: list[int] = []
    wave = wave_of(*(f"{repo}#{n}" for repo in "abcd" for n in range(3)))
    scheduler: Scheduler

    def seconds(step: Step, issue: Assignment) -> float:
        seen.append(len(scheduler.in_flight))
        return len(issue.id + step) * 7.0

    scheduler = scheduler_of(
        wave, ScriptedPipeline(seconds=seconds), cap=cap, lane_release=lane_release
    )
    report = run_virtual(scheduler.run)

    assert report.outcome == "complete"
    assert max(seen) == cap


@pytest.mark.parametrize("lane_release", ["done", "review"])
def test_a_cap_of_one_forces_full_sequencing(lane_release: LaneRelease) -> None:
    pipeline = ScriptedPipeline()
    wave = wave_of("api#1", "web#1", "app#1", "api#2")

    report = run_virtual(scheduler_of(wave, pipeline, cap=1, lane_release=lane_release).run)

    assert most_at_once(pipeline.calls) == 1
    assert [step for step, _ in pipeline.names()] == ["implement", "review", "merge"] * 4
    assert report.ended_at - report.started_at == 12 * 60


def test_the_merge_queue_serialises_two_ready_merges() -> None:
    pipeline = ScriptedPipeline(seconds=lambda step, issue: 600.0 if step == "merge" else 60.0)
    scheduler = scheduler_of(
        wave_of("api#1", "api#2", "api#3"), pipeline, cap=3, lane_release="review"
    )

    report = run_virtual(scheduler.run)

    merges = [call for call in pipeline.calls if call.name[0] == "merge"]
    reviews = [call for call in pipeline.calls if call.name[0] == "review"]
    assert report.outcome == "complete"
    assert [call.issue.id for call in merges] == ["api#1", "api#2", "api#3"]
    assert most_at_once(merges) == 1
    assert merges[1].began == merges[0].ended
    assert any(overlap(review, merge) for review in reviews for merge in merges)


def test_review_sessions_of_one_repo_run_concurrently_in_the_pipelined_policy() -> None:
    pipeline = ScriptedPipeline(seconds=lambda step, issue: 600.0 if step == "review" else 60.0)

    run_virtual(scheduler_of(wave_of("api#1", "api#2"), pipeline, cap=2, lane_release="review").run)

    assert most_at_once([call for call in pipeline.calls if call.name[0] == "review"]) == 2


def test_merges_of_different_repos_do_not_wait_for_each_other() -> None:
    pipeline = ScriptedPipeline()

    run_virtual(scheduler_of(wave_of("api#1", "web#1"), pipeline).run)

    assert most_at_once([call for call in pipeline.calls if call.name[0] == "merge"]) == 2


def test_a_dependent_in_another_repo_starts_only_when_its_dependency_is_merged() -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("web#1 < api#1", "api#1", "app#1"), pipeline)

    run_virtual(scheduler.run)

    calls = {call.name: call for call in pipeline.calls}
    assert calls["implement", "app#1"].began == calls["implement", "api#1"].began == EPOCH
    assert calls["implement", "web#1"].began == calls["merge", "api#1"].ended == EPOCH + 180


def test_a_dependent_of_several_starts_when_the_last_of_them_is_merged() -> None:
    pipeline = ScriptedPipeline(seconds=lambda step, issue: 600 if issue.repo == "app" else 60)
    wave = wave_of("web#1 < api#1 app#1", "api#1", "app#1")

    run_virtual(scheduler_of(wave, pipeline).run)

    calls = {call.name: call for call in pipeline.calls}
    assert calls["implement", "web#1"].began == calls["merge", "app#1"].ended


def test_stepping_the_cap_down_reduces_what_is_admitted_and_interrupts_nothing() -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(
        wave_of(*(f"{repo}#{n}" for repo in "abc" for n in range(3))), pipeline
    )
    in_flight: list[tuple[int, int]] = []

    async def main() -> None:
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(90)
        for _ in range(2):
            scheduler.cap.step_down()
            in_flight.append((scheduler.cap.level, len(scheduler.in_flight)))
            await asyncio.sleep(180)
            in_flight.append((scheduler.cap.level, len(scheduler.in_flight)))
        scheduler.cap.step_down()
        await asyncio.sleep(3600)
        in_flight.append((scheduler.cap.level, len(pipeline.under_way())))
        scheduler.cap.resume()
        await run

    run_virtual(main)

    assert in_flight == [(2, 3), (2, 2), (1, 2), (1, 1), (0, 0)]
    assert [call for call in pipeline.calls if call.outcome == "cancelled"] == []


def test_at_the_hard_pause_the_current_step_is_finished_and_the_run_goes_on_after_it() -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("api#1", "web#1 < api#1"), pipeline)

    async def main() -> str:
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(30)
        scheduler.cap.pause()
        await asyncio.sleep(5 * 3600)
        assert pipeline.names() == [("implement", "api#1")]
        assert pipeline.under_way() == []
        scheduler.cap.resume()
        return (await run).outcome

    assert run_virtual(main) == "complete"
    assert pipeline.names("implement") == [("implement", "api#1"), ("implement", "web#1")]
    assert pipeline.calls[1].began == EPOCH + 30 + 5 * 3600


@pytest.mark.parametrize("cap", [1, 2, 3])
def test_at_any_moment_a_restart_would_have_to_look_at_no_more_issues_than_the_cap(
    tmp_path: Path, cap: int
) -> None:
    journal = tmp_path / "wave.journal"
    wave = wave_of(*(f"{repo}#{n}" for repo in "abc" for n in range(3)))
    to_look_at: list[int] = []

    class CrashAnywhere(ScriptedPipeline):
        async def review(self, issue: Assignment) -> Approved:
            with JournalReader(journal) as reader:
                standings = reader.standings().values()
            to_look_at.append(sum(standing.state in IN_FLIGHT for standing in standings))
            await super().review(issue)
            return Approved()

    run_virtual(scheduler_of(wave, CrashAnywhere(), cap=cap, journal=journal).run)

    assert len(to_look_at) == 9
    assert max(to_look_at) == cap
    assert len(read_journal(journal)[1]) == 1 + 3 * 9


def test_sessions_run_in_parallel_in_one_thread_of_one_event_loop() -> None:
    seen: set[tuple[object, int]] = set()

    class Seeing(ScriptedPipeline):
        async def implement(self, issue: Assignment) -> object:
            seen.add((asyncio.get_running_loop(), threading.get_ident()))
            return await super().implement(issue)

    pipeline = Seeing()
    run_virtual(scheduler_of(wave_of("a#1", "b#1", "c#1"), pipeline).run)

    assert len(seen) == 1
    assert most_at_once(pipeline.calls) == 3
