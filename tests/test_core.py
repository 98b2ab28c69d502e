"""The core of a run: its phases go one way, and applied events wait until they are taken."""

from __future__ import annotations

import asyncio

import pytest
from tests.helpers import wave_of

from wavelane import IllegalEvent
from wavelane.replay.replay import Replay
from wavelane.scheduler.core import Core, RunPhase
from wavelane_model.cap import Cap
from wavelane_model.events import CapMoved, ParkRequested, WaveStarted
from wavelane_model.state import WaveState

NOON = 1_000_000_000.0


def core(*, keeps_journal: bool = False) -> Core:
    state = WaveState(wave_of("a#1"), cap=Cap.at(2))
    return Core(Replay(state), lambda: NOON, keeps_journal=keeps_journal)


def test_a_phase_never_goes_back() -> None:
    one = core()
    one.enter(RunPhase.FINISHED)
    one.enter(RunPhase.RUNNING)

    assert one.phase is RunPhase.FINISHED


def test_a_run_is_claimed_once() -> None:
    async def main() -> None:
        one = core()
        one.claim()
        with pytest.raises(RuntimeError, match=r"run\(\) was called before; make a new Scheduler"):
            one.claim()

    asyncio.run(main())


def test_results_wait_in_order_until_they_are_taken() -> None:
    one = core()
    one.apply(CapMoved("step_down"))
    one.apply(WaveStarted())

    assert [result.event for result in one.take_results()] == [
        CapMoved("step_down"),
        WaveStarted(),
    ]
    assert one.take_results() == []


def test_nothing_is_applied_to_a_run_that_is_closed() -> None:
    one = core()
    one.enter(RunPhase.CLOSED)

    with pytest.raises(IllegalEvent, match="the run is over; ParkRequested comes too late"):
        one.apply(ParkRequested("a#1", "?"))
    assert one.state.find("a#1").state == "queued"


def test_what_is_asked_for_before_the_journal_is_open_is_kept_also_where_it_changes_nothing() -> (
    None
):
    one = core(keeps_journal=True)
    one.apply(CapMoved("pause"))
    one.remember_early(CapMoved("set", 2))

    assert one.take_early() == [CapMoved("pause"), CapMoved("set", 2)]
    one.apply(CapMoved("resume"))
    assert one.take_early() == []


def test_an_event_from_another_thread_wakes_the_loop() -> None:
    async def main() -> None:
        one = core()
        one.claim()
        waiting = asyncio.ensure_future(one.awake.wait())
        await asyncio.sleep(0)
        await asyncio.to_thread(one.apply, CapMoved("step_down"))
        await asyncio.wait_for(waiting, 5)

    asyncio.run(main())


def test_a_run_that_was_given_up_looks_cut_off() -> None:
    one = core()
    one.apply(WaveStarted())
    one.enter(RunPhase.RUNNING)
    one.cut_off()

    assert one.state.outcome == "unfinished"
    assert not one.has_ended
