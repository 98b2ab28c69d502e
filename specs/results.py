"""What a layer of checks says: one result a property."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One property, checked by one layer.

    `amount` and `unit` say how much was looked at: states, obligations, schedules. `detail` says
    what is wrong where it failed (a trace, a counterexample), and may note a figure where not.
    """

    layer: str
    property: str
    passed: bool
    amount: int
    unit: str
    seconds: float
    detail: str = ""
