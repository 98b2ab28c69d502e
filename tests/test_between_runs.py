"""A run that was cut off, the recovery findings about its issues, and the run that follows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.helpers import Model, wave_of

from wavelane_model.effects import EndSession, WakeAt
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    AttemptUnclear,
    CancelRequested,
    CapMoved,
    Event,
    MergeFound,
    MergeTurnRequested,
    ParkRequested,
    RunCutOff,
    SessionEnded,
    StopRequested,
    UnparkRequested,
    WaveStarted,
)
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.limits import Limits
from wavelane_model.outcomes import (
    Approved,
    ChangesRequested,
    Checkpoint,
    Failed,
    Implemented,
    Postponed,
)
from wavelane_model.step import IllegalEvent, step

Finding = Callable[[str], Event]
RECOVERY_FINDINGS: list[Finding] = [
    AttemptDiscarded,
    AttemptResumed,
    MergeFound,
    lambda issue: AttemptUnclear(issue, "its branch is gone"),
]


def cut_off(state: str, lane_release: LaneRelease = "done") -> Model:
    """A run that was cut off while a#1 was running, in review or merging, and b#1 was running."""
    model = Model(wave_of("a#1", "b#1", "a#9", "c#1 < a#1"), lane_release=lane_release)
    while model.record("a#1").state != state:
        model.end("a#1")
    assert model.take(RunCutOff()) == []
    return model


def start_again(model: Model) -> list[str]:
    """Record that b#1 was discarded and start the next run; its effects."""
    model.take(AttemptDiscarded("b#1"))
    return model.take(WaveStarted())


def test_a_cut_off_run_orders_nothing_and_its_sessions_keep_slot_and_lane() -> None:
    model = cut_off("running")

    assert model.state.outcome == "unfinished"
    assert model.take(CapMoved("step_down")) == []
    assert [model.state.issue_id(model.state.records[at]) for at in model.state.flight] == [
        "a#1",
        "b#1",
    ]
    assert model.why("a#1") == "implementing when the run was cut off"


def test_no_run_starts_before_each_session_has_a_recovery_finding() -> None:
    model = cut_off("running")
    model.take(AttemptResumed("a#1"))

    with pytest.raises(IllegalEvent, match=r"there is no recovery finding yet for: b#1$"):
        step(model.state, WaveStarted())


def test_a_session_of_a_cut_off_run_can_no_longer_end() -> None:
    model = cut_off("running")

    with pytest.raises(IllegalEvent, match="the run has ended; SessionEnded comes too late"):
        step(model.state, SessionEnded("a#1", 1, Implemented()))


@pytest.mark.parametrize("state", ["running", "review", "merging"])
def test_a_discarded_attempt_starts_again_clean_and_at_no_charge(state: str) -> None:
    model = cut_off(state)
    model.take(AttemptDiscarded("a#1"))

    assert start_again(model) == ["implement a#1", "implement b#1"]
    record = model.record("a#1")
    assert (record.failures, record.implemented, record.feedback) == (0, False, "")


def test_checkpoints_and_requests_for_changes_of_a_discarded_attempt_do_not_count() -> None:
    model = Model(wave_of("a#1"), limits=Limits(review_rounds=1, checkpoints=2))
    for outcome in (Implemented(), ChangesRequested("polish it"), Checkpoint("half")):
        model.end("a#1", outcome)
    model.take(RunCutOff())
    model.take(AttemptDiscarded("a#1"))
    model.take(WaveStarted())

    for outcome in (Checkpoint("half"), Implemented(), ChangesRequested("polish it")):
        model.end("a#1", outcome)

    assert model.record("a#1").state == "running"


def test_a_resumed_implementation_continues_in_a_fresh_session() -> None:
    model = cut_off("running")
    model.take(AttemptResumed("a#1"))

    assert start_again(model) == ["implement a#1", "implement b#1"]
    assert model.record("a#1").attempts == 2


def test_a_resumed_review_is_made_again() -> None:
    model = cut_off("review")
    model.take(AttemptResumed("a#1"))

    assert start_again(model) == ["review a#1", "implement b#1"]


def test_a_resumed_merge_is_tried_again_in_its_turn() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=2, lane_release="review")
    for issue in ("a#1", "a#2"):
        model.end(issue, Implemented())
    for issue in ("a#2", "a#1"):
        model.end(issue, Approved())
    model.take(RunCutOff())
    model.take(AttemptResumed("a#2"))
    model.take(AttemptResumed("a#1"))

    assert model.take(WaveStarted()) == ["merge a#2"]


@pytest.mark.parametrize("state", ["running", "review", "merging"])
def test_an_issue_that_is_found_merged_is_done_and_its_dependents_may_start(state: str) -> None:
    model = cut_off(state)
    model.take(MergeFound("a#1"))

    assert model.record("a#1").state == "done"
    assert start_again(model) == ["implement b#1", "implement a#9", "implement c#1"]


def test_an_issue_with_an_unclear_finding_is_parked_with_its_reason() -> None:
    model = cut_off("review")
    model.take(AttemptUnclear("a#1", "its branch is gone"))

    assert model.why("a#1") == "parked: its branch is gone"


def test_rework_that_waits_keeps_its_feedback_when_it_is_resumed() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=2, lane_release="review")
    model.end("a#1", Implemented())
    model.end("a#1", ChangesRequested("a test"))
    model.take(RunCutOff())
    model.take(AttemptDiscarded("a#2"))
    model.take(AttemptResumed("a#1"))

    assert model.record("a#1").feedback == "a test"
    assert model.take(WaveStarted()) == ["implement a#1"]


@pytest.mark.parametrize(
    "finding", [RECOVERY_FINDINGS[0], RECOVERY_FINDINGS[1], RECOVERY_FINDINGS[3]]
)
def test_a_cancel_that_waited_for_the_end_of_a_session_survives_the_crash(finding: Finding) -> None:
    model = Model(wave_of("a#1", "b#1"))
    model.take(CancelRequested("a#1"))
    model.take(RunCutOff())

    model.take(finding("a#1"))

    assert model.record("a#1").state == "cancelled"


def test_a_pending_park_takes_precedence_over_a_finding() -> None:
    model = cut_off("review")
    model.take(ParkRequested("a#1", "which footer?"))

    model.take(AttemptDiscarded("a#1"))

    assert model.why("a#1") == "parked: which footer?"
    assert model.record("a#1").implemented


def test_a_merge_that_was_made_takes_precedence_over_a_cancel() -> None:
    model = cut_off("merging")
    model.take(CancelRequested("a#1"))

    model.take(MergeFound("a#1"))

    assert model.record("a#1").state == "done"


def test_a_request_between_runs_applies_in_the_next_one() -> None:
    model = cut_off("running")
    model.take(ParkRequested("b#1", "which footer?"))
    model.take(CapMoved("set", 1))
    model.take(AttemptResumed("a#1"))

    assert start_again(model) == ["implement a#1"]
    assert model.why("b#1") == "parked: which footer?"


def test_a_human_may_answer_after_the_end_and_the_next_run_continues() -> None:
    model = Model(wave_of("a#1"))
    model.take(ParkRequested("a#1", "which footer?"))
    model.end("a#1", Failed("ended"))
    assert model.state.outcome == "blocked"

    assert model.take(UnparkRequested("a#1")) == []
    assert model.take(WaveStarted()) == ["implement a#1"]


def test_other_merges_that_waited_are_gone_with_the_run() -> None:
    model = Model(wave_of("a#1"))
    model.take(MergeTurnRequested("a", "keep-current"))
    model.take(RunCutOff())

    assert not model.state.lanes[0].merges
    assert model.state.lanes[0].turn is None
    model.take(MergeTurnRequested("a", "keep-current"))


def test_a_stop_ends_with_its_run() -> None:
    model = cut_off("running")
    model.take(AttemptResumed("a#1"))
    assert not model.state.stopping

    model.take(StopRequested())

    assert start_again(model) == ["finish stopped"]
    assert not model.state.stopping


def test_a_postponed_issue_is_woken_in_the_next_run() -> None:
    model = Model(wave_of("a#1", "b#1"))
    model.end("a#1", Postponed(until=500.0))
    model.take(RunCutOff())
    model.take(AttemptResumed("b#1"))

    assert WakeAt("a#1", 500.0) in step(model.state, WaveStarted())


@pytest.mark.parametrize("finding", RECOVERY_FINDINGS)
def test_a_finding_about_an_issue_that_was_not_in_flight_is_refused(finding: Finding) -> None:
    model = cut_off("running")
    before = model.state.key()

    with pytest.raises(IllegalEvent, match=r'issue "a#9" is queued: it was not in flight'):
        step(model.state, finding("a#9"))
    assert model.state.key() == before


@pytest.mark.parametrize("finding", RECOVERY_FINDINGS)
def test_a_recovery_finding_during_a_run_is_refused(finding: Finding) -> None:
    model = Model(wave_of("a#1"))

    with pytest.raises(IllegalEvent, match="is only for after a run was cut off"):
        step(model.state, finding("a#1"))


def test_a_run_that_has_ended_cannot_be_cut_off() -> None:
    model = cut_off("running")

    with pytest.raises(IllegalEvent, match="the run has ended; RunCutOff comes too late"):
        step(model.state, RunCutOff())


def test_the_end_of_a_session_that_is_gone_may_be_ordered_without_effect() -> None:
    model = cut_off("running")

    assert step(model.state, CancelRequested("a#1")) == [EndSession("a#1", 1)]
