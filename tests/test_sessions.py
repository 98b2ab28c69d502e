"""How sessions and merges end, and what follows."""

from __future__ import annotations

import asyncio
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from tests.helpers import scheduler_of, wave_of
from tests.runs import Overridden, started

from wavelane import (
    Approved,
    Assignment,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Conflicted,
    Implemented,
    Limits,
    Merged,
    Postponed,
    Report,
    SessionFailed,
)
from wavelane.steps import Step
from wavelane.testing import ScriptedPipeline, run_virtual
from wavelane.testing.virtual import EPOCH
from wavelane_model.outcomes import Failed, Stopped


def failures_of(report: Report, issue_id: str = "a#1") -> str:
    """The last failure of an issue that was parked after three."""
    text = report.issues[issue_id].why.text
    assert text.startswith("parked: 3 failures, the last: ")
    return text.removeprefix("parked: 3 failures, the last: ")


def run_with(
    acts: list[object], step: Step = "implement", tmp_path: Path | None = None, **settings: Any
) -> Report:
    """The report of a wave in which a step of a#1 ends like this, and b#1 succeeds."""
    journal = None if tmp_path is None else tmp_path / "journal"
    pipeline = ScriptedPipeline({(step, "a#1"): acts})
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline, journal=journal, **settings)

    report = run_virtual(scheduler.run)

    assert report.issues["b#1"].state == "done"
    if journal is not None:
        assert Report.from_journal(journal) == report
    return report


# Mistakes of a pipeline


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
        (asyncio.CancelledError(), " raised CancelledError, though it was not cancelled"),
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

    assert failures_of(report) == "review is not a coroutine; write it with `async def`"


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


def test_none_means_implemented_or_merged() -> None:
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


def test_a_timeout_of_one_step_does_not_apply_to_another() -> None:
    report = run_virtual(scheduler_of(wave_of("a#1"), limits=Limits(review_timeout=60.5)).run)

    assert report.outcome == "complete"


def test_a_merge_that_was_made_when_its_time_is_up_counts() -> None:
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


# What a session receives


def test_a_session_gets_its_number_attempt_round_and_feedback() -> None:
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
