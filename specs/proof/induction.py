"""Every rule holds of the first moment, and every move keeps it: one obligation each.

An obligation that z3 does not settle within `TIMEOUT` counts as failed. For a failed one, a
counterexample is searched for in small worlds and put into words.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from time import perf_counter
from typing import Any, Final, get_args

from specs.proof.finite import SIZES
from specs.proof.guards import cap_row_applies, row_applies
from specs.proof.logic import Formula, z3
from specs.proof.moment import Setting, any_moment, first_moment
from specs.proof.moves import LEVEL, WHO, Move, all_moves, row_name
from specs.proof.rules import RULES, Rule, all_rules
from specs.proof.verdict import Verdict
from specs.proof.words import Describer
from wavelane_model.cap import CapRow
from wavelane_model.lifecycle import LaneRelease, Row

TIMEOUT: Final = 10_000
"""Milliseconds for one question to z3."""
POLICIES: Final[tuple[LaneRelease, ...]] = get_args(LaneRelease)


def asked(*formulas: Formula) -> Any:
    """A solver that knows the formulas."""
    solver = z3.Solver()
    solver.set("timeout", TIMEOUT)
    solver.add(*formulas)
    return solver


def proved(table: tuple[Row, ...], cap_table: tuple[CapRow, ...]) -> Iterator[Verdict]:
    """The verdict on each rule and move in both lane policies, and on each pair of rows."""
    for policy in POLICIES:
        setting, now = Setting(policy), any_moment()
        yield from _at_first(setting)
        solver = asked(all_rules(setting, now))
        for move in all_moves(setting, now, table, cap_table):
            yield from _kept(solver, setting, move)
    yield from _exclusive(table, cap_table)


def _at_first(setting: Setting) -> Iterator[Verdict]:
    first = first_moment(setting)
    for name, rule in RULES.items():
        began = perf_counter()
        solver = asked(setting.facts(), z3.Not(rule.always(setting, first)))
        holds = solver.check() == z3.unsat
        why = "" if holds else f"it does not hold before the wave starts: {rule.sentence}"
        yield Verdict(
            f"always {name}",
            f"at first, lane_release={setting.lane_release!r}",
            holds,
            perf_counter() - began,
            why,
        )


def _kept(solver: Any, setting: Setting, move: Move) -> Iterator[Verdict]:
    solver.push()
    solver.add(move.allowed)
    for name, rule in RULES.items():
        began = perf_counter()
        solver.push()
        solver.add(z3.Not(_goal(setting, move, rule)))
        answer = solver.check()
        solver.pop()
        holds = answer == z3.unsat
        why = "" if holds else _counterexample(setting, move, rule, str(answer))
        yield Verdict(
            f"always {name}",
            f"{move.name}, lane_release={setting.lane_release!r}",
            holds,
            perf_counter() - began,
            why,
        )
    solver.pop()


def _goal(setting: Setting, move: Move, rule: Rule) -> Formula:
    return z3.And(rule.always(setting, move.after), rule.at_moves(setting, move))


def _counterexample(setting: Setting, move: Move, rule: Rule, answer: str) -> str:
    broken = z3.And(
        all_rules(setting, move.before), move.allowed, z3.Not(_goal(setting, move, rule))
    )
    for world in SIZES:
        solver = asked(world.closed(setting, move.before), world.expanded(broken))
        if solver.check() == z3.sat:
            described = Describer(solver.model(), world, setting).describe(move)
            return f"it breaks the rule: {rule.sentence}\n{described}"
    return f"z3 says {answer} of the rule: {rule.sentence}; there is no small counterexample"


def _exclusive(table: tuple[Row, ...], cap_table: tuple[CapRow, ...]) -> Iterator[Verdict]:
    """At most one row of a trigger and source, and of a move of the cap, applies at a time."""
    setting, now = Setting("review"), any_moment()
    solver = asked(all_rules(setting, now))
    for one, other in combinations(table, 2):
        if (one.trigger, one.source) == (other.trigger, other.source):
            both = [row_applies(setting, now, WHO, row) for row in (one, other)]
            yield _apart(solver, f"{row_name(one)} and {row_name(other)}", both)
    for first, second in combinations(cap_table, 2):
        if first.move == second.move:
            both = [cap_row_applies(setting, now, LEVEL, row) for row in (first, second)]
            yield _apart(solver, f"cap {first.move}, twice", both)


def _apart(solver: Any, what: str, both: list[Formula]) -> Verdict:
    began = perf_counter()
    solver.push()
    solver.add(*both)
    holds = solver.check() == z3.unsat
    solver.pop()
    why = "" if holds else "both rows may apply at once"
    return Verdict("always one row", what, holds, perf_counter() - began, why)
