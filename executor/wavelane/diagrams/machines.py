"""The two state machines as drawings.

The drawings show what the `transitions` machines answer: their states, and for each event its
transitions with their conditions. Only three things are decided here:

1. Moves with the same source and target share an edge.
2. A move that every state in flight can make, to the same target under the same conditions, is
   drawn once, from the frame around them.
3. A move of the cap that leads from every state to every other one is written, not drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from wavelane.diagrams.drawing import Drawing, Edge, Label, Node, Role
from wavelane_model import cap as cap_model
from wavelane_model import lifecycle

if TYPE_CHECKING:
    from transitions import Machine

FLIGHT: Final = "in_flight"
CEILING: Final = 3
_FAR: Final = 2
"""States outside the frame that are further apart than this do not shape each other's layers."""


class Transition(NamedTuple):
    """One transition of a machine; a condition that must not hold begins with "not "."""

    trigger: str
    source: str
    target: str
    conditions: tuple[str, ...]

    @property
    def label(self) -> Label:
        """The label at its edge."""
        return Label(self.trigger, self.conditions)


def transitions_of(machine: Machine) -> Iterator[Transition]:
    """All transitions of a machine, as it lists them."""
    for trigger, event in machine.events.items():
        for source, found in event.transitions.items():
            for one in found:
                conditions = (
                    str(check.func) if check.target else f"not {check.func}"
                    for check in one.conditions
                )
                yield Transition(trigger, source, one.dest or source, tuple(conditions))


def issue() -> Drawing:
    """The lifecycle of an issue."""
    machine = lifecycle.machine()
    framed = list(_framed(list(transitions_of(machine))))
    path = _path(machine)
    return Drawing(
        name="issue",
        title="The life of an issue",
        nodes=tuple(_issue_node(name, path, framed) for name in machine.states),
        edges=tuple(_issue_edges(path, framed)),
        groups={FLIGHT: "in flight"},
        caption=(
            "[ ] all of these guards must hold",
            "↺ stays in its state",
            "an arrow from the frame: from each of the states in it",
        ),
    )


def _framed(found: list[Transition]) -> Iterator[Transition]:
    """The transitions, with those that all states in flight share leading from the frame."""
    sources: dict[Transition, set[str]] = {}
    for one in found:
        sources.setdefault(one._replace(source=FLIGHT), set()).add(one.source)
    written: set[Transition] = set()
    for one in found:
        shared = one._replace(source=FLIGHT)
        if one.source not in lifecycle.IN_FLIGHT or lifecycle.IN_FLIGHT - sources[shared]:
            yield one
        elif shared not in written:
            written.add(shared)
            yield shared


def _path(machine: Machine) -> list[str]:
    """The path of an issue on which nothing goes wrong: the states in order, up to done."""
    names = list(machine.states)
    return names[: names.index("done") + 1]


def _issue_node(name: str, path: list[str], found: Iterable[Transition]) -> Node:
    return Node(
        name,
        sentence=lifecycle.STATES[name],  # type: ignore[index]
        stays=tuple(one.label for one in found if one.source == one.target == name),
        group=FLIGHT if name in lifecycle.IN_FLIGHT else "",
        role=_role_off(name, path, found) or "path",
    )


def _role_off(name: str, path: list[str], found: Iterable[Transition]) -> Role | None:
    """The role of a state that is not on the path."""
    if name in path:
        return None
    return "halt" if any(one.source == name for one in found if one.target in path) else "final"


def _issue_edges(path: list[str], found: list[Transition]) -> Iterator[Edge]:
    outside = [path[0], FLIGHT, *(s for s in lifecycle.STATES if s not in (path[0], FLIGHT))]
    outside = [name for name in outside if name not in lifecycle.IN_FLIGHT]
    for (source, target), labels in _by_ends(found).items():
        if source == target:
            continue
        far = (
            source in outside
            and target in outside
            and abs(outside.index(source) - outside.index(target)) > _FAR
        )
        yield Edge(
            source,
            target,
            labels,
            role=_role_off(target, path, found) or _role_on(source, target, path),
            shapes_layers=not far,
        )


def _by_ends(found: Iterable[Transition]) -> dict[tuple[str, str], tuple[Label, ...]]:
    ends: dict[tuple[str, str], tuple[Label, ...]] = {}
    for one in found:
        key = (one.source, one.target)
        ends[key] = (*ends.get(key, ()), one.label)
    return ends


def _role_on(source: str, target: str, path: list[str]) -> Role:
    """The role of an edge to a state on the path."""
    if target == path[0]:
        return "back"
    if source == FLIGHT:
        return "forward"
    ahead = path.index(target) - path.index(source)
    if ahead == 1:
        return "path"
    return "forward" if ahead > 1 else "rework"


_CAP_ROLES: Final[dict[str, Role]] = {
    "step_down": "path",
    "step_up": "forward",
    "set": "back",
    "pause": "halt",
    "resume": "rework",
}


def cap() -> Drawing:
    """The cap with a ceiling of 3."""
    machine = cap_model.machine(CEILING)
    found = list(transitions_of(machine))
    everywhere = sorted(trigger for trigger in machine.events if _leads_everywhere(trigger, found))
    drawn = [one for one in found if one.trigger not in everywhere]
    return Drawing(
        name="cap",
        title=f"The cap, with a ceiling of {CEILING}",
        nodes=tuple(_cap_node(name) for name in machine.states),
        edges=tuple(
            Edge(
                source,
                target,
                labels,
                role=_CAP_ROLES[labels[0].name],
                shapes_layers=labels[0].name == "step_down",
            )
            for (source, target), labels in _by_ends(drawn).items()
        ),
        groups={},
        caption=tuple(
            f"not drawn: {trigger} leads from every level to every other one: "
            + _cases(trigger, list(machine.states), found)
            for trigger in everywhere
        ),
        direction="LR",
    )


def _leads_everywhere(trigger: str, found: Iterable[Transition]) -> bool:
    ends = {(one.source, one.target) for one in found if one.trigger == trigger}
    names = {source for source, _ in ends}
    return ends == {(source, target) for source in names for target in names if source != target}


def _cases(trigger: str, names: list[str], found: Iterable[Transition]) -> str:
    """The target for each condition, for a move that is written in words."""
    cases = {one.label: one.target for one in found if one.trigger == trigger}
    written = sorted(cases.items(), key=lambda case: names.index(case[1]))
    return ", ".join(f"{label} to {target}" for label, target in written)


def _cap_node(name: str) -> Node:
    if name == cap_model.level_name(0):
        return Node(name, "no session starts; merges go through", role="halt")
    plural = "" if name == "1" else "s"
    return Node(name, f"at most {name} issue{plural} in flight")
