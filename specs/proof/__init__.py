"""Layer 1: a proof for any number of issues, repos and dependencies, by z3.

The rows, guard names and lane states are those of the model's tables. Only the meaning of each
guard (guards.py) and the effect of each move (moves.py) are written a second time, in logic, on
uninterpreted sorts (moment.py). The layer shows:

- `always`: every rule (rules.py) holds at first, and every move keeps it (induction.py);
- `always one row`: at most one row of each trigger and source applies at a time;
- `sometimes`: the rules are not vacuous: every move, guard and state has an example (examples.py);
- `same`: guards and moves agree with the model's in states that the real step reaches
  (agreement.py, which evaluates the formulas as Python by reading.py).
"""

from __future__ import annotations

from specs.proof import agreement, examples, induction
from specs.proof.verdict import results
from specs.results import Result
from wavelane_model.cap import CAP_TABLE, CapRow
from wavelane_model.lifecycle import TABLE, Row


def run(nightly: bool = False) -> list[Result]:
    """Prove all rules of the tables as they stand; `nightly` compares more states."""
    return [*prove(TABLE, CAP_TABLE), *agreement.agreed(nightly)]


def prove(
    table: tuple[Row, ...] = TABLE, cap_table: tuple[CapRow, ...] = CAP_TABLE
) -> list[Result]:
    """Prove all rules of these tables, and that there is an example of everything."""
    return [
        *results(induction.proved(table, cap_table)),
        *results(examples.found(table, cap_table)),
    ]
