from __future__ import annotations

from hypothesis import given
from tests.helpers import Model, wave_of

from wavelane.testing.strategies import waves
from wavelane_model.lengths import expected_lengths
from wavelane_model.order import AdmissionKey, admission_keys, admission_order
from wavelane_model.wave import Finished, Issue, Wave


def in_order(wave: Wave) -> list[str]:
    return [wave.issues[at].id for at in admission_order(wave)]


def test_the_higher_priority_goes_first() -> None:
    assert in_order(wave_of("a#1", "a#2 !2", "a#3 !1")) == ["a#2", "a#3", "a#1"]


def test_an_urgent_issue_goes_before_a_long_way_to_the_end() -> None:
    assert in_order(wave_of("a#1", "b#1 < a#1", "b#2 < b#1", "c#1 !1"))[0] == "c#1"


def test_an_issue_inherits_the_priority_of_the_most_urgent_that_depends_on_it() -> None:
    wave = wave_of("a#1 !5", "b#1", "b#2 < b#1", "b#3 !9 < b#2")

    assert in_order(wave) == ["b#1", "b#2", "b#3", "a#1"]


def test_a_priority_below_zero_is_not_inherited_over_a_higher_one() -> None:
    assert in_order(wave_of("a#1 !-1", "a#2", "a#3 !-5 < a#2")) == ["a#2", "a#1", "a#3"]


def test_of_equal_priority_the_longer_way_to_the_end_goes_first() -> None:
    wave = wave_of("a#1", "b#1", "c#1 < b#1", "d#1 < c#1", "e#1", "f#1 < e#1")

    assert in_order(wave) == ["b#1", "c#1", "e#1", "a#1", "d#1", "f#1"]


def test_dependents_side_by_side_count_as_one_session_and_those_of_one_repo_as_many() -> None:
    chain = ["y#1 < a#2", "z#1 < y#1"]
    side_by_side = ["u#1 < a#1", "v#1 < a#1", "w#1 < a#1"]
    in_one_repo = ["x#1 < a#1", "x#2 < a#1", "x#3 < a#1"]

    assert in_order(wave_of("a#1", "a#2", *chain, *side_by_side))[0] == "a#2"
    assert in_order(wave_of("a#1", "a#2", *chain, *in_one_repo))[0] == "a#1"


def test_the_repo_with_more_left_to_do_goes_first() -> None:
    assert in_order(wave_of("a#1", "b#1", "b#2", "b#3")) == ["b#1", "b#2", "a#1", "b#3"]


def test_what_a_repo_has_to_do_later_counts_for_what_opens_the_way_to_it() -> None:
    wave = wave_of("a#1", "a#2", "c#1 < a#2", "b#1 < c#1", "b#2 < c#1", "b#3 < c#1", "d#1 < a#1")

    keys = {wave.issues[key.position].id: key for key in admission_keys(wave)}

    assert [-keys[one].minus_tail for one in ("a#2", "c#1", "b#1", "b#3")] == [5, 4, 3, 1]


def test_a_longer_tail_in_seconds_goes_before_more_sessions() -> None:
    wave = Wave(
        [
            Issue("a#1", "a", estimate=60),
            Issue("b#1", "b", ["a#1"], estimate=60),
            Issue("c#1", "c", estimate=300),
        ]
    )

    assert in_order(wave) == ["c#1", "a#1", "b#1"]


def test_what_repos_have_taken_before_decides_where_nothing_is_estimated() -> None:
    issues = [Issue("a#1", "a"), Issue("b#1", "b", ["a#1"]), Issue("c#1", "c")]
    experience = [Finished("a", (), 60), Finished("b", (), 60), Finished("c", (), 300)]

    assert in_order(Wave(issues)) == ["a#1", "b#1", "c#1"]
    assert in_order(Wave(issues, experience=experience)) == ["c#1", "a#1", "b#1"]


@given(waves())
def test_the_tail_is_never_longer_than_the_wave_can_be_nor_shorter_than_its_longest_chain(
    wave: Wave,
) -> None:
    lengths = expected_lengths(wave)

    for key in admission_keys(wave):
        assert -key.minus_hops < -key.minus_tail <= sum(lengths)


def test_what_is_equal_in_all_else_keeps_the_order_of_the_file() -> None:
    assert in_order(wave_of("b#2", "a#1", "b#1")) == ["b#2", "a#1", "b#1"]


def test_the_key_holds_the_tie_breaks_in_their_order() -> None:
    keys = admission_keys(wave_of("a#1 !1", "a#2 < a#1"))

    assert keys == [AdmissionKey(-1, 0, -2, -1, 0), AdmissionKey(0, 0, -1, 0, 1)]


def test_issues_are_admitted_in_the_order_that_was_shown() -> None:
    wave = wave_of("a#1", "a#2 !1", "b#1", "b#2 !3", "c#1 !2")
    model = Model(wave, cap=1)
    [begun] = model.first
    admitted = []

    while begun.startswith("implement"):
        admitted.append(begun.removeprefix("implement "))
        [begun] = model.finish(admitted[-1])

    assert admitted == in_order(wave)


def test_an_urgent_issue_in_a_busy_repo_does_not_keep_the_slot_from_another_repo() -> None:
    model = Model(wave_of("a#1 !9", "a#2 !8", "b#1"), cap=2)

    assert model.first == ["implement a#1", "implement b#1"]


def test_an_order_of_many_hops_is_computed_without_recursion() -> None:
    wave = wave_of("a#0", *(f"a#{n} < a#{n - 1}" for n in range(1, 5000)))

    assert admission_order(wave) == list(range(5000))
