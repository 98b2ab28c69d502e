"""Issues that are added to a running wave, or changed before they start."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import Model, wave_of

from wavelane_model.events import CapMoved, Event, ParkRequested, WaveAmended
from wavelane_model.outcomes import Postponed
from wavelane_model.step import IllegalEvent, step
from wavelane_model.wave import Finished, Issue


def amended(*lines: str, repos: list[str] | None = None, done: tuple[str, ...] = ()) -> WaveAmended:
    """Issues as lines; their dependencies need not be among them."""
    issues = []
    for line in lines:
        head, _, needed = line.partition("<")
        issue_id, *priority = head.split()
        urgency = int(priority[0].removeprefix("!")) if priority else 0
        repo = issue_id.partition("#")[0]
        issues.append(Issue(issue_id, repo, needed.split(), priority=urgency))
    return WaveAmended(tuple(issues), done)


def test_an_issue_is_added_to_a_running_wave_and_starts_in_a_free_lane() -> None:
    model = Model(wave_of("a#1", repos=["a", "b"]), cap=2)

    assert model.take(amended("b#1")) == ["implement b#1"]


def test_an_added_issue_waits_for_what_it_depends_on() -> None:
    model = Model(wave_of("a#1", repos=["a", "b"]), cap=2)

    assert model.take(amended("b#1 < a#1")) == []
    assert model.why("b#1") == "waits for a#1 (running)"
    assert model.finish("a#1") == ["implement b#1"]


def test_an_added_issue_may_depend_on_what_is_done() -> None:
    model = Model(wave_of("a#1", "b#1"), cap=2)
    model.finish("a#1")

    assert model.take(amended("a#2 < a#1 z#9", done=("z#9",))) == ["implement a#2"]


def test_an_added_issue_waits_for_its_lane_and_takes_its_place_in_the_order() -> None:
    model = Model(wave_of("a#1", "a#2"), cap=1)

    model.take(amended("a#3 !5"))

    assert model.finish("a#1") == ["implement a#3"]


def test_what_has_not_begun_may_change_its_repo_and_what_it_depends_on() -> None:
    model = Model(wave_of("a#1", "a#2", repos=["a", "b"]), cap=2)
    changed = WaveAmended((Issue("a#2", "b", ["a#1"], title="new"),))

    assert model.take(changed) == []
    assert model.why("a#2") == "waits for a#1 (running)"
    assert model.finish("a#1") == ["implement a#2"]
    assert model.state.wave["a#2"].title == "new"


def test_an_issue_that_no_longer_depends_on_another_may_go() -> None:
    model = Model(wave_of("a#1", "b#1 < a#1"), cap=2)

    assert model.take(amended("b#1")) == ["implement b#1"]
    assert model.finish("a#1") == []


def test_a_parked_issue_that_has_not_begun_may_change() -> None:
    model = Model(wave_of("a#1", "b#1"), cap=1)
    model.take(ParkRequested("b#1", "which footer?"))

    model.take(WaveAmended((Issue("b#1", "b", title="The left footer"),)))

    assert model.why("b#1") == "parked: which footer?"


def test_what_was_learned_meanwhile_decides_the_order_of_what_has_not_begun() -> None:
    model = Model(wave_of("a#1", "a#2", "b#1"), cap=1)
    slow = Finished("b", (), 9000.0)

    assert model.take(WaveAmended((), experience=(slow, Finished("a", (), 60.0)))) == []

    assert model.finish("a#1") == ["implement b#1"]


def test_a_wave_that_would_have_ended_goes_on() -> None:
    model = Model(wave_of("a#1"))
    model.end("a#1")
    model.end("a#1")
    model.take(amended("a#2"))

    assert model.end("a#1") == ["implement a#2"]


def test_a_wave_that_has_ended_goes_on_with_the_next_run() -> None:
    model = Model(wave_of("a#1"))
    model.finish("a#1")

    assert model.take(amended("a#2")) == []
    assert model.states() == ["done", "queued"]


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (
            amended("a#1"),
            'issue "a#1" is running and has begun; only issues that have not begun can be changed',
        ),
        (amended("c#1"), 'issue "c#1" is in repo "c", which is not one of the'),
        (amended("a#3 < x#1"), 'issue "a#3" depends on "x#1", which is not in the wave'),
        (amended("a#2 < b#2", "b#2 < a#2"), "these issues wait for each other: a#2 → b#2 → a#2"),
        (amended("a#3", done=("a#2",)), 'issue "a#2" is in the wave and listed under done'),
    ],
)
def test_an_amendment_is_checked_like_the_rest_and_changes_nothing_when_it_is_wrong(
    event: Event, says: str
) -> None:
    model = Model(wave_of("a#1", "a#2", "b#1"), cap=2)
    before = (model.state.key(), model.state.wave)

    with pytest.raises(IllegalEvent, match=says):
        step(model.state, event)

    assert (model.state.key(), model.state.wave) == before


def test_an_issue_that_was_postponed_has_begun() -> None:
    model = Model(wave_of("a#1", "b#1"), cap=2)
    model.end("a#1", Postponed())

    with pytest.raises(IllegalEvent, match="has begun"):
        step(model.state, amended("a#1"))


def test_while_paused_an_added_issue_waits() -> None:
    model = Model(wave_of("a#1", repos=["a", "b"]))
    model.take(CapMoved("pause"))

    assert model.take(amended("b#1")) == []
    assert model.take(CapMoved("resume")) == ["implement b#1"]


@given(
    added=st.lists(st.sampled_from(["a#5", "b#5", "c#5 < a#1", "c#6 !3", "a#2", "b#2 < a#1"])),
    before=st.integers(0, 6),
)
def test_the_indexes_are_those_of_a_wave_that_had_the_issues_from_the_start(
    added: list[str], before: int
) -> None:
    """`Model.take` checks every property of the model after every step."""
    model = Model(wave_of("a#1", "a#2", "b#1", "b#2", repos=["a", "b", "c"]), cap=2)
    for _ in range(before):
        running = [one for one in model.state.records if one.open]
        if running:
            model.end(model.state.issue_id(running[0]))
    for line in added:
        event = amended(line)
        if model.state.ended:
            break
        issue = event.issues[0].id
        if issue in model.state.wave and model.record(issue).session:
            with pytest.raises(IllegalEvent, match="has begun"):
                model.take(event)
        else:
            model.take(event)
    while not model.state.ended:
        model.end(model.state.issue_id(next(one for one in model.state.records if one.open)))
    assert model.state.outcome == "complete"
