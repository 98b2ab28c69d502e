"""The real executor under virtual time, with sessions that end when and how the machine says.

The same observer as for the model, but its view is a pipeline's: it sees calls begin and end. The
operator acts between any two turns of the event loop. After each run the journal is folded through
the model again and must give the same report.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from specs.endings import ENDINGS, HAPPY
from specs.observers import Observer, Step
from specs.watched import WatchedPipeline, overhear
from wavelane import IllegalEvent, Report, Scheduler
from wavelane.pipeline import Assignment
from wavelane.testing import VirtualLoop, assert_keeps_the_rules, virtual_clock
from wavelane.testing.strategies import lane_releases, limits, waves
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.limits import Limits
from wavelane_model.wave import Wave

pytestmark = pytest.mark.slow


class PuppetPipeline(WatchedPipeline):
    """Every call waits until the machine says how it ends."""

    def __init__(self, observer: Observer) -> None:
        super().__init__(observer)
        self.waiting: dict[tuple[Step, str], asyncio.Future[object]] = {}

    async def play(self, step: Step, issue: Assignment) -> object:
        at = (step, issue.id)
        self.waiting[at] = asyncio.get_running_loop().create_future()
        try:
            ending = await self.waiting[at]
        finally:
            del self.waiting[at]
        if isinstance(ending, BaseException):
            raise ending
        return ending


class ExecutorMachine(RuleBasedStateMachine):
    """Drives a real `Scheduler`, one turn of the loop after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop(patience=0.01)
        self.folder = tempfile.TemporaryDirectory()
        self.journal = Path(self.folder.name) / "journal.db"

    @initialize(
        wave=waves(max_issues=5),
        ceiling=st.integers(1, 4),
        lane_release=lane_releases,
        limits=limits,
    )
    def start(self, wave: Wave, ceiling: int, lane_release: LaneRelease, limits: Limits) -> None:
        self.wave = wave
        self.observer = Observer(wave, lane_release, ceiling)
        self.pipeline = PuppetPipeline(self.observer)
        self.scheduler = Scheduler(
            wave,
            self.pipeline,  # type: ignore[arg-type]
            cap=ceiling,
            lane_release=lane_release,
            limits=limits,
            journal=self.journal,
            clock=virtual_clock,
        )
        self.turns: list[asyncio.Task[None]] = []
        self.run = self.loop.create_task(self.scheduler.run())
        self.loop.create_task(self.watch())
        self.settle()

    async def watch(self) -> None:
        """Tell the observer what only the scheduler's own notices can tell: leaving flight."""
        async for notice in self.scheduler.events():
            overhear(self.observer, notice)

    def settle(self) -> None:
        self.loop.settle()

    def act(self, what: object, *arguments: object) -> None:
        """Do what an operator may do in the loop; what the model refuses changes nothing."""

        async def do() -> None:
            with suppress(IllegalEvent, ValueError):
                what(*arguments)  # type: ignore[operator]
            self.observer.cap_moved(self.scheduler.cap.level)

        self.loop.run_until_complete(do())

    live = precondition(lambda self: not self.run.done())

    @live
    @precondition(lambda self: self.pipeline.waiting)
    @rule(data=st.data(), settled=st.booleans())
    def a_session_ends(self, data: st.DataObject, settled: bool) -> None:
        at = data.draw(st.sampled_from(sorted(self.pipeline.waiting)), "session")
        ending = data.draw(st.sampled_from(ENDINGS[at[0]]), "ending")
        if not self.pipeline.waiting[at].done():
            self.pipeline.waiting[at].set_result(ending)
        if settled:
            self.settle()

    @live
    @rule(level=st.integers(0, 4), settled=st.booleans())
    def the_cap_is_set(self, level: int, settled: bool) -> None:
        self.act(self.scheduler.cap.set, level)
        if settled:
            self.settle()

    @live
    @rule(name=st.sampled_from(("step_down", "step_up", "pause", "resume")))
    def the_cap_moves(self, name: str) -> None:
        self.act(getattr(self.scheduler.cap, name))

    @live
    @rule(data=st.data(), name=st.sampled_from(("park", "unpark", "cancel")))
    def the_operator_acts(self, data: st.DataObject, name: str) -> None:
        issue = data.draw(st.sampled_from(self.wave.issues)).id
        reason = ("a question",) if name == "park" else ()
        self.act(getattr(self.scheduler, name), issue, *reason)

    @live
    @rule(seconds=st.sampled_from((1, 400)))
    def time_passes(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @live
    @precondition(lambda self: len(self.turns) < 3)
    @rule(data=st.data())
    def the_engine_merges(self, data: st.DataObject) -> None:
        repo = data.draw(st.sampled_from(self.wave.repos))
        ticket = f"engine-{len(self.turns)}"

        async def merge() -> None:
            self.observer.turn_requested(repo, ticket)
            try:
                async with self.scheduler.merge_turn(repo):
                    self.observer.turn_granted(repo, ticket)
                    await asyncio.sleep(10)
            finally:
                self.observer.turn_returned(repo, ticket)

        self.settle()
        if self.run.done():
            return
        self.turns.append(self.loop.create_task(merge()))
        self.settle()

    @live
    @rule(often=st.integers(0, 15))
    def a_stop_is_asked_for(self, often: int) -> None:
        if often == 0:
            self.act(self.scheduler.stop)
            self.observer.stopping = True

    @rule()
    def the_loop_settles(self) -> None:
        self.settle()

    @invariant()
    def no_rule_is_broken(self) -> None:
        if hasattr(self, "pipeline"):
            assert self.pipeline.errors == []

    def teardown(self) -> None:
        try:
            if hasattr(self, "run"):
                self.finish()
        finally:
            self.loop.close()
            self.folder.cleanup()

    def finish(self) -> None:
        """With sessions that end and a cap above 0, the wave ends, and its journal is whole."""
        for _ in range(30 * len(self.wave)):
            if self.run.done():
                break
            self.act(self.scheduler.cap.set, self.scheduler.cap.ceiling)
            self.settle()
            for (step, _issue), waiting in list(self.pipeline.waiting.items()):
                if not waiting.done():
                    waiting.set_result(HAPPY[step])
            self.settle()
            if not self.run.done() and not self.pipeline.waiting:
                self.loop.run_until_complete(asyncio.sleep(400))
        assert self.run.done(), "progress: the wave does not end"
        assert self.pipeline.errors == []
        report = self.run.result()
        self.settle()
        assert asyncio.all_tasks(self.loop) <= {*self.turns}
        for turn in self.turns:
            self.loop.run_until_complete(turn)
        assert Report.from_journal(self.journal) == report
        assert assert_keeps_the_rules(self.journal).outcome == report.outcome
        done = {issue.id for issue in report.issues.values() if issue.state == "done"}
        assert done == self.observer.merged


TestExecutorMachine = ExecutorMachine.TestCase
TestExecutorMachine.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
