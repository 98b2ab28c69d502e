"""The verdict on one obligation, and the result of a property."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specs.results import Result

SHOWN = 12
"""How many failed obligations are named; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one obligation of a property holds, and why not.

    `unit` names what is counted when the verdicts of a property are summed up.
    """

    property: str
    what: str
    holds: bool
    seconds: float
    why: str = ""
    unit: str = "obligations"


def results(verdicts: Iterable[Verdict]) -> list[Result]:
    """One result a property, in the order in which they come up."""
    by_property: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_property.setdefault(verdict.property, []).append(verdict)
    return [_result(name, found) for name, found in by_property.items()]


def _result(name: str, found: Sequence[Verdict]) -> Result:
    failed = [one for one in found if not one.holds]
    return Result(
        "proof",
        name,
        not failed,
        len(found),
        found[0].unit,
        sum(one.seconds for one in found),
        _detail(failed),
    )


def _detail(failed: Sequence[Verdict]) -> str:
    """The shortest reason in full, and the names of the others."""
    if not failed:
        return ""
    shown = min(failed, key=lambda one: len(one.why))
    others = [one.what for one in failed if one is not shown]
    lines = [shown.what, shown.why]
    if others:
        more = f", and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        lines.append(f"not shown either: {'; '.join(others[:SHOWN])}{more}")
    return "\n".join(lines)
