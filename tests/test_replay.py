"""One replay: an event is stepped, recorded and shown to followers, or not applied at all."""

from __future__ import annotations

import pytest
from tests.helpers import wave_of

from wavelane import IllegalEvent, Limits
from wavelane.journal import Settings, Standing
from wavelane.replay.replay import Replay, StepResult, missing_events
from wavelane_model.events import CapMoved, Event, RunCutOff, StopRequested, WaveStarted
from wavelane_model.state import WaveState

NOON = 1_000_000_000.0
SETTINGS = Settings(wave_of("a#1", "a#2"), 1, "done", Limits())


def test_each_follower_sees_the_state_after_the_step() -> None:
    seen: list[tuple[Event, bool]] = []

    def follow(state: WaveState, result: StepResult) -> None:
        seen.append((result.event, state.started))

    replay = Replay.of(SETTINGS, follow, follow)
    replay.apply(NOON, WaveStarted())

    assert seen == [(WaveStarted(), True)] * 2


def test_a_follower_that_comes_later_sees_what_happens_from_then_on() -> None:
    seen: list[Event] = []
    replay = Replay.of(SETTINGS)
    replay.apply(NOON, CapMoved("pause"))
    replay.add_follower(lambda state, result: seen.append(result.event))
    replay.apply(NOON, WaveStarted())

    assert seen == [WaveStarted()]


def test_an_event_that_is_refused_is_neither_recorded_nor_shown() -> None:
    seen: list[Event] = []
    replay = Replay.of(SETTINGS, lambda state, result: seen.append(result.event))

    with pytest.raises(IllegalEvent):
        replay.apply(NOON, RunCutOff())

    assert seen == []
    assert replay.recorder.last_at == 0.0


def test_a_result_says_where_the_moved_issues_stand_if_it_was_asked_for() -> None:
    replay = Replay.of(SETTINGS)

    result = replay.apply(NOON, WaveStarted(), with_standings=True)

    assert result.standings == {"a#1": Standing("running", NOON, 1, "")}
    assert Replay.of(SETTINGS).apply(NOON, WaveStarted()).standings == {}


def test_a_journal_lacks_the_cut_off_of_a_run_that_has_no_end_in_it() -> None:
    replay = Replay.of(SETTINGS)
    assert missing_events(replay) == ()
    replay.apply(NOON, WaveStarted())
    assert missing_events(replay) == (RunCutOff(),)
    replay.apply(NOON, RunCutOff())
    assert missing_events(replay) == ()


def test_a_journal_of_a_run_that_was_stopped_in_order_lacks_nothing() -> None:
    replay = Replay.of(SETTINGS._replace(wave=wave_of("a#1")))
    replay.apply(NOON, CapMoved("pause"))
    replay.apply(NOON, WaveStarted())
    replay.apply(NOON, StopRequested())

    assert missing_events(replay) == ()
