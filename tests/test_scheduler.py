from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import random
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from specs.observers import Observer
from tests.helpers import scheduler_of, wave_of

import wavelane.scheduler
from wavelane import (
    Approved,
    Assignment,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Conflicted,
    IllegalEvent,
    Implemented,
    Issue,
    JournalError,
    Limits,
    Merged,
    Notice,
    Postponed,
    Report,
    Scheduler,
    SessionFailed,
    Wave,
)
from wavelane.journal import read
from wavelane.sessions import Step
from wavelane.testing import ScriptedPipeline, run_virtual
from wavelane.testing.virtual import EPOCH, VirtualLoop
from wavelane_model.events import SessionEnded, WaveStarted
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.outcomes import Failed, Stopped


class Overridden(ScriptedPipeline):
    """A scripted pipeline one step of which is a function, for one issue."""

    def __init__(
        self, step: Step, play: Callable[[Assignment], Awaitable[object]], issue: str = "a#1"
    ) -> None:
        super().__init__()
        self.overridden = (step, issue)
        self.play = play

    async def _play(self, step: Step, issue: Assignment) -> object:
        if (step, issue.id) == self.overridden:
            return await self.play(issue)
        return await super()._play(step, issue)


async def started(scheduler: Scheduler, seconds: float = 0) -> asyncio.Task[Report]:
    """Start a run, and let this much time pass, and a moment."""
    run = asyncio.create_task(scheduler.run())
    await asyncio.sleep(seconds)
    for _ in range(10):
        await asyncio.sleep(0)
    return run


async def cancelled(run: asyncio.Task[Report]) -> None:
    run.cancel()
    await asyncio.wait([run])
    assert run.cancelled()


def failures_of(report: Report, issue_id: str = "a#1") -> str:
    """What an issue was parked for, after the third failure."""
    text = report.issues[issue_id].why.text
    assert text.startswith("parked: 3 failures, the last: ")
    return text.removeprefix("parked: 3 failures, the last: ")


def run_with(
    acts: list[object], step: Step = "implement", tmp_path: Path | None = None, **settings: Any
) -> Report:
    """The report of a wave in which a step of a#1 ends so; b#1 is always well."""
    journal = None if tmp_path is None else tmp_path / "journal"
    pipeline = ScriptedPipeline({(step, "a#1"): acts})
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline, journal=journal, **settings)

    report = run_virtual(scheduler.run)

    assert report.issues["b#1"].state == "done"
    if journal is not None:
        assert Report.from_journal(journal) == report
    return report


# What a pipeline may do wrong


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")

    def __repr__(self) -> str:
        raise ValueError("no text either")


@pytest.mark.parametrize("step", ["implement", "review", "merge"])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("it broke"), " raised ValueError: it broke"),
        (KeyError(), " raised KeyError"),
        (TimeoutError("of its own"), " raised TimeoutError: of its own"),
        (asyncio.InvalidStateError("x"), " raised InvalidStateError: x"),
        (
            ExceptionGroup("two", [OSError(), OSError()]),
            " raised ExceptionGroup: two (2 sub-exceptions)",
        ),
        (StopAsyncIteration("x"), " raised StopAsyncIteration: x"),
        (asyncio.CancelledError(), " raised CancelledError, though nobody had cancelled it"),
        (Mute(), " raised Mute: a Mute whose str() raises ValueError"),
        (OSError("caf\udce9"), " raised OSError: caf\udce9"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_an_exception_is_a_failure_of_its_step_and_never_the_end_of_the_wave(
    tmp_path: Path, step: Step, error: BaseException, text: str
) -> None:
    report = run_with([error] * 3, step, tmp_path)

    assert report.outcome == "blocked"
    assert failures_of(report) == step + text


@pytest.mark.parametrize(
    ("step", "returned", "text"),
    [
        (
            "implement",
            Approved(),
            "implement returned Approved(); "
            "it may return Implemented, Checkpoint, Blocked, Postponed",
        ),
        (
            "review",
            None,
            "review returned None; it may return Approved, ChangesRequested, Blocked, Postponed",
        ),
        (
            "review",
            True,
            "review returned True; it may return Approved, ChangesRequested, Blocked, Postponed",
        ),
        (
            "merge",
            Postponed(),
            "merge returned Postponed(until=None, reason=''); "
            "it may return Merged, Conflicted, Blocked",
        ),
        (
            "implement",
            Failed("x"),
            "implement returned Failed(error='x'); "
            "it may return Implemented, Checkpoint, Blocked, Postponed",
        ),
        (
            "implement",
            Stopped(),
            "implement returned Stopped(); "
            "it may return Implemented, Checkpoint, Blocked, Postponed",
        ),
        (
            "merge",
            Merged,
            "merge returned <class 'wavelane_model.outcomes.Merged'>; "
            "it may return Merged, Conflicted, Blocked",
        ),
        (
            "merge",
            [Mute()],
            "merge returned a list whose repr() raises ValueError; "
            "it may return Merged, Conflicted, Blocked",
        ),
        (
            "review",
            ChangesRequested(b"a test"),  # type: ignore[arg-type]
            "review returned ChangesRequested with feedback=b'a test'; give a text",
        ),
        (
            "merge",
            Blocked(None),  # type: ignore[arg-type]
            "merge returned Blocked with reason=None; give a text",
        ),
        (
            "implement",
            Checkpoint(object),  # type: ignore[arg-type]
            "implement returned Checkpoint with note=<class 'object'>; give a text",
        ),
        *(
            (
                "implement",
                Postponed(until),  # type: ignore[arg-type]
                f"implement returned Postponed(until={until!r}); "
                "give seconds since the epoch, or None",
            )
            for until in (float("nan"), float("inf"), "soon", 10**400)
        ),
    ],
    ids=lambda one: one if isinstance(one, str) and len(one) < 10 else type(one).__name__,
)
def test_a_wrong_return_value_is_a_failure_that_says_what_is_right(
    tmp_path: Path, step: Step, returned: object, text: str
) -> None:
    report = run_with([lambda issue: returned] * 3, step, tmp_path)

    assert report.outcome == "blocked"
    assert failures_of(report) == text


def test_a_step_that_is_no_coroutine_is_a_failure_that_says_so() -> None:
    class Plain(ScriptedPipeline):
        def review(self, issue: Assignment) -> Any:
            return Approved()

    report = run_virtual(scheduler_of(wave_of("a#1"), Plain()).run)

    assert failures_of(report) == "review is no coroutine; write it with `async def`"


def test_a_plain_function_that_raises_is_a_failure_too() -> None:
    class Plain(ScriptedPipeline):
        def implement(self, issue: Assignment) -> Any:
            raise ValueError("at once")

    report = run_virtual(scheduler_of(wave_of("a#1"), Plain()).run)

    assert failures_of(report) == "implement raised ValueError: at once"


def test_a_plain_function_that_returns_something_to_await_is_fine() -> None:
    async def implement(issue: Assignment) -> None:
        await asyncio.sleep(1)

    class Partial(ScriptedPipeline):
        def implement(self, issue: Assignment) -> Any:
            return asyncio.ensure_future(implement(issue))

    assert run_virtual(scheduler_of(wave_of("a#1"), Partial()).run).outcome == "complete"


def test_none_stands_for_implemented_and_for_merged() -> None:
    script: Any = {("implement", "a#1"): [None], ("merge", "a#1"): [None]}
    pipeline = ScriptedPipeline(script)

    assert run_virtual(scheduler_of(wave_of("a#1"), pipeline).run).outcome == "complete"


def test_a_session_may_fail_in_its_own_words() -> None:
    report = run_with([SessionFailed("the agent gave up")] * 3)

    assert failures_of(report) == "the agent gave up"


@pytest.mark.parametrize("step", ["implement", "review", "merge"])
def test_a_step_that_takes_too_long_is_ended_and_counts_as_failed(step: Step) -> None:
    limits: Any = {f"{step}_timeout": 90.5}
    pipeline = ScriptedPipeline(
        seconds=lambda of, issue: 3600 if (of, issue.id) == (step, "a#1") else 60
    )
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline, limits=Limits(**limits))

    report = run_virtual(scheduler.run)

    assert failures_of(report) == f"{step} took longer than 90.5 s"
    lengths = [
        (call.ended or 0) - call.began for call in pipeline.calls if call.name == (step, "a#1")
    ]
    assert lengths == [90.5] * 3


def test_a_timeout_of_one_step_is_none_for_another() -> None:
    report = run_virtual(scheduler_of(wave_of("a#1"), limits=Limits(review_timeout=60.5)).run)

    assert report.outcome == "complete"


def test_a_merge_that_is_in_when_its_time_is_up_is_merged() -> None:
    async def merge(issue: Assignment) -> Merged:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return Merged()
        raise AssertionError

    scheduler = scheduler_of(
        wave_of("a#1"), Overridden("merge", merge), limits=Limits(merge_timeout=60)
    )

    assert run_virtual(scheduler.run).outcome == "complete"


def test_a_session_that_its_own_code_cancels_is_a_failure_and_does_not_vanish() -> None:
    async def implement(issue: Assignment) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    report = run_virtual(scheduler_of(wave_of("a#1"), Overridden("implement", implement)).run)

    assert failures_of(report) == "implement was cancelled, and not by the scheduler"


# Interrupts


@pytest.fixture
def collected() -> Iterator[None]:
    """Lets asyncio complain of interrupted tasks after their own test and not during another."""
    yield
    gc.collect()


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("with_journal", [False, True])
def test_an_interrupt_in_a_session_ends_the_run_and_the_other_sessions(
    tmp_path: Path, interrupt: type[BaseException], with_journal: bool
) -> None:
    async def implement(issue: Assignment) -> None:
        await asyncio.sleep(30)
        raise interrupt

    pipeline = Overridden("implement", implement)
    journal = tmp_path / "journal" if with_journal else None
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline, journal=journal)

    with pytest.raises(interrupt):
        run_virtual(scheduler.run)

    assert [(call.name, call.outcome) for call in pipeline.calls] == [
        (("implement", "b#1"), "cancelled")
    ]
    if journal is not None:
        ended = [entry for entry in read(journal)[1] if isinstance(entry.event, SessionEnded)]
        assert ended == []


def test_what_is_no_exception_of_a_program_ends_the_run_and_is_raised_by_it() -> None:
    class Abort(BaseException):
        pass

    pipeline = ScriptedPipeline({("implement", "a#1"): [Abort("now")]})
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline)

    with pytest.raises(Abort, match="now"):
        run_virtual(scheduler.run)

    assert pipeline.under_way() == []


# Cancelling the run


@pytest.mark.parametrize("after", [0, 30, 60, 90, 150, 170])
def test_a_cancelled_run_cancels_its_sessions_and_leaves_no_task(after: float) -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("a#1", "b#1", "b#2"), pipeline)

    async def main() -> set[Any]:
        await cancelled(await started(scheduler, after))
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert run_virtual(main) == set()
    assert pipeline.under_way() == []


def test_a_run_that_is_cancelled_before_it_began_has_started_nothing() -> None:
    pipeline = ScriptedPipeline()

    async def main() -> None:
        await cancelled(asyncio.create_task(scheduler_of(wave_of("a#1"), pipeline).run()))

    run_virtual(main)

    assert pipeline.calls == []


def test_a_cancelled_run_waits_for_the_clean_up_of_its_sessions() -> None:
    cleaned_up_at: list[float] = []

    async def implement(issue: Assignment) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(500)
            cleaned_up_at.append(asyncio.get_running_loop().time())

    scheduler = scheduler_of(wave_of("a#1"), Overridden("implement", implement))

    async def main() -> float:
        await cancelled(await started(scheduler, 30))
        return asyncio.get_running_loop().time()

    assert run_virtual(main) == cleaned_up_at[0] == EPOCH + 530


def test_a_run_that_its_caller_times_out_raises_the_callers_timeout() -> None:
    pipeline = ScriptedPipeline()

    async def main() -> None:
        async with asyncio.timeout(90):
            await scheduler_of(wave_of("a#1"), pipeline).run()

    with pytest.raises(TimeoutError):
        run_virtual(main)

    assert pipeline.under_way() == []


def test_a_merge_that_is_in_when_the_run_is_cancelled_is_written_down(tmp_path: Path) -> None:
    async def merge(issue: Assignment) -> Merged:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(5)
            return Merged()
        raise AssertionError

    journal = tmp_path / "journal"
    pipeline = Overridden("merge", merge)
    scheduler = scheduler_of(wave_of("a#1", "b#1 < a#1"), pipeline, journal=journal)

    async def main() -> None:
        await cancelled(await started(scheduler, 130))

    run_virtual(main)

    written = Report.from_journal(journal)
    assert written.issues["a#1"].state == "done"
    assert written.issues["a#1"].ended_at == EPOCH + 135
    assert scheduler.report() == written
    assert ("implement", "b#1") not in pipeline.names()


class BusyWriter(ThreadPoolExecutor):
    """Has something else to do until it is shut down."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.free = threading.Event()
        self.submit(self.free.wait)

    def shutdown(self, *arguments: Any, **options: Any) -> None:
        self.free.set()
        super().shutdown(*arguments, **options)


def test_a_run_that_is_cancelled_while_it_writes_has_written_what_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "journal"
    monkeypatch.setattr("wavelane.scheduler.ThreadPoolExecutor", BusyWriter)
    scheduler = Scheduler(wave_of("a#1"), ScriptedPipeline(), journal=journal)

    async def main() -> None:
        await cancelled(await started(scheduler))

    asyncio.run(main())

    assert [entry.event for entry in read(journal)[1]] == [WaveStarted()]
    assert Report.from_journal(journal).issues["a#1"].state == "running"


def test_the_report_of_a_cancelled_run_can_still_be_had() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"), ScriptedPipeline(), cap=1)

    async def main() -> Report:
        await cancelled(await started(scheduler, 200))
        return scheduler.report()

    report = run_virtual(main)

    assert report.outcome == "unfinished"
    assert report.issues["a#1"].ended_at == EPOCH + 180
    assert report.issues["b#1"].state == "running"


def test_nobody_can_act_on_a_run_that_was_cancelled() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> None:
        await cancelled(await started(scheduler, 30))
        with pytest.raises(IllegalEvent, match="the run is over; ParkRequested comes too late"):
            scheduler.park("a#1", "?")
        with pytest.raises(IllegalEvent, match="the run is over; MergeTurnRequested comes too"):
            async with scheduler.merge_turn("a"):
                pass
        assert scheduler.cap.step_down() == 1
        scheduler.stop()

    run_virtual(main)


# The life of a run


def test_after_a_run_no_task_of_it_is_left() -> None:
    async def main() -> set[Any]:
        quota = ScriptedPipeline({("implement", "a#1"): [Postponed(), ValueError()]})
        await scheduler_of(wave_of("a#1", "b#1"), quota).run()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert run_virtual(main) == set()


def test_after_a_run_no_timer_of_it_is_left() -> None:
    pipeline = ScriptedPipeline({("implement", "a#1"): [Postponed(EPOCH + 86_400)]})
    scheduler = scheduler_of(wave_of("a#1"), pipeline)

    async def main() -> list[asyncio.TimerHandle]:
        run = await started(scheduler, 90)
        scheduler.stop()
        assert (await run).outcome == "stopped"
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return [timer for timer in loop._scheduled if not timer.cancelled()]

    assert run_virtual(main) == []


def test_after_a_run_no_thread_of_it_is_left(tmp_path: Path) -> None:
    before = threading.active_count()

    asyncio.run(
        scheduler_of(wave_of("a#1"), ScriptedPipeline(seconds=0), journal=tmp_path / "j").run()
    )

    assert threading.active_count() == before


def test_a_scheduler_runs_once() -> None:
    scheduler = scheduler_of(wave_of("a#1"))
    run_virtual(scheduler.run)

    with pytest.raises(RuntimeError, match=r"run\(\) was called before; make a new Scheduler"):
        run_virtual(scheduler.run)


def test_a_wave_without_issues_is_complete() -> None:
    report = run_virtual(scheduler_of(Wave([])).run)

    assert report.outcome == "complete"
    assert report.issues == {}


@pytest.mark.parametrize("cap", [0, -1])
def test_a_cap_below_one_is_refused(cap: int) -> None:
    with pytest.raises(ValueError, match=r"the cap is .*; give 1 or more"):
        scheduler_of(wave_of("a#1"), cap=cap)


@pytest.mark.parametrize("cap", [1.5, "2", True])
def test_a_cap_that_is_no_whole_number_is_refused(cap: Any) -> None:
    with pytest.raises(TypeError, match=r"the cap is .*; give a whole number"):
        scheduler_of(wave_of("a#1"), cap=cap)


def test_an_unknown_lane_policy_is_refused() -> None:
    with pytest.raises(ValueError, match=r'lane_release is .*; give "done" or "review"'):
        scheduler_of(wave_of("a#1"), lane_release="never")


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"failures": -1}, "failures is -1; give 0 or more"),
        ({"checkpoints": 0}, "checkpoints is 0; give 1 or more"),
        ({"review_rounds": None}, "review_rounds is None; give 0 or more"),
        ({"postpone_delay": float("inf")}, "postpone_delay is inf; give 0 or more"),
        ({"postpone_delay": float("nan")}, "postpone_delay is nan; give 0 or more"),
        ({"merge_timeout": 0}, "merge_timeout is 0; give seconds above 0, or None"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        Limits(**limits)


# What a session is told


def test_a_session_is_told_its_number_attempt_round_and_feedback() -> None:
    pipeline = ScriptedPipeline(
        {
            ("implement", "a#1"): [Checkpoint("half"), Implemented(), ValueError()],
            ("review", "a#1"): [ChangesRequested("a test")],
            ("merge", "a#1"): [Conflicted("a.py")],
        }
    )

    run_virtual(scheduler_of(wave_of("a#1"), pipeline).run)

    numbers = attrgetter("session", "attempt", "round", "checkpoint", "failures", "feedback")
    assert [(call.name[0], *numbers(call.issue)) for call in pipeline.calls] == [
        ("implement", 1, 1, 0, 0, 0, ""),
        ("implement", 2, 2, 0, 1, 0, "half"),
        ("review", 3, 2, 0, 0, 0, ""),
        ("implement", 4, 3, 1, 0, 0, "a test"),
        ("implement", 5, 4, 1, 0, 1, "a test"),
        ("review", 6, 4, 1, 0, 1, ""),
        ("merge", 7, 4, 1, 0, 1, ""),
        ("implement", 8, 5, 1, 0, 1, "a.py"),
        ("review", 9, 5, 1, 0, 1, ""),
        ("merge", 10, 5, 1, 0, 1, ""),
    ]


# Postponed


@pytest.mark.parametrize(
    ("until", "comes_back"),
    [
        (EPOCH + 1000, EPOCH + 1000),
        (int(EPOCH) + 1000, EPOCH + 1000),
        (None, EPOCH + 60 + 300),
        (EPOCH - 1000, EPOCH + 60),
        (0, EPOCH + 60),
        (-1e300, EPOCH + 60),
    ],
)
def test_a_postponed_issue_comes_back_at_its_time(until: float | None, comes_back: float) -> None:
    pipeline = ScriptedPipeline({("implement", "a#1"): [Postponed(until, "quota")]})

    report = run_virtual(scheduler_of(wave_of("a#1"), pipeline).run)

    assert [call.began for call in pipeline.calls][:2] == [EPOCH, comes_back]
    assert report.issues["a#1"].attempts == 2


def test_a_postponed_issue_without_a_time_says_when_it_comes_back() -> None:
    pipeline = ScriptedPipeline({("implement", "a#1"): [Postponed(reason="quota")]})
    scheduler = scheduler_of(wave_of("a#1"), pipeline, limits=Limits(postpone_delay=1000))

    async def main() -> str:
        run = await started(scheduler, 61)
        said = scheduler.status("a#1").why.text
        await run
        return said

    assert run_virtual(main) == "postponed until 02:04:20 UTC: quota"


def test_an_issue_that_is_postponed_again_after_it_was_unparked_waits_for_its_new_time() -> None:
    script: Any = {("implement", "a#1"): [Postponed(EPOCH + 500), Postponed(EPOCH + 5000)]}
    pipeline = ScriptedPipeline(
        script, seconds=lambda step, issue: 9000 if issue.id == "b#1" else 60
    )
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline)

    async def main() -> None:
        run = await started(scheduler, 100)
        scheduler.park("a#1", "which key?")
        scheduler.unpark("a#1")
        await run

    run_virtual(main)

    begun = [call.began for call in pipeline.calls if call.name == ("implement", "a#1")]
    assert begun == [EPOCH, EPOCH + 100, EPOCH + 5000]


# The lever


def test_a_lever_that_is_moved_before_the_run_is_in_force_at_its_start() -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("a#1", "b#1", "c#1"), pipeline)
    assert scheduler.cap.set(1) == 1

    report = run_virtual(scheduler.run)

    assert [call.began - EPOCH for call in pipeline.calls] == [60 * n for n in range(9)]
    assert report.highest_cap == 1


def test_a_lever_answers_with_the_level_that_then_holds() -> None:
    cap = scheduler_of(wave_of("a#1", "b#1", "c#1")).cap

    moves = [cap.step_down, cap.step_down, cap.step_down, cap.step_down, cap.step_up, cap.pause]
    assert [move() for move in moves] == [2, 1, 0, 0, 1, 0]
    assert [cap.resume(), cap.resume(), cap.set(3), cap.set(3), cap.step_up()] == [1, 1, 3, 3, 3]
    assert repr(cap) == "<cap 3 of 3>"


@pytest.mark.parametrize("level", [-1, 4])
def test_a_level_off_the_scale_is_refused(level: int) -> None:
    with pytest.raises(
        ValueError, match=rf"the cap's level is {level}; give 0 \(paused\) to 3, its"
    ):
        scheduler_of(wave_of("a#1", "b#1", "c#1")).cap.set(level)


@pytest.mark.parametrize("level", [1.0, True, None, "2"])
def test_a_level_that_is_no_number_is_refused(level: Any) -> None:
    with pytest.raises(TypeError, match=r"the cap's level is .*; give a whole number"):
        scheduler_of(wave_of("a#1")).cap.set(level)


def test_a_lever_after_the_run_changes_nothing() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"))
    run_virtual(scheduler.run)

    assert scheduler.cap.step_down() == 2


def test_a_session_that_was_ordered_and_has_not_begun_does_not_begin_after_a_pause() -> None:
    async def implement(issue: Assignment) -> None:
        scheduler.cap.pause()

    pipeline = Overridden("implement", implement)
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline)

    async def main() -> str:
        run = await started(scheduler, 1000)
        assert pipeline.calls == []
        assert scheduler.status("b#1").state == "queued"
        scheduler.cap.resume()
        return (await run).outcome

    assert run_virtual(main) == "complete"


class Watched(ScriptedPipeline):
    """Tells an observer what it sees; each step needs a leave to end."""

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self.observer = observer
        self.leaves = asyncio.Semaphore(0)
        self.errors: list[Exception] = []

    async def _play(self, step: Step, issue: Assignment) -> object:
        try:
            self.observer.started(step, issue.id)
        except Exception as error:
            self.errors.append(error)
            raise
        await self.leaves.acquire()
        self.observer.ended(issue.id, approved=step == "review", merged=step == "merge")
        return {"implement": None, "review": Approved(), "merge": Merged()}[step]


@pytest.fixture
def threads_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("threads_take_turns_often")
@pytest.mark.parametrize("lane_release", ["done", "review"])
def test_many_threads_on_the_lever_break_no_rule(lane_release: LaneRelease) -> None:
    dice = random.Random(7)
    wave = Wave(
        [
            Issue(f"i{n}", f"r{n % 20}", [f"i{dice.randrange(n)}"] if n % 4 == 3 else ())
            for n in range(300)
        ]
    )
    observer = Observer(wave, lane_release, 8)
    pipeline = Watched(observer)
    scheduler = Scheduler(wave, pipeline, cap=8, lane_release=lane_release)
    lever = threading.Lock()
    moved_in_mid_run = 0

    def pull(loop: asyncio.AbstractEventLoop, seed: int) -> None:
        """Move the lever, and let the observer know when the move holds.

        A higher level it knows before, a lower one when the call has returned and the callback
        that the loop was in the middle of has ended. Each move lets two steps end.
        """
        nonlocal moved_in_mid_run
        own = random.Random(seed)

        async def tell(level: int) -> None:
            observer.cap_moved(level)
            pipeline.leaves.release()
            pipeline.leaves.release()

        for _ in range(60):
            with lever:
                level = own.randrange(9)
                higher = level > scheduler.cap.level
                if higher:
                    asyncio.run_coroutine_threadsafe(tell(level), loop).result(30)
                scheduler.cap.set(level)
                if not higher:
                    asyncio.run_coroutine_threadsafe(tell(level), loop).result(30)
                moved_in_mid_run += 0 < observer.starts < 900

    async def main() -> Report:
        loop = asyncio.get_running_loop()
        threads = [
            threading.Thread(target=pull, args=(loop, seed), daemon=True) for seed in range(8)
        ]
        run = asyncio.create_task(scheduler.run())
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        observer.cap_moved(8)
        scheduler.cap.set(8)
        return await asyncio.wait_for(run, timeout=60)

    report = asyncio.run(main())

    assert pipeline.errors == []
    assert report.outcome == "complete"
    assert observer.starts == 900
    assert moved_in_mid_run > 200


@pytest.mark.usefixtures("threads_take_turns_often")
def test_threads_may_read_and_act_while_the_wave_runs(tmp_path: Path) -> None:
    wave = Wave([Issue(f"i{n}", f"r{n % 20}") for n in range(60)])
    journal = tmp_path / "journal"
    scheduler = Scheduler(wave, ScriptedPipeline(seconds=0), journal=journal)
    errors: list[BaseException] = []
    gate = threading.Barrier(9)

    def park(number: int) -> None:
        scheduler.park(f"i{number}", "?")

    def unpark(number: int) -> None:
        scheduler.unpark(f"i{number}")

    def move(number: int) -> None:
        scheduler.cap.set(number % 21)

    def look(number: int) -> None:
        scheduler.status(f"i{number}")
        assert len(scheduler.in_flight) <= 20
        if number == 0:
            scheduler.lanes()
            scheduler.report()

    def act(seed: int) -> None:
        own = random.Random(seed)
        gate.wait()
        try:
            for _ in range(600):
                with contextlib.suppress(IllegalEvent):
                    own.choice((park, unpark, move, look))(own.randrange(60))
        except BaseException as error:
            errors.append(error)

    async def main() -> Report:
        threads = [threading.Thread(target=act, args=(seed,), daemon=True) for seed in range(8)]
        run = await started(scheduler)
        for thread in threads:
            thread.start()
        gate.wait()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        scheduler.cap.set(20)
        for issue in wave.issues:
            with contextlib.suppress(IllegalEvent):
                scheduler.unpark(issue.id)
        return await asyncio.wait_for(run, timeout=60)

    report = asyncio.run(main())

    assert errors == []
    assert report.count("done") + report.count("parked") == 60
    assert Report.from_journal(journal) == report


class OwnedLock:
    """A lock that knows which thread holds it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.owners: list[int] = []

    def __enter__(self) -> None:
        if self.owners[-1:] != [threading.get_ident()]:
            self.lock.acquire()
        self.owners.append(threading.get_ident())

    def __exit__(self, *_: object) -> None:
        self.owners.pop()
        if not self.owners:
            self.lock.release()


def test_one_thread_at_a_time_steps_or_looks_at_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = OwnedLock()
    with monkeypatch.context() as patch:
        patch.setattr("threading.RLock", lambda: lock)
        scheduler = Scheduler(wave_of("a#1", "b#1"), ScriptedPipeline(seconds=0))
    seen: list[str] = []

    def owned(name: str) -> None:
        function = getattr(wavelane.scheduler, name)

        def checked(*arguments: object) -> object:
            assert lock.owners[-1:] == [threading.get_ident()], f"{name} without the lock"
            seen.append(name)
            return function(*arguments)

        monkeypatch.setattr(wavelane.scheduler, name, checked)

    for name in ("step", "withdrawn", "status_of", "lanes_of"):
        owned(name)

    async def main() -> Report:
        run = await started(scheduler)
        await asyncio.to_thread(scheduler.cap.step_down)
        scheduler.status("a#1")
        scheduler.lanes()
        return await run

    assert asyncio.run(main()).outcome == "complete"
    assert {*seen} == {"step", "withdrawn", "status_of", "lanes_of"}
    assert lock.owners == []


# Park, unpark, cancel, stop


@pytest.mark.parametrize(
    ("after", "step"), [(30, "implement"), (90, "review"), (150, "merge")], ids=str
)
@pytest.mark.parametrize("target", ["parked", "cancelled"])
def test_parking_or_cancelling_ends_the_session_first(
    after: float, step: Step, target: str
) -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("a#1", "a#2"), pipeline)

    async def main() -> Report:
        run = await started(scheduler, after)
        if target == "parked":
            scheduler.park("a#1", "which key?")
        else:
            scheduler.cancel("a#1")
        return await run

    report = run_virtual(main)

    assert report.issues["a#1"].state == target
    assert pipeline.calls[-4].name == (step, "a#1")
    assert pipeline.calls[-4].outcome == "cancelled"
    assert pipeline.calls[-4].ended == pipeline.calls[-3].began == EPOCH + after
    assert report.issues["a#2"].state == "done"


def test_a_session_that_takes_long_to_clean_up_keeps_slot_and_lane_until_it_is_gone() -> None:
    async def implement(issue: Assignment) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(500)

    pipeline = Overridden("implement", implement)
    scheduler = scheduler_of(wave_of("a#1", "a#2"), pipeline)

    async def main() -> Report:
        run = await started(scheduler, 30)
        scheduler.cancel("a#1")
        await asyncio.sleep(100)
        assert [issue.id for issue in scheduler.in_flight] == ["a#1"]
        return await run

    report = run_virtual(main)

    assert report.issues["a#2"].started_at == EPOCH + 530


def test_a_session_that_ignores_its_end_is_ended_by_its_own_report() -> None:
    async def implement(issue: Assignment) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        await asyncio.sleep(10)

    scheduler = scheduler_of(wave_of("a#1", "b#1"), Overridden("implement", implement))

    async def main() -> Report:
        run = await started(scheduler, 30)
        scheduler.park("a#1", "which key?")
        return await run

    report = run_virtual(main)

    assert report.issues["a#1"].why.text == "parked: which key?"
    assert report.issues["a#1"].ended_at == EPOCH + 40


def test_a_merge_that_is_in_when_its_issue_is_cancelled_is_in() -> None:
    async def merge(issue: Assignment) -> Merged:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return Merged()
        raise AssertionError

    scheduler = scheduler_of(wave_of("a#1", "b#1 < a#1"), Overridden("merge", merge))

    async def main() -> Report:
        run = await started(scheduler, 150)
        scheduler.cancel("a#1")
        return await run

    assert run_virtual(main).outcome == "complete"


@pytest.mark.parametrize("then_pause", [False, True])
@pytest.mark.parametrize("with_journal", [False, True])
@pytest.mark.parametrize("target", ["parked", "cancelled"])
def test_a_session_that_was_ordered_and_has_not_begun_does_not_begin_when_its_issue_is_taken_out(
    tmp_path: Path, target: str, with_journal: bool, then_pause: bool
) -> None:
    async def take_out(issue: Assignment) -> None:
        if target == "parked":
            scheduler.park("b#1", "which key?")
        else:
            scheduler.cancel("b#1")
        if then_pause:
            scheduler.cap.pause()

    pipeline = Overridden("implement", take_out)
    journal = tmp_path / "journal" if with_journal else None
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline, journal=journal)

    async def main() -> Report:
        run = await started(scheduler, 1000)
        scheduler.cap.resume()
        return await run

    report = run_virtual(main)

    assert report.issues["b#1"].state == target
    assert report.issues["a#1"].state == "done"
    assert [name for name in pipeline.names() if name[1] == "b#1"] == []


def test_an_issue_that_is_parked_and_unparked_before_the_run_is_run() -> None:
    scheduler = scheduler_of(wave_of("a#1"))
    scheduler.park("a#1", "which key?")
    assert scheduler.status("a#1").why.text == "parked: which key?"
    scheduler.unpark("a#1")

    assert run_virtual(scheduler.run).outcome == "complete"


def test_an_unparked_issue_starts_at_once_and_its_counters_anew() -> None:
    pipeline = ScriptedPipeline(
        {("implement", "a#1"): [ValueError("no")] * 5},
        seconds=lambda step, issue: 1000 if issue.id == "b#1" else 60,
    )
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline)

    async def main() -> Report:
        run = await started(scheduler, 200)
        assert scheduler.status("a#1").state == "parked"
        scheduler.unpark("a#1")
        return await run

    report = run_virtual(main)

    assert report.outcome == "complete"
    assert report.issues["a#1"].attempts == 6


@pytest.mark.parametrize("name", ["unpark", "cancel"])
def test_an_issue_that_is_not_in_the_wave_is_refused_by_name(name: str) -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    with pytest.raises(IllegalEvent, match='there is no issue "a#9" in the wave'):
        getattr(scheduler, name)("a#9")
    with pytest.raises(IllegalEvent, match='there is no issue "a#9" in the wave'):
        scheduler.park("a#9", "?")
    with pytest.raises(KeyError):
        scheduler.status("a#9")


def test_a_reason_to_park_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="the reason to park 'a#1' is None; give a text"):
        scheduler_of(wave_of("a#1")).park("a#1", None)  # type: ignore[arg-type]


def test_a_stop_lets_sessions_finish_their_step_and_merges_through() -> None:
    pipeline = ScriptedPipeline(seconds=lambda step, issue: 200 if issue.id == "b#1" else 60)
    scheduler = scheduler_of(wave_of("a#1", "b#1", "c#1", "c#2"), pipeline)

    async def main() -> Report:
        run = await started(scheduler, 90)
        scheduler.stop()
        scheduler.stop()
        return await run

    report = run_virtual(main)

    assert report.outcome == "stopped"
    assert {one.id: one.state for one in report.issues.values()} == {
        "a#1": "done",
        "b#1": "review",
        "c#1": "done",
        "c#2": "queued",
    }
    assert report.ended_at == EPOCH + 200
    assert [call.outcome for call in pipeline.calls if call.outcome == "cancelled"] == []


def test_a_stop_before_the_run_ends_it_at_its_start() -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("a#1"), pipeline)
    scheduler.stop()

    assert run_virtual(scheduler.run).outcome == "stopped"
    assert pipeline.calls == []


def test_a_stop_after_the_run_is_none() -> None:
    scheduler = scheduler_of(wave_of("a#1"))
    run_virtual(scheduler.run)

    scheduler.stop()

    assert scheduler.report().outcome == "complete"


def test_a_paused_wave_can_be_stopped() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> Report:
        run = await started(scheduler, 30)
        scheduler.cap.pause()
        await asyncio.sleep(1000)
        scheduler.stop()
        return await run

    assert run_virtual(main).outcome == "stopped"


def test_another_thread_can_stop_a_paused_wave() -> None:
    scheduler = Scheduler(wave_of("a#1"), ScriptedPipeline(seconds=0))
    scheduler.cap.pause()

    async def main() -> Report:
        run = await started(scheduler)
        await asyncio.to_thread(scheduler.stop)
        return await asyncio.wait_for(run, timeout=30)

    assert asyncio.run(main()).outcome == "stopped"


# Events


def told(notices: list[Notice]) -> list[str]:
    return [
        f"{one.issue} {one.source} → {one.target}"
        if one.kind == "issue"
        else f"{one.kind} {one.level if one.kind == 'cap' else one.reason}"
        for one in notices
    ]


async def collect(scheduler: Scheduler) -> list[Notice]:
    return [notice async for notice in scheduler.events()]


def test_the_stream_of_events_tells_all_that_happens_and_ends_with_the_run() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> list[Notice]:
        reading = asyncio.create_task(collect(scheduler))
        await started(scheduler)
        scheduler.cap.pause()
        scheduler.cap.resume()
        return await reading

    notices = run_virtual(main)

    assert told(notices) == [
        "cap 1",
        "a#1 queued → admitted",
        "a#1 admitted → running",
        "cap 0",
        "cap 1",
        "a#1 running → review",
        "a#1 review → review",
        "a#1 review → merging",
        "a#1 merging → merging",
        "a#1 merging → done",
        "end complete",
    ]
    assert [notice.at - EPOCH for notice in notices][-4:] == [120, 120, 180, 180]
    assert {notice.repo for notice in notices if notice.kind == "issue"} == {"a"}


def test_a_stream_tells_what_happens_from_when_it_was_asked_for() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> list[Notice]:
        await started(scheduler, 130)
        return await collect(scheduler)

    assert told(run_virtual(main)) == ["a#1 merging → done", "end complete"]


def test_a_stream_after_the_run_is_empty() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> list[Notice]:
        await scheduler.run()
        return await collect(scheduler)

    assert run_virtual(main) == []


def test_a_notice_has_the_reason_of_its_own_moment() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> list[Notice]:
        reading = asyncio.create_task(collect(scheduler))
        await asyncio.sleep(0)
        scheduler.park("a#1", "which key?")
        scheduler.unpark("a#1")
        await scheduler.run()
        return await reading

    assert [notice.reason for notice in run_virtual(main)][:2] == ["which key?", ""]


def test_who_listens_only_after_a_park_hears_its_reason_all_the_same() -> None:
    scheduler = scheduler_of(wave_of("a#1"))
    scheduler.park("a#1", "which key?")

    async def main() -> list[Notice]:
        reading = asyncio.create_task(collect(scheduler))
        await asyncio.sleep(0)
        await scheduler.run()
        return await reading

    assert run_virtual(main)[0].reason == "which key?"


def test_all_who_read_one_stream_come_to_its_end() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> int:
        stream = scheduler.events()

        async def read() -> int:
            return len([notice async for notice in stream])

        readers = [asyncio.create_task(read()) for _ in range(3)]
        await scheduler.run()
        return sum(await asyncio.gather(*readers))

    assert run_virtual(main) == 9


def test_a_stream_ends_when_the_run_is_cancelled() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> list[str]:
        reading = asyncio.create_task(collect(scheduler))
        await cancelled(await started(scheduler, 30))
        return told(await reading)

    assert run_virtual(main)[-1] == "a#1 admitted → running"


def test_a_stream_ends_when_the_run_cannot_begin(tmp_path: Path) -> None:
    scheduler = scheduler_of(wave_of("a#1"), journal=tmp_path / "missing" / "journal")

    async def main() -> list[Notice]:
        reading = asyncio.create_task(collect(scheduler))
        with pytest.raises(JournalError):
            await scheduler.run()
        return await reading

    assert run_virtual(main) == []


# Merge turns


def test_the_engines_own_merge_waits_in_the_queue_with_the_issues() -> None:
    pipeline = ScriptedPipeline(seconds=lambda step, issue: 600 if step == "merge" else 60)
    scheduler = scheduler_of(wave_of("a#1", "a#2", "a#3"), pipeline, cap=3, lane_release="review")
    turns: list[tuple[float, float]] = []

    async def main() -> None:
        run = await started(scheduler, 200)  # a#1 merges, a#2 waits, a#3 is implemented
        async with scheduler.merge_turn("a"):
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(100)
            turns.append((began, asyncio.get_running_loop().time()))
        await run

    run_virtual(main)

    merges = [(call.began, call.ended) for call in pipeline.calls if call.name[0] == "merge"]
    assert [begin - EPOCH for begin, _ in merges] == [120, 720, 1420]
    assert turns == [(EPOCH + 1320, EPOCH + 1420)]


def test_a_turn_before_the_run_waits_for_its_start() -> None:
    pipeline = ScriptedPipeline()
    scheduler = scheduler_of(wave_of("a#1"), pipeline)
    order: list[str] = []

    async def turn() -> None:
        async with scheduler.merge_turn("a"):
            order.append("turn")
            await asyncio.sleep(10)

    async def main() -> None:
        waiting = asyncio.create_task(turn())
        await asyncio.sleep(100)
        order.append("start")
        await scheduler.run()
        await waiting

    run_virtual(main)

    assert order == ["start", "turn"]


def test_a_turn_goes_on_while_the_wave_is_paused() -> None:
    scheduler = scheduler_of(wave_of("a#1"))
    scheduler.cap.pause()

    async def main() -> None:
        run = await started(scheduler)
        async with scheduler.merge_turn("a"):
            pass
        scheduler.cap.resume()
        await run

    run_virtual(main)


def test_turns_of_two_repos_do_not_wait_for_each_other() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"))

    async def main() -> None:
        run = await started(scheduler)
        async with scheduler.merge_turn("a"), scheduler.merge_turn("b"):
            pass
        await run

    run_virtual(main)


def test_a_turn_that_is_asked_for_after_the_last_issue_has_ended_is_refused() -> None:
    taking: list[asyncio.Task[None]] = []

    async def take() -> None:
        async with scheduler.merge_turn("a"):
            pass

    async def merge_and_go_on(issue: Assignment) -> None:
        taking.append(asyncio.ensure_future(take()))

    scheduler = scheduler_of(wave_of("a#1"), Overridden("merge", merge_and_go_on))

    async def run() -> Report:
        report = await scheduler.run()
        with pytest.raises(IllegalEvent, match="the run is over"):
            await taking[0]
        return report

    assert run_virtual(run).outcome == "complete"


def test_a_turn_in_an_unknown_repo_is_refused_by_name() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"))

    async def main() -> None:
        with pytest.raises(IllegalEvent, match='there is no repo "x" in the wave; its repos are a'):
            async with scheduler.merge_turn("x"):
                pass

    run_virtual(main)


def test_a_turn_after_the_run_is_refused() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> None:
        await scheduler.run()
        with pytest.raises(IllegalEvent, match=r"the run .* comes too late"):
            async with scheduler.merge_turn("a"):
                pass

    run_virtual(main)


def test_an_exception_inside_a_turn_gives_it_back() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> Report:
        run = await started(scheduler)
        with pytest.raises(ValueError, match="mine"):
            async with scheduler.merge_turn("a"):
                raise ValueError("mine")
        return await run

    assert run_virtual(main).outcome == "complete"


def test_who_gives_up_waiting_for_a_turn_gives_up_the_place_in_the_queue() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> Report:
        run = await started(scheduler)
        async with scheduler.merge_turn("a"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(50), scheduler.merge_turn("a"):
                    pass
        return await run

    assert run_virtual(main).outcome == "complete"


def test_who_is_cancelled_in_the_moment_of_the_grant_gives_the_turn_back() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def turn() -> None:
        async with scheduler.merge_turn("a"):
            await asyncio.sleep(3600)

    async def main() -> Report:
        run = await started(scheduler)
        waiting = asyncio.create_task(turn())
        await asyncio.sleep(0)  # it has asked
        await asyncio.sleep(0)  # it has been granted, and not noticed yet
        waiting.cancel()
        return await run

    report = run_virtual(main)

    assert report.outcome == "complete"
    assert report.ended_at == EPOCH + 180


def test_a_run_does_not_end_while_a_turn_is_held() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"))

    async def main() -> Report:
        run = await started(scheduler, 150)
        async with scheduler.merge_turn("b"):
            await asyncio.sleep(1000)
        return await run

    report = run_virtual(main)

    assert report.outcome == "complete"
    assert report.ended_at == EPOCH + 180 + 1000


def test_who_waits_for_a_turn_when_the_run_is_cancelled_is_told() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"))

    async def turn() -> None:
        async with scheduler.merge_turn("a"):
            pass

    async def main() -> None:
        run = await started(scheduler, 130)
        waiting = asyncio.create_task(turn())
        await asyncio.sleep(0)
        await cancelled(run)
        with pytest.raises(RuntimeError, match="the run ended before the merge turn came"):
            await waiting

    run_virtual(main)


def test_who_waits_for_a_turn_of_a_run_that_cannot_begin_is_told(tmp_path: Path) -> None:
    scheduler = scheduler_of(wave_of("a#1"), journal=tmp_path / "missing" / "journal")

    async def turn() -> None:
        async with scheduler.merge_turn("a"):
            pass

    async def main() -> None:
        waiting = asyncio.create_task(turn())
        await asyncio.sleep(0)
        with pytest.raises(JournalError):
            await scheduler.run()
        with pytest.raises(RuntimeError, match="the run ended before the merge turn came"):
            await waiting

    run_virtual(main)


def test_who_holds_a_turn_when_the_run_is_cancelled_may_finish() -> None:
    scheduler = scheduler_of(wave_of("a#1"))
    finished: list[str] = []

    async def turn() -> None:
        async with scheduler.merge_turn("a"):
            await asyncio.sleep(100)
            finished.append("merge")

    async def main() -> None:
        run = await started(scheduler)
        holding = asyncio.create_task(turn())
        await asyncio.sleep(10)
        await cancelled(run)
        await holding

    run_virtual(main)

    assert finished == ["merge"]


# Status and report


def test_a_status_tells_state_reason_attempts_and_since_when() -> None:
    pipeline = ScriptedPipeline({("implement", "a#1"): [ValueError()]})
    scheduler = scheduler_of(wave_of("a#1", "b#1 < a#1"), pipeline)
    before = scheduler.status("b#1")

    async def main() -> None:
        run = await started(scheduler, 90)
        first, second = scheduler.status("a#1"), scheduler.status("b#1")
        assert (first.state, first.attempts, first.since) == ("running", 2, EPOCH + 60)
        assert (second.state, second.why.text) == ("queued", "waits for a#1 (running)")
        assert second.since is None
        await run

    run_virtual(main)

    assert (before.state, before.why.text) == ("queued", "waits for a#1 (queued)")
    assert scheduler.status("b#1").since == EPOCH + 420


def test_what_is_in_flight_is_told_in_the_order_of_admission() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1 !1", "c#1 < a#1"))
    assert scheduler.in_flight == ()

    async def main() -> list[str]:
        run = await started(scheduler, 30)
        found = [issue.id for issue in scheduler.in_flight]
        await run
        return found

    assert run_virtual(main) == ["b#1", "a#1"]
    assert scheduler.in_flight == ()


def test_a_report_tells_when_each_issue_began_and_ended_and_where_its_time_went() -> None:
    pipeline = ScriptedPipeline(
        {("review", "a#1"): [ChangesRequested("a test")], ("implement", "b#1"): [Blocked("?")]},
        seconds=lambda step, issue: {"implement": 100, "review": 10, "merge": 1}[step],
    )
    scheduler = scheduler_of(wave_of("a#1", "a#2", "b#1", "b#2 < b#1"), pipeline)

    report = run_virtual(scheduler.run)

    assert (report.started_at, report.ended_at) == (EPOCH, EPOCH + 221 + 111)
    first = report.issues["a#1"]
    assert (first.started_at, first.ended_at, first.attempts) == (EPOCH, EPOCH + 221, 2)
    assert first.seconds == {"admitted": 0, "running": 200, "review": 20, "merging": 1}
    assert report.issues["a#2"].started_at == EPOCH + 221
    assert (report.issues["b#1"].state, report.issues["b#1"].ended_at) == ("parked", EPOCH + 100)
    assert report.issues["b#2"].started_at is None
    assert report.issues["b#2"].ended_at is None
    assert (report.count("done"), report.count("parked"), report.count("queued")) == (2, 1, 1)
    assert (report.outcome, report.highest_cap) == ("blocked", 2)


def test_a_report_begins_with_the_run_and_not_with_a_lever_that_was_moved_before() -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"))

    async def main() -> Report:
        scheduler.cap.step_down()
        await asyncio.sleep(3600)
        return await scheduler.run()

    assert run_virtual(main).started_at == EPOCH + 3600


def test_a_report_of_a_live_run_stays_as_it_was_made() -> None:
    scheduler = scheduler_of(wave_of("a#1"))

    async def main() -> tuple[Report, dict[str, Any], Report]:
        run = await started(scheduler, 90)
        live = scheduler.report()
        as_it_was = live.to_dict()
        return live, as_it_was, await run

    live, as_it_was, last = run_virtual(main)

    assert live.outcome == "unfinished"
    assert live.to_dict() == as_it_was
    assert last.to_dict() != as_it_was


def test_a_report_is_plain_values_for_json() -> None:
    report = run_virtual(scheduler_of(wave_of("a#1", "b#1 < a#1")).run)

    found = json.loads(json.dumps(report.to_dict()))

    assert found["outcome"] == "complete"
    assert [issue["id"] for issue in found["issues"]] == ["a#1", "b#1"]
    assert found["issues"][0]["why"] == {"code": "done", "text": "done", "issues": []}
