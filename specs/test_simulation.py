"""The simulation of the executor: the real one passes, it replays, it shrinks, and it can fail.

Each broken scheduler here has one mistake that a review may overlook; some hundred schedules find
it, by the property that names it.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specs.simulation import ALWAYS, SOMETIMES, results
from specs.simulation.broken import with_part
from specs.simulation.chooser import Chooser, HypothesisChooser, RecordedChooser, SeededChooser
from specs.simulation.loop import SimulatedLoop, SimulatedThread
from specs.simulation.schedule import Played, play
from specs.simulation.sweep import Sweep, folder_of_journals, replayed, sweep
from wavelane import Scheduler
from wavelane.replay.replay import StepResult
from wavelane.scheduler.background_planner import BackgroundPlanner
from wavelane.scheduler.core import Core, RunPhase
from wavelane.scheduler.orders import Orders
from wavelane.scheduler.run_journal import Answers, RunJournal
from wavelane.scheduler.session_tasks import SessionTasks, assignment_of
from wavelane.steps import StartOrder
from wavelane_model.effects import EndReservationAt, EndSession, StartMerging, WakeAt
from wavelane_model.events import Event, OrderPlanned, SessionEnded
from wavelane_model.outcomes import Approved, ChangesRequested

pytestmark = pytest.mark.slow

ENOUGH = 600
"""Schedules within which each of the broken schedulers here is found."""

_NO_FAULTS = [HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large]
"""A schedule takes many choices: it is no fault of a strategy."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_of_journals() as folder:
        yield folder


def first_failure(scheduler: type[Scheduler], folder: Path) -> tuple[int, Played]:
    """The first seed that a scheduler fails, and how."""
    for seed in range(ENOUGH):
        played = play(SeededChooser(seed), folder, scheduler)
        if played.broken:
            return seed, played
    pytest.fail(f"{scheduler.__name__} keeps all properties in {ENOUGH} schedules")


@pytest.mark.layer
def test_the_real_executor_keeps_every_property() -> None:
    found = sweep(range(300))

    always = [one.detail for one in results(found, 0.0) if "always" in one.property]
    assert always == [""] * len(ALWAYS)
    assert found.broken == {}
    assert found.replayed > 0


@settings(max_examples=60, deadline=None, suppress_health_check=_NO_FAULTS)
@given(data=st.data())
def test_hypothesis_finds_no_schedule_that_breaks_a_property(data: st.DataObject) -> None:
    with folder_of_journals() as folder:
        played = play(HypothesisChooser(data), folder)

    assert played.complaints == [], str(played)


# A schedule can be played again


def test_the_choices_of_a_seed_play_the_same_schedule(folder: Path) -> None:
    for seed in range(20):
        by_seed = play(SeededChooser(seed), folder)
        by_choices = play(RecordedChooser(by_seed.plainest), folder)

        assert str(by_choices) == str(by_seed)


@pytest.mark.parametrize(("seed", "shown"), [("7", b"WaveStarted()"), ("19", b"ReservationEnded(")])
def test_a_seed_prints_the_same_bytes_in_every_process(seed: str, shown: bytes) -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-m", "specs.simulation", "--seed", seed],
            env={
                **os.environ,
                "PYTHONHASHSEED": hash_seed,
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }

    assert len(printed) == 1
    assert b"on disk: " + shown in printed.pop()


def test_no_choices_are_the_plainest_schedule_and_it_ends_well(folder: Path) -> None:
    played = play(RecordedChooser([]), folder)

    assert played.complaints == []
    assert played.plainest == []
    assert "run() returned complete" in played.seen


# What the loop promises


def order_of_timers(chooser: Chooser) -> list[int]:
    """The order in which three timers of one time run."""
    loop = SimulatedLoop(chooser)
    called: list[int] = []

    async def main() -> None:
        for number in range(3):
            loop.call_later(5, called.append, number)
        await asyncio.sleep(6)

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    return called


def test_timers_of_one_time_run_in_the_order_in_which_they_were_set() -> None:
    assert order_of_timers(RecordedChooser([])) == [0, 1, 2]


def test_a_schedule_may_choose_another_order_of_timers() -> None:
    at_every_turn = 1

    assert order_of_timers(RecordedChooser([at_every_turn, 2, 1])) == [2, 1, 0]


def test_a_thread_does_its_work_in_order_and_late() -> None:
    loop = SimulatedLoop(RecordedChooser([0, 4, 3]))
    done: list[tuple[str, float]] = []

    async def main() -> None:
        thread = SimulatedThread(lambda: None)
        first = loop.run_in_executor(thread, lambda: done.append(("first", loop.seconds())))
        second = loop.run_in_executor(thread, lambda: done.append(("second", loop.seconds())))
        await first
        done.append(("heard of", loop.seconds()))
        await second

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()

    assert done == [("first", 3), ("heard of", 4), ("second", 4)]


def test_what_a_thread_has_left_is_done_when_it_is_shut_down() -> None:
    loop = SimulatedLoop(RecordedChooser([0, 4]))
    done: list[str] = []

    async def main() -> None:
        thread = SimulatedThread(lambda: None)
        loop.run_in_executor(thread, done.append, "work")
        thread.shutdown()

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()

    assert done == ["work"]


def test_a_plan_is_made_late_and_beside_the_writes() -> None:
    loop = SimulatedLoop(RecordedChooser([0, 4, 0, 0, 3]))
    done: list[tuple[str, float]] = []

    async def main() -> None:
        writer = SimulatedThread(lambda: None)
        plan = loop.run_in_executor(None, lambda: done.append(("plan", loop.seconds())))
        await loop.run_in_executor(writer, lambda: done.append(("write", loop.seconds())))
        assert (writer.busy, loop.pool.busy) == (0, 1)
        await plan
        done.append(("heard of", loop.seconds()))

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()

    assert done == [("write", 0), ("plan", 9), ("heard of", 13)]


def test_all_that_is_ready_has_run_when_the_loop_says_that_time_goes_on() -> None:
    waits: list[int] = []
    called: list[int] = []
    loop = SimulatedLoop(RecordedChooser([]), before_wait=lambda: waits.append(len(called)))

    async def main() -> None:
        for number in range(3):
            loop.call_soon(called.append, number)
        await asyncio.sleep(5)

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()

    assert waits == [3]


# It can fail


class CarriesOutBeforeItWrites(Scheduler):
    async def _write_and_carry_out(self, results: list[StepResult]) -> None:
        for result in results:
            self._orders.carry_out(result)
        await self._journal.append(results, self._inbound.take_answers())


class WritesWithoutWaiting(RunJournal):
    async def append(self, results: list[StepResult], answers: Answers) -> None:
        self.writing = asyncio.ensure_future(super().append(results, answers))
        await asyncio.sleep(0)


class CountsACompletionTwice(Core):
    def apply(self, event: Event) -> None:
        super().apply(event)
        if isinstance(event, SessionEnded):
            super().apply(event)


class LosesACancellation(SessionTasks):
    def end(self, at: float, order: EndSession) -> None:
        pass


class StartsAMergeTwice(SessionTasks):
    def start(self, at: float, order: StartOrder) -> None:
        super().start(at, order)
        if isinstance(order, StartMerging):
            state = self._core.state
            issue = assignment_of(state.wave, state.find(order.issue))
            merge: Any = self._calls[StartMerging][0](issue)
            self._tasks.create_task(merge)


class WaitsBetweenCheckAndStart(SessionTasks):
    async def _outcome(self, session: Any, order: Any, issue: Any) -> Any:
        await asyncio.sleep(0)
        return await super()._outcome(session, order, issue)


class RemovesASessionTooLate(SessionTasks):
    async def _run_session(self, order: StartOrder) -> None:
        session = self._sessions[order.issue]
        await super()._run_session(order)
        self._sessions.setdefault(order.issue, session)
        await asyncio.sleep(1)
        self._sessions.pop(order.issue, None)


class ForgetsWhatIsLeftAtTheEnd(Scheduler):
    def _close(self) -> None:
        self._core.take_results()
        super()._close()


class SwallowsTheErrorOfAWrite(Scheduler):
    async def _write_and_carry_out(self, results: list[StepResult]) -> None:
        try:
            await self._journal.append(results, self._inbound.take_answers())
        except RuntimeError:
            self._core.enter(RunPhase.FINISHED)
        for result in results:
            self._orders.carry_out(result)


class ForgetsToWake(Orders):
    def _wake_at(self, at: float, order: WakeAt) -> None:
        pass


class ForgetsToEndAReservation(Orders):
    def _end_reservation_at(self, at: float, order: EndReservationAt) -> None:
        pass


class KeepsItsPlansToItself(Core):
    def apply(self, event: Event) -> None:
        if not isinstance(event, OrderPlanned):
            super().apply(event)


class PlansWhileItPlans(BackgroundPlanner):
    def plan_anew(self) -> None:
        self._planning = None
        super().plan_anew()


class LeavesATaskBehind(Scheduler):
    def _close(self) -> None:
        super()._close()
        self.left = asyncio.ensure_future(asyncio.sleep(10))


class ApprovesWhateverTheReviewSays(SessionTasks):
    async def _outcome(self, session: Any, order: Any, issue: Any) -> Any:
        outcome = await super()._outcome(session, order, issue)
        return Approved() if isinstance(outcome, ChangesRequested) else outcome


BROKEN: dict[type[Scheduler], set[str]] = {
    CarriesOutBeforeItWrites: {"durable"},
    with_part(WritesWithoutWaiting): {"durable"},
    with_part(CountsACompletionTwice): {"ending"},
    with_part(LosesACancellation): {"ended"},
    with_part(StartsAMergeTwice): {"once", "durable"},
    with_part(WaitsBetweenCheckAndStart): {"pause", "ended", "cap"},
    with_part(RemovesASessionTooLate): {"ending", "ended"},
    ForgetsWhatIsLeftAtTheEnd: {"told", "journal"},
    SwallowsTheErrorOfAWrite: {"durable", "ended"},
    with_part(ForgetsToWake): {"progress"},
    with_part(ForgetsToEndAReservation): {"reservation"},
    with_part(KeepsItsPlansToItself): {"plan"},
    with_part(PlansWhileItPlans): {"plan"},
    LeavesATaskBehind: {"leftover"},
    with_part(ApprovesWhateverTheReviewSays): {"merge", "told"},
}
"""Broken schedulers, and the properties by which one may first be found."""


@pytest.mark.parametrize("scheduler", BROKEN, ids=lambda scheduler: scheduler.__name__)
def test_a_broken_scheduler_is_found(scheduler: type[Scheduler], folder: Path) -> None:
    _, played = first_failure(scheduler, folder)

    assert played.broken in BROKEN[scheduler], str(played)


def test_a_failure_shrinks_to_a_plain_schedule_that_fails_likewise(folder: Path) -> None:
    seed, played = first_failure(with_part(LosesACancellation), folder)

    plain = replayed(seed=seed, scheduler=with_part(LosesACancellation), plainer=True)

    assert plain.broken == played.broken == "ended"
    assert len(plain.plainest) < len(played.plainest) / 2
    again = play(RecordedChooser(plain.plainest), folder, with_part(LosesACancellation))
    assert str(again) == str(plain)


def test_a_scheduler_that_waits_for_ever_is_a_failure_and_no_hang(folder: Path) -> None:
    class GoesRoundInCircles(RunJournal):
        async def append(self, results: list[StepResult], answers: Answers) -> None:
            for _ in count():
                await asyncio.sleep(0)

    played = play(RecordedChooser([]), folder, with_part(GoesRoundInCircles))

    assert played.broken == "progress"


def test_a_result_names_the_seed_and_a_plainer_list_of_choices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("specs.simulation.schedule.PATIENCE", 0)
    found = sweep(range(20))

    failed = {one.property: one.detail for one in results(found, 0.0) if not one.passed}

    assert f"--seed {found.broken['progress']}" in failed["always progress"]
    assert "--choices" in failed["always progress"]


def test_a_simulation_that_saw_too_little_fails() -> None:
    failed = {one.property for one in results(Sweep(), 0.0) if not one.passed}

    assert failed == {f"sometimes {group}" for group in SOMETIMES}


def test_every_property_that_can_be_broken_has_a_result() -> None:
    assert set().union(*BROKEN.values()) <= set(ALWAYS)
