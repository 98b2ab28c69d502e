"""A forecast runs as the real scheduler would, and says what determines its end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers import LATER_AT_CAP_3, scheduler_of, wave_of

from wavelane import IllegalEvent, Issue, Wave
from wavelane.steps import Step
from wavelane.testing import ScriptedPipeline, run_virtual
from wavelane.testing.strategies import lane_releases, waves
from wavelane.testing.virtual import EPOCH
from wavelane.timeline.cap_sweep import sweep_caps
from wavelane.timeline.estimates import amount, expected_seconds
from wavelane.timeline.forecast import Forecast, Link, covered, forecast, forecasts
from wavelane_model.events import (
    CancelRequested,
    CapMoved,
    Event,
    ParkRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.lifecycle import LaneRelease


def began(found: Forecast) -> dict[str, float]:
    return {span.issue: span.began for span in found.spans}


def chain(found: Forecast) -> list[str]:
    return [f"{link.issue} {link.awaited}" for link in found.chain]


# What is forecast


def test_repos_go_side_by_side_and_a_dependency_is_waited_for() -> None:
    wave = wave_of("api#1", "api#2", "web#1 < api#1")

    found = forecast(wave, [10, 20, 5], 2)

    assert began(found) == {"api#1": 0, "api#2": 10, "web#1": 10}
    assert (found.end, found.outcome, found.peak) == (30, "complete", 2)


def test_at_cap_1_all_follow_one_another() -> None:
    wave = wave_of("api#1", "api#2", "web#1")

    assert forecast(wave, [10, 20, 5], 1).end == 35


def test_reviews_and_merges_take_their_time() -> None:
    (span,) = forecast(wave_of("api#1"), [10], 1, review_seconds=3, merge_seconds=2).spans

    assert (span.implemented, span.approved, span.merging, span.ended) == (10, 13, 13, 15)


def test_a_wave_without_issues_ends_at_once() -> None:
    found = forecast(Wave([], repos=["api"]), [], 1)

    assert (found.end, found.spans, found.chain, found.outcome) == (0, (), (), "complete")


def test_each_session_may_take_no_time_at_all() -> None:
    assert forecast(wave_of("api#1", "api#2 < api#1"), [0, 0], 1).end == 0


# What determines the end


def test_the_chain_leads_through_a_dependency_a_lane_and_a_slot() -> None:
    wave = wave_of("api#1", "web#1 < api#1", "web#2", "doc#1")

    found = forecast(wave, [10, 10, 10, 10], 1)

    assert chain(found) == ["api#1 start", "web#1 dependency", "web#2 lane", "doc#1 slot"]


def test_a_merge_that_waits_for_its_turn_is_a_link_of_the_chain() -> None:
    wave = wave_of("api#1", "api#2")

    found = forecast(wave, [10, 10], 2, lane_release="review", review_seconds=5, merge_seconds=30)

    assert [(span.approved, span.merging) for span in found.spans] == [(15, 15), (25, 45)]
    assert chain(found) == ["api#1 start", "api#2 turn"]


# Idle repos


def test_a_repo_stands_idle_while_it_has_more_to_do_and_not_after() -> None:
    wave = wave_of("api#1", "web#1 < api#1", "doc#1", repos=["api", "web", "doc", "lib"])

    found = forecast(wave, [10, 5, 25], 3)

    assert [tuple(repo) for repo in found.repos] == [
        ("api", 10, 0, 15),
        ("web", 5, 10, 10),
        ("doc", 25, 0, 0),
        ("lib", 0, 0, 25),
    ]
    assert [(gap.repo, gap.began, gap.ended, gap.text) for gap in found.gaps] == [
        ("web", 0, 10, "waits for api#1")
    ]


def test_a_repo_that_waits_for_a_slot_says_so() -> None:
    found = forecast(wave_of("api#1", "web#1"), [10, 5], 1)

    assert [(gap.issue, gap.text) for gap in found.gaps] == [("web#1", "cap 1 of 1")]


def test_what_is_covered_twice_counts_once() -> None:
    assert covered([(0, 4), (1, 2), (3, 6), (8, 9)]) == 7


# What happens at the start


OPENINGS: dict[str, tuple[Sequence[Event], float, str]] = {
    "the cap is lowered before": ([CapMoved("set", 1), WaveStarted()], 30, "complete"),
    "the cap is lowered right after": ([WaveStarted(), CapMoved("set", 1)], 20, "complete"),
    "an issue is parked before": ([ParkRequested("a#1", "?"), WaveStarted()], 20, "blocked"),
    "an issue is cancelled after": ([WaveStarted(), CancelRequested("a#1")], 20, "blocked"),
    "it is paused for ever": ([CapMoved("pause"), WaveStarted()], 0, "unfinished"),
    "it is paused for a while": (
        [CapMoved("pause", until=EPOCH + 100), WaveStarted()],
        120,
        "complete",
    ),
}


@pytest.mark.parametrize("name", OPENINGS)
def test_what_happens_at_the_start_is_taken_in(name: str) -> None:
    opening, end, outcome = OPENINGS[name]

    found = forecast(wave_of("a#1", "b#1", "b#2"), [10, 10, 10], 2, opening=opening, start=EPOCH)

    assert (found.end, found.outcome) == (end, outcome)


def test_what_waits_for_the_end_of_a_pause_says_so() -> None:
    opening: list[Event] = [CapMoved("pause", until=5.0), WaveStarted()]

    found = forecast(wave_of("a#1"), [10], 1, opening=opening)

    assert found.chain == (Link("a#1", "pause"),)


def test_what_was_amended_before_the_start_is_taken_in() -> None:
    wave = wave_of("a#1", "b#1")
    opening: list[Event] = [WaveAmended((wave["b#1"],)), WaveStarted()]

    assert forecast(wave, [1, 2], 2, opening=opening).end == 2


def test_an_opening_that_cannot_be_is_refused() -> None:
    with pytest.raises(IllegalEvent):
        forecast(wave_of("a#1"), [1], 1, opening=[WaveStarted(), WaveStarted()])


@pytest.mark.parametrize("lengths", [[], [1, 2], [-1], [float("nan")], [float("inf")]])
def test_lengths_that_do_not_fit_are_refused(lengths: list[float]) -> None:
    with pytest.raises(ValueError, match="length"):
        forecast(wave_of("a#1"), lengths, 1)


def test_a_cap_below_1_is_refused() -> None:
    with pytest.raises(ValueError, match="give 1 or more"):
        forecast(wave_of("a#1"), [1], 0)


# It runs as the scheduler does


@given(
    wave=waves(max_issues=9),
    cap=st.integers(1, 4),
    lane_release=lane_releases,
    numbers=st.lists(st.integers(0, 40), min_size=9, max_size=9),
    review=st.integers(0, 20),
    merge=st.integers(0, 20),
)
@settings(max_examples=200, deadline=None)
def test_the_scheduler_in_virtual_time_does_what_was_forecast(
    wave: Wave,
    cap: int,
    lane_release: LaneRelease,
    numbers: list[int],
    review: int,
    merge: int,
) -> None:
    lengths = numbers[: len(wave)]
    took: dict[Step, int] = {"review": review, "merge": merge}
    pipeline = ScriptedPipeline(
        seconds=lambda step, issue: took.get(step, lengths[wave.position[issue.id]])
    )

    found = forecast(
        wave, lengths, cap, lane_release=lane_release, review_seconds=review, merge_seconds=merge
    )
    report = run_virtual(scheduler_of(wave, pipeline, cap=cap, lane_release=lane_release).run)

    assert report.outcome == found.outcome == "complete"
    assert found.end == report.ended_at - report.started_at
    assert began(found) == {
        call.issue.id: call.began - EPOCH for call in pipeline.calls if call.step == "implement"
    }


@given(
    wave=waves(max_issues=9),
    cap=st.integers(1, 4),
    lane_release=lane_releases,
    lengths=st.lists(st.floats(0, 1000), min_size=9, max_size=9),
    merge=st.floats(0, 100),
)
@settings(max_examples=200, deadline=None)
def test_a_forecast_keeps_the_rules_and_its_chain_leads_to_its_end(
    wave: Wave, cap: int, lane_release: LaneRelease, lengths: list[float], merge: float
) -> None:
    found = forecast(
        wave, lengths[: len(wave)], cap, lane_release=lane_release, merge_seconds=merge
    )
    spans = {span.issue: span for span in found.spans}

    assert spans.keys() == wave.position.keys()
    for span in found.spans:
        assert all(spans[need].ended <= span.began for need in wave[span.issue].depends_on)
        flying = [one for one in found.spans if one.began <= span.began < one.ended]
        assert len(flying) <= cap
        merging = [one for one in flying if one.repo == span.repo and one.merging <= span.began]
        assert len(merging) <= 1
        if lane_release == "done":
            assert len([one for one in flying if one.repo == span.repo]) <= 1
    assert found.peak <= cap
    assert spans[found.chain[-1].issue].ended == found.end
    assert found.chain[0].awaited == "start"
    assert spans[found.chain[0].issue].began == 0
    assert all(
        repo.busy + repo.idle + repo.after == pytest.approx(found.end) for repo in found.repos
    )


# At every cap


def test_a_cap_that_is_never_reached_stands_for_all_above() -> None:
    found = forecasts(wave_of("a#1", "b#1 < a#1"), [1, 1], range(1, 100))

    assert [one.cap for one in found] == [1, 2]


def test_a_higher_cap_that_is_forecast_to_end_later_is_called_a_setback() -> None:
    sweep = sweep_caps(LATER_AT_CAP_3, plan=False)

    assert [one.end for one in sweep.forecasts] == [18, 11, 12]
    assert sweep.setbacks == ((3, 2, 1),)
    assert [one.end for one in sweep_caps(LATER_AT_CAP_3).forecasts] == [18, 11, 11]


def test_the_outlook_goes_up_to_the_number_of_repos_or_the_chosen_cap() -> None:
    wave = wave_of("a#1", "b#1", "c#1")

    assert sweep_caps(wave).highest == 3
    assert sweep_caps(wave, cap=2).highest == 3
    assert sweep_caps(wave, cap=9).highest == 9
    assert sweep_caps(wave, cap=9).chosen.end == 1
    with pytest.raises(ValueError, match="give 1 or more"):
        sweep_caps(wave, cap=0)


def test_in_a_very_large_wave_some_caps_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wavelane.timeline.cap_sweep._EACH", 100)
    wave = wave_of(*(f"r{at}#1" for at in range(20)))

    assert [one.cap for one in sweep_caps(wave, cap=7).forecasts] == [1, 2, 4, 7, 8, 16, 20]


# Estimates


def test_an_issue_without_an_estimate_takes_the_median_of_its_repo_else_of_all() -> None:
    wave = Wave(
        [
            *(Issue(f"a#{at}", "a", estimate=at) for at in (1, 3, 8)),
            *(Issue("a#x", "a"), Issue("b#1", "b", estimate=5), Issue("c#1", "c")),
        ]
    )

    expected = expected_seconds(wave)
    assert (expected.lengths, expected.unit) == ((1, 3, 8, 3, 5, 5), "seconds")
    assert (expected.given, expected.learned, expected.missing) == (4, 0, 2)


def test_without_any_estimate_sessions_are_counted() -> None:
    expected = expected_seconds(wave_of("a#1", "b#1"))

    assert (expected.lengths, expected.unit, expected.given) == ((1, 1), "sessions", 0)
    assert amount(1, expected.unit) == "1 session"
    assert amount(2, expected.unit) == "2 sessions"
    assert amount(125, "seconds") == "2:05 min"
