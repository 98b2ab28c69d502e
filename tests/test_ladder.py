from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.helpers import scheduler_of, wave_of

from wavelane import UsageLadder
from wavelane.testing import ScriptedPipeline, assert_keeps_the_rules, run_virtual
from wavelane.testing.virtual import EPOCH
from wavelane_model.cap import Cap, moved

percents = st.floats(0, 100, exclude_min=True) | st.integers(1, 100)
margins = percents
even_ladders = st.builds(UsageLadder.even, st.integers(1, 60), st.floats(0.001, 100), margins)
uneven_ladders = st.builds(
    UsageLadder, st.lists(percents, min_size=1, max_size=60, unique=True).map(sorted), margins
)
ladders = even_ladders | uneven_ladders


def readings_of(ladder: UsageLadder) -> st.SearchStrategy[float]:
    """Readings, many of them exactly where a step is reached or released, or next to that."""
    marks = [*ladder.steps, *ladder.releases]
    beside = [math.nextafter(mark, end) for mark in marks for end in (0, 1000)]
    return (
        st.sampled_from([*marks, *beside])
        | st.floats(0, 100)
        | st.integers(0, 100)
        | st.floats(100, allow_nan=False)
    )


@st.composite
def asked(draw: st.DrawFn) -> tuple[UsageLadder, float, int]:
    """A ladder, a reading, and a level that it has."""
    ladder = draw(ladders)
    return ladder, draw(readings_of(ladder)), draw(st.integers(0, ladder.ceiling))


def levels_after(ladder: UsageLadder, readings: Iterable[float], start: int) -> list[int]:
    """The levels that a monitor sets, starting with its initial one."""
    return list(
        itertools.accumulate(
            readings, lambda level, reading: ladder.level(reading, level), initial=start
        )
    )


def changes(levels: list[int]) -> list[int]:
    """The changes of the level."""
    return [after - before for before, after in itertools.pairwise(levels) if after != before]


# What the ladder is for


def test_the_default_for_three_goes_down_level_by_level_and_pauses_at_eighty_percent() -> None:
    ladder = UsageLadder.even(3)

    assert levels_after(ladder, range(100), 3)[1:] == [3] * 27 + [2] * 27 + [1] * 26 + [0] * 20


def test_the_default_for_three_comes_back_ten_points_below_each_step() -> None:
    ladder = UsageLadder.even(3)

    falling = levels_after(ladder, range(99, -1, -1), 0)[1:]

    assert falling == [0] * 29 + [1] * 27 + [2] * 27 + [3] * 17
    assert falling[99 - 70] == 1
    assert falling[99 - 43] == 2
    assert falling[99 - 16] == 3


def test_a_cap_of_one_only_pauses() -> None:
    ladder = UsageLadder.even(1)

    assert ladder.steps == (80,)
    assert levels_after(ladder, [79.9, 80, 70.1, 70, 79.9], 1) == [1, 1, 0, 0, 1, 1]


def test_a_cap_of_fifty_has_fifty_steps_and_the_pause_still_lasts_for_the_whole_margin() -> None:
    ladder = UsageLadder.even(50)

    assert len(ladder.steps) == 50
    assert levels_after(ladder, [1.6, 40, 80, 70.1, 70, 0], 50) == [50, 49, 25, 0, 0, 1, 50]


def test_an_even_ladder_takes_its_threshold_and_its_margin_from_the_caller() -> None:
    assert UsageLadder.even(2, 60, 5) == UsageLadder([30, 60], 5)


def test_configured_steps_are_taken_as_they_are() -> None:
    ladder = UsageLadder([50, 65, 80], margin=5)

    assert ladder == UsageLadder((50.0, 65.0, 80.0), 5.0)
    assert ladder.ceiling == 3
    assert levels_after(ladder, [49, 50, 65, 61, 60, 80, 76, 75, 46, 45], 3) == [
        *(3, 3, 2, 1, 1, 2),
        *(0, 0, 1, 2, 3),
    ]


def test_a_meter_that_jumps_takes_several_levels_at_once() -> None:
    assert UsageLadder.even(3).level(85, 3) == 0


def test_a_meter_that_is_reset_brings_the_run_back_at_the_next_reading() -> None:
    assert UsageLadder.even(3).level(0, 0) == 3


def test_a_first_step_below_the_margin_is_released_at_zero() -> None:
    ladder = UsageLadder([5, 80], margin=10)

    assert ladder.releases == (0, 70)
    assert levels_after(ladder, [5, 0.1, 0], 2) == [2, 1, 1, 2]


def test_a_level_that_an_operator_set_by_hand_is_put_right_at_the_next_reading() -> None:
    ladder = UsageLadder.even(3)

    assert ladder.level(60, 3) == 1
    assert ladder.level(10, 1) == 3
    assert ladder.level(10, 0) == 3


def test_a_level_set_by_hand_that_the_ladder_might_have_had_is_left_alone() -> None:
    ladder = UsageLadder.even(3)

    assert [ladder.level(20, level) for level in range(4)] == [2, 2, 2, 3]


def test_a_reading_above_a_hundred_is_full() -> None:
    ladder = UsageLadder([100])

    assert ladder.level(130, 1) == ladder.level(math.inf, 1) == 0


# Refusals


@pytest.mark.parametrize("utilisation", [math.nan, -1, -0.001, -math.inf])
def test_a_reading_that_tells_nothing_is_refused(utilisation: float) -> None:
    with pytest.raises(ValueError, match=r"^the utilisation is .*leave the cap as it is when the"):
        UsageLadder.even(3).level(utilisation, 3)


@pytest.mark.parametrize("utilisation", [None, "50", True, 1j])
def test_a_reading_that_is_no_number_is_refused(utilisation: object) -> None:
    with pytest.raises(TypeError, match=r"^the utilisation is .*; give percent, a number$"):
        UsageLadder.even(3).level(cast(float, utilisation), 3)


@pytest.mark.parametrize("current", [-1, 4])
def test_a_level_of_another_cap_is_refused(current: int) -> None:
    with pytest.raises(ValueError, match=r"levels are 0 to 3; give it as many steps as the cap's"):
        UsageLadder.even(3).level(50, current)


@pytest.mark.parametrize("current", [2.0, "2", None, True])
def test_a_level_that_is_no_whole_number_is_refused(current: object) -> None:
    with pytest.raises(TypeError, match=r"^the current level is .*; give a whole number$"):
        UsageLadder.even(3).level(50, cast(int, current))


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], "there are no steps; give one for each level, e.g. [80] for a cap of 1"),
        ([50, 50, 80], "step 2 is 50, not above step 1, 50; give steps that rise"),
        ([50, 80, 65], "step 3 is 65, not above step 2, 80; give steps that rise"),
        ([0, 80], "step 1 is 0; give percent, above 0 and at most 100"),
        ([80, 101], "step 2 is 101; give percent, above 0 and at most 100"),
        ([math.nan], "step 1 is nan; give percent, above 0 and at most 100"),
    ],
)
def test_steps_that_make_no_ladder_are_refused(steps: list[float], words: str) -> None:
    with pytest.raises(ValueError, match="step") as refusal:
        UsageLadder(steps)

    assert str(refusal.value) == words


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (80, "the steps are 80; give a list of percents, e.g. [50, 65, 80]"),
        ("50,80", "the steps are '50,80'; give a list of percents, e.g. [50, 65, 80]"),
        ({50, 80}, "give a list of percents"),
        ([50, "80"], "step 2 is '80'; give percent, a number"),
        ([True], "step 1 is True; give percent, a number"),
    ],
)
def test_steps_that_are_no_numbers_are_refused(steps: Any, words: str) -> None:
    with pytest.raises(TypeError) as refusal:
        UsageLadder(steps)

    assert words in str(refusal.value)


@pytest.mark.parametrize("margin", [0, -1, 100.1, math.nan, math.inf])
def test_a_margin_that_no_meter_falls_by_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match=r"^the margin is .*above 0 and at most 100$"):
        UsageLadder([80], margin)


@pytest.mark.parametrize("threshold", [0, -1, 100.1, math.nan])
def test_a_threshold_that_no_meter_reaches_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match=r"^the threshold is .*above 0 and at most 100$"):
        UsageLadder.even(3, threshold)


def test_a_margin_or_a_threshold_that_is_no_number_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^the margin is '10'; give percentage points, a number$"):
        UsageLadder([80], cast(float, "10"))
    with pytest.raises(TypeError, match=r"^the threshold is None; give percent, a number$"):
        UsageLadder.even(3, cast(float, None))


def test_a_ceiling_that_no_cap_has_is_refused_in_the_words_of_the_cap() -> None:
    with pytest.raises(ValueError, match=r"^the cap is 0; give 1 or more"):
        UsageLadder.even(0)
    with pytest.raises(TypeError, match=r"^the cap is 1\.5; give a whole number"):
        UsageLadder.even(cast(int, 1.5))


# What holds for all ladders, readings and levels


@given(st.integers(1, 200), st.floats(0.001, 100))
def test_the_steps_of_an_even_ladder_are_evenly_spread_and_end_at_the_threshold(
    ceiling: int, threshold: float
) -> None:
    steps = UsageLadder.even(ceiling, threshold).steps

    assert len(steps) == ceiling
    assert steps[-1] == threshold
    gaps = [step - before for before, step in itertools.pairwise((0, *steps))]
    assert gaps == pytest.approx([threshold / ceiling] * ceiling)


@given(asked())
def test_the_level_is_one_that_the_cap_takes(case: tuple[UsageLadder, float, int]) -> None:
    ladder, utilisation, current = case

    level = ladder.level(utilisation, current)

    assert isinstance(level, int)
    assert level == current or moved(Cap(current, ladder.ceiling, 1), "set", level) is not None


@given(asked())
def test_a_level_is_taken_away_for_each_step_that_is_reached(
    case: tuple[UsageLadder, float, int],
) -> None:
    ladder, utilisation, current = case
    reached = len([step for step in ladder.steps if utilisation >= step])

    level = ladder.level(utilisation, current)

    assert level <= ladder.ceiling - reached
    if current >= ladder.ceiling - reached:
        assert level == ladder.ceiling - reached


@given(asked())
def test_from_the_last_step_on_the_cap_is_paused_from_any_level(
    case: tuple[UsageLadder, float, int],
) -> None:
    ladder, utilisation, current = case
    threshold = ladder.steps[-1]

    assert ladder.level(threshold, current) == 0
    assert ladder.level(max(utilisation, threshold), current) == 0


@given(asked())
def test_the_level_goes_up_only_where_the_meter_is_well_below_each_step_given_back(
    case: tuple[UsageLadder, float, int],
) -> None:
    ladder, utilisation, current = case

    level = ladder.level(utilisation, current)

    given_back = ladder.steps[ladder.ceiling - level : ladder.ceiling - current]
    assert len(given_back) == max(level - current, 0)
    assert all(utilisation <= step - ladder.margin or utilisation == 0 for step in given_back)


@given(asked())
def test_a_step_that_the_meter_is_well_below_is_always_given_back(
    case: tuple[UsageLadder, float, int],
) -> None:
    ladder, utilisation, current = case
    far = [at for at in ladder.steps if utilisation < at and utilisation <= at - ladder.margin]

    assert ladder.level(utilisation, current) >= len(far)
    assert ladder.level(0, current) == ladder.ceiling


@given(asked(), st.data())
def test_a_higher_reading_never_gives_a_higher_level(
    case: tuple[UsageLadder, float, int], data: st.DataObject
) -> None:
    ladder, utilisation, current = case
    other = data.draw(readings_of(ladder))

    low, high = sorted((utilisation, other))

    assert ladder.level(low, current) >= ladder.level(high, current)


@given(asked(), st.data())
def test_a_higher_current_level_never_gives_a_lower_level(
    case: tuple[UsageLadder, float, int], data: st.DataObject
) -> None:
    ladder, utilisation, current = case
    higher = data.draw(st.integers(current, ladder.ceiling))

    assert ladder.level(utilisation, higher) >= ladder.level(utilisation, current)


@given(asked())
def test_the_same_reading_asked_again_changes_nothing(
    case: tuple[UsageLadder, float, int],
) -> None:
    ladder, utilisation, current = case

    level = ladder.level(utilisation, current)

    assert ladder.level(utilisation, level) == level


@given(asked(), st.integers(1, 20))
def test_a_meter_that_stands_still_changes_the_level_once_at_most(
    case: tuple[UsageLadder, float, int], polls: int
) -> None:
    ladder, utilisation, current = case

    levels = levels_after(ladder, [utilisation] * polls, current)

    assert len(changes(levels)) <= 1
    assert len(set(levels[1:])) == 1


# It never flaps


@given(st.data())
def test_the_level_turns_only_when_the_meter_goes_the_whole_way_between_a_step_and_its_release(
    data: st.DataObject,
) -> None:
    ladder = data.draw(ladders)
    readings = data.draw(st.lists(readings_of(ladder), max_size=40))
    levels = levels_after(ladder, readings, data.draw(st.integers(0, ladder.ceiling)))
    moves = [
        (reading, before, after)
        for reading, (before, after) in zip(readings, itertools.pairwise(levels), strict=True)
        if before != after
    ]

    for (one, before, level), (other, _, after) in itertools.pairwise(moves):
        if level < before and level < after:
            assert one >= ladder.steps[ladder.ceiling - level - 1]
            assert other <= ladder.releases[ladder.ceiling - level - 1]
        if level > before and level > after:
            assert one <= ladder.releases[ladder.ceiling - level]
            assert other >= ladder.steps[ladder.ceiling - level]


@given(ladders)
def test_each_step_is_released_the_whole_margin_below_it_or_at_zero(ladder: UsageLadder) -> None:
    for step, release in zip(ladder.steps, ladder.releases, strict=True):
        assert 0 <= release <= step
        assert step - release == pytest.approx(min(ladder.margin, step))


eighths = st.integers(1, 800).map(lambda number: number / 8)
"""Percents whose differences are exact."""


@given(st.data())
def test_readings_within_less_than_the_margin_move_the_level_in_one_direction_only(
    data: st.DataObject,
) -> None:
    steps = data.draw(st.lists(eighths, min_size=1, max_size=40, unique=True).map(sorted))
    ladder = UsageLadder(steps, data.draw(eighths))
    narrow = min(ladder.margin, steps[0])
    bottom = data.draw(st.sampled_from([*ladder.steps, *ladder.releases]) | eighths)
    bottom = max(bottom - data.draw(st.sampled_from([0, narrow * 0.99]) | st.floats(0, narrow)), 0)
    top = bottom + data.draw(st.just(narrow * 0.99) | st.floats(0, narrow))
    assume(Fraction(top) - Fraction(bottom) < narrow)
    readings = data.draw(st.lists(st.sampled_from([bottom, top]) | st.floats(bottom, top)))

    levels = levels_after(ladder, readings, data.draw(st.integers(0, ladder.ceiling)))

    moved_by = changes(levels)
    assert all(by > 0 for by in moved_by) or all(by < 0 for by in moved_by)
    inside = [mark for mark in (*steps, *ladder.releases) if bottom <= mark <= top]
    assert len(moved_by) <= 1 + len(inside)


# A monitor, a meter and a run


class Meter:
    """Six points for each session that has begun since the last reset."""

    SECONDS = 5 * 3600
    """From one reset to the next."""

    def __init__(self, pipeline: ScriptedPipeline) -> None:
        self._pipeline = pipeline

    async def read(self) -> float:
        """Percent used."""
        time = asyncio.get_running_loop().time()
        reset = time - (time - EPOCH) % self.SECONDS
        calls = [call for call in self._pipeline.calls if call.began >= reset]
        return 6 * sum(call.step != "merge" for call in calls)


def test_a_monitor_of_three_lines_glides_a_run_into_the_pause_and_back_until_the_wave_is_done(
    tmp_path: Path,
) -> None:
    pipeline = ScriptedPipeline(seconds=1500)
    meter = Meter(pipeline)
    journal = tmp_path / "wave.db"
    wave = wave_of(*(f"{repo}#{number}" for repo in ("api", "app", "web") for number in range(4)))
    scheduler = scheduler_of(wave, pipeline, journal=journal)
    ladder = UsageLadder.even(scheduler.cap.ceiling)
    seen: list[tuple[float, float, int]] = []

    async def monitor() -> None:
        while True:
            utilisation = await meter.read()
            level = ladder.level(utilisation, scheduler.cap.level)
            scheduler.cap.set(level)
            seen.append((asyncio.get_running_loop().time(), utilisation, level))
            await asyncio.sleep(300)

    async def main() -> str:
        watching = asyncio.create_task(monitor())
        report = await scheduler.run()
        watching.cancel()
        return report.outcome

    assert run_virtual(main) == "complete"
    assert_keeps_the_rules(journal)
    levels = [level for level, _ in itertools.groupby(level for _, _, level in seen)]
    assert levels == [3, 2, 1, 0, 3, 2, 1]
    paused = next(time for time, _, level in seen if level == 0)
    back = EPOCH + Meter.SECONDS
    assert {used for time, used, _ in seen if paused <= time < back} == {84}
    assert [call for call in pipeline.calls if call.outcome == "cancelled"] == []
    draining = [call for call in pipeline.calls if call.began < paused < (call.ended or 0)]
    assert [call.name for call in draining] == [("review", "api#2")]
    begun_while_paused = [call.name for call in pipeline.calls if paused <= call.began < back]
    assert begun_while_paused == [("merge", "api#2")]
    begun_when_back = [call.name for call in pipeline.calls if call.began == back]
    assert begun_when_back == [
        ("implement", "app#2"),
        ("implement", "web#2"),
        ("implement", "api#3"),
    ]
