from __future__ import annotations

import itertools
from typing import Any, cast

import pytest

from wavelane_model.cap import MOVES, Cap, CapMove, edges, level_name, machine, moved

ALL_CAPS = [
    Cap(level, ceiling, before)
    for ceiling in range(1, 6)
    for level in range(ceiling + 1)
    for before in (range(1, ceiling + 1) if level == 0 else (level,))
]


def after(cap: Cap, *moves: CapMove | int) -> Cap:
    """The cap after these moves; a number sets it."""
    for move in moves:
        cap = (moved(cap, "set", move) if isinstance(move, int) else moved(cap, move)) or cap
    return cap


def test_the_cap_steps_down_one_level_at_a_time_to_paused() -> None:
    cap = Cap.at(3)
    levels = [cap.level]
    while (lower := moved(cap, "step_down")) is not None:
        cap = lower
        levels.append(cap.level)

    assert [level_name(level) for level in levels] == ["3", "2", "1", "paused"]


def test_the_cap_steps_up_from_paused_to_its_ceiling_and_no_further() -> None:
    assert after(Cap.at(2), "pause", "step_up").level == 1
    assert after(Cap.at(2), "pause", "step_up", "step_up", "step_up").level == 2


def test_a_resumed_cap_is_where_it_was_before_the_pause() -> None:
    assert after(Cap.at(5), 3, "pause", "resume").level == 3


def test_a_cap_that_was_stepped_down_to_paused_resumes_at_the_last_level() -> None:
    assert after(Cap.at(2), "step_down", "step_down", "resume").level == 1


def test_a_cap_that_was_set_to_paused_resumes_where_it_was() -> None:
    assert after(Cap.at(2), 0, "resume").level == 2


def test_a_pause_within_a_pause_does_not_forget_the_level() -> None:
    assert after(Cap.at(4), 3, "pause", "pause", 0, "step_down", "resume").level == 3


@pytest.mark.parametrize(
    ("cap", "move", "asked"),
    [
        (Cap.at(3), "step_up", 0),
        (Cap(0, 3, 2), "step_down", 0),
        (Cap(0, 3, 2), "pause", 0),
        (Cap.at(3), "resume", 0),
        (Cap.at(3), "set", 4),
        (Cap.at(3), "set", -1),
        (Cap.at(3), "set", 3),
        (Cap(0, 3, 2), "set", 0),
    ],
)
def test_a_move_that_is_not_in_the_table_is_none(cap: Cap, move: CapMove, asked: int) -> None:
    assert moved(cap, move, asked) is None


@pytest.mark.parametrize("ceiling", [0, -1])
def test_a_ceiling_below_one_is_refused(ceiling: int) -> None:
    with pytest.raises(ValueError, match=r"^the cap is .*; give 1 or more \(1 is fully sequential"):
        Cap.at(ceiling)


@pytest.mark.parametrize("ceiling", [1.5, "3", True, None])
def test_a_ceiling_that_is_no_whole_number_is_refused(ceiling: object) -> None:
    with pytest.raises(TypeError, match="give a whole number, 1 or more"):
        Cap.at(cast(int, ceiling))


@pytest.mark.parametrize("cap", ALL_CAPS)
def test_no_move_leaves_the_scale(cap: Cap) -> None:
    for move, asked in itertools.product(MOVES, range(-1, 7)):
        found = moved(cap, move, asked)
        if found is not None:
            assert 0 <= found.level <= found.ceiling == cap.ceiling
            assert 1 <= found.before_pause <= cap.ceiling
            assert found.level != cap.level


class _Case:
    """A cap as the machine's model, with the conditions `asks_2` and `was_3`."""

    def __init__(self, before: int, asked: int) -> None:
        self.case = {f"was_{before}", f"asks_{asked}"}

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("was_", "asks_")):
            return lambda: name in self.case
        raise AttributeError(name)


@pytest.mark.parametrize("cap", ALL_CAPS)
def test_the_machine_and_the_table_never_disagree(cap: Cap) -> None:
    for move in MOVES:
        for asked in range(cap.ceiling + 1) if move == "set" else (0,):
            model: Any = _Case(cap.before_pause, asked)
            machine(cap.ceiling, model).set_state(level_name(cap.level))

            found = moved(cap, move, asked)

            assert getattr(model, f"may_{move}")() is (found is not None)
            if found is not None:
                model.trigger(move)
                assert model.state == level_name(found.level)


@pytest.mark.parametrize("ceiling", range(1, 6))
def test_the_machine_has_the_levels_and_edges_of_the_table(ceiling: int) -> None:
    found = machine(ceiling)

    assert [*found.states] == [*(str(level) for level in range(ceiling, 0, -1)), "paused"]
    assert found.initial == str(ceiling)
    assert len(found.get_transitions()) == len(edges(ceiling)) == len(set(edges(ceiling)))
