"""The cap: how many issues may be in flight, as one table.

The cap has a `ceiling` (N) and a `level` between 0, called *paused*, and N. It moves `N → … → 1 →
paused` one level at a time, or to a given level, or by a pause and its end. A move that is not in
the table changes nothing: a step down when paused, a step up at the ceiling, a resume when not
paused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from transitions import Machine

CapMove = Literal["step_down", "step_up", "set", "pause", "resume"]
"""How the cap can be moved."""
CapGuard = Literal["is_paused", "is_open", "below_ceiling", "within_ceiling", "moves"]
CapTarget = Literal["one_lower", "one_higher", "level_asked", "paused", "level_before_pause"]


class Cap(NamedTuple):
    """A level between 0 and `ceiling`, and the level that `resume` goes back to."""

    level: int
    ceiling: int
    before_pause: int

    @classmethod
    def at(cls, ceiling: int) -> Cap:
        """A cap at its ceiling. Raises `ValueError` for a ceiling below 1."""
        if isinstance(ceiling, bool) or not isinstance(ceiling, int):
            raise TypeError(f"the cap is {ceiling!r}; give a whole number, 1 or more")
        if ceiling < 1:
            raise ValueError(f"the cap is {ceiling}; give 1 or more (1 is fully sequential)")
        return cls(ceiling, ceiling, ceiling)


class CapRow(NamedTuple):
    """One line of the table: `move` leads to `target` when all `guards` hold."""

    move: CapMove
    target: CapTarget
    guards: tuple[CapGuard, ...]


MOVES: Final[dict[CapMove, str]] = {
    "step_down": "one level down; from 1 to paused",
    "step_up": "one level up; from paused to 1",
    "set": "to the level asked for; 0 is paused",
    "pause": "to paused, from any level",
    "resume": "to the level before the pause",
}
CAP_TABLE: Final[tuple[CapRow, ...]] = (
    CapRow("step_down", "one_lower", ("is_open",)),
    CapRow("step_up", "one_higher", ("below_ceiling",)),
    CapRow("set", "level_asked", ("within_ceiling", "moves")),
    CapRow("pause", "paused", ("is_open",)),
    CapRow("resume", "level_before_pause", ("is_paused",)),
)
CAP_GUARDS: Final[dict[CapGuard, Callable[[Cap, int], bool]]] = {
    "is_paused": lambda cap, asked: cap.level == 0,
    "is_open": lambda cap, asked: cap.level > 0,
    "below_ceiling": lambda cap, asked: cap.level < cap.ceiling,
    "within_ceiling": lambda cap, asked: 0 <= asked <= cap.ceiling,
    "moves": lambda cap, asked: asked != cap.level,
}
CAP_TARGETS: Final[dict[CapTarget, Callable[[Cap, int], int]]] = {
    "one_lower": lambda cap, asked: cap.level - 1,
    "one_higher": lambda cap, asked: cap.level + 1,
    "level_asked": lambda cap, asked: asked,
    "paused": lambda cap, asked: 0,
    "level_before_pause": lambda cap, asked: cap.before_pause,
}


def moved(cap: Cap, move: CapMove, asked: int = 0) -> Cap | None:
    """The cap after `move`, or None where the table does not allow it."""
    for row in CAP_TABLE:
        if row.move == move and all(CAP_GUARDS[guard](cap, asked) for guard in row.guards):
            level = CAP_TARGETS[row.target](cap, asked)
            return cap._replace(level=level, before_pause=level or cap.level or cap.before_pause)
    return None


def level_name(level: int) -> str:
    """The name of a level: its number, or "paused"."""
    return str(level) if level else "paused"


class CapEdge(NamedTuple):
    """One transition of the machine for one ceiling; `when` names the case of the move."""

    move: CapMove
    source: int
    target: int
    when: str


def edges(ceiling: int) -> list[CapEdge]:
    """The table written out for one ceiling, level by level."""
    found: dict[CapEdge, None] = {}
    for level in range(ceiling, -1, -1):
        for before in range(ceiling, 0, -1) if level == 0 else (level,):
            cap = Cap(level, ceiling, before)
            for move in MOVES:
                for asked in range(ceiling, -1, -1) if move == "set" else (0,):
                    after = moved(cap, move, asked)
                    if after is not None:
                        when = _case(move, before, asked)
                        found[CapEdge(move, level, after.level, when)] = None
    return list(found)


def _case(move: CapMove, before: int, asked: int) -> str:
    if move == "set":
        return f"asks_{asked}"
    return f"was_{before}" if move == "resume" else ""


def machine(ceiling: int, model: Any = None) -> Machine:
    """The cap with `ceiling` levels as a `transitions` machine.

    A move that depends on more than the level has a condition: `asks_2`, `was_3`.
    """
    from transitions import Machine

    found = Machine(
        model=model if model is not None else _AnyCase(),
        states=[level_name(level) for level in range(ceiling, -1, -1)],
        initial=level_name(ceiling),
        auto_transitions=False,
    )
    for edge in edges(ceiling):
        found.add_transition(
            edge.move,
            level_name(edge.source),
            level_name(edge.target),
            conditions=[edge.when] if edge.when else [],
        )
    return found


class _AnyCase:
    """A cap for which every case may apply."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("asks_", "was_")):
            return lambda: True
        raise AttributeError(name)
