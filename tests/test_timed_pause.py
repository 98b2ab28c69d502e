"""A pause with a time, in the model: it ends by itself, unless the cap was moved meanwhile."""

from __future__ import annotations

import pytest
from tests.helpers import Model, wave_of

from wavelane_model.effects import AnnounceCap, ResumeAt
from wavelane_model.events import CapMoved, Event, PauseEnded, RunCutOff, StopRequested, WaveStarted
from wavelane_model.step import IllegalEvent, step

WAVE = wave_of("a#1", "b#1")
AT = 50_000.0
LATER = 60_000.0


def paused_until(at: float) -> Model:
    model = Model(WAVE, cap=2)
    assert step(model.state, CapMoved("pause", until=at)) == [AnnounceCap(0), ResumeAt(at)]
    return model


def test_a_pause_with_a_time_goes_back_to_the_level_before_it() -> None:
    model = Model(WAVE, cap=2)
    model.take(CapMoved("set", 1))
    model.take(CapMoved("pause", until=AT))
    model.end("a#1")

    assert model.why("a#1") == "paused until 13:53:20 UTC"
    assert model.take(PauseEnded(AT)) == ["review a#1"]
    assert model.state.cap.level == 1
    assert model.state.resume_at is None


@pytest.mark.parametrize(
    "move", [CapMoved("resume"), CapMoved("step_up"), CapMoved("set", 1), CapMoved("pause")]
)
def test_any_other_move_makes_the_end_of_the_pause_void(move: Event) -> None:
    model = paused_until(AT)
    model.take(move)

    with pytest.raises(IllegalEvent, match=r"no pause was to end at 50000\.0"):
        step(model.state, PauseEnded(AT))


def test_a_pause_without_a_time_never_ends_by_itself() -> None:
    model = Model(WAVE, cap=2)
    model.take(CapMoved("pause"))

    assert model.why("a#1") == "implementing"
    with pytest.raises(IllegalEvent):
        step(model.state, PauseEnded(AT))


def test_what_is_paused_already_may_be_given_another_time() -> None:
    model = paused_until(AT)

    assert ResumeAt(LATER) in step(model.state, CapMoved("pause", until=LATER))
    with pytest.raises(IllegalEvent):
        step(model.state, PauseEnded(AT))
    model.take(PauseEnded(LATER))
    assert model.state.cap == (2, 2, 2)


def test_a_pause_that_is_there_already_with_its_time_is_no_move() -> None:
    model = paused_until(AT)

    with pytest.raises(IllegalEvent, match='the cap is at 0 of 2, where "pause" is not allowed'):
        step(model.state, CapMoved("pause", until=AT))


def test_the_time_goes_with_pauses_alone() -> None:
    model = Model(WAVE, cap=2)

    assert step(model.state, CapMoved("set", 0, until=AT)) == [AnnounceCap(0)]
    assert model.state.resume_at is None


def test_a_pause_before_the_start_ends_in_the_run() -> None:
    model = Model(WAVE, cap=2, started=False)
    assert step(model.state, CapMoved("pause", until=AT)) == [AnnounceCap(0)]

    assert ResumeAt(AT) in step(model.state, WaveStarted())
    assert model.take(PauseEnded(AT)) == ["implement a#1", "implement b#1"]


def test_a_pause_outlives_a_run_that_is_cut_off_or_stopped() -> None:
    model = Model(WAVE, cap=2, started=False)
    model.take(CapMoved("pause", until=AT))
    model.take(WaveStarted())
    model.take(StopRequested())
    with pytest.raises(IllegalEvent, match="the run has ended; PauseEnded comes too late"):
        step(model.state, PauseEnded(AT))

    assert ResumeAt(AT) in step(model.state, WaveStarted())
    model.take(RunCutOff())
    assert ResumeAt(AT) in step(model.state, WaveStarted())


def test_no_pause_can_end_before_the_start() -> None:
    model = Model(WAVE, cap=2, started=False)
    model.take(CapMoved("pause", until=AT))

    with pytest.raises(IllegalEvent, match="PauseEnded before the wave has started"):
        step(model.state, PauseEnded(AT))


def test_states_that_differ_in_whether_a_pause_ends_are_told_apart() -> None:
    timed, other = paused_until(AT), Model(WAVE, cap=2)
    other.take(CapMoved("pause"))

    assert timed.state.key() != other.state.key()
    assert timed.state.key() == paused_until(LATER).state.key()
    assert timed.state.clone().resume_at == AT
