"""A mutant: one small change to the code, by which a check shows that it can fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["row", "step", "liveness", "executor", "promela"]
Layer = Literal["proof", "search", "promela", "traces", "simulation"]

HAVE_TO_NOTICE: Final[dict[Kind, tuple[Layer, ...]]] = {
    "row": ("proof", "search"),
    "step": ("search",),
    "liveness": ("search",),
    "executor": ("simulation", "traces"),
    "promela": ("promela",),
}
"""The layers that judge the mutants of a kind. All have to notice; of the executor's, one."""
MAY_NOTICE: Final[dict[Kind, tuple[Layer, ...]]] = {
    "row": (),
    "step": ("promela",),
    "liveness": ("promela",),
    "executor": (),
    "promela": (),
}
"""The layers that may notice: layer 3 sees only changes of the states that its worlds reach."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """Replace `old` by `new` in `file`; `old` stands there exactly once.

    `harmless` is the reason why a mutant changes nothing that can be seen; then no layer may
    notice it. `unseen_by` are layers that cannot notice it, for the reason `because`; they must
    not notice it, and the others must.
    """

    name: str
    kind: Kind
    file: str
    old: str
    new: str
    harmless: str = ""
    unseen_by: tuple[Layer, ...] = ()
    because: str = ""

    @property
    def judges(self) -> tuple[Layer, ...]:
        """The layers that judge it."""
        return (*HAVE_TO_NOTICE[self.kind], *MAY_NOTICE[self.kind])

    @property
    def silent(self) -> tuple[Layer, ...]:
        """The layers that must not notice it."""
        return self.judges if self.harmless else self.unseen_by

    def is_silent_for(self, layer: Layer) -> bool:
        """Whether the layer must not notice it."""
        return layer in self.silent

    def applied(self, text: str) -> str:
        """The text of `file` with the change. Raises `ValueError` where it does not fit."""
        if text.count(self.old) != 1:
            raise ValueError(
                f'mutant "{self.name}": its text stands {text.count(self.old)} times in {self.file}'
                ", not once; bring it up to date"
            )
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Kill:
    """How a layer noticed a mutant: which property is broken, and where.

    `steps` is the length of the shortest trace of a search, or the number of schedules or runs
    that were played until one failed.
    """

    property: str
    where: str
    steps: int | None = None
