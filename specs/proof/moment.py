"""What the proof knows of a wave: its setting, which never changes, and a moment of it.

A moment has the fields of `wavelane_model.state` as functions on issues and tickets. Three fields
are added, so that the rules can be stated without counting:

- `slot` and `at` number the issues in flight: they are inverse to each other between the issues in
  flight and 0 … in_flight - 1. That ties the counter to the size of the set.
- `joined` and `asked` are the places in the merge queues, handed out by `next_place`.
- `starting` is the issue that was admitted and whose session has not been ordered yet. An
  admission and the start that follows it are one step, so nothing else happens in between.

A move is written as the moment after it, in terms of the moment before; what it does not name
stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, get_type_hints

from specs.proof.logic import (
    BOOL,
    INT,
    ISSUE,
    REPO,
    STATE,
    STATE_OF,
    TICKET,
    Formula,
    Function,
    Sort,
    Term,
    z3,
)
from wavelane_model.lifecycle import LaneRelease


@dataclass(frozen=True)
class Setting:
    """The wave and its limits. `needs(a, b)`: issue a depends on issue b."""

    lane_release: LaneRelease
    repo: ClassVar[Any] = z3.Function("repo", ISSUE, REPO)
    repo_of_ticket: ClassVar[Any] = z3.Function("repo_of_ticket", TICKET, REPO)
    needs: ClassVar[Any] = z3.Function("needs", ISSUE, ISSUE, BOOL)
    ceiling: ClassVar[Any] = z3.Int("ceiling")
    round_limit: ClassVar[Any] = z3.Int("round_limit")
    checkpoint_limit: ClassVar[Any] = z3.Int("checkpoint_limit")
    conflict_limit: ClassVar[Any] = z3.Int("conflict_limit")
    failure_limit: ClassVar[Any] = z3.Int("failure_limit")

    def facts(self) -> Formula:
        """What `Cap` and `Limits` ensure."""
        return z3.And(
            self.ceiling >= 1,
            self.round_limit >= 0,
            self.checkpoint_limit >= 1,
            self.conflict_limit >= 0,
            self.failure_limit >= 0,
        )


@dataclass(frozen=True)
class Moment:
    """The state of a wave at one moment.

    A field is annotated with the sort of its value, after that of its
    argument if it has one.
    """

    state: Annotated[Function, ISSUE, STATE]
    open: Annotated[Function, ISSUE, BOOL]
    untouched: Annotated[Function, ISSUE, BOOL]
    implemented: Annotated[Function, ISSUE, BOOL]
    postponed: Annotated[Function, ISSUE, BOOL]
    reserved: Annotated[Function, ISSUE, BOOL]
    """Its lane is reserved for another issue: what the plan says may change at any time."""
    checkpoints: Annotated[Function, ISSUE, INT]
    rounds: Annotated[Function, ISSUE, INT]
    conflicts: Annotated[Function, ISSUE, INT]
    failures: Annotated[Function, ISSUE, INT]
    holds: Annotated[Function, ISSUE, BOOL]
    """It is the holder of its repo's lane."""
    waits: Annotated[Function, ISSUE, BOOL]
    """It is rework that waits for its repo's lane."""
    queued: Annotated[Function, ISSUE, BOOL]
    """It has a place in its repo's merge queue."""
    turn: Annotated[Function, ISSUE, BOOL]
    """It has its repo's merge turn."""
    joined: Annotated[Function, ISSUE, INT]
    wants: Annotated[Function, TICKET, BOOL]
    """It has a place in its repo's merge queue."""
    granted: Annotated[Function, TICKET, BOOL]
    """It has its repo's merge turn."""
    asked: Annotated[Function, TICKET, INT]
    next_place: Annotated[Term, INT]
    slot: Annotated[Function, ISSUE, INT]
    at: Annotated[Function, INT, ISSUE]
    in_flight: Annotated[Term, INT]
    starting: Annotated[Function, ISSUE, BOOL]
    level: Annotated[Term, INT]
    before_pause: Annotated[Term, INT]
    highest: Annotated[Term, INT]
    started: Annotated[Term, BOOL]
    ended: Annotated[Term, BOOL]
    cut_off: Annotated[Term, BOOL]
    """It has ended by being cut off."""
    stopping: Annotated[Term, BOOL]


SORTS: Final[dict[str, tuple[Sort, ...]]] = {
    name: hint.__metadata__ for name, hint in get_type_hints(Moment, include_extras=True).items()
}
"""Of each field the sort of its value, after that of its argument if it has one."""


def any_moment() -> Moment:
    """A moment about which nothing is assumed."""
    return Moment(
        **{
            name: z3.Function(name, *sorts) if len(sorts) == 2 else z3.Const(name, sorts[0])
            for name, sorts in SORTS.items()
        }
    )


def first_moment(setting: Setting) -> Moment:
    """The wave before it starts, with the cap at its ceiling."""
    blank = any_moment()
    values: dict[str, Any] = {}
    for name, sorts in SORTS.items():
        if sorts[-1] == BOOL:
            values[name] = _always(z3.BoolVal(False), sorts)
        elif sorts[-1] == INT:
            values[name] = _always(z3.IntVal(0), sorts)
        else:
            values[name] = getattr(blank, name)
    values["state"] = _always(STATE_OF["queued"], SORTS["state"])
    values["level"] = values["before_pause"] = setting.ceiling
    return Moment(**values)


def _always(value: Term, sorts: tuple[Sort, ...]) -> Any:
    return (lambda x: value) if len(sorts) == 2 else value
