"""The lanes of the simulation: what must not be is found, whatever the model makes of it."""

from __future__ import annotations

import pytest

from specs.simulation.lanes import Lanes
from wavelane.journal import RecordedEvent
from wavelane_model.effects import AnnounceIssue, Effect, FinishWave
from wavelane_model.events import (
    CancelRequested,
    Event,
    OrderPlanned,
    Reservation,
    ReservationEnded,
    RunCutOff,
    SessionEnded,
    StopRequested,
    WaveStarted,
)
from wavelane_model.outcomes import Merged
from wavelane_model.wave import Issue, Wave

WAVE = Wave(
    [Issue("api#1", "api"), Issue("web#1", "web", ["api#1"]), Issue("web#2", "web")],
)
UNTIL = 60.0
HOLDING = OrderPlanned(("api#1", "web#1", "web#2"), (Reservation("web#1", UNTIL),))
ADMITS_API = AnnounceIssue("api#1", "admit", "queued", "admitted")
ADMITS_WEB = AnnounceIssue("web#2", "admit", "queued", "admitted")
API_IS_DONE = AnnounceIssue("api#1", "merged", "merging", "done")
WEB_IS_CANCELLED = AnnounceIssue("web#1", "cancel", "queued", "cancelled")


class Watched:
    """Lanes at cap 2 that are told of a run, and what they complained about."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.lanes = Lanes(WAVE, "done", 2, self.complaints.append)

    def take(self, event: Event, *effects: Effect, at: float = 0.0) -> None:
        self.lanes.take(RecordedEvent(at, event), effects)


@pytest.fixture
def held() -> Watched:
    """A run is under way, api#1 is in flight, and lane web is held for web#1."""
    watched = Watched()
    watched.take(HOLDING)
    watched.take(WaveStarted(), ADMITS_API)
    return watched


def test_a_lane_may_stand_idle_while_it_is_held(held: Watched) -> None:
    held.lanes.look(UNTIL)

    assert held.complaints == []
    assert "a hold keeps an issue back" in held.lanes.seen


def test_a_lane_that_is_held_beyond_its_time_is_found(held: Watched) -> None:
    held.lanes.look(UNTIL + 1)

    assert held.complaints[0] == "hold: the lane of web#1 is held beyond its time"


def test_a_hold_that_ends_before_its_time_is_found(held: Watched) -> None:
    held.take(ReservationEnded("web#1", UNTIL), ADMITS_WEB, at=UNTIL - 1)

    assert held.complaints == ["hold: the lane of web#1 is held no longer, before its time"]


def test_an_admission_into_a_lane_that_is_held_is_found(held: Watched) -> None:
    held.take(StopRequested(), ADMITS_WEB)

    assert held.complaints == ["hold: web#2 is admitted while its lane is held for ['web#1']"]


def test_an_admission_that_does_not_follow_the_plan_is_found(held: Watched) -> None:
    held.take(SessionEnded("api#1", 3, Merged()), API_IS_DONE, ADMITS_WEB)

    assert "plan: web#2 is admitted before web#1, which comes first" in held.complaints


@pytest.mark.parametrize(
    ("end", "effects"),
    [
        (OrderPlanned(()), ()),
        (ReservationEnded("web#1", UNTIL), ()),
        (CancelRequested("web#1"), (WEB_IS_CANCELLED,)),
    ],
)
def test_what_is_ready_and_does_not_start_when_a_hold_has_ended_is_found(
    held: Watched, end: Event, effects: tuple[Effect, ...]
) -> None:
    held.take(end, *effects, at=UNTIL)
    held.lanes.look(UNTIL)

    assert held.complaints == ["idle: web#2 is ready, and its lane is free and not held"]


def test_a_plan_that_is_told_after_the_end_of_the_run_is_found(held: Watched) -> None:
    held.take(StopRequested(), FinishWave("stopped"))
    assert held.complaints == []

    held.take(HOLDING)

    assert held.complaints == ["plan: a plan is told after the end of the run"]


def test_a_hold_that_is_put_off_counts_as_over_at_its_first_time(held: Watched) -> None:
    held.take(OrderPlanned(HOLDING.order, (Reservation("web#1", UNTIL + 600),)))
    held.lanes.look(UNTIL + 1)

    assert held.complaints[0] == "hold: the lane of web#1 is held beyond its time"


def test_no_second_hold_counts_for_an_issue(held: Watched) -> None:
    held.take(ReservationEnded("web#1", UNTIL), at=UNTIL)
    held.take(HOLDING, at=UNTIL)
    held.lanes.look(UNTIL)

    assert held.complaints == ["idle: web#2 is ready, and its lane is free and not held"]


def test_no_hold_counts_for_the_run_after_one_that_was_cut_off(held: Watched) -> None:
    held.take(RunCutOff())
    held.take(WaveStarted())
    held.lanes.look(0.0)

    assert held.complaints == ["idle: web#2 is ready, and its lane is free and not held"]
