"""A planned order of admission and reserved lanes, in the model."""

from __future__ import annotations

import pytest
from tests.helpers import Model, wave_of

from wavelane_model.effects import EndReservationAt
from wavelane_model.events import (
    AttemptDiscarded,
    CancelRequested,
    Event,
    OrderPlanned,
    ParkRequested,
    Reservation,
    ReservationEnded,
    RunCutOff,
    UnparkRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.outcomes import Blocked, Postponed
from wavelane_model.step import IllegalEvent, step
from wavelane_model.wave import Issue
from wavelane_model.why import why

WAVE = wave_of("api#1", "web#1 < api#1", "web#2")
UNTIL = 50_000.0
RESERVING = OrderPlanned(("api#1", "web#1", "web#2"), (Reservation("web#1", UNTIL),))


def reserved() -> Model:
    """A wave that has begun with lane web reserved for web#1."""
    model = Model(WAVE, cap=2, started=False)
    model.take(RESERVING)
    assert model.take(WaveStarted()) == ["implement api#1"]
    return model


def test_what_is_planned_is_admitted_in_the_order_of_the_plan() -> None:
    model = Model(wave_of("a#1", "a#2", "a#3"), cap=1, started=False)
    model.take(OrderPlanned(("a#3", "a#2", "a#1")))

    assert model.take(WaveStarted()) == ["implement a#3"]
    assert model.finish("a#3") == ["implement a#2"]


def test_a_plan_is_followed_from_the_next_admission_on() -> None:
    model = Model(wave_of("a#1", "a#2", "a#3"), cap=1)
    model.take(OrderPlanned(("a#3",)))

    assert model.finish("a#1") == ["implement a#3"]
    assert model.finish("a#3") == ["implement a#2"]


def test_no_plan_goes_against_a_priority() -> None:
    model = Model(wave_of("a#1", "a#2 !1", "b#1 < a#1"), cap=1, started=False)
    model.take(OrderPlanned(("a#1", "b#1", "a#2")))

    assert model.take(WaveStarted()) == ["implement a#2"]


def test_what_no_plan_names_comes_after_it_in_the_usual_order() -> None:
    model = Model(wave_of("a#1", "a#2", "a#3", "b#1 < a#3"), cap=1, started=False)
    model.take(OrderPlanned(("a#2",)))

    assert model.take(WaveStarted()) == ["implement a#2"]
    assert model.finish("a#2") == ["implement a#3"]


def test_a_plan_stays_when_issues_are_added() -> None:
    model = Model(wave_of("a#1", "a#2", "a#3"), cap=1)
    model.take(OrderPlanned(("a#3",)))
    model.take(WaveAmended((Issue("a#4", "a"),)))

    assert model.finish("a#1") == ["implement a#3"]


def test_a_lane_is_reserved_idle_and_why_says_for_whom() -> None:
    model = reserved()

    reason = why(model.state, "web#2")
    assert (reason.code, reason.text) == ("reserved", "lane web reserved for web#1")
    assert (reason.issues, reason.until) == (("web#1",), UNTIL)


def test_a_reservation_ends_when_its_issue_starts() -> None:
    model = reserved()

    assert model.finish("api#1") == ["implement web#1"]
    assert model.state.reservations == {}
    assert model.why("web#2") == "lane web held by web#1"


def test_a_reservation_ends_when_its_time_has_come() -> None:
    model = reserved()

    assert model.take(ReservationEnded("web#1", UNTIL)) == ["implement web#2"]


@pytest.mark.parametrize("end", [ParkRequested("web#1", "why?"), CancelRequested("web#1")])
def test_a_reservation_ends_when_its_issue_is_taken_out(end: Event) -> None:
    model = reserved()

    assert model.take(end) == ["implement web#2"]


def test_a_reservation_ends_when_what_its_issue_waits_for_is_parked() -> None:
    model = reserved()

    assert model.end("api#1", Blocked("which one?")) == ["implement web#2"]


def test_an_issue_that_comes_before_it_in_the_plan_does_not_wait() -> None:
    model = Model(WAVE, cap=2, started=False)
    model.take(OrderPlanned(("api#1", "web#2", "web#1"), (Reservation("web#1", UNTIL),)))

    assert model.take(WaveStarted()) == ["implement api#1", "implement web#2"]


def test_a_more_urgent_issue_does_not_wait() -> None:
    model = Model(wave_of("api#1", "web#1 < api#1", "web#2 !1"), cap=2, started=False)
    model.take(RESERVING)

    assert model.take(WaveStarted()) == ["implement web#2", "implement api#1"]


def test_another_plan_ends_the_reservations_of_the_one_before() -> None:
    model = reserved()

    assert model.take(OrderPlanned(("web#1",))) == ["implement web#2"]


def test_no_lane_is_reserved_for_what_waits_for_a_human() -> None:
    model = Model(WAVE, cap=2)
    model.end("api#1", Blocked("which one?"))

    model.take(OrderPlanned(RESERVING.order, RESERVING.reservations))

    assert model.state.reservations == {}


def test_a_run_orders_the_end_of_each_reservation_when_it_starts() -> None:
    model = Model(WAVE, cap=2, started=False)

    assert step(model.state, RESERVING) == []
    assert EndReservationAt("web#1", UNTIL) in step(model.state, WaveStarted())


def test_no_reservation_outlives_its_run_and_the_lane_is_given_in_the_next() -> None:
    model = reserved()
    model.take(RunCutOff())
    model.take(AttemptDiscarded("api#1"))

    assert model.take(WaveStarted()) == ["implement api#1", "implement web#2"]


def test_an_issue_that_comes_back_gets_no_second_reservation() -> None:
    model = reserved()
    model.take(ParkRequested("web#1", "why?"))
    model.take(UnparkRequested("web#1"))

    assert model.state.reservations == {}


@pytest.mark.parametrize(
    ("event", "refusal"),
    [
        (OrderPlanned(("api#9",)), 'there is no issue "api#9" in the wave'),
        (OrderPlanned(("api#1", "api#1")), "the order of a plan names an issue twice"),
        (
            OrderPlanned(("web#1",), (Reservation("web#1", 1.0), Reservation("web#1", 2.0))),
            "the reservations of a plan name an issue twice",
        ),
        (
            OrderPlanned(("api#1",), (Reservation("web#1", 1.0),)),
            "a plan reserves lanes for web#1, which its order lacks",
        ),
        (ReservationEnded("web#2", UNTIL), 'no lane is reserved for issue "web#2" until 50000.0'),
        (
            ReservationEnded("web#1", UNTIL + 1),
            'no lane is reserved for issue "web#1" until 50001.0',
        ),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_and_changes_nothing(
    event: Event, refusal: str
) -> None:
    model = reserved()
    before = model.state.key()

    with pytest.raises(IllegalEvent, match=refusal):
        step(model.state, event)
    assert model.state.key() == before


def test_a_reservation_ends_only_during_a_run() -> None:
    model = Model(WAVE, cap=2, started=False)
    model.take(RESERVING)

    with pytest.raises(IllegalEvent, match="ReservationEnded before the wave has started"):
        step(model.state, ReservationEnded("web#1", UNTIL))


@pytest.mark.parametrize(("asked", "until"), [(-600, -600), (600, 0)])
def test_a_later_plan_may_shorten_a_reservation_but_not_put_it_off(
    asked: float, until: float
) -> None:
    model = reserved()

    effects = step(
        model.state, OrderPlanned(RESERVING.order, (Reservation("web#1", UNTIL + asked),))
    )

    assert effects == [EndReservationAt("web#1", UNTIL + until)]
    assert model.take(ReservationEnded("web#1", UNTIL + until)) == ["implement web#2"]


def test_the_later_end_of_a_reservation_that_was_shortened_is_refused() -> None:
    model = reserved()
    model.take(OrderPlanned(RESERVING.order, (Reservation("web#1", UNTIL - 600),)))

    with pytest.raises(IllegalEvent):
        step(model.state, ReservationEnded("web#1", UNTIL))


@pytest.mark.parametrize(
    "end",
    [
        (ReservationEnded("web#1", UNTIL),),
        (OrderPlanned(("web#1",)),),
        (WaveAmended((Issue("web#1", "web", ["api#1"], title="other"),)),),
        (RunCutOff(), AttemptDiscarded("api#1")),
    ],
    ids=["late", "withdrawn", "changed", "cut off"],
)
def test_no_lane_is_reserved_again_for_an_issue_whose_reservation_has_ended(
    end: tuple[Event, ...],
) -> None:
    model = reserved()
    for event in end:
        model.take(event)

    model.take(RESERVING)

    assert model.state.reservations == {}


def test_no_lane_is_reserved_again_for_an_issue_that_has_started_and_comes_back() -> None:
    model = reserved()
    model.finish("api#1")
    model.end("web#1", Postponed(None, "quota"))

    model.take(RESERVING)

    assert model.state.reservations == {}


def test_a_lane_may_be_reserved_again_for_what_a_human_has_queued_again() -> None:
    model = reserved()
    model.take(ParkRequested("web#1", "why?"))
    model.take(UnparkRequested("web#1"))

    model.take(RESERVING)

    assert model.state.reservations == {WAVE.position["web#1"]: UNTIL}


def test_two_states_that_differ_in_what_was_awaited_are_two() -> None:
    model, fresh = reserved(), Model(WAVE, cap=2, started=False)
    model.take(OrderPlanned(("web#1",)))
    fresh.take(OrderPlanned(("web#1",)))
    fresh.take(WaveStarted())
    model.finish("web#2")
    fresh.finish("web#2")

    assert model.state.key() != fresh.state.key()


CHAIN = wave_of("docs#1", "api#1 < docs#1", "web#1 < api#1", "web#2")
"""web#1 waits for docs#1 by way of api#1."""
RESERVING_LONG = OrderPlanned(("docs#1", "api#1", "web#1", "web#2"), (Reservation("web#1", UNTIL),))


def reserved_along_a_chain() -> Model:
    """A wave of `CHAIN` that has begun with lane web reserved for web#1."""
    model = Model(CHAIN, cap=2, started=False)
    model.take(RESERVING_LONG)
    assert model.take(WaveStarted()) == ["implement docs#1"]
    return model


def test_a_reservation_ends_when_what_its_issue_waits_for_indirectly_is_parked() -> None:
    model = reserved_along_a_chain()

    assert model.end("docs#1", Blocked("which one?")) == ["implement web#2"]


def test_no_lane_is_reserved_for_what_waits_for_a_human_indirectly() -> None:
    model = Model(CHAIN, cap=2)
    model.end("docs#1", Blocked("which one?"))

    model.take(RESERVING_LONG)

    assert model.state.reservations == {}


def test_a_reservation_ends_when_what_its_issue_waits_for_is_to_wait_for_a_human() -> None:
    model = Model(
        wave_of("docs#1", "api#2", "api#1 < api#2", "web#1 < api#1", "web#2"), cap=2, started=False
    )
    model.take(ParkRequested("docs#1", "why?"))
    model.take(OrderPlanned(("api#2", "api#1", "web#1", "web#2"), (Reservation("web#1", UNTIL),)))
    assert model.take(WaveStarted()) == ["implement api#2"]

    change = WaveAmended((Issue("api#1", "api", ["docs#1"]),))

    assert model.take(change) == ["implement web#2"]


def test_a_reservation_ends_when_its_issue_is_changed() -> None:
    model = reserved()
    needs = Issue("web#1", "web", ["api#1", "web#3"])

    assert model.take(WaveAmended((needs, Issue("web#3", "web")))) == ["implement web#2"]
