from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import pytest
from tests.helpers import Model, wave_of

from wavelane_model.cap import Cap
from wavelane_model.effects import AnnounceIssue
from wavelane_model.events import (
    AttemptDiscarded,
    CancelRequested,
    CapMoved,
    Event,
    MergeTurnRequested,
    MergeTurnReturned,
    ParkRequested,
    PostponementEnded,
    SessionEnded,
    SessionWithheld,
    StopRequested,
    UnparkRequested,
    WaveStarted,
)
from wavelane_model.limits import Limits
from wavelane_model.outcomes import (
    Approved,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Conflicted,
    Failed,
    Implemented,
    Merged,
    Outcome,
    Postponed,
    Stopped,
)
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent, may_start, outcomes_of, start_veto, step
from wavelane_model.wave import Issue, Wave


def at(state: str, **settings: int) -> Model:
    """One issue a#1 that is running, in review or merging, in a wave that does not end with it."""
    model = Model(wave_of("a#1", "b#1", "a#9"), limits=Limits(**settings))
    while model.record("a#1").state != state:
        model.end("a#1")
    return model


# One issue


def test_an_issue_goes_from_queued_to_done() -> None:
    model = Model(wave_of("a#1"))
    assert model.first == ["implement a#1"]

    assert model.end("a#1", Implemented()) == ["review a#1"]
    assert model.end("a#1", Approved()) == ["merge a#1"]
    assert model.end("a#1", Merged()) == ["finish complete"]
    assert model.record("a#1").attempts == 1
    assert model.record("a#1").session == 3


def test_a_checkpoint_is_continued_by_a_fresh_session_that_knows_its_note() -> None:
    model = at("running")

    assert model.end("a#1", Checkpoint("half of it")) == ["implement a#1"]
    assert model.record("a#1").feedback == "half of it"
    assert model.record("a#1").attempts == 2


def test_the_third_checkpoint_without_a_review_parks() -> None:
    model = at("running")
    model.end("a#1", Checkpoint("one"))
    model.end("a#1", Checkpoint("two"))

    assert model.end("a#1", Checkpoint("three")) == ["implement a#9"]
    assert model.why("a#1") == "parked: 3 checkpoints, the last: three"


def test_a_review_lets_checkpoints_be_counted_anew() -> None:
    model = at("running")
    for _ in range(2):
        model.end("a#1", Checkpoint())
        model.end("a#1", Checkpoint())
        model.end("a#1", Implemented())
        model.end("a#1", ChangesRequested())

    assert model.record("a#1").state == "running"


def test_requested_changes_go_back_to_implementing_twice_and_then_park() -> None:
    model = at("review")
    for round_number in (1, 2):
        assert model.end("a#1", ChangesRequested("a test")) == ["implement a#1"]
        assert model.record("a#1").rounds == round_number
        assert model.record("a#1").feedback == "a test"
        assert model.end("a#1", Implemented()) == ["review a#1"]
        assert model.record("a#1").feedback == ""

    model.end("a#1", ChangesRequested("still a test"))

    assert model.why("a#1") == "parked: 3 change requests, the last: still a test"


def test_a_merge_conflict_goes_back_to_implementing_twice_and_then_parks() -> None:
    model = at("merging")
    for _ in range(2):
        assert model.end("a#1", Conflicted("a.py")) == ["implement a#1"]
        assert model.record("a#1").feedback == "a.py"
        model.end("a#1")
        model.end("a#1")

    model.end("a#1", Conflicted("b.py"))

    assert model.why("a#1") == "parked: 3 merge conflicts, the last: b.py"


@pytest.mark.parametrize(
    ("state", "again"),
    [("running", "implement a#1"), ("review", "review a#1"), ("merging", "merge a#1")],
)
def test_a_failed_step_is_tried_again_twice_and_then_parks(state: str, again: str) -> None:
    model = at(state)

    assert model.end("a#1", Failed("boom")) == [again]
    assert model.end("a#1", Failed("boom")) == [again]
    model.end("a#1", Failed("the third"))

    assert model.why("a#1") == "parked: 3 failures, the last: the third"


@pytest.mark.parametrize(
    ("state", "settings", "outcome"),
    [
        ("running", {"checkpoints": 1}, Checkpoint()),
        ("review", {"review_rounds": 0}, ChangesRequested()),
        ("merging", {"conflicts": 0}, Conflicted()),
        ("running", {"failures": 0}, Failed("")),
        ("review", {"failures": 0}, Failed("")),
        ("merging", {"failures": 0}, Failed("")),
    ],
)
def test_the_lowest_limit_parks_at_once(
    state: str, settings: dict[str, int], outcome: Outcome
) -> None:
    model = at(state, **settings)

    model.end("a#1", outcome)

    assert model.record("a#1").state == "parked"


@pytest.mark.parametrize("state", ["running", "review", "merging"])
def test_a_blocker_parks_from_every_step(state: str) -> None:
    model = at(state)

    model.end("a#1", Blocked("which key?"))

    assert model.why("a#1") == "parked: which key?"


def test_a_parked_issue_frees_slot_and_lane_at_once() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=1)

    assert model.end("a#1", Blocked("?")) == ["implement a#2"]


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        ("running", {Implemented, Checkpoint, Blocked, Postponed, Failed}),
        ("review", {Approved, ChangesRequested, Blocked, Postponed, Failed}),
        ("merging", {Merged, Conflicted, Blocked, Failed}),
    ],
)
def test_each_step_has_its_own_outcomes(state: str, allowed: set[type[Outcome]]) -> None:
    assert {*outcomes_of(state)} == allowed  # type: ignore[arg-type]


# Postponed


@pytest.mark.parametrize("state", ["running", "review"])
def test_a_postponed_issue_frees_slot_and_lane_and_is_charged_nothing(state: str) -> None:
    model = Model(wave_of("a#1", "a#2"), cap=1)
    if state == "review":
        model.end("a#1")

    orders = model.end("a#1", Postponed(42.0, "quota"))

    assert orders == ["wake a#1 at 42.0", "implement a#2"]
    record = model.record("a#1")
    assert record.state == "queued"
    assert record.failures == record.checkpoints == record.rounds == record.conflicts == 0


def test_a_postponed_issue_waits_until_its_time_even_when_all_else_is_done() -> None:
    model = Model(wave_of("a#1", "b#1"))
    model.end("a#1", Postponed(42.0))

    assert model.finish("b#1") == []
    assert not model.state.ended
    assert model.take(PostponementEnded("a#1")) == ["implement a#1"]


def test_a_postponed_review_comes_back_to_review_without_a_second_implementing_session() -> None:
    model = at("review")
    model.end("a#1", Postponed())
    model.finish("a#9")

    orders = model.take(PostponementEnded("a#1"))

    assert orders == ["review a#1"]
    assert model.record("a#1").attempts == 1
    assert model.finish("a#1") == []
    assert model.record("a#1").state == "done"


def test_a_postponed_rework_keeps_its_feedback() -> None:
    model = Model(wave_of("a#1"))
    model.end("a#1")
    model.end("a#1", ChangesRequested("a test"))
    model.end("a#1", Postponed())

    assert model.take(PostponementEnded("a#1")) == ["implement a#1"]
    assert model.record("a#1").feedback == "a test"


def test_an_issue_that_comes_due_during_a_pause_starts_when_it_ends() -> None:
    model = Model(wave_of("a#1"))
    model.end("a#1", Postponed())
    model.take(CapMoved("pause"))

    assert model.take(PostponementEnded("a#1")) == []
    assert model.take(CapMoved("resume")) == ["implement a#1"]


def test_an_issue_that_was_parked_while_postponed_is_due_when_it_is_unparked() -> None:
    model = Model(wave_of("a#1", "b#1"))
    model.end("a#1", Postponed(42.0))
    model.take(ParkRequested("a#1", "?"))

    assert model.take(UnparkRequested("a#1")) == ["implement a#1"]


# Lanes


def test_a_repo_runs_one_issue_from_admission_to_merge() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=2)

    assert model.first == ["implement a#1"]
    assert model.end("a#1") == ["review a#1"]
    assert model.end("a#1") == ["merge a#1"]
    assert model.end("a#1") == ["implement a#2"]


def test_in_the_pipelined_policy_the_next_issue_starts_when_one_goes_to_review() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=2, lane_release="review")

    assert model.first == ["implement a#1"]
    assert model.end("a#1") == ["review a#1", "implement a#2"]


def test_in_the_pipelined_policy_rework_goes_before_a_new_admission() -> None:
    model = Model(wave_of("a#1", "a#2", "a#3"), cap=3, lane_release="review")
    model.end("a#1")
    assert model.end("a#1", ChangesRequested()) == []

    assert model.end("a#2") == ["review a#2", "implement a#1"]
    assert model.states() == ["running", "review", "queued"]


def test_rework_is_done_in_the_order_in_which_it_came() -> None:
    model = Model(wave_of("a#1", "a#2", "a#3"), cap=3, lane_release="review")
    model.end("a#1")
    model.end("a#2")
    model.end("a#2", ChangesRequested())
    model.end("a#1", ChangesRequested())

    assert model.end("a#3") == ["review a#3", "implement a#2"]
    assert model.end("a#2") == ["review a#2", "implement a#1"]


def test_rework_that_is_cancelled_while_it_waits_leaves_its_lane_to_the_others() -> None:
    model = Model(wave_of("a#1", "a#2", "a#3"), cap=3, lane_release="review")
    model.end("a#1")
    model.end("a#1", ChangesRequested())
    model.take(CancelRequested("a#1"))

    assert model.end("a#2") == ["review a#2", "implement a#3"]


def test_in_the_pipelined_policy_a_review_that_comes_back_gives_the_lane_away_at_once() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=2, lane_release="review")
    model.end("a#1")
    model.end("a#1", Postponed())
    model.finish("a#2")

    model.take(PostponementEnded("a#1"))

    assert model.states() == ["review", "done"]


# The cap


def test_a_free_lane_under_a_full_cap_waits_for_a_slot() -> None:
    model = Model(wave_of("a#1", "b#1"), cap=1)

    assert model.first == ["implement a#1"]
    assert model.finish("a#1") == ["implement b#1"]


def test_a_slot_is_not_taken_by_an_issue_whose_repo_is_busy() -> None:
    model = Model(wave_of("a#1", "a#2", "b#1"), cap=2)

    assert model.first == ["implement a#1", "implement b#1"]


def test_a_lowered_cap_interrupts_nothing_and_admits_nothing_until_there_is_room() -> None:
    model = Model(wave_of(*(f"{repo}#1" for repo in "abcde")), cap=3)

    assert model.take(CapMoved("set", 1)) == []
    assert model.finish("a#1") == []
    assert model.finish("b#1") == []
    assert model.finish("c#1") == ["implement d#1"]


def test_a_raised_cap_is_used_at_once() -> None:
    model = Model(wave_of("a#1", "b#1", "c#1"), cap=3, started=False)
    model.take(CapMoved("set", 1))
    assert model.take(WaveStarted()) == ["implement a#1"]

    assert model.take(CapMoved("set", 3)) == ["implement b#1", "implement c#1"]


def test_an_instant_above_zero_is_enough_to_start() -> None:
    model = Model(wave_of("a#1"), started=False)
    model.take(CapMoved("pause"))
    assert model.take(WaveStarted()) == []

    assert model.take(CapMoved("resume")) == ["implement a#1"]
    assert model.take(CapMoved("pause")) == []


def test_rework_of_an_issue_in_flight_needs_no_room_under_a_lowered_cap() -> None:
    model = Model(wave_of("a#1", "b#1"), cap=2)
    model.take(CapMoved("set", 1))

    assert model.end("a#1", Failed("")) == ["implement a#1"]


def test_a_pause_holds_reviews_and_rework_and_lets_merges_through() -> None:
    model = Model(wave_of("a#1", "b#1", "c#1"))
    model.end("c#1")
    model.take(CapMoved("pause"))

    assert model.end("a#1", Implemented()) == []
    assert model.end("b#1", Failed("")) == []
    assert model.end("c#1", Approved()) == ["merge c#1"]
    assert model.end("c#1", Merged()) == []
    assert model.take(CapMoved("resume")) == ["review a#1", "implement b#1"]


def test_a_move_of_the_cap_before_the_start_is_in_force_at_the_start() -> None:
    model = Model(wave_of("a#1", "b#1", "c#1"), started=False)
    model.take(CapMoved("step_down"))

    assert model.take(WaveStarted()) == ["implement a#1", "implement b#1"]
    assert model.state.highest_cap == 2


# Withheld sessions


def test_an_ordered_session_may_start_while_nothing_has_changed() -> None:
    model = Model(wave_of("a#1"))

    assert may_start(model.state, "a#1", 1)
    with pytest.raises(IllegalEvent):
        model.take(SessionWithheld("a#1", 1))


def test_a_fresh_session_that_a_lowered_cap_comes_before_goes_back_to_the_queue() -> None:
    model = Model(wave_of("a#1", "b#1"), cap=2)
    model.take(CapMoved("set", 1))
    assert not may_start(model.state, "a#1", 1)

    assert model.take(SessionWithheld("a#1", 1)) == []

    assert model.states() == ["queued", "running"]
    assert model.record("a#1").attempts == 0
    assert may_start(model.state, "b#1", 1)


def test_a_fresh_session_that_a_pause_comes_before_goes_back_to_the_queue() -> None:
    model = Model(wave_of("a#1"))
    model.take(CapMoved("pause"))

    model.take(SessionWithheld("a#1", 1))

    assert model.states() == ["queued"]
    assert model.take(CapMoved("resume")) == ["implement a#1"]
    assert model.record("a#1").attempts == 1


def test_rework_that_a_pause_comes_before_keeps_slot_and_lane() -> None:
    model = Model(wave_of("a#1", "a#2"))
    model.end("a#1", Failed(""))
    model.take(CapMoved("pause"))

    model.take(SessionWithheld("a#1", 2))

    assert model.states() == ["admitted", "queued"]
    assert model.record("a#1").attempts == 1
    assert model.take(CapMoved("resume")) == ["implement a#1"]


def test_rework_may_start_under_a_cap_that_was_lowered_but_not_to_zero() -> None:
    model = Model(wave_of("a#1", "b#1"), cap=2)
    model.end("a#1", Failed(""))
    model.take(CapMoved("set", 1))

    assert may_start(model.state, "a#1", 2)


def test_a_review_that_a_pause_comes_before_is_held() -> None:
    model = at("review")
    model.take(CapMoved("pause"))

    assert model.take(SessionWithheld("a#1", 2)) == []

    assert model.record("a#1").state == "review"
    assert model.take(CapMoved("resume")) == ["review a#1"]


def test_a_review_that_came_back_from_a_postponement_goes_to_the_queue_again() -> None:
    model = Model(wave_of("a#1"))
    model.end("a#1")
    model.end("a#1", Postponed())
    model.take(PostponementEnded("a#1"))
    model.take(CapMoved("pause"))

    model.take(SessionWithheld("a#1", 3))

    assert model.states() == ["queued"]
    assert model.take(CapMoved("resume")) == ["review a#1"]
    assert model.record("a#1").attempts == 1


def test_a_session_that_a_stop_comes_before_does_not_start() -> None:
    model = Model(wave_of("a#1"))
    model.take(StopRequested())

    assert not may_start(model.state, "a#1", 1)
    assert model.take(SessionWithheld("a#1", 1)) == ["finish stopped"]


def test_right_before_it_starts_a_session_is_told_what_to_report_instead() -> None:
    model = Model(wave_of("a#1", "b#1", "c#1"), cap=3)
    assert start_veto(model.state, "a#1", 1) is None

    model.take(CapMoved("pause"))
    model.take(CancelRequested("b#1"))

    assert start_veto(model.state, "a#1", 1) == SessionWithheld("a#1", 1)
    assert start_veto(model.state, "b#1", 1) == SessionEnded("b#1", 1, Stopped())


def test_a_merge_is_never_withheld() -> None:
    model = at("merging")
    model.take(CapMoved("pause"))

    assert may_start(model.state, "a#1", 3)
    with pytest.raises(IllegalEvent):
        model.take(SessionWithheld("a#1", 3))


# Park, cancel, unpark, reset


@pytest.mark.parametrize("state", ["running", "review", "merging"])
@pytest.mark.parametrize(
    ("event", "target"),
    [(ParkRequested("a#1", "later"), "parked"), (CancelRequested("a#1"), "cancelled")],
)
def test_parking_and_cancelling_wait_for_the_end_of_an_open_session(
    state: str, event: Event, target: str
) -> None:
    model = at(state)

    assert model.take(event) == ["end a#1"]
    assert model.record("a#1").state == state
    assert model.end("a#1", Stopped()) == ["implement a#9"]

    assert model.record("a#1").state == target


@pytest.mark.parametrize("outcome", [Implemented(), Failed("boom"), Postponed(), Blocked("other")])
def test_what_a_session_reports_that_was_to_be_ended_changes_nothing(outcome: Outcome) -> None:
    model = at("running")
    model.take(ParkRequested("a#1", "later"))

    model.end("a#1", outcome)

    assert model.why("a#1") == "parked: later"
    assert model.record("a#1").failures == 0


@pytest.mark.parametrize("event", [ParkRequested("a#1", "later"), CancelRequested("a#1")])
def test_a_merge_that_is_in_beats_a_cancel(event: Event) -> None:
    model = Model(wave_of("a#1", "b#1 < a#1"))
    model.end("a#1")
    model.end("a#1")
    model.take(event)

    assert model.end("a#1", Merged()) == ["implement b#1"]
    assert model.record("a#1").state == "done"


def test_a_second_reason_to_park_replaces_the_first() -> None:
    model = at("running")
    model.take(ParkRequested("a#1", "first"))

    assert model.take(ParkRequested("a#1", "second")) == []
    model.end("a#1", Stopped())

    assert model.why("a#1") == "parked: second"


def test_a_cancel_beats_a_park_that_is_still_to_come() -> None:
    model = at("running")
    model.take(ParkRequested("a#1", "later"))

    assert model.take(CancelRequested("a#1")) == []
    with pytest.raises(IllegalEvent, match="is being cancelled already"):
        model.take(ParkRequested("a#1", "again"))
    model.end("a#1", Stopped())

    assert model.record("a#1").state == "cancelled"


def test_a_queued_issue_is_parked_at_once() -> None:
    model = at("running")

    assert model.take(ParkRequested("a#9", "later")) == []
    assert model.why("a#9") == "parked: later"


def test_an_issue_that_waits_for_its_merge_turn_is_cancelled_at_once() -> None:
    model = Model(wave_of("a#1", "a#2", "a#3"), cap=3, lane_release="review")
    for issue_id in ("a#1", "a#2", "a#1", "a#2"):
        model.end(issue_id)

    assert model.take(CancelRequested("a#2")) == []
    assert model.record("a#2").state == "cancelled"
    assert [*model.state.lanes[0].merges] == [0]


def test_the_dependents_of_what_is_parked_or_cancelled_never_start() -> None:
    model = Model(wave_of("a#1", "b#1", "a#2 < a#1", "b#2 < b#1"))
    model.take(CancelRequested("b#1"))
    model.end("b#1", Stopped())

    assert model.end("a#1", Blocked("?")) == ["finish blocked"]
    assert model.states() == ["parked", "cancelled", "queued", "queued"]


def test_an_unparked_issue_is_tried_again_with_its_counters_anew() -> None:
    model = at("review", failures=0)
    model.end("a#1", Failed("boom"))
    model.finish("a#9")

    assert model.take(UnparkRequested("a#1")) == ["implement a#1"]

    record = model.record("a#1")
    assert (record.failures, record.reason, record.feedback) == (0, "", "")
    assert record.attempts == 2


# Merges


def test_two_approved_merges_of_one_repo_take_turns_first_come_first_served() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=2, lane_release="review")
    model.end("a#1")
    model.end("a#2")
    assert model.end("a#2", Approved()) == ["merge a#2"]
    assert model.end("a#1", Approved()) == []

    assert model.end("a#2", Merged()) == ["merge a#1"]


def test_a_merge_that_fails_keeps_its_place_in_the_queue() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=2, lane_release="review")
    for issue_id in ("a#1", "a#2", "a#1", "a#2"):
        model.end(issue_id)

    assert model.end("a#1", Failed("no disk")) == ["merge a#1"]


def test_a_merge_that_conflicts_gives_its_turn_to_the_next() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=2, lane_release="review")
    for issue_id in ("a#1", "a#2", "a#1", "a#2"):
        model.end(issue_id)

    assert model.end("a#1", Conflicted()) == ["merge a#2", "implement a#1"]


def test_merges_of_two_repos_go_side_by_side() -> None:
    model = Model(wave_of("a#1", "b#1"))
    model.end("a#1")
    model.end("b#1")

    assert model.end("a#1") == ["merge a#1"]
    assert model.end("b#1") == ["merge b#1"]


def test_somebody_else_takes_turns_in_the_same_queue() -> None:
    model = at("review")

    assert model.take(MergeTurnRequested("a", "t1")) == ["turn in a for t1"]
    assert model.take(MergeTurnRequested("a", "t2")) == []
    assert model.end("a#1", Approved()) == []
    assert model.take(MergeTurnReturned("a", "t1")) == ["turn in a for t2"]
    assert model.take(MergeTurnReturned("a", "t2")) == ["merge a#1"]


def test_a_turn_that_is_given_up_while_it_is_waited_for_is_skipped() -> None:
    model = at("review")
    model.take(MergeTurnRequested("a", "t1"))
    model.take(MergeTurnRequested("a", "t2"))

    assert model.take(MergeTurnReturned("a", "t2")) == []
    assert model.take(MergeTurnReturned("a", "t1")) == []


def test_a_turn_that_was_asked_for_before_the_start_is_given_at_the_start() -> None:
    model = Model(wave_of("a#1"), started=False)

    assert model.take(MergeTurnRequested("a", "t1")) == []
    assert model.take(WaveStarted())[0] == "turn in a for t1"


def test_a_wave_does_not_end_while_somebody_else_merges() -> None:
    model = Model(wave_of("a#1"))
    model.take(MergeTurnRequested("a", "t1"))
    model.end("a#1")
    model.end("a#1")

    model.take(MergeTurnReturned("a", "t1"))
    model.take(MergeTurnRequested("a", "t2"))
    assert model.end("a#1", Merged()) == ["turn in a for t2"]
    assert model.take(MergeTurnReturned("a", "t2")) == ["finish complete"]


# The end of the wave


def test_a_wave_without_issues_is_complete_at_once() -> None:
    assert Model(Wave([])).first == ["finish complete"]


def test_a_wave_with_a_cancelled_issue_is_blocked() -> None:
    model = Model(wave_of("a#1", "a#2"))
    model.take(CancelRequested("a#2"))

    assert model.finish("a#1") == ["finish blocked"]


def test_a_paused_wave_does_not_end() -> None:
    model = Model(wave_of("a#1", "a#2"))
    model.take(CapMoved("pause"))

    model.end("a#1")

    assert not model.state.ended


def test_a_stop_drains_what_runs_lets_ready_merges_through_and_ends() -> None:
    model = Model(wave_of("a#1", "b#1", "c#1", "c#2"))
    model.end("b#1")
    assert model.take(StopRequested()) == []

    assert model.end("a#1", Implemented()) == []
    assert model.end("b#1", Approved()) == ["merge b#1"]
    assert model.end("b#1", Merged()) == []
    assert model.end("c#1", Failed("")) == ["finish stopped"]
    assert model.states() == ["review", "done", "admitted", "queued"]


def test_a_stop_before_the_start_ends_the_run_at_its_start() -> None:
    model = Model(wave_of("a#1"), started=False)
    model.take(StopRequested())

    assert model.take(WaveStarted()) == ["finish stopped"]


def test_a_stop_does_not_wait_for_what_is_postponed() -> None:
    model = Model(wave_of("a#1"))
    model.end("a#1", Postponed(10.0**12))

    assert model.take(StopRequested()) == ["finish stopped"]


def test_a_stop_after_which_all_is_done_is_complete() -> None:
    model = at_last_merge()
    model.take(StopRequested())

    assert model.end("a#1", Merged()) == ["finish complete"]


def at_last_merge() -> Model:
    model = Model(wave_of("a#1"))
    model.end("a#1")
    model.end("a#1")
    return model


def test_a_stopped_run_that_is_started_again_goes_on_where_it_was() -> None:
    model = Model(wave_of("a#1"))
    model.take(StopRequested())
    model.end("a#1")
    assert model.state.outcome == "stopped"

    assert model.take(WaveStarted()) == ["review a#1"]


# Refusals


REFUSED: list[Event] = [
    WaveStarted(),
    SessionEnded("x#1", 1, Implemented()),
    SessionEnded("a#1", 2, Implemented()),
    SessionEnded("a#1", 1, Approved()),
    SessionEnded("a#1", 1, Merged()),
    SessionEnded("a#1", 1, Stopped()),
    SessionEnded("a#2", 0, Implemented()),
    SessionWithheld("a#1", 1),
    SessionWithheld("x#1", 1),
    SessionWithheld("a#1", 7),
    PostponementEnded("a#1"),
    PostponementEnded("a#2"),
    PostponementEnded("x#1"),
    AttemptDiscarded("a#2"),
    AttemptDiscarded("x#1"),
    CapMoved("step_up"),
    CapMoved("resume"),
    CapMoved("set", 9),
    ParkRequested("x#1", "?"),
    ParkRequested("b#1", "?"),
    UnparkRequested("a#1"),
    UnparkRequested("x#1"),
    CancelRequested("b#1"),
    CancelRequested("x#1"),
    MergeTurnRequested("x", "t"),
    MergeTurnRequested("a", "taken"),
    MergeTurnReturned("a", "t"),
    MergeTurnReturned("b", "taken"),
    MergeTurnReturned("x", "t"),
]


@pytest.mark.parametrize("event", REFUSED, ids=repr)
def test_a_rejected_event_changes_nothing(event: Event) -> None:
    model = Model(wave_of("a#1", "a#2", "b#1", "b#2"), cap=2)
    model.take(MergeTurnRequested("a", "taken"))
    model.finish("b#1")
    before, texts = model.state.key(), [(one.reason, one.feedback) for one in model.state.records]

    with pytest.raises(IllegalEvent):
        step(model.state, event)

    assert model.state.key() == before
    assert [(one.reason, one.feedback) for one in model.state.records] == texts


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (ParkRequested("x#1", "?"), 'there is no issue "x#1" in the wave'),
        (UnparkRequested("a#1"), 'issue "a#1" is running, where "unpark" is not allowed'),
        (
            SessionEnded("a#1", 2, Implemented()),
            'session 2 of issue "a#1" is not under way (it is running, with 1 sessions so far)',
        ),
        (
            SessionEnded("a#1", 1, Approved()),
            'issue "a#1" is running, where a session cannot end with Approved',
        ),
        (SessionEnded("a#1", 1, Stopped()), 'no end of session 1 of "a#1" was ordered'),
        (CapMoved("set", 9), 'the cap is at 2 of 2, where "set" to 9 is not allowed'),
        (CapMoved("resume"), 'the cap is at 2 of 2, where "resume" is not allowed'),
        (WaveStarted(), "the wave has started already"),
        (PostponementEnded("a#1"), 'issue "a#1" is not postponed'),
        (
            MergeTurnRequested("x", "t"),
            'there is no repo "x" in the wave; its repos are a, b',
        ),
        (MergeTurnReturned("a", "t"), 'ticket "t" has no place in the queue of "a"'),
    ],
    ids=repr,
)
def test_a_rejection_says_what_and_where(event: Event, text: str) -> None:
    model = Model(wave_of("a#1", "b#1"))

    with pytest.raises(IllegalEvent) as caught:
        step(model.state, event)

    assert str(caught.value) == text


def test_a_session_that_is_being_ended_cannot_be_withheld() -> None:
    model = at("running")
    model.take(CancelRequested("a#1"))
    model.take(CapMoved("pause"))

    with pytest.raises(IllegalEvent, match='session 1 of "a#1" is being ended'):
        model.take(SessionWithheld("a#1", 1))


def test_nothing_of_sessions_can_happen_before_the_start() -> None:
    model = Model(wave_of("a#1"), started=False)

    with pytest.raises(IllegalEvent, match="SessionEnded before the wave has started"):
        step(model.state, SessionEnded("a#1", 1, Implemented()))


def test_an_unknown_lane_policy_is_refused() -> None:
    with pytest.raises(ValueError, match='lane_release is \'merge\'; give "done" or "review"'):
        WaveState(wave_of("a#1"), lane_release="merge")  # type: ignore[arg-type]


# Exploration


def test_a_clone_goes_its_own_way() -> None:
    model = Model(wave_of("a#1", "a#2", "b#1 < a#1"), cap=2, lane_release="review")
    model.end("a#1")
    twin = model.state.clone()
    before = model.state.key()
    assert twin.key() == before

    step(twin, SessionEnded("a#1", 2, Approved()))
    step(twin, CapMoved("pause"))
    step(twin, SessionEnded("a#1", 3, Merged()))

    assert model.state.key() == before


# Cheap at scale


def big_wave(size: int) -> Wave:
    """Issues in 50 repos, each waiting for the one 50 before; some urgent."""
    return Wave(
        [
            Issue(
                f"i{n}",
                f"r{n % 50}",
                [f"i{n - 49}"] if n % 3 == 0 and n >= 49 else (),
                priority=n % 5,
            )
            for n in range(size)
        ]
    )


def calls_made_by(work: Callable[[], object]) -> int:
    """How many Python and C functions are called."""
    count = 0

    def on_call(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(on_call)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def work_per_event(size: int) -> list[int]:
    """The calls of each of 300 events in the middle of a wave."""
    model = WaveState(big_wave(size), cap=Cap.at(16), limits=Limits())
    step(model, WaveStarted())
    calls = []
    for _ in range(100):
        record = model.records[next(iter(model.flight))]
        issue_id = model.issue_id(record)
        for outcome in (Implemented(), Approved(), Merged()):
            event = SessionEnded(issue_id, record.session, outcome)
            calls.append(calls_made_by(partial(step, model, event)))
    return calls


def test_the_work_of_an_event_does_not_grow_with_the_wave() -> None:
    small, large = work_per_event(100), work_per_event(10_000)

    assert sum(large) < 1.25 * sum(small)
    assert max(large) < 1.5 * max(small)


@pytest.mark.parametrize(
    "event", [CapMoved("pause"), CancelRequested("i99"), ParkRequested("i99", "?")]
)
def test_a_lever_does_not_work_harder_in_a_larger_wave(event: Event) -> None:
    small, large = (WaveState(big_wave(size), cap=Cap.at(16)) for size in (100, 10_000))
    step(small, WaveStarted())
    step(large, WaveStarted())

    assert calls_made_by(lambda: step(large, event)) <= calls_made_by(lambda: step(small, event))


def test_every_move_is_announced() -> None:
    model = Model(wave_of("a#1"))

    effects = step(model.state, SessionEnded("a#1", 1, Implemented()))

    assert [effect[1:] for effect in effects if isinstance(effect, AnnounceIssue)] == [
        ("implemented", "running", "review"),
        ("begin_review", "review", "review"),
    ]
