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
RESERVING = OrderPlanned(("api#1", "web#1", "web#2"), (Reservation("web#1", UNTIL),))
ADMITS_API = AnnounceIssue("api#1", "admit", "queued", "admitted")
ADMITS_WEB = AnnounceIssue("web#2", "admit", "queued", "admitted")
API_IS_DONE = AnnounceIssue("api#1", "merged", "merging", "done")
WEB_IS_CANCELLED = AnnounceIssue("web#1", "cancel", "queued", "cancelled")


class Watched:
    """Lanes at cap 2 that follow a run, and their complaints."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.lanes = Lanes(WAVE, "done", 2, self.complaints.append)

    def take(self, event: Event, *effects: Effect, at: float = 0.0) -> None:
        self.lanes.take(RecordedEvent(at, event), effects)


@pytest.fixture
def reserved() -> Watched:
    """A run is under way, api#1 is in flight, and lane web is reserved for web#1."""
    watched = Watched()
    watched.take(RESERVING)
    watched.take(WaveStarted(), ADMITS_API)
    return watched


def test_a_lane_may_stand_idle_while_it_is_reserved(reserved: Watched) -> None:
    reserved.lanes.look(UNTIL)

    assert reserved.complaints == []
    assert "a reservation makes an issue wait" in reserved.lanes.seen


def test_a_lane_that_is_reserved_beyond_its_time_is_found(reserved: Watched) -> None:
    reserved.lanes.look(UNTIL + 1)

    assert reserved.complaints[0] == "reservation: the lane of web#1 is reserved beyond its time"


def test_a_reservation_that_ends_before_its_time_is_found(reserved: Watched) -> None:
    reserved.take(ReservationEnded("web#1", UNTIL), ADMITS_WEB, at=UNTIL - 1)

    assert reserved.complaints == [
        "reservation: the lane of web#1 is reserved no longer, before its time"
    ]


def test_an_admission_into_a_lane_that_is_reserved_is_found(reserved: Watched) -> None:
    reserved.take(StopRequested(), ADMITS_WEB)

    assert reserved.complaints == [
        "reservation: web#2 is admitted while its lane is reserved for ['web#1']"
    ]


def test_an_admission_that_does_not_follow_the_plan_is_found(reserved: Watched) -> None:
    reserved.take(SessionEnded("api#1", 3, Merged()), API_IS_DONE, ADMITS_WEB)

    assert "plan: web#2 is admitted before web#1, which comes first" in reserved.complaints


@pytest.mark.parametrize(
    ("end", "effects"),
    [
        (OrderPlanned(()), ()),
        (ReservationEnded("web#1", UNTIL), ()),
        (CancelRequested("web#1"), (WEB_IS_CANCELLED,)),
    ],
)
def test_what_is_ready_and_does_not_start_when_a_reservation_has_ended_is_found(
    reserved: Watched, end: Event, effects: tuple[Effect, ...]
) -> None:
    reserved.take(end, *effects, at=UNTIL)
    reserved.lanes.look(UNTIL)

    assert reserved.complaints == ["idle: web#2 is ready, and its lane is free and not reserved"]


def test_a_plan_that_is_recorded_after_the_end_of_the_run_is_found(reserved: Watched) -> None:
    reserved.take(StopRequested(), FinishWave("stopped"))
    assert reserved.complaints == []

    reserved.take(RESERVING)

    assert reserved.complaints == ["plan: a plan is recorded after the end of the run"]


def test_a_reservation_that_is_put_off_counts_as_over_at_its_first_time(reserved: Watched) -> None:
    reserved.take(OrderPlanned(RESERVING.order, (Reservation("web#1", UNTIL + 600),)))
    reserved.lanes.look(UNTIL + 1)

    assert reserved.complaints[0] == "reservation: the lane of web#1 is reserved beyond its time"


def test_no_second_reservation_counts_for_an_issue(reserved: Watched) -> None:
    reserved.take(ReservationEnded("web#1", UNTIL), at=UNTIL)
    reserved.take(RESERVING, at=UNTIL)
    reserved.lanes.look(UNTIL)

    assert reserved.complaints == ["idle: web#2 is ready, and its lane is free and not reserved"]


def test_no_reservation_counts_for_the_run_after_one_that_was_cut_off(reserved: Watched) -> None:
    reserved.take(RunCutOff())
    reserved.take(WaveStarted())
    reserved.lanes.look(0.0)

    assert reserved.complaints == ["idle: web#2 is ready, and its lane is free and not reserved"]
