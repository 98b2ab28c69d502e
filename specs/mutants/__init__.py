"""Small changes to the code, each of which a check has to notice: a check that cannot fail proves
nothing.

`python -m specs.mutants` applies each mutant to a copy of the code, lets the layers judge the copy,
and says who noticed, by which property, after how many steps (specs/README.md has the table).

- of_table.py: mutants of every row of the tables, made from the tables;
- of_model.py: of a guard's meaning, of the step and the state, and of what is to happen in the end;
- of_executor.py: of the scheduler, its sessions and its journal;
- of_recovery.py: of what they do with a journal that is continued;
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
"""All mutants of the code; those of the Promela model are beside it."""
