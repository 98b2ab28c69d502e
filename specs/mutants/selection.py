"""Which mutants a change has to run: those whose source it touches, and a sample of all others.

A mutant's source is touched if its digest differs from the recorded one. The sample has one mutant
of each kind for each layer that has to notice it, or may: so every run shows that every layer can
still fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from specs.mutants.mutant import HAVE_TO_NOTICE, MAY_NOTICE, Kind, Layer, Mutant
from specs.mutants.table import Recorded, key_of, source_of
from specs.mutants.trials import AnyMutant, kind_of


def selected(mutants: Sequence[AnyMutant], table: Recorded) -> list[AnyMutant]:
    """The sample first, then those whose source is touched, in an order without a bias.

    The order follows from the digests: it is the same in every clone, but differs after each
    change, so that a short run does not always leave out the same mutants.
    """
    first = sample(mutants, table)
    known = {key_of(one) for one in first}
    touched = [one for one in mutants if is_touched(one, table) and key_of(one) not in known]
    return [*first, *sorted(touched, key=source_of)]


def is_touched(mutant: AnyMutant, table: Recorded) -> bool:
    """Whether the mutant, or the text that it changes, differs from what was recorded."""
    entry = table.get(key_of(mutant))
    return entry is None or entry.source != source_of(mutant)


def sample(mutants: Iterable[AnyMutant], table: Recorded) -> list[AnyMutant]:
    """One mutant of each kind for each layer that is recorded to have noticed one."""
    found: dict[tuple[Kind, Layer], AnyMutant] = {}
    for mutant in sorted(mutants, key=source_of):
        kind = kind_of(mutant)
        for layer in (*HAVE_TO_NOTICE[kind], *MAY_NOTICE[kind]):
            if _is_noticed_by(mutant, layer, table):
                found.setdefault((kind, layer), mutant)
    return list({key_of(one): one for one in found.values()}.values())


def _is_noticed_by(mutant: AnyMutant, layer: Layer, table: Recorded) -> bool:
    if isinstance(mutant, Mutant) and mutant.is_silent_for(layer):
        return False
    entry = table.get(key_of(mutant))
    return entry is None or entry.kills.get(layer) is not None
