"""Mutants of every row of both tables: each guard dropped, each guard inverted, a wrong target.

They are made from the tables, so a new row has its mutants at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from specs.mutants.mutant import Layer, Mutant
from wavelane_model.cap import CAP_TABLE, CapGuard, CapRow, CapTarget
from wavelane_model.lifecycle import TABLE, Row, State

LIFECYCLE: Final = "model/wavelane_model/lifecycle.py"
CAP: Final = "model/wavelane_model/cap.py"
_INDENT: Final = "    "
_WIDTH: Final = 100


def of_table(table: tuple[Row, ...] = TABLE) -> Iterator[Mutant]:
    """All mutants of the issue table."""
    for row in table:
        for name, changed in _changes(row):
            yield _mutant(name, LIFECYCLE, written(row), written(changed))


def of_cap_table(table: tuple[CapRow, ...] = CAP_TABLE) -> Iterator[Mutant]:
    """All mutants of the cap table.

    Its rows have no way to say "unless": a guard is inverted where its opposite is a guard as well;
    the others are inverted where their meaning stands (of_model.py).
    """
    for row in table:
        for name, changed in _cap_changes(row):
            yield _mutant(name, CAP, written(row), written(changed))


def _mutant(name: str, file: str, old: str, new: str) -> Mutant:
    unseen_by, because = UNSEEN.get(name, ((), ""))
    return Mutant(name, "row", file, old, new, HARMLESS.get(name, ""), unseen_by, because)


def written(row: Row | CapRow) -> str:
    """A row as written in its file, with the comma behind it."""
    values = list(row)
    while values[-1] == () and isinstance(row, Row):
        values.pop()
    parts = [_tuple(value) if isinstance(value, tuple) else _quoted(value) for value in values]
    name = type(row).__name__
    line = f"{_INDENT}{name}({', '.join(parts)}),"
    if len(line) <= _WIDTH:
        return line
    lines = "".join(f"{_INDENT * 2}{part},\n" for part in parts)
    return f"{_INDENT}{name}(\n{lines}{_INDENT}),"


def _tuple(guards: tuple[str, ...]) -> str:
    comma = "," if len(guards) == 1 else ""
    return f"({', '.join(map(_quoted, guards))}{comma})"


def _quoted(word: str) -> str:
    return f'"{word}"'


def _changes(row: Row) -> Iterator[tuple[str, Row]]:
    name = f"{row.trigger} {row.source} → {row.target}"
    for guard in row.guards:
        rest = tuple(one for one in row.guards if one != guard)
        yield f"{name}, without {guard}", row._replace(guards=rest)
        yield f"{name}, unless {guard}", row._replace(guards=rest, unless=(*row.unless, guard))
    for guard in row.unless:
        rest = tuple(one for one in row.unless if one != guard)
        yield f"{name}, even if {guard}", row._replace(unless=rest)
        yield f"{name}, only if {guard}", row._replace(guards=(*row.guards, guard), unless=rest)
    yield f"{name}, to {_other(row)}", row._replace(target=_other(row))


def _other(row: Row) -> State:
    """A wrong target: done where that is wrong, and parked where it is right."""
    return "parked" if row.target == "done" else "done"


def _cap_changes(row: CapRow) -> Iterator[tuple[str, CapRow]]:
    name = f"cap {row.move}"
    for guard in row.guards:
        rest = tuple(one for one in row.guards if one != guard)
        yield f"{name}, without {guard}", row._replace(guards=rest)
        if guard in _OPPOSITE:
            yield (
                f"{name}, unless {guard}",
                row._replace(guards=(*rest, _OPPOSITE[guard])),
            )
    yield f"{name}, to {_OTHER[row.target]}", row._replace(target=_OTHER[row.target])


_OPPOSITE: Final[dict[CapGuard, CapGuard]] = {"is_open": "is_paused", "is_paused": "is_open"}
_OTHER: Final[dict[CapTarget, CapTarget]] = {
    "one_lower": "paused",
    "one_higher": "level_before_pause",
    "level_asked": "paused",
    "paused": "one_lower",
    "level_before_pause": "one_higher",
}
_IS_RUNNING: Final = "an issue that is running has an open session; its state says it"
HARMLESS: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "implemented running → review, without session_open",
            "checkpoint running → admitted, without session_open",
            "checkpoint running → parked, without session_open",
            "fail running → admitted, without session_open",
            "fail running → parked, without session_open",
            "postpone running → queued, without session_open",
            "withhold running → queued, without session_open",
            "withhold running → admitted, without session_open",
        ),
        _IS_RUNNING,
    ),
    "withhold review → queued, without session_open": (
        "only a start of an untouched issue is withheld so, and an untouched review starts at once"
    ),
    "begin_merge merging → merging, even if session_open": (
        "the issue whose merge is under way has the turn, and then no other one is offered"
    ),
}
_BEGINS_AT_ONCE: Final = (
    "a step is taken whole: what is only to be reviewed begins in the step that admits it, where "
    "sessions are allowed and it has the lane; the proof lets other moves come between"
)
UNSEEN: Final[dict[str, tuple[tuple[Layer, ...], str]]] = {
    **dict.fromkeys(
        (
            "begin admitted → review, without sessions_allowed",
            "begin admitted → review, without has_lane",
        ),
        (("search",), _BEGINS_AT_ONCE),
    ),
}
OF_TABLE: Final = (*of_table(), *of_cap_table())
