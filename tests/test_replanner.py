"""Waves with a planned order of admission, by the scheduler in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.helpers import scheduler_of

from wavelane import Blocked, Finished, Issue, Report, Wave
from wavelane.journal import JournalReader
from wavelane.pipeline import Assignment
from wavelane.planning import planner
from wavelane.planning import replanner as module
from wavelane.planning.planner import Plan, Span, planned
from wavelane.planning.replanner import Question, Replanner, opening, solve
from wavelane.replay.replay import Replay
from wavelane.steps import Step
from wavelane.testing import (
    ScriptedPipeline,
    VirtualLoop,
    assert_keeps_the_rules,
    run_virtual,
    virtual_clock,
)
from wavelane_model.cap import Cap
from wavelane_model.effects import Effect
from wavelane_model.events import (
    CapMoved,
    Event,
    OrderPlanned,
    PostponementEnded,
    ReservationEnded,
    SessionEnded,
    StopRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.outcomes import Approved, Implemented, Merged, Postponed
from wavelane_model.state import WaveState

MINUTE = 60.0


def wave_of(lengths: Mapping[str, float | None], needs: Mapping[str, list[str]]) -> Wave:
    """A wave with estimates in minutes; the repo is the part before the "#"."""
    return Wave(
        [
            Issue(
                one,
                one.partition("#")[0],
                needs.get(one, ()),
                estimate=None if minutes is None else minutes * MINUTE,
            )
            for one, minutes in lengths.items()
        ]
    )


HELD = wave_of(
    {"api#1": 10, "web#1": 50, "api#2": 50, "web#2": 50}, {"web#1": ["api#1"], "api#2": ["web#1"]}
)
"""It ends after 110 minutes if lane web is reserved for web#1, else after 150."""


def pipeline(
    wave: Wave, *, times: float = 1.0, script: Mapping[tuple[Step, str], list[object]] | None = None
) -> ScriptedPipeline:
    """Implementing takes as long as estimated, or `times` as long; all else takes no time."""

    def seconds(step: Step, issue: Assignment) -> float:
        return times * (wave[issue.id].estimate or MINUTE) if step == "implement" else 0.0

    return ScriptedPipeline(script, seconds=seconds)


def run(
    wave: Wave, path: Path, *, plan: bool | None = None, times: float = 1.0, **others: object
) -> tuple[Report, list[Event]]:
    """Run a wave with a journal at cap 2; the report, and the recorded events."""
    report = run_virtual(
        scheduler_of(
            wave, pipeline(wave, times=times), cap=2, journal=path, plan=plan, **others
        ).run
    )
    assert_keeps_the_rules(path)
    with JournalReader(path) as reader:
        return report, [entry.event for entry in reader.recorded_events()]


def stopped_after_a_minute(tmp_path: Path) -> Path:
    """The journal of a planned run that was stopped while a lane was reserved."""
    path = tmp_path / "j.db"

    async def scenario() -> None:
        scheduler = scheduler_of(HELD, pipeline(HELD), cap=2, journal=path)
        running = asyncio.create_task(scheduler.run())
        await asyncio.sleep(MINUTE)
        scheduler.stop()
        await running

    run_virtual(scenario)
    return path


def minutes(report: Report) -> float:
    return (report.ended_at - report.started_at) / MINUTE


def plans(events: list[Event]) -> list[OrderPlanned]:
    return [one for one in events if isinstance(one, OrderPlanned)]


def test_a_wave_with_estimates_is_planned_and_ends_sooner(tmp_path: Path) -> None:
    planned, events = run(HELD, tmp_path / "planned.db")
    usual, others = run(HELD, tmp_path / "usual.db", plan=False)

    assert (minutes(planned), minutes(usual)) == (110, 150)
    assert isinstance(events[0], OrderPlanned)
    assert plans(others) == []


def test_a_wave_without_estimates_is_planned_only_if_asked_to(tmp_path: Path) -> None:
    wave = wave_of(dict.fromkeys(["a#1", "a#2", "b#1"]), {"b#1": ["a#2"]})

    _, events = run(wave, tmp_path / "j.db")

    assert plans(events) == []
    assert not Replanner(wave).is_due(0.0, WaveState(wave))
    experienced = Wave(wave.issues, experience=[Finished("a", (), MINUTE)])
    assert Replanner(experienced).is_due(0.0, WaveState(experienced))
    assert Replanner(wave, True).is_due(0.0, WaveState(wave))


def test_why_says_for_whom_a_lane_is_held() -> None:
    async def scenario() -> str:
        scheduler = scheduler_of(HELD, pipeline(HELD), cap=2)
        running = asyncio.create_task(scheduler.run())
        await asyncio.sleep(MINUTE)
        text = scheduler.status("web#2").why.text
        await running
        return text

    assert run_virtual(scenario) == "lane web reserved for web#1"


def test_what_is_late_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    report, events = run(HELD, tmp_path / "j.db", times=6.0)

    assert report.outcome == "complete"
    assert any(isinstance(one, ReservationEnded) for one in events)


def test_a_hold_ends_when_what_it_waits_for_is_parked(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    scripted = pipeline(HELD, script={("implement", "api#1"): [Blocked("which one?")]})

    report = run_virtual(scheduler_of(HELD, scripted, cap=2, journal=path).run)

    assert_keeps_the_rules(path)
    assert report.issues["web#2"].state == "done"
    assert report.outcome == "blocked"


def test_a_planner_that_fails_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("in the planner")

    monkeypatch.setattr(planner, "planned", fails)

    report = run_virtual(scheduler_of(HELD, pipeline(HELD), cap=2).run)

    assert report.outcome == "complete"
    assert "the order of admission cannot be planned" in caplog.text


def test_a_wave_that_is_continued_is_planned_too(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    async def stopped_at_once() -> None:
        scheduler = scheduler_of(HELD, pipeline(HELD), cap=2, journal=path, plan=False)
        scheduler.stop()
        await scheduler.run()

    run_virtual(stopped_at_once)

    _, events = run(HELD, path, clock=lambda: virtual_clock() + 3600)

    starts = [at for at, one in enumerate(events) if isinstance(one, WaveStarted)]
    assert len(starts) == 2
    assert plans(events[starts[0] : starts[1]])


def test_a_plan_that_comes_after_the_end_of_the_run_is_not_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "j.db"

    async def scenario() -> None:
        scheduler = scheduler_of(HELD, pipeline(HELD), cap=2, journal=path)
        running = asyncio.create_task(scheduler.run())
        await asyncio.sleep(10.5 * MINUTE)
        scheduler.cap.set(1)  # planned again from 11.5, when that is written, until 20.5
        await asyncio.sleep(2 * MINUTE)
        scheduler.stop()  # api#1 ends at 20, and that is written at 21
        await running

    monkeypatch.setattr(VirtualLoop, "run_in_executor", in_a_slow_thread)
    monkeypatch.setattr(planner, "planned", holds_web)
    run_virtual(scenario)

    with JournalReader(path) as reader:
        assert isinstance([*reader.recorded_events()][-1].event, SessionEnded)


def in_a_slow_thread(
    loop: VirtualLoop, executor: object, work: Callable[..., Any], *args: Any
) -> asyncio.Future[Any]:
    """A write takes one minute, and a plan takes nine."""
    done = loop.create_future()

    def end() -> None:
        if not done.cancelled():
            done.set_result(work(*args))

    loop.call_later((9 if executor is None else 1) * MINUTE, end)
    return done


def holds_web(*args: object, start_from: tuple[int, ...], **kwargs: object) -> Plan:
    """An optimal plan: lane web is reserved for web#1."""
    web, span = HELD.position["web#1"], Span(50 * MINUTE, 100 * MINUTE)
    return Plan(start_from, frozenset({web}), {web: span}, span.end, sooner=span.end)


# The replanner alone


class Watched:
    """A running wave at a given time, and its replanner."""

    def __init__(self, wave: Wave, *, cap: int = 2, wanted: bool | None = None) -> None:
        self.replanner = Replanner(wave, wanted)
        self.replay = Replay(WaveState(wave, cap=Cap.at(cap)), self.replanner.follow)
        self.state = self.replay.state

    def take(self, at: float, event: Event) -> list[Effect]:
        return self.replay.apply(at, event).effects

    def finish(self, at: float, issue: str) -> None:
        """Implemented, reviewed and merged at once."""
        for outcome in (Implemented(), Approved(), Merged()):
            self.take(at, SessionEnded(issue, self.state.find(issue).session, outcome))

    def end_reservations(self, at: float) -> None:
        """End the reservations whose time has come."""
        for held, until in [*self.state.reservations.items()]:
            if until <= at:
                self.take(until, ReservationEnded(self.state.wave.issues[held].id, until))

    def ask(self, at: float) -> Question | None:
        return self.replanner.question(at, self.replay)

    def plan(self, at: float, *, sooner: float | None = None) -> OrderPlanned | None:
        """Solve and decide in no time, as if the wave ended so much `sooner`."""
        question = self.ask(at)
        if question is None:
            return None
        answer = solve(question)._replace(took=0.0)
        if sooner is not None:
            answer = answer._replace(plan=replace(answer.plan, sooner=sooner))
        plan = self.replanner.decide(answer)
        if plan is not None:
            self.take(at, plan)
        return plan


def begun(wave: Wave = HELD, *, cap: int = 2) -> Watched:
    watched = Watched(wave, cap=cap)
    watched.plan(0.0)
    watched.take(0.0, WaveStarted())
    return watched


def test_what_ends_as_it_was_planned_is_no_reason_to_plan_anew() -> None:
    watched = begun()
    watched.finish(10 * MINUTE, "api#1")

    assert watched.ask(10 * MINUTE) is None


@pytest.mark.parametrize("late", [-4, 4])
def test_what_ends_early_or_late_is_a_reason_to_plan_anew(late: int) -> None:
    watched = begun()
    watched.finish((10 + late) * MINUTE, "api#1")

    assert watched.ask((10 + late) * MINUTE) is not None


@pytest.mark.parametrize("event", [CapMoved("set", 1), WaveAmended((Issue("web#3", "web"),))])
def test_a_moved_cap_and_added_issues_are_reasons_to_plan_anew(event: Event) -> None:
    watched = begun()
    watched.take(MINUTE, event)

    assert watched.ask(MINUTE) is not None


@pytest.mark.parametrize("event", [CapMoved("pause"), StopRequested()])
def test_nothing_is_planned_while_nothing_may_start(event: Event) -> None:
    watched = begun()
    watched.take(MINUTE, event)

    assert watched.ask(MINUTE) is None


def test_planning_rests_for_some_time() -> None:
    watched = Watched(HELD)
    question = watched.ask(0.0)
    assert question is not None
    watched.replanner.decide(solve(question)._replace(took=3.0))
    watched.take(0.0, WaveStarted())
    watched.finish(30.0, "api#1")

    assert watched.ask(30.0) is None
    assert watched.ask(60.0) is not None


def test_what_waits_for_a_human_is_not_planned_nor_what_is_behind_it() -> None:
    watched = begun()
    watched.take(0.0, SessionEnded("api#1", 1, Blocked("which one?")))

    question = watched.ask(0.0)

    assert question is None or question.todo == {HELD.position["web#2"]}


def test_without_an_estimate_an_issue_is_expected_to_take_what_its_repo_took() -> None:
    wave = wave_of({"api#1": None, "api#2": None, "api#3": None, "web#1": 50}, {})
    watched = begun(wave)
    watched.finish(7 * MINUTE, "api#1")

    question = watched.ask(7 * MINUTE)

    assert question is not None
    assert question.seconds[wave.position["api#2"]] == 7 * MINUTE


def test_without_an_estimate_an_issue_is_expected_to_take_what_those_like_it_took() -> None:
    bugs = [Issue(f"api#{at}", "api", labels=["bug"]) for at in range(1, 6)]
    wave = Wave([*bugs, Issue("api#6", "api"), Issue("web#1", "web", estimate=50 * MINUTE)])
    watched = begun(wave)
    for number, end in enumerate((7, 16, 24), 1):
        watched.finish(end * MINUTE, f"api#{number}")
    watched.finish(24 * MINUTE, "web#1")

    question = watched.ask(24 * MINUTE)

    assert question is not None
    assert question.seconds[wave.position["api#5"]] == 8 * MINUTE


def test_what_was_learned_before_counts_with_what_the_wave_has_taken_itself() -> None:
    experience = [Finished("api", ["bug"], minutes * MINUTE) for minutes in (20, 30)]
    bugs = [Issue(f"api#{at}", "api", labels=["bug"]) for at in range(1, 4)]
    watched = Watched(Wave(bugs, experience=experience))
    first = watched.ask(0.0)
    watched.take(0.0, WaveStarted())
    watched.finish(7 * MINUTE, "api#1")

    second = watched.ask(7 * MINUTE)

    assert first is not None
    assert second is not None
    assert [*first.seconds] == [30 * MINUTE] * 3
    assert [*second.seconds] == [20 * MINUTE] * 3


def test_without_any_estimate_all_are_expected_to_take_what_others_took() -> None:
    wave = wave_of(dict.fromkeys(["api#1", "api#2", "api#3", "web#1", "web#2", "web#3"]), {})
    watched = Watched(wave, wanted=True)
    first = watched.ask(0.0)
    watched.take(0.0, WaveStarted())
    watched.take(MINUTE, CapMoved("set", 1))
    second = watched.ask(MINUTE)
    watched.finish(7 * MINUTE, "api#1")
    third = watched.ask(7 * MINUTE)

    assert first is not None
    assert second is not None
    assert third is not None
    assert [*first.seconds] == [1.0] * 6
    assert set(second.elapsed.values()) == {0.0}
    assert [*third.seconds] == [7 * MINUTE] * 6
    assert set(third.elapsed.values()) == {7 * MINUTE}


def test_what_is_in_flight_stands_first_in_a_plan_so_that_no_lane_is_held_against_it() -> None:
    watched = begun()
    watched.take(MINUTE, CapMoved("set", 1))
    question = watched.ask(MINUTE)
    assert question is not None
    answer = solve(question)

    plan = watched.replanner.decide(answer._replace(plan=replace(answer.plan, sooner=60 * MINUTE)))

    assert plan is not None
    assert plan.order[0] == "api#1"


def test_what_is_postponed_is_not_planned_before_its_time_comes() -> None:
    watched = begun()
    watched.take(MINUTE, SessionEnded("api#1", 1, Postponed(1e9, "quota")))

    question = watched.ask(MINUTE)

    assert question is not None
    assert question.todo == {HELD.position["web#2"]}
    watched.take(2 * MINUTE, PostponementEnded("api#1"))
    assert watched.replanner.is_due(2 * MINUTE, watched.state)


def test_the_holds_in_force_count_in_what_a_plan_is_held_against() -> None:
    held: dict[int, float] = {HELD.position["web#1"]: 600.0}
    free: dict[int, float] = {}

    with_hold, without = (
        planned(HELD, [60.0, 1.0, 1.0, 3000.0], 2, reservations=one, effort=0)
        for one in (held, free)
    )

    assert with_hold.sooner == 59.0
    assert without.sooner == 0.0


def test_a_hold_that_would_end_too_early_does_not_count() -> None:
    ends_before = {HELD.position["web#1"]: 59.0}

    plan = planned(HELD, [60.0, 1.0, 1.0, 3000.0], 2, reservations=ends_before, effort=0)

    assert plan.sooner == 0.0


def test_while_a_session_hangs_and_the_cap_trembles_the_others_of_a_held_lane_go_on() -> None:
    watched = begun(cap=3)
    for minute in range(1, 20):
        at = minute * MINUTE
        watched.end_reservations(at)
        watched.take(at, CapMoved("set", 3 - minute % 2))
        watched.plan(at, sooner=10 * MINUTE)

    assert watched.state.find("api#1").state == "running"
    assert watched.state.find("web#2").state == "running"


def test_no_lane_is_asked_for_that_the_model_would_not_hold() -> None:
    watched = begun()
    [until] = watched.state.reservations.values()
    watched.take(until, ReservationEnded("web#1", until))

    question = watched.ask(until)

    assert question is not None
    assert question.unreservable == {HELD.position["web#1"]}
    assert solve(question).plan.reserved_for == frozenset()


def test_a_hold_in_force_keeps_its_time_whatever_a_later_plan_asks_for() -> None:
    watched = begun()
    [until] = watched.state.reservations.values()
    watched.take(5 * MINUTE, CapMoved("set", 1))
    question = watched.ask(5 * MINUTE)
    assert question is not None
    answer = solve(question)
    held = replace(
        answer.plan,
        reserved_for=frozenset({HELD.position["web#1"]}),
        spans={**answer.plan.spans, HELD.position["web#1"]: Span(60 * MINUTE, 110 * MINUTE)},
        sooner=60 * MINUTE,
    )

    plan = watched.replanner.decide(answer._replace(plan=held))

    assert plan is not None
    assert plan.reservations[0].until > until
    watched.take(5 * MINUTE, plan)
    assert watched.state.reservations == {HELD.position["web#1"]: until}


def test_a_wave_that_goes_on_without_planning_drops_its_plan(tmp_path: Path) -> None:
    path = stopped_after_a_minute(tmp_path)
    _, events = run(HELD, path, plan=False, clock=lambda: virtual_clock() + 3600)

    assert plans(events)[-1] == OrderPlanned(())


def test_verify_knows_issues_that_were_added_during_a_hold(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    async def added() -> None:
        scheduler = scheduler_of(HELD, pipeline(HELD), cap=2, journal=path)
        running = asyncio.create_task(scheduler.run())
        await asyncio.sleep(MINUTE)
        scheduler.add(Issue("web#9", "web", priority=5, estimate=MINUTE))
        await running

    run_virtual(added)

    assert_keeps_the_rules(path)


def test_absurd_estimates_plan_nothing() -> None:
    wave = wave_of({"a#1": 1e306, "b#1": 1e306, "a#2": 1e306}, {"b#1": ["a#2"]})

    assert opening(wave, 2)[-1] == WaveStarted()


def test_a_large_wave_keeps_to_the_usual_order() -> None:
    wave = Wave([Issue(f"a#{at}", "a", estimate=60) for at in range(module.LARGEST + 1)])

    assert Watched(wave).ask(0.0) is None


def test_an_order_that_is_as_good_as_it_can_be_is_left_alone() -> None:
    watched = Watched(wave_of({"a#1": 5, "b#1": 5}, {}))

    assert watched.plan(0.0) is None


def test_a_hold_is_given_some_time_beyond_the_planned_start() -> None:
    plan = Watched(HELD).plan(0.0)

    assert plan is not None
    [hold] = plan.reservations
    assert hold.issue == "web#1"
    assert hold.until == pytest.approx(13 * MINUTE)
