"""The steps of an issue that the pipeline is called for: implement, review, merge."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from wavelane_model.effects import StartImplementing, StartMerging, StartReviewing
from wavelane_model.lifecycle import State
from wavelane_model.outcomes import Implemented, Merged, Outcome

Step = Literal["implement", "review", "merge"]
StartOrder = StartImplementing | StartReviewing | StartMerging


class StepKind(NamedTuple):
    """What one kind of start order asks for."""

    step: Step
    state: State
    default: Outcome | None
    """The outcome that None stands for."""


KINDS: Final[dict[type[StartOrder], StepKind]] = {
    StartImplementing: StepKind("implement", "running", Implemented()),
    StartReviewing: StepKind("review", "review", None),
    StartMerging: StepKind("merge", "merging", Merged()),
}
