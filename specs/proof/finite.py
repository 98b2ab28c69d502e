"""Small worlds for examples: a few named issues, repos and tickets.

Every formula is expanded over them into one without quantifiers, so that z3 finds an example at
once. An example that is found satisfies the original formula. Finding none proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Final

from specs.proof.logic import INT, ISSUE, REPO, TICKET, Formula, Sort, Term, z3
from specs.proof.moment import Moment, Setting
from specs.proof.moves import WHO, WHOSE

MOST: Final = 3
"""The highest level, limit or count in an example, so that a person can read it."""


@dataclass(frozen=True)
class SmallWorld:
    """A number of issues and repos, and one ticket."""

    issues: int
    repos: int

    @cached_property
    def elements(self) -> dict[Sort, list[Term]]:
        """The elements of each sort."""
        return {
            ISSUE: [z3.Const(name, ISSUE) for name in "ABC"[: self.issues]],
            REPO: [z3.Const(name, REPO) for name in ("api", "web")[: self.repos]],
            TICKET: [z3.Const("T", TICKET)],
            INT: [z3.IntVal(k) for k in range(self.issues + 1)],
        }

    def expanded(self, formula: Formula) -> Formula:
        """The same formula about this world, without quantifiers."""
        if z3.is_quantifier(formula):
            sorts = [formula.var_sort(at) for at in range(formula.num_vars())]
            bodies = (
                z3.substitute_vars(formula.body(), *reversed(chosen))
                for chosen in product(*(self.elements[sort] for sort in sorts))
            )
            return z3.And([self.expanded(body) for body in bodies])
        if not z3.is_app(formula) or formula.num_args() == 0:
            return formula
        parts = [self.expanded(part) for part in formula.children()]
        if z3.is_and(formula) or z3.is_or(formula):
            return z3.And(parts) if z3.is_and(formula) else z3.Or(parts)
        return formula.decl()(*parts)

    def closed(self, setting: Setting, now: Moment) -> Formula:
        """Nothing exists beside the elements, and the numbers are small."""
        issues, repos, tickets = (self.elements[one] for one in (ISSUE, REPO, TICKET))
        counters = (now.checkpoints, now.rounds, now.conflicts, now.failures, now.joined)
        numbers = (
            *(counter(issue) for counter in counters for issue in issues),
            *(now.asked(ticket) for ticket in tickets),
            *(now.next_place, now.highest, setting.ceiling, setting.round_limit),
            *(setting.checkpoint_limit, setting.conflict_limit, setting.failure_limit),
        )
        numbered = (*self.elements[INT], now.in_flight, now.in_flight - 1)
        slots = (*numbered, *(now.slot(issue) for issue in issues))
        return z3.And(
            *(z3.Distinct(*one) for one in (issues, repos) if len(one) > 1),
            *(one_of(now.at(slot), issues) for slot in slots),
            *(one_of(setting.repo(issue), repos) for issue in issues),
            *(one_of(setting.repo_of_ticket(ticket), repos) for ticket in tickets),
            one_of(WHO, issues),
            one_of(WHOSE, tickets),
            *(z3.Not(setting.needs(issue, issue)) for issue in issues),
            *(z3.And(number >= 0, number <= MOST) for number in numbers),
        )


SIZES: Final = (SmallWorld(1, 1), SmallWorld(2, 1), SmallWorld(2, 2), SmallWorld(3, 2))
"""The smallest comes first, so that the first example is the easiest to read."""


def one_of(term: Term, elements: Sequence[Term]) -> Formula:
    """The term is one of the elements."""
    return z3.Or([term == one for one in elements])
