"""The vocabulary of logic in which the proof is written, and the z3 solver behind it.

Issues, repos and tickets are uninterpreted sorts: nothing is assumed about them, not even how many
elements they have, so a proof holds for any number. z3 has no static types, so terms are `Any` in
this whole package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Final

from wavelane_model.lifecycle import STATES, State

z3: Final[Any] = import_module("z3")

Sort = Any
Term = Any
"""A z3 term of any sort."""
Formula = Any
"""A z3 term that is true or false."""
Function = Callable[[Term], Term]

BOOL: Final[Sort] = z3.BoolSort()
INT: Final[Sort] = z3.IntSort()
ISSUE: Final[Sort] = z3.DeclareSort("Issue")
REPO: Final[Sort] = z3.DeclareSort("Repo")
TICKET: Final[Sort] = z3.DeclareSort("Ticket")
"""A place in the merge queue of one repo that is not an issue's."""
_ENUM: Final = z3.EnumSort("State", list(STATES))
STATE: Final[Sort] = _ENUM[0]
STATE_OF: Final[dict[State, Term]] = dict(zip(STATES, _ENUM[1], strict=True))


def every(sort: Sort, *more: Sort, have: Callable[..., Formula]) -> Formula:
    """All elements of the sorts have what `have` says of them."""
    names = have.__code__.co_varnames
    chosen = [z3.Const(name, one) for name, one in zip(names, (sort, *more), strict=False)]
    return z3.ForAll(chosen, have(*chosen))


def all_of(formulas: Iterable[Formula]) -> Formula:
    """Every one of the formulas is true."""
    return z3.And(list(formulas))


def is_in(state: Term, states: Iterable[State]) -> Formula:
    """The state is one of `states`."""
    return z3.Or([state == STATE_OF[one] for one in STATES if one in set(states)])


def changed(function: Function, at: Term, to: Term) -> Function:
    """The same function, but for one argument."""
    return lambda x: z3.If(x == at, to, function(x))
