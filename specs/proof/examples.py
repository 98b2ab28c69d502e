"""The rules are not vacuous: they leave room for every move, guard and state.

- Each move has an example: a moment that keeps all rules and in which the move is allowed, by one
  lane policy at least. In it every guard of a row holds in the row's source state.
- Each guard has a moment that keeps all rules and in which it alone stands in the way of a row.
- Each state is reached from `queued` by rows that have examples, and from each but `cancelled`
  such rows lead on to `done`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Any, Final

from specs.proof.finite import SIZES
from specs.proof.guards import CAP_MEANING, MEANING, cap_row_applies, row_applies
from specs.proof.induction import POLICIES, asked
from specs.proof.logic import Formula, z3
from specs.proof.moment import Moment, Setting, any_moment
from specs.proof.moves import LEVEL, WHO, all_moves
from specs.proof.rules import all_rules
from specs.proof.verdict import Verdict
from wavelane_model.cap import CapGuard, CapRow
from wavelane_model.lifecycle import STATES, Guard, Row, State

Way = tuple[State, State]
"""From a state to the next."""
_WORLD: Final = SIZES[-1]


class Room:
    """What is possible in a small world in which all rules hold, by either lane policy."""

    def __init__(self) -> None:
        self.now: Moment = any_moment()
        self.settings = [Setting(policy) for policy in POLICIES]
        self._solvers: list[Any] = [
            asked(_WORLD.closed(setting, self.now), _WORLD.expanded(all_rules(setting, self.now)))
            for setting in self.settings
        ]

    def has(self, formulas: Iterable[Formula]) -> bool:
        """Whether the formula of one of the settings, given in their order, can be true."""
        return any(
            self._possible(solver, formula)
            for solver, formula in zip(self._solvers, formulas, strict=True)
        )

    def _possible(self, solver: Any, formula: Formula) -> bool:
        solver.push()
        solver.add(_WORLD.expanded(formula))
        answer = solver.check()
        solver.pop()
        return bool(answer == z3.sat)


def found(table: tuple[Row, ...], cap_table: tuple[CapRow, ...]) -> Iterator[Verdict]:
    """An example of every move, guard and state, or that there is none."""
    room = Room()
    moves = list(_of_moves(room, table, cap_table))
    yield from moves
    yield from _of_guards(room, table, cap_table)
    possible = {verdict.what for verdict in moves if verdict.holds}
    yield from _of_states([row for row, name in _named(room, table) if name in possible])


def _named(room: Room, table: tuple[Row, ...]) -> list[tuple[Row, str]]:
    moves = all_moves(room.settings[0], room.now, table, ())
    return [(move.row, move.name) for move in moves if move.row is not None]


def _of_moves(
    room: Room, table: tuple[Row, ...], cap_table: tuple[CapRow, ...]
) -> Iterator[Verdict]:
    by_policy = (all_moves(setting, room.now, table, cap_table) for setting in room.settings)
    for moves in zip(*by_policy, strict=True):
        began = perf_counter()
        holds = room.has(move.allowed for move in moves)
        yield Verdict(
            "sometimes each move",
            moves[0].name,
            holds,
            perf_counter() - began,
            "" if holds else "no moment that keeps the rules allows it",
            "moves",
        )


def _of_guards(
    room: Room, table: tuple[Row, ...], cap_table: tuple[CapRow, ...]
) -> Iterator[Verdict]:
    for guard in MEANING:
        began = perf_counter()
        holds = any(room.has(_alone(room, row, guard)) for row in table)
        yield _of_guard(guard, holds, began)
    for cap_guard in CAP_MEANING:
        began = perf_counter()
        holds = any(room.has(_alone_in_cap(room, row, cap_guard)) for row in cap_table)
        yield _of_guard(cap_guard, holds, began)


def _of_guard(guard: Guard | CapGuard, holds: bool, began: float) -> Verdict:
    return Verdict(
        "sometimes each guard",
        guard,
        holds,
        perf_counter() - began,
        "" if holds else "it never stands in the way of a row all by itself",
        "guards",
    )


def _alone(room: Room, row: Row, guard: Guard) -> Iterator[Formula]:
    """Only this guard prevents the row from applying."""
    without = row._replace(
        guards=tuple(one for one in row.guards if one != guard),
        unless=tuple(one for one in row.unless if one != guard),
    )
    for setting in room.settings:
        if without == row:
            yield z3.BoolVal(False)
            continue
        applies = row_applies(setting, room.now, WHO, row)
        yield z3.And(row_applies(setting, room.now, WHO, without), z3.Not(applies))


def _alone_in_cap(room: Room, row: CapRow, guard: CapGuard) -> Iterator[Formula]:
    without = row._replace(guards=tuple(one for one in row.guards if one != guard))
    for setting in room.settings:
        applies = cap_row_applies(setting, room.now, LEVEL, row)
        yield z3.And(cap_row_applies(setting, room.now, LEVEL, without), z3.Not(applies))


def _of_states(rows: list[Row]) -> Iterator[Verdict]:
    forward: list[Way] = [(row.source, row.target) for row in rows]
    back: list[Way] = [(row.target, row.source) for row in rows]
    reached = _reached("queued", forward)
    leading = _reached("done", back)
    for state in STATES:
        holds = state in reached and (state in leading or state == "cancelled")
        missing = "no way leads here" if state not in reached else "no way leads on to done"
        yield Verdict("sometimes each state", state, holds, 0.0, "" if holds else missing, "states")


def _reached(start: State, ways: list[Way]) -> set[State]:
    """The states to which ways lead; none is further than there are states."""
    reached: set[State] = {start}
    for _ in STATES:
        for source, target in ways:
            if source in reached:
                reached.add(target)
    return reached
