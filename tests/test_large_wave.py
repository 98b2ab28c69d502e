"""A thousand issues, observed from outside: only by the pipeline's calls and the cap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from wavelane import Approved, Assignment, Issue, Report, Scheduler, Wave
from wavelane_model.lifecycle import LaneRelease

REPOS, ISSUES, CAP, LOWERED = 50, 1000, 16, 3


class ObservingPipeline:
    """A pipeline of sessions that do nothing, and what it observes.

    `when` is called inside the implementing session number `at`.
    """

    def __init__(self, at: int = 0, when: Callable[[], object] = lambda: None) -> None:
        self.at, self.when = at, when
        self.in_flight: set[str] = set()
        self.working: set[str] = set()
        self.merging: set[str] = set()
        self.done: set[str] = set()
        self.admitted_beside: list[int] = []
        self.started_in_pause = 0
        self.paused = False
        self.interrupted = 0
        self.reached = asyncio.Event()

    async def implement(self, issue: Assignment) -> None:
        self.started_in_pause += self.paused
        assert issue.id not in self.in_flight, "no issue is implemented twice here"
        self.admitted_beside.append(len(self.in_flight))
        self.in_flight.add(issue.id)
        if len(self.admitted_beside) == self.at:
            self.when()
            self.reached.set()
        await self.work(issue, self.working)

    async def review(self, issue: Assignment) -> Approved:
        self.started_in_pause += self.paused
        await self.nothing()
        return Approved()

    async def merge(self, issue: Assignment) -> None:
        await self.work(issue, self.merging)
        self.in_flight.remove(issue.id)
        self.done.add(issue.id)

    async def work(self, issue: Assignment, in_repo: set[str]) -> None:
        """Do nothing for a while, alone in the repo."""
        assert issue.repo not in in_repo
        in_repo.add(issue.repo)
        await self.nothing()
        in_repo.remove(issue.repo)

    async def nothing(self) -> None:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.interrupted += 1
            raise


def the_wave() -> Wave:
    return Wave(
        [
            Issue(f"i{n}", f"r{n * 7 % REPOS}", [f"i{n - 90}"] if n % 10 == 0 and n >= 90 else ())
            for n in range(ISSUES)
        ]
    )


def assert_all_is_done(report: Report, seen: ObservingPipeline) -> None:
    assert report.outcome == "complete"
    assert len(seen.done) == len(seen.admitted_beside) == ISSUES
    assert seen.interrupted == 0
    assert report.highest_cap == CAP
    assert max(seen.admitted_beside) == CAP - 1


async def lowered_beside(seen: ObservingPipeline, scheduler: Scheduler) -> None:
    await seen.reached.wait()
    seen.at = len(seen.admitted_beside)
    scheduler.cap.set(LOWERED)


@pytest.mark.parametrize("lane_release", ["done", "review"])
async def test_a_cap_that_is_lowered_in_mid_run_is_respected(lane_release: LaneRelease) -> None:
    seen = ObservingPipeline(at=400)
    scheduler = Scheduler(the_wave(), seen, cap=CAP, lane_release=lane_release)

    _, report = await asyncio.gather(lowered_beside(seen, scheduler), scheduler.run())

    assert_all_is_done(report, seen)
    assert 400 <= seen.at < 400 + CAP
    assert max(seen.admitted_beside[seen.at :]) == LOWERED - 1


@pytest.mark.parametrize("lane_release", ["done", "review"])
async def test_a_cap_that_a_session_lowers_applies_from_its_next_line_on(
    lane_release: LaneRelease,
) -> None:
    seen = ObservingPipeline(at=400, when=lambda: scheduler.cap.set(LOWERED))
    scheduler = Scheduler(the_wave(), seen, cap=CAP, lane_release=lane_release)

    report = await scheduler.run()

    assert_all_is_done(report, seen)
    assert max(seen.admitted_beside[400:]) == LOWERED - 1


@pytest.mark.parametrize("lane_release", ["done", "review"])
async def test_a_cap_that_another_thread_lowers_applies_when_its_call_returns(
    lane_release: LaneRelease,
) -> None:
    seen = ObservingPipeline(at=400)
    scheduler = Scheduler(the_wave(), seen, cap=CAP, lane_release=lane_release)

    async def lower() -> int:
        await seen.reached.wait()
        await asyncio.to_thread(scheduler.cap.set, LOWERED)
        return len(seen.admitted_beside)

    begun, report = await asyncio.gather(lower(), scheduler.run())

    assert_all_is_done(report, seen)
    assert begun < ISSUES
    assert max(seen.admitted_beside[begun:]) == LOWERED - 1


@pytest.mark.parametrize("lane_release", ["done", "review"])
async def test_a_pause_in_mid_run_starts_no_session_until_it_is_resumed(
    lane_release: LaneRelease,
) -> None:
    seen = ObservingPipeline(at=400)
    scheduler = Scheduler(the_wave(), seen, cap=CAP, lane_release=lane_release)

    async def pause_and_resume() -> tuple[int, int]:
        await seen.reached.wait()
        scheduler.cap.pause()
        seen.paused = True
        for _ in range(1000):
            await asyncio.sleep(0)
        begun, in_flight = len(seen.admitted_beside), len(seen.in_flight)
        assert not seen.working | seen.merging, "all that ran has finished its step"
        seen.paused = False
        scheduler.cap.resume()
        return begun, in_flight

    (begun, in_flight), report = await asyncio.gather(pause_and_resume(), scheduler.run())

    assert_all_is_done(report, seen)
    assert seen.started_in_pause == 0
    assert 400 <= begun < 400 + CAP
    assert 0 < in_flight <= CAP


@pytest.mark.parametrize("lane_release", ["done", "review"])
async def test_a_pause_by_a_session_withholds_even_starts_that_were_ordered_with_it(
    lane_release: LaneRelease,
) -> None:
    def pause() -> None:
        scheduler.cap.pause()
        seen.paused = True

    seen = ObservingPipeline(at=400, when=pause)
    scheduler = Scheduler(the_wave(), seen, cap=CAP, lane_release=lane_release)

    async def resume() -> None:
        await seen.reached.wait()
        for _ in range(1000):
            await asyncio.sleep(0)
        assert len(seen.admitted_beside) == 400
        seen.paused = False
        scheduler.cap.resume()

    _, report = await asyncio.gather(resume(), scheduler.run())

    assert_all_is_done(report, seen)
    assert seen.started_in_pause == 0


@pytest.mark.parametrize("lane_release", ["done", "review"])
async def test_stepping_all_the_way_down_and_up_again_ends_well(lane_release: LaneRelease) -> None:
    seen = ObservingPipeline(at=300)
    scheduler = Scheduler(the_wave(), seen, cap=CAP, lane_release=lane_release)
    beside: list[tuple[int, int]] = []

    async def step_down_and_up() -> None:
        await seen.reached.wait()
        while scheduler.cap.step_down():
            begun = len(seen.admitted_beside)
            for _ in range(20):
                await asyncio.sleep(0)
            beside.extend((scheduler.cap.level, one) for one in seen.admitted_beside[begun:])
        for _ in range(CAP):
            scheduler.cap.step_up()
            await asyncio.sleep(0)

    _, report = await asyncio.gather(step_down_and_up(), scheduler.run())

    assert_all_is_done(report, seen)
    assert beside
    assert [pair for pair in beside if pair[1] >= pair[0]] == []
