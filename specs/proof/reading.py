"""Formulas as Python functions, to be evaluated for a known moment.

The same formula that z3 gets is written as a Python expression and evaluated in a *reading*: a
value for each name, and the elements of each sort. So the meanings of the proof can be compared
with those of the model hundreds of thousands of times in a few seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from specs.proof.logic import Sort, Term, z3

Reading = dict[str, Any]
"""The value of each name; of a function of the proof, a mapping. A sort's name has its elements."""
Asked = Callable[[Reading], Any]
"""The value of a formula or a term in a reading."""

_WRITTEN: Final[dict[int, str]] = {
    z3.Z3_OP_TRUE: "True",
    z3.Z3_OP_FALSE: "False",
    z3.Z3_OP_NOT: "(not {0})",
    z3.Z3_OP_IMPLIES: "({1} if {0} else True)",
    z3.Z3_OP_ITE: "({1} if {0} else {2})",
    z3.Z3_OP_XOR: "({0} != {1})",
    z3.Z3_OP_EQ: "({0} == {1})",
    z3.Z3_OP_DISTINCT: "({0} != {1})",
    z3.Z3_OP_LE: "({0} <= {1})",
    z3.Z3_OP_LT: "({0} < {1})",
    z3.Z3_OP_GE: "({0} >= {1})",
    z3.Z3_OP_GT: "({0} > {1})",
    z3.Z3_OP_ADD: "({0} + {1})",
    z3.Z3_OP_SUB: "({0} - {1})",
}
_ELEMENT: Final = "x"


def asked_of(term: Term) -> Asked:
    """The term, to be asked of readings."""
    return _compiled(_python(term, ()))


def asked_of_each(function: Callable[[Term], Term], sort: Sort) -> Asked:
    """The function as a mapping from every element of the sort, to be asked of readings."""
    value = _python(function(z3.Const(_ELEMENT, sort)), ())
    return _compiled(f"{{{_ELEMENT}: {value} for {_ELEMENT} in {sort}}}")


def _compiled(text: str) -> Asked:
    code = compile(text, text, "eval")
    return lambda reading: eval(code, reading)


def _python(term: Term, bound: tuple[str, ...]) -> str:
    """The term as an expression; `bound` are the variables of the quantifiers around it."""
    if z3.is_quantifier(term):
        return _for_all(term, bound)
    if z3.is_var(term):
        return bound[-1 - int(z3.get_var_index(term))]
    if z3.is_int_value(term):
        return str(term.as_long())
    kind, name = term.decl().kind(), term.decl().name()
    parts = [_python(part, bound) for part in term.children()]
    if kind == z3.Z3_OP_UNINTERPRETED:
        return f"{name}[{', '.join(parts)}]" if parts else name
    if kind == z3.Z3_OP_DT_CONSTRUCTOR:
        return repr(name)
    if kind == z3.Z3_OP_AND:
        return f"({' and '.join(parts)})" if parts else "True"
    if kind == z3.Z3_OP_OR:
        return f"({' or '.join(parts)})" if parts else "False"
    return _WRITTEN[kind].format(*parts)


def _for_all(formula: Term, bound: tuple[str, ...]) -> str:
    chosen = tuple(f"{formula.var_name(at)}{len(bound) + at}" for at in range(formula.num_vars()))
    ranges = "".join(f" for {name} in {formula.var_sort(at)}" for at, name in enumerate(chosen))
    return f"all({_python(formula.body(), (*bound, *chosen))}{ranges})"
