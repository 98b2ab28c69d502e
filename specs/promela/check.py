"""Checks the Promela model with spin, and compares it with the real step.

- `always`: the rules, as assertions, in every state and at every start;
- `eventually`: LTL properties, of runs in which each session ends in the end (weak fairness);
- `sometimes`: examples that must exist: spin has to refute that there is none. An unfair run is one
  of them: without fairness `progress` must not hold, or the property would be vacuous;
- `same as the step`: both reach the same states by the same transitions (specs/promela/graphs.py).

An example that is not expected in a world must not exist there either: in the strict policy
no issue ever waits for a merge turn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from specs.promela.graphs import by_spin, by_step, differences
from specs.promela.models import MODELS, Model
from specs.promela.spin import Verifier, require_tools
from specs.results import Result

ALWAYS: Final[dict[str, str]] = {
    "lane": "a repo has at most one active issue",
    "cap": "an issue is admitted only while fewer than the level are in flight",
    "merge": "a repo has one merge under way at most, in the order of approval",
    "order": "an issue is admitted only when all that it depends on is done",
    "pause": "no session starts at level 0",
    "bound": "never more in flight than the highest level in force since the run began",
    "glide": "no move of the cap ends a session",
    "reservation": "what comes after an issue is not admitted while its lane is reserved for that; "
    "a reservation ends with its run, when its issue goes, and when what that needs, directly or "
    "not, waits for a human",
    "plan": "of all that could be admitted the first goes first: by priority, and then by the plan",
}
EVENTUALLY: Final[dict[str, str]] = {
    "progress": "if sessions end, reservations end at their time, and the cap is above 0 again and "
    "again, the wave ends, however often a new plan comes",
    "drain": "paused or not, what runs ends and merges that were ready go through",
    "continuation": "after a run that was cut off comes another one",
}
SOMETIMES: Final[dict[str, str]] = {
    "pause_for_ever": "a wave that is paused for ever does not end",
    "full_cap": "as many issues are in flight as the ceiling allows",
    "lowered_cap": "more issues are in flight than the cap, which was lowered, allows now",
    "waiting_review": "a review waits until the pause is over",
    "merge_queue": "an approved issue waits for its merge turn",
    "rework_queue": "an issue that is to be changed waits for its lane",
    "blocked_end": "the wave ends blocked",
    "complete_end": "the wave ends complete",
    "cut_off_merge": "a run is cut off during a merge",
    "second_cut_off": "a run that goes on after one that was cut off is cut off too",
    "wait_for_time": "a wave that is not paused waits for nothing but the time of a reservation",
    "reservation_between_runs": "a lane is to be reserved in the next run",
    "unfair_run": "without fairness the wave need not end",
}
_SHOWN: Final = 5
"""How many differences are shown."""


@dataclass(slots=True)
class _Row:
    """One property over all worlds."""

    amount: int = 0
    unit: str = "states"
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)


class _Check:
    def __init__(self) -> None:
        self.rows: dict[str, _Row] = {}

    def results(self) -> list[Result]:
        return [
            Result(
                "promela",
                name,
                not row.findings,
                row.amount,
                row.unit,
                row.seconds,
                "\n".join(row.findings),
            )
            for name, row in self.rows.items()
        ]

    def row(self, name: str, unit: str = "states") -> _Row:
        return self.rows.setdefault(name, _Row(unit=unit))

    def look_at(self, model: Model) -> None:
        with model.compiled("safety") as verifier:
            self._always(model, verifier)
        with model.compiled("ltl") as verifier:
            self._eventually(model, verifier)
            self._sometimes(model, verifier)

    def _always(self, model: Model, verifier: Verifier) -> None:
        began = perf_counter()
        answer = verifier.safety()
        trace = verifier.trace() if answer.violated else ""
        for rule in ALWAYS:
            row = self.row(f"always {rule}")
            row.amount += answer.states
            if f"{rule}_rule" in answer.violated:
                row.findings.append(f"broken in {model.file}; the first break of a rule:\n{trace}")
        searched = perf_counter()
        self.row(f"always {next(iter(ALWAYS))}").seconds += searched - began
        same = self.row(f"same as the step: {model.world.name}")
        same.amount += answer.states
        if answer.violated:
            same.findings.append(f"not compared: rules are broken in {model.file}")
        else:
            same.findings += _shown(differences(by_step(model.world), by_spin(answer)))
        same.seconds += perf_counter() - searched

    def _eventually(self, model: Model, verifier: Verifier) -> None:
        for name in EVENTUALLY:
            row = self.row(f"eventually {name}")
            began = perf_counter()
            answer = verifier.ltl(name)
            if answer.refuted:
                row.findings.append(f"refuted in {model.file}:\n{verifier.trace(name)}")
            row.amount += answer.states
            row.seconds += perf_counter() - began

    def _sometimes(self, model: Model, verifier: Verifier) -> None:
        for name in SOMETIMES:
            row = self.row(f"sometimes {name}", "examples")
            began = perf_counter()
            if name == "unfair_run":
                exists, expected = verifier.ltl("progress", fair=False).refuted, True
            else:
                exists, expected = verifier.ltl(f"no_{name}").refuted, name in model.examples
            row.amount += exists
            if exists is not expected:
                row.findings.append(f"there is {'one' if exists else 'none'} in {model.file}")
            row.seconds += perf_counter() - began


def run(nightly: bool = False) -> list[Result]:
    """Check all worlds in Promela; those that are too large for CI only with `nightly`.

    The seconds of the search for broken rules stand with the first of them. Raises `SpinError`
    where spin or gcc is missing or gives no answer that can be relied on.
    """
    require_tools()
    check = _Check()
    for model in MODELS:
        if nightly or not model.nightly:
            check.look_at(model)
    return sorted(check.results(), key=_kind)


def _kind(result: Result) -> int:
    return ("always", "eventually", "sometimes", "same").index(result.property.split()[0])


def _shown(found: list[str]) -> list[str]:
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return found[:_SHOWN] + more
