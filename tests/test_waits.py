"""Waits add up, over time, what `why` says at each moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import GOOD, wave_of

from wavelane.testing.strategies import lane_releases, limits, waves
from wavelane.timeline.waits import Waits
from wavelane_model.cap import Cap
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    CapMoved,
    Event,
    MergeTurnRequested,
    MergeTurnReturned,
    OrderPlanned,
    ParkRequested,
    PostponementEnded,
    Reservation,
    ReservationEnded,
    RunCutOff,
    SessionEnded,
    StopRequested,
    UnparkRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.limits import Limits
from wavelane_model.outcomes import ChangesRequested, Failed, Postponed
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent, step
from wavelane_model.wave import Issue, Wave
from wavelane_model.why import why


class Followed:
    """A wave, its waits, and what `why` said about each issue in each second."""

    def __init__(self, state: WaveState) -> None:
        self.state = state
        self.waits = Waits()
        self.said: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))

    def take(self, event: Event, *, seconds: int = 0) -> None:
        """Step an event, after which nothing changes for some seconds."""
        effects = step(self.state, event)
        self.waits.follow(self.state, event, effects)
        for issue in self.state.wave.issues:
            record, code = self.state.find(issue.id), why(self.state, issue.id).code
            if self.state.ended and record.open:
                code = "ended"  # its session was cut off
            if code not in ("done", "cancelled", "under_way"):
                self.said[issue.id][code] += seconds
        self.now += seconds
        self.waits.wait_until(self.now)

    now = 0

    def waited(self) -> dict[str, dict[str, float]]:
        self.waits.close(self.state, running=True)
        return _without_zeros(self.waits.waited)


def _without_zeros(found: object) -> dict[str, dict[str, float]]:
    assert isinstance(found, dict)
    kept = {issue: {code: s for code, s in by.items() if s} for issue, by in found.items()}
    return {issue: by for issue, by in kept.items() if by}


def test_what_comes_before_a_reservation_waits_for_a_slot_alone() -> None:
    wave = wave_of("api#1", "web#1", "web#2 < api#1", "web#3")
    followed = Followed(WaveState(wave, cap=Cap.at(1)))
    followed.waits.wait_until(0)
    order = ("api#1", "web#1", "web#2", "web#3")
    followed.take(OrderPlanned(order, (Reservation("web#2", 1_000.0),)))
    followed.take(WaveStarted(), seconds=60)

    assert why(followed.state, "web#1").text == "cap 1 of 1"
    assert why(followed.state, "web#3").text == "lane web reserved for web#2"
    assert followed.waited() == {
        "web#1": {"cap": 60},
        "web#2": {"dependencies": 60},
        "web#3": {"reserved": 60},
    }


def test_an_issue_that_changes_its_repo_in_line_waits_for_each_of_its_lanes() -> None:
    followed = Followed(WaveState(wave_of("a#1", "a#2", "b#1"), cap=Cap.at(1)))
    followed.waits.wait_until(0)
    followed.take(WaveStarted(), seconds=60)
    followed.take(WaveAmended((Issue("a#2", "b"),)), seconds=30)

    assert followed.waited()["a#2"] == {"lane": 60, "cap": 30}


@given(
    waves(),
    st.integers(1, 3),
    lane_releases,
    limits,
    st.data(),
)
def test_waits_come_to_what_why_has_said(
    wave: Wave, cap: int, lane_release: LaneRelease, within: Limits, data: st.DataObject
) -> None:
    state = WaveState(wave, cap=Cap.at(cap), lane_release=lane_release, limits=within)
    followed = Followed(state)
    followed.waits.wait_until(0)
    followed.take(WaveStarted(), seconds=1)
    for _ in range(data.draw(st.integers(0, 25), "events")):
        event = data.draw(st.sampled_from([*events(state)]), "event")
        try:
            followed.take(event, seconds=data.draw(st.integers(0, 9), "seconds"))
        except IllegalEvent:
            continue

    assert followed.waited() == _without_zeros(followed.said)


def events(state: WaveState) -> Iterator[Event]:
    """Possible next events; some are illegal."""
    ids = [issue.id for issue in state.wave.issues]
    yield from (CapMoved("pause"), CapMoved("resume"), CapMoved("step_down"), StopRequested())
    yield from (CapMoved("step_up"), RunCutOff(), WaveStarted())
    for repo in state.wave.repos:
        yield MergeTurnRequested(repo, "engine")
        yield MergeTurnReturned(repo, "engine")
    for one in ids:
        record = state.find(one)
        yield OrderPlanned(tuple(ids[::-1]), (Reservation(one, 1_000.0),))
        yield OrderPlanned((one,), (Reservation(one, 2_000.0),))
        yield from (ReservationEnded(one, 1_000.0), ReservationEnded(one, 2_000.0))
        yield from (ParkRequested(one, "why?"), UnparkRequested(one), PostponementEnded(one))
        yield from (AttemptDiscarded(one), AttemptResumed(one))
        yield WaveAmended((Issue(one, state.wave.repos[0]),))
        if record.open:
            for outcome in (GOOD[record.state], Postponed(), Failed("x"), ChangesRequested("y")):
                yield SessionEnded(one, record.session, outcome)
