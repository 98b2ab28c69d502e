"""How long an issue is expected to take: its estimate, or the lengths of the most similar
issues."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import wave_of

from wavelane.testing.strategies import waves
from wavelane_model.lengths import LEARNED, Length, are_seconds, expected_lengths, lengths, median
from wavelane_model.order import admission_keys
from wavelane_model.wave import Finished, Issue, Wave, WaveError


def took(repo: str, seconds: float, *labels: str) -> Finished:
    return Finished(repo, labels, seconds)


def length(issue: Issue, *finished: Finished, others: tuple[Issue, ...] = ()) -> Length:
    """The length of an issue in a wave with others, after these finished issues of earlier
    waves."""
    return lengths(Wave([issue, *others], experience=finished))[0]


BUG = Issue("api#1", "api", labels=["bug"])
BUGS = [took("api", seconds, "bug") for seconds in (50, 60, 70)]


def test_an_estimate_counts_before_all_that_was_ever_taken() -> None:
    estimated = Issue("api#1", "api", estimate=5, labels=["bug"])

    assert length(estimated, *BUGS) == (5, "estimate")


def test_three_finished_issues_of_the_repo_with_the_label_say_how_long_another_takes() -> None:
    assert length(BUG, *BUGS, took("api", 1), took("web", 1, "bug")) == (60, "labels")


def test_two_with_the_label_are_too_few_so_the_whole_repo_counts() -> None:
    assert length(BUG, *BUGS[:2], took("api", 1), took("web", 1, "bug")) == (50, "repo")


def test_who_shares_more_labels_counts_before_who_shares_one() -> None:
    issue = Issue("api#1", "api", labels=["bug", "ui"])
    both = [took("api", 9, "ui", "bug") for _ in range(3)]

    assert length(issue, *BUGS, *BUGS, *both) == (9, "labels")
    assert length(issue, *BUGS, *BUGS, *both[:2]) == (60, "labels")


def test_those_who_share_any_one_label_are_looked_at_together() -> None:
    issue = Issue("api#1", "api", labels=["bug", "ui"])
    finished = (took("api", 10, "bug"), took("api", 20, "ui"), took("api", 30, "ui", "old"))

    assert length(issue, *finished) == (20, "labels")


def test_the_same_label_in_another_repo_says_nothing() -> None:
    assert length(BUG, *(took("web", 7, "bug") for _ in range(9)), took("api", 60)) == (60, "repo")


def test_a_repo_that_has_finished_nothing_goes_by_the_estimates_in_it() -> None:
    estimated = Issue("api#2", "api", estimate=80)

    assert length(BUG, took("web", 7), others=(estimated,)) == (80, "estimates")


def test_a_repo_of_which_nothing_is_known_goes_by_what_all_have_taken() -> None:
    estimated = Issue("web#1", "web", estimate=80)

    assert length(BUG, took("web", 7), took("doc", 9), others=(estimated,)) == (9, "all")


def test_where_nothing_was_ever_finished_estimates_of_the_repo_count_and_then_all() -> None:
    wave = Wave(
        [
            Issue("a#1", "a", estimate=60),
            Issue("a#2", "a", estimate=90),
            Issue("a#3", "a"),
            Issue("b#1", "b", estimate=0),
            Issue("b#2", "b"),
            Issue("c#1", "c"),
        ]
    )

    assert expected_lengths(wave) == [60, 90, 90, 0, 0, 60]


def test_where_nothing_is_known_a_length_is_a_session() -> None:
    found = lengths(wave_of("a#1", "b#1"))

    assert found == [(1, "nothing"), (1, "nothing")]
    assert not are_seconds(found)


def test_what_the_wave_itself_has_finished_counts_with_what_others_have() -> None:
    wave = Wave([BUG], experience=BUGS[:2])

    assert lengths(wave) == [(60, "repo")]
    assert lengths(wave, [took("api", 5, "bug")]) == [(50, "labels")]


def test_of_two_in_the_middle_the_higher_one_is_the_median() -> None:
    assert median([4.0, 1.0, 3.0, 2.0]) == 3.0


LABELS = st.lists(st.sampled_from(["bug", "ui", "old"]), unique=True)
FINISHED = st.lists(
    st.builds(Finished, st.sampled_from(["api", "web"]), LABELS, st.floats(0, 1e6)), min_size=1
)


@given(waves(), st.data())
def test_nothing_follows_from_labels_where_nothing_is_learned(
    wave: Wave, data: st.DataObject
) -> None:
    labelled = Wave(
        (replace(issue, labels=data.draw(LABELS)) for issue in wave.issues), repos=wave.repos
    )

    assert admission_keys(labelled) == admission_keys(wave)


@given(FINISHED, LABELS, st.data())
def test_neither_the_order_of_labels_nor_that_of_the_finished_issues_matters(
    finished: list[Finished], labels: list[str], data: st.DataObject
) -> None:
    turned = data.draw(st.permutations(labels))
    shuffled = data.draw(st.permutations(finished))

    found = length(Issue("api#1", "api", labels=labels), *finished)

    assert length(Issue("api#1", "api", labels=turned), *shuffled) == found


@given(FINISHED, LABELS)
def test_what_is_learned_was_taken_by_one_of_the_finished_issues(
    finished: list[Finished], labels: list[str]
) -> None:
    found = length(Issue("api#1", "api", labels=labels), *finished)

    assert found.expected in {one.seconds for one in finished}
    assert found.origin in LEARNED


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_a_finished_issue_that_has_taken_no_length_of_time_is_named(seconds: float) -> None:
    with pytest.raises(WaveError) as caught:
        Wave([BUG], experience=[took("api", seconds)])

    assert tuple(map(str, caught.value.problems)) == (
        f'a finished issue of repo "api" is said to have taken {seconds}; give seconds, 0 or more',
    )
