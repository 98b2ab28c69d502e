"""Layer 3: an independent model in Promela, checked by spin.

Read wave.pml for the model, check.py for what is asked of it, graphs.py for how it is compared
with the real step, mutants.py for how it is shown that all of this can fail.
"""

from specs.promela.check import run

__all__ = ["run"]
