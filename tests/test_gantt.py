"""Gantt pictures: they are XML, say what they show, and stay legible."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers import scheduler_of, wave_of
from tests.histories import history, killed_and_continued

from wavelane import Blocked, ChangesRequested, Finished, Issue, Postponed, Wave
from wavelane.gantt import (
    WIDTH,
    Bar,
    Chart,
    ChartRow,
    Outline,
    WaitLine,
    forecast_chart,
    history_chart,
    svg,
)
from wavelane.gantt.scale import Scale, tick_text
from wavelane.gantt.svg import escaped, short, shortened, tag, text_width
from wavelane.testing import run_virtual
from wavelane.testing.strategies import waves
from wavelane.timeline.cap_sweep import sweep_caps
from wavelane.timeline.history import history_of_journal

NAME = "{http://www.w3.org/2000/svg}"


def parsed(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)


def texts(picture: str) -> list[str]:
    """The text in a picture, without tooltips."""
    return [
        "".join([one.text or "", *(child.tail or "" for child in one)])
        for one in parsed(picture).iter(f"{NAME}text")
    ]


def titles(picture: str) -> list[str]:
    return [one.text or "" for one in parsed(picture).iter(f"{NAME}title")]


def bars(picture: str) -> int:
    return sum(one.get("class") == "session" for one in parsed(picture).iter(f"{NAME}g"))


def classes(picture: str) -> set[str]:
    return {
        name for one in parsed(picture).iter() for name in (one.get("class") or "").split() if name
    }


# Histories


def test_the_picture_of_a_run_has_a_bar_for_each_session(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        *("api#1", "web#1 < api#1", "web#2"),
        name="greeting",
        script={("review", "api#1"): [ChangesRequested("a test is missing")]},
    )

    picture = svg(history_chart(found))

    assert bars(picture) == len(found.sessions) == 11
    assert {"api", "web", "api#1", "web#1", "cap"} <= {*texts(picture)}
    assert "Wave greeting: how it went" in texts(picture)
    assert "has to be worked on again" in texts(picture)
    assert any("a test is missing" in title for title in titles(picture))
    assert any(title.startswith("web#1: waits for api#1") for title in titles(picture))


def test_an_id_of_angles_and_ampersands_is_an_id_like_any_other(tmp_path: Path) -> None:
    wave = Wave([Issue('<a&b>"#1', "<r&>", estimate=60)])

    found = history(tmp_path, wave=wave, script={("implement", '<a&b>"#1'): [Blocked("<why&>")]})
    picture = svg(history_chart(found))

    assert '<a&b>"#1' in texts(picture)
    assert "<r&>" in texts(picture)
    assert any("<why&>" in title for title in titles(picture))


def test_parked_postponed_and_cut_off_look_different(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        *("a#1", "b#1"),
        script={
            ("implement", "a#1"): [Blocked("why?")],
            ("implement", "b#1"): [Postponed(until=1_000_000_600.0)],
        },
    )
    picture = svg(history_chart(found))
    (tmp_path / "second").mkdir()
    second = svg(history_chart(killed_and_continued(tmp_path / "second")))

    assert {"parked", "waits for a human", "postponed"} <= {*texts(picture)}
    assert {"red", "yellow", "for-parked", "for-postponed"} <= classes(picture)
    assert {"cut off", "no run"} <= {*texts(second)}
    assert {"cutoff", "down"} <= classes(second)


def test_predicted_and_real_stand_beside_each_other(tmp_path: Path) -> None:
    wave = Wave([Issue("a#1", "a", estimate=120), Issue("a#2", "a", estimate=120)])

    picture = svg(history_chart(history(tmp_path, wave=wave)))

    assert {"predicted end 4:00 min", "end 6:00 min", "predicted"} <= {*texts(picture)}
    assert "a#2: predicted from 2:00 min to 4:00 min (2:00 min)" in titles(picture)


def test_a_wave_that_has_not_begun_is_drawn_all_the_same(tmp_path: Path) -> None:
    scheduler = scheduler_of(wave_of("a#1"), journal=tmp_path / "journal.db")
    scheduler.open_journal()

    picture = svg(history_chart(history_of_journal(tmp_path / "journal.db")))

    scheduler.discard_journal()
    assert "no run has begun" in texts(picture)


def test_issues_of_one_lane_that_are_in_flight_together_lie_on_tracks_of_their_own(
    tmp_path: Path,
) -> None:
    run_virtual(
        scheduler_of(
            wave_of("a#1", "a#2"), lane_release="review", cap=2, journal=tmp_path / "journal.db"
        ).run
    )

    chart = history_chart(history_of_journal(tmp_path / "journal.db"))

    assert chart.rows[0].tracks == 2
    assert {(bar.label, bar.track) for bar in chart.bars} == {("a#1", 0), ("a#2", 1)}


def test_the_same_journal_gives_the_same_picture(tmp_path: Path) -> None:
    history(tmp_path, "a#1", "b#1")

    pictures = {svg(history_chart(history_of_journal(tmp_path / "journal.db"))) for _ in range(2)}

    assert len(pictures) == 1


# Forecasts


@given(wave=waves(max_issues=9), cap=st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_the_picture_of_any_forecast_has_a_bar_for_each_issue(wave: Wave, cap: int) -> None:
    picture = svg(forecast_chart(sweep_caps(wave, cap=cap), "any"))

    assert bars(picture) == len(wave)


def test_a_forecast_shows_what_decides_its_end_and_what_it_counts() -> None:
    picture = svg(forecast_chart(sweep_caps(wave_of("a#1", "b#1 < a#1"))))

    assert "decides the end" in texts(picture)
    assert "predicted end 2 sessions" in texts(picture)
    assert "No issue has an estimate: lengths are numbers of sessions, not times." in texts(picture)


def test_a_forecast_says_from_how_many_issues_it_was_learned() -> None:
    wave = Wave([Issue("a#1", "a")], experience=[Finished("a", (), 60)])

    picture = svg(forecast_chart(sweep_caps(wave)))

    assert "Estimates: 0 given, 1 learned from 1 finished issue." in texts(picture)


# Legibility


def chart(count: int, lanes: int = 1, length: float = 1.0) -> Chart:
    return Chart(
        title="t",
        subtitle="s",
        unit="seconds",
        end=count * length,
        rows=[ChartRow(f"r{at}") for at in range(lanes)],
        bars=[
            Bar(lane, 0, at * length, (at + 1) * length, "implement", "good", 1, f"#{at}", "")
            for lane in range(lanes)
            for at in range(count)
        ],
        outlines=[
            Outline(lane, at * length, (at + 1) * length, "")
            for lane in range(lanes)
            for at in range(count)
        ],
    )


def test_too_many_bars_are_joined_and_the_picture_says_so() -> None:
    picture = svg(chart(4000))

    assert bars(picture) == 1
    assert "4000 sessions of 4000 issues" in titles(picture)
    assert any(text.startswith("There are 4000 sessions, too many") for text in texts(picture))
    assert "several sessions" in texts(picture)


def test_too_many_repos_are_left_out_and_the_picture_says_so() -> None:
    picture = svg(chart(1, lanes=300))

    assert bars(picture) == 200
    assert "Only the first 200 of 300 repos are drawn; the others are in --json." in texts(picture)


def test_a_long_wait_is_not_lost_among_too_many_short_ones() -> None:
    waits = [WaitLine(0, at, at + 0.1, "cap", "short") for at in range(4000)]
    crowded = replace(chart(1, length=4000.0), waits=[*waits, WaitLine(0, 0, 4000, "cap", "long")])

    assert titles(svg(crowded)) == ["long"]


def test_no_label_is_wider_than_its_bar_and_nothing_is_outside() -> None:
    picture = svg(chart(150))

    assert [text for text in texts(picture) if text.startswith("#")] == []
    for one in parsed(picture).iter(f"{NAME}rect"):
        x, width = float(one.get("x", "0")), float(one.get("width", "0"))
        assert x >= 0
        assert x + width <= WIDTH + 0.1


# Axes


@pytest.mark.parametrize(
    ("end", "first"),
    [
        (0.05, ["0", "0.005 s", "0.01 s"]),
        (50.0, ["0", "5 s", "10 s"]),
        (600.0, ["0", "1 min", "2 min"]),
        (1000.0, ["0", "2 min", "4 min"]),
        (20_000.0, ["0", "30 min", "1 h", "1:30 h"]),
        (400_000.0, ["0", "12 h", "1 d", "1 d 12:00"]),
        (60 * 604_800.0, ["0", "42 d", "84 d"]),
    ],
)
def test_ticks_are_at_times_that_people_count_with(end: float, first: list[str]) -> None:
    ticks = [tick.text for tick in Scale(end, 100.0, 1000.0).ticks("seconds")]

    assert ticks[: len(first)] == first
    assert 4 <= len(ticks) <= 13


@pytest.mark.parametrize(("end", "second"), [(3.0, "1"), (40.0, "5"), (900.0, "100")])
def test_sessions_are_counted_in_whole_numbers(end: float, second: str) -> None:
    assert [tick.text for tick in Scale(end, 100.0, 1000.0).ticks("sessions")][1] == second


def test_a_weekend_between_two_runs_takes_little_room() -> None:
    scale = Scale(200_000.0, 0.0, 1000.0, [(600.0, 199_400.0)])

    assert scale.x(600.0) == pytest.approx(485)
    assert scale.x(199_400.0) == pytest.approx(515)
    assert (scale.x(-1), scale.x(300_000.0)) == (0, 1000)
    places = [tick.x for tick in scale.ticks("seconds")]
    assert places == sorted(places)
    assert all(not 486 < place < 514 for place in places)


def test_a_short_time_between_two_runs_is_drawn_as_long_as_it_was() -> None:
    assert Scale(100.0, 0.0, 1000.0, [(50.0, 52.0)]).x(52.0) == pytest.approx(520)


@given(at=st.lists(st.floats(0, 1e6), min_size=2, max_size=9), away=st.floats(1, 1e5))
def test_what_is_later_is_never_further_to_the_left(at: list[float], away: float) -> None:
    scale = Scale(1e6, 0.0, 1000.0, [(1000.0, 1000.0 + away)])

    places = [scale.x(one) for one in sorted(at)]

    assert places == sorted(places)


def test_a_tick_between_days_says_the_time_of_day() -> None:
    assert tick_text(90_000.0 + 1800, "seconds") == "1 d 1:30"


# SVG by hand


def test_numbers_are_short() -> None:
    assert [short(one) for one in (0.0, -0.001, -0.5, 10.0, 1 / 3)] == [
        "0",
        "0",
        "-0.5",
        "10",
        "0.33",
    ]


def test_what_xml_cannot_have_is_replaced() -> None:
    assert escaped("a\x00<\ud800\uffff\t") == "a\ufffd&lt;\ufffd\ufffd\t"
    assert tag("g", class_="x", stroke_width=1.0, fill="") == '<g class="x" stroke-width="1"/>'


def test_a_text_that_is_too_long_is_cut() -> None:
    assert shortened("abcdef", 100.0, 10) == "abcdef"
    assert shortened("abcdef", 25.0, 10) == "abc…"
    assert text_width("漢", 10) == 10
