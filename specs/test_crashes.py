"""Crashes: the real executor survives them, a crash can be made again, and it can fail.

Each broken scheduler here has one mistake that shows only when a process has died.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from specs.simulation.broken import with_part
from specs.simulation.crashes import (
    CRASHED,
    SOMETIMES_CRASHED,
    Crashes,
    Where,
    crashed,
    emptied,
    first_broken,
    lived,
    played,
    played_by_seed,
    results,
)
from specs.simulation.history import History
from specs.simulation.plan import PLANS, TELLING, Plan
from specs.simulation.process import Fate, ProcessFailed, in_its_own_process
from specs.simulation.sweep import folder_of_journals
from wavelane import Scheduler
from wavelane.journal import Journal
from wavelane.lock import owner_of
from wavelane.replay.replay import StepResult
from wavelane.scheduler.continuation import Continuation
from wavelane.scheduler.session_tasks import assignment_of
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    CapMoved,
    Event,
    ParkRequested,
)
from wavelane_model.records import Record

pytestmark = pytest.mark.slow

BY_NAME = {plan.name: plan for plan in PLANS}


@pytest.fixture
def path() -> Iterator[Path]:
    with folder_of_journals() as folder:
        yield folder / "journal.db"


@pytest.mark.layer
def test_every_crash_of_the_smallest_wave_is_survived(path: Path) -> None:
    found = crashed(PLANS[0], path)

    assert found.broken == {}
    assert found.once > 100
    assert 20 < found.different < found.once


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_some_crashes_of_each_wave_are_survived(plan: Plan, path: Path) -> None:
    undisturbed = played(plan, (), path)
    assert undisturbed.complaints == [], str(undisturbed)

    for point in range(7, undisturbed.points, 41):
        history = played(plan, (point, point // 2), path)

        assert history.complaints == [], str(history)


def test_plans_of_a_seeds_liking_are_survived(path: Path) -> None:
    for seed in range(25):
        history = played_by_seed(seed, path)

        assert history.complaints == [], str(history)


# A crash is a death, and can be made again


def test_a_crash_point_gives_the_same_history_in_every_process() -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-m", "specs.simulation", "--plan", "dependency", "--crash", "70,30"],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(printed) == 1
    assert b"the process dies at point 70, " in printed.pop()


def test_nothing_of_a_process_runs_after_its_death(tmp_path: Path) -> None:
    def live(die: Any) -> str:
        try:
            fate = Fate(2, die)
            for at in range(3):
                fate.passes(lambda at=at: f"died at {at}")  # type: ignore[misc]
        finally:
            (tmp_path / "after").touch()
        return "lived"

    assert in_its_own_process(live) == "died at 2"
    assert not (tmp_path / "after").exists()


def test_a_life_that_fails_is_told_from_one_that_ends() -> None:
    def live(die: Any) -> NoReturn:
        raise ZeroDivisionError("a mistake")

    with pytest.raises(ProcessFailed, match="a mistake"):
        in_its_own_process(live)


def test_the_lock_and_an_open_transaction_die_with_the_process(path: Path) -> None:
    plan = BY_NAME["one issue"]
    left, point = History.of(plan), 0
    while not (left.entries and "before COMMIT" in left.trace[-1]):
        emptied(path)
        left, point = lived(History.of(plan), path, point), point + 1

    assert path.with_name(path.name + "-lock").exists()
    assert owner_of(path) is None
    known = [type(entry.event).__name__ for entry in left.entries]
    after = lived(left, path, None)
    assert [type(entry.event).__name__ for entry in after.entries][: len(known) + 1] == [
        *known,
        "RunCutOff",
    ]


# It can fail


class GoesOnWithWhateverIsFound(Continuation):
    async def _ask_about(self, record: Record) -> None:
        issue = assignment_of(self._core.state.wave, record)
        await self._pipeline.recover(issue, record.state)  # type: ignore[attr-defined]
        self._core.apply(AttemptResumed(issue.id))


class CarriesOutBeforeItWrites(Scheduler):
    async def _write_and_carry_out(self, results: list[StepResult]) -> None:
        for result in results:
            self._orders.carry_out(result)
        await self._journal.append(results, self._inbound.take_answers())


class AsksAboutWhatIsQueued(Continuation):
    async def ask_about_the_past(self) -> None:
        state = self._core.state
        if state.started:
            for record in state.records:
                if record.state == "queued":
                    issue = assignment_of(state.wave, record)
                    await self._pipeline.recover(issue, record.state)  # type: ignore[attr-defined]
        await super().ask_about_the_past()


class StartsBeforeItIsTold(Continuation):
    async def ask_about_the_past(self) -> None:
        self.asking = []
        state = self._core.state
        for position in [*state.flight]:
            record = state.records[position]
            issue = assignment_of(state.wave, record)
            asked = self._pipeline.recover(issue, record.state)  # type: ignore[attr-defined]
            self.asking.append(asyncio.ensure_future(asked))
            self._core.apply(AttemptDiscarded(issue.id))


class AsksTwice(Continuation):
    async def _ask_about(self, record: Record) -> None:
        await super()._ask_about(record)
        await super()._ask_about(record)


class PutsTheCapUp(Continuation):
    def _go_on(self, file: Journal, early: list[Event]) -> None:
        super()._go_on(file, early)
        cap = self._core.state.cap
        if cap.level < cap.ceiling:
            self._core.apply(CapMoved("set", cap.ceiling))


class PlansWhateverWasAsked(Continuation):
    def _go_on(self, file: Journal, early: list[Event]) -> None:
        self._planner.wanted = None
        super()._go_on(file, early)


class ForgetsWhoWasToBeTakenOut(Continuation):
    def _go_on(self, file: Journal, early: list[Event]) -> None:
        super()._go_on(file, early)
        for record in self._core.state.records:
            record.pending_removal = None


class BeginsAJournalAnew(Continuation):
    def open_journal(self) -> None:
        assert self._journal.path is not None
        self._journal.path.unlink(missing_ok=True)
        super().open_journal()


class ParksWhatItAsksAbout(Continuation):
    async def _ask_about(self, record: Record) -> None:
        await super()._ask_about(record)
        if record.state != "done":
            issue = self._core.state.wave.issues[record.position]
            self._core.apply(ParkRequested(issue.id, "who knows"))


BROKEN: dict[type[Scheduler], tuple[tuple[Plan, ...], str]] = {
    with_part(GoesOnWithWhateverIsFound): (TELLING, "once"),
    CarriesOutBeforeItWrites: (TELLING, "durable"),
    with_part(AsksAboutWhatIsQueued): ((BY_NAME["dependency"],), "recovery"),
    with_part(StartsBeforeItIsTold): (TELLING, "recovery"),
    with_part(AsksTwice): (TELLING, "recovery"),
    with_part(PutsTheCapUp): ((BY_NAME["cap falls to 1"],), "kept"),
    with_part(PlansWhateverWasAsked): ((BY_NAME["a lane is reserved too long"],), "plan"),
    with_part(ForgetsWhoWasToBeTakenOut): ((BY_NAME["parked, cancelled, unparked"],), "kept"),
    with_part(BeginsAJournalAnew): (TELLING, "journal"),
    with_part(ParksWhatItAsksAbout): (TELLING, "same"),
}
"""Broken schedulers, where they are looked for, and the property that names the mistake."""


@pytest.mark.parametrize("scheduler", BROKEN, ids=lambda scheduler: scheduler.__name__)
def test_a_broken_scheduler_is_found(scheduler: type[Scheduler], path: Path) -> None:
    plans, named = BROKEN[scheduler]

    history = first_broken(plans, path, scheduler)

    assert history is not None
    assert named in {what.partition(":")[0] for what in history.complaints}, str(history)
    again = played(history.plan, history.crashes, path, scheduler)
    assert again.trace[: len(history.trace) - 1] == history.trace[:-1]


def test_a_result_names_the_crash_and_tells_how_it_went() -> None:
    found = Crashes(once=1, broken={"once": Where("dependency", (70,))})

    failed = {one.property: one.detail for one in results(found, 0.0) if not one.passed}

    assert '--plan "dependency" --crash 70' in failed["crashed once"]
    assert "the process dies at point 70" in failed["crashed once"]


def test_a_simulation_that_saw_too_little_fails() -> None:
    failed = [one for one in results(Crashes(), 0.0) if not one.passed]

    assert [one.property for one in failed] == ["sometimes crashed"]
    assert all(what in failed[0].detail for what in SOMETIMES_CRASHED)


def test_every_property_that_can_be_broken_has_a_result() -> None:
    assert {named for _, named in BROKEN.values()} <= set(CRASHED)
