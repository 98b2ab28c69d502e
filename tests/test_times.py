"""Times as people and programs write them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavelane.times import clock_text, parse_time, time_at_end

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0


@pytest.fixture(autouse=True)
def _two_hours_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "EET-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "later"),
    [
        ("2026-11-26T14:30:00Z", 2.5 * HOUR),
        ("2026-11-26t14:30z", 2.5 * HOUR),
        ("2026-11-26 14:30:00+00:00", 2.5 * HOUR),
        ("2026-11-26T14:30:00.500+02:00", 0.5 * HOUR + 0.5),
        ("2026-11-26T14:30", 0.5 * HOUR),
        (" 2026-11-26 14:30 ", 0.5 * HOUR),
        ("2026-11-26T10:00Z", -2 * HOUR),
        ("+90s", 90),
        ("+30m", 0.5 * HOUR),
        ("+2h", 2 * HOUR),
        ("+1d", 24 * HOUR),
        ("+1h30m", 1.5 * HOUR),
        ("+0m", 0),
    ],
)
def test_a_time_is_iso_8601_local_without_a_zone_or_a_delay(text: str, later: float) -> None:
    assert parse_time(text, NOW) == NOW + later


@pytest.mark.parametrize(
    "text",
    [
        *("", "+", "+m", "+30", "+1m1h", "30m", "-30m", "+3.5h", "+١m", "+999999999999999999999d"),
        *("soon", "14:30", "2026-11-26", "20261126T1430", "2026-13-01T00:00", "2026-11-26T25:00"),
        *("9999-12-31T23:59:59-12:00", "0001-01-01T00:00", "1969-12-31T00:00Z", "nan", "1e9"),
    ],
)
def test_what_is_no_time_is_refused_with_what_a_time_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time; give an ISO 8601 time such as"):
        parse_time(text, NOW)


@pytest.mark.parametrize(
    ("line", "later"),
    [
        ("the quota resets at 2026-11-26T14:30:00Z", 2.5 * HOUR),
        ("the quota resets at 2026-11-26 14:30:00Z.", 2.5 * HOUR),
        ("resets at 2026-11-26 14:30", 0.5 * HOUR),
        ("(until=2026-11-26T14:30:00+02:00)", 0.5 * HOUR),
        ("2026-11-26T14:30:00Z", 2.5 * HOUR),
        ("limit reached: +30m", 0.5 * HOUR),
        ("+2h\n", 2 * HOUR),
    ],
)
def test_a_line_may_end_with_the_time_to_come_back_at(line: str, later: float) -> None:
    assert time_at_end(line, NOW) == NOW + later


@pytest.mark.parametrize(
    "line",
    [
        *("", "quota", "in 30m", "1+30m", "a+2h", "2026-11-26T14:30Z was too early", "+30"),
        *("at 2026-11-26", "at 2026-11-26T10:00Z, long ago: 2026-11-26T10:00Z", "+0s"),
        *("at 2026-99-26T14:30Z", "x2026-11-26T14:30Z", "build 12026-11-26T14:30Z"),
    ],
)
def test_a_line_that_ends_with_no_time_to_come_says_none(line: str) -> None:
    assert time_at_end(line, NOW) is None


def test_a_time_is_shown_as_the_clock_on_the_wall_shows_it() -> None:
    assert clock_text(NOW) == "2026-11-26 14:00:00"


@given(st.text(), st.text(alphabet="+0123456789-:TZ .dhms"), st.floats(0, 1e11))
def test_whatever_a_line_says_it_is_a_time_to_come_or_none(
    text: str, plausible: str, now: float
) -> None:
    for line in (text, plausible, text + plausible):
        found = time_at_end(line, now)
        assert found is None or found > now
