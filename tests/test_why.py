from __future__ import annotations

import pytest
from tests.helpers import Model, wave_of

from wavelane_model.events import (
    CancelRequested,
    CapMoved,
    MergeTurnRequested,
    ParkRequested,
    StopRequested,
)
from wavelane_model.limits import Limits
from wavelane_model.outcomes import Approved, Blocked, Conflicted, Failed, Postponed
from wavelane_model.why import Reason, why


def reason(model: Model, issue_id: str) -> Reason:
    return why(model.state, issue_id)


def test_before_the_start_an_issue_waits_for_it() -> None:
    model = Model(wave_of("a#1", "b#1 < a#1"), started=False)

    assert reason(model, "a#1") == Reason("not_started", "the wave has not started")
    assert reason(model, "b#1") == Reason("dependencies", "waits for a#1 (queued)", ("a#1",))


def test_a_dependent_names_what_it_waits_for_and_how_far_that_is() -> None:
    model = Model(wave_of("a#1", "b#1", "c#1 < a#1 b#1", "d#1"))
    model.end("b#1", Blocked("which key?"))
    model.end("a#1")

    assert reason(model, "c#1") == Reason(
        "dependencies", "waits for a#1 (review), b#1 (parked)", ("a#1", "b#1")
    )


def test_a_dependent_names_only_what_is_not_done() -> None:
    model = Model(wave_of("a#1", "b#1", "c#1 < a#1 b#1"))
    model.finish("a#1")

    assert reason(model, "c#1").text == "waits for b#1 (running)"


def test_an_issue_whose_lane_is_busy_names_who_holds_it() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=2)

    assert reason(model, "a#2") == Reason("lane", "lane a held by a#1", ("a#1",))


def test_an_issue_for_which_there_is_no_slot_names_the_cap() -> None:
    model = Model(wave_of("a#1", "b#1"), cap=1)

    assert reason(model, "b#1") == Reason("cap", "cap 1 of 1")


def test_a_lowered_cap_is_named_as_it_is() -> None:
    model = Model(wave_of("a#1", "b#1", "c#1"), cap=2)
    model.take(CapMoved("set", 1))

    assert reason(model, "c#1").text == "cap 2 of 1"


def test_a_paused_wave_says_so() -> None:
    model = Model(wave_of("a#1", "b#1"), cap=1)
    model.take(CapMoved("pause"))

    assert reason(model, "b#1") == Reason("paused", "paused")


def test_a_review_that_a_pause_holds_back_says_so() -> None:
    model = Model(wave_of("a#1"))
    model.take(CapMoved("pause"))
    model.end("a#1")

    assert model.states() == ["review"]
    assert reason(model, "a#1") == Reason("paused", "paused")


def test_a_wave_that_is_being_stopped_says_so() -> None:
    model = Model(wave_of("a#1", "b#1"), cap=1)
    model.take(StopRequested())

    assert reason(model, "b#1") == Reason("stopping", "stopping")


def test_after_the_end_an_issue_says_that_the_run_is_over() -> None:
    model = Model(wave_of("a#1", "b#1"), cap=1)
    model.take(StopRequested())
    model.end("a#1")

    assert reason(model, "b#1") == Reason("ended", "the run has ended")
    assert reason(model, "a#1") == Reason("ended", "the run has ended")


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Postponed(), "postponed"),
        (Postponed(reason="quota"), "postponed: quota"),
        (Postponed(1_000_000_000.9), "postponed until 01:46:40 UTC"),
        (Postponed(1_000_086_399.0, "quota"), "postponed until 01:46:39 UTC: quota"),
        (Postponed(0.0), "postponed until 00:00:00 UTC"),
    ],
)
def test_a_postponed_issue_says_until_when_and_why(outcome: Postponed, text: str) -> None:
    model = Model(wave_of("a#1"))
    model.end("a#1", outcome)

    assert reason(model, "a#1") == Reason("postponed", text, until=outcome.until)


def test_an_approved_issue_says_its_place_in_the_merge_queue() -> None:
    ids = [f"a#{number}" for number in range(1, 9)]
    model = Model(wave_of(*ids), cap=8, lane_release="review")
    for issue_id in ids:
        model.end(issue_id)
    for issue_id in ids:
        model.end(issue_id)

    assert reason(model, "a#1") == Reason("under_way", "being merged")
    assert reason(model, "a#2") == Reason("merge_turn", "second in a's merge queue", ("a#1",))
    assert reason(model, "a#6").text == "sixth in a's merge queue"
    assert reason(model, "a#7").text == "number 7 in a's merge queue"
    assert reason(model, "a#8").issues == tuple(ids[:7])


def test_a_merge_behind_the_engines_own_names_its_ticket() -> None:
    model = Model(wave_of("a#1"))
    model.take(MergeTurnRequested("a", "turn-1"))
    model.end("a#1")
    model.end("a#1")

    assert reason(model, "a#1") == Reason("merge_turn", "second in a's merge queue", ("turn-1",))


@pytest.mark.parametrize(("given", "text"), [("which key?", "parked: which key?"), ("", "parked")])
def test_a_parked_issue_gives_its_reason(given: str, text: str) -> None:
    model = Model(wave_of("a#1", "b#1"))
    model.end("a#1", Blocked(given))

    assert reason(model, "a#1") == Reason("parked", text)


@pytest.mark.parametrize(
    ("limit", "text"),
    [(0, "parked: 1 failure, the last: boom"), (1, "parked: 2 failures, the last: boom")],
)
def test_an_issue_that_failed_too_often_counts_and_gives_the_last(limit: int, text: str) -> None:
    model = Model(wave_of("a#1", "b#1"), limits=Limits(failures=limit))
    for _ in range(limit + 1):
        model.end("a#1", Failed("boom"))

    assert model.why("a#1") == text


def test_an_issue_that_failed_without_a_word_is_only_counted() -> None:
    model = Model(wave_of("a#1", "b#1"), limits=Limits(failures=0))
    model.end("a#1", Failed(""))

    assert model.why("a#1") == "parked: 1 failure"


def test_a_cancelled_issue_and_a_done_one_say_so() -> None:
    model = Model(wave_of("a#1", "b#1", "b#2"))
    model.take(CancelRequested("b#2"))
    model.finish("a#1")

    assert reason(model, "b#2") == Reason("cancelled", "cancelled")
    assert reason(model, "a#1") == Reason("done", "done")


def test_an_issue_that_is_worked_on_says_what_is_being_done() -> None:
    model = Model(wave_of("a#1"))
    said = [reason(model, "a#1")]
    model.end("a#1")
    said.append(reason(model, "a#1"))
    model.end("a#1", Approved())
    said.append(reason(model, "a#1"))

    assert said == [
        Reason("under_way", "implementing"),
        Reason("under_way", "being reviewed"),
        Reason("under_way", "being merged"),
    ]


def test_an_issue_whose_session_is_being_ended_says_what_comes_of_it() -> None:
    model = Model(wave_of("a#1", "b#1"))
    model.take(ParkRequested("a#1", "which key?"))
    model.take(CancelRequested("b#1"))

    assert model.why("a#1") == "implementing, to be parked"
    assert model.why("b#1") == "implementing, to be cancelled"


def test_rework_without_its_lane_names_who_holds_it() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=2, lane_release="review")
    model.end("a#1")
    model.end("a#1")
    model.end("a#1", Conflicted("README"))

    assert model.states() == ["admitted", "running"]
    assert reason(model, "a#1") == Reason("lane", "lane a held by a#2", ("a#2",))


def test_rework_that_a_pause_holds_back_says_so() -> None:
    model = Model(wave_of("a#1"))
    model.take(CapMoved("pause"))
    model.end("a#1", Failed("boom"))

    assert model.states() == ["admitted"]
    assert reason(model, "a#1") == Reason("paused", "paused")


def test_an_unknown_issue_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        why(Model(wave_of("a#1")).state, "a#2")
