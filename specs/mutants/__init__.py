"""Small changes to the code. A check has to notice each, because a check that cannot fail proves
nothing.

`python -m specs.mutants` applies each mutant to a copy of the code, lets the layers judge the copy,
and reports which layer noticed it, by which property, after how many steps (table.md).

- of_table.py: mutants of every row of the tables, made from the tables;
- of_model.py: of the meaning of guards, of the step and the state, and of liveness;
- of_executor.py: of the scheduler, its sessions and its journal;
- of_recovery.py: of the recovery from a journal that is continued;
- specs/promela/mutants.py: of the Promela model.
"""

from __future__ import annotations

from typing import Final

from specs.mutants.mutant import Mutant
from specs.mutants.of_executor import EXECUTOR
from specs.mutants.of_model import BETWEEN_RUNS, LIVENESS, PLANS, ROWS, STEPS
from specs.mutants.of_recovery import RECOVERY
from specs.mutants.of_table import OF_TABLE

MUTANTS: Final[tuple[Mutant, ...]] = (
    *OF_TABLE,
    *ROWS,
    *STEPS,
    *BETWEEN_RUNS,
    *PLANS,
    *LIVENESS,
    *EXECUTOR,
    *RECOVERY,
)
"""All mutants of the code; those of the Promela model are in specs/promela/mutants.py."""
