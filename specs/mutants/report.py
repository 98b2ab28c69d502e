"""The results of trials: a line each, as JSON, and as the page for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from specs.mutants.mutant import Kill, Kind, Layer, Mutant
from specs.mutants.trials import AnyMutant, Trial, kind_of

TITLE: Final = """# Mutants, and which layer noticed each

Written by `python -m specs.mutants --all --write`; [specs/README.md](../README.md#mutants) says
what a mutant is. The number in the last column is the length of the shortest trace of the search,
or how many schedules or journals it took.
"""
KINDS: Final[dict[Kind, str]] = {
    "row": "a row of a table, or what a guard means: the proof and the search",
    "step": "the step or the state: the search",
    "liveness": "what is to happen in the end: the search for fair cycles",
    "executor": "the scheduler, its sessions, its journal: the simulation or the traces",
    "promela": "the Promela model: spin",
}
_HEAD: Final = (
    "| mutant | noticed by | property | where, and in how many steps |\n|---|---|---|---|"
)


def as_json(trial: Trial) -> dict[str, Any]:
    """A trial for machines."""
    mutant = trial.mutant
    return {
        "mutant": mutant.name,
        "kind": trial.kind,
        "kills": {layer: kill and asdict(kill) for layer, kill in trial.kills.items()},
        "reason": _reason(mutant),
        "error": trial.error,
    }


def as_line(trial: Trial) -> str:
    """A trial in one line of text."""
    word = "WRONG" if trial.error else "ok"
    who = "; ".join(f"{layer}: {_as_text(kill)}" for layer, kill in _kills(trial.kills))
    return f"{word:6}{trial.kind:9}{trial.mutant.name}: {trial.error or who or 'harmless'}"


def page(trials: Sequence[Trial]) -> str:
    """The page for people: counts, and one table a kind."""
    tables = (line for kind in KINDS for line in _table(kind, trials))
    return "\n".join([TITLE, *_counts(trials), *tables])


def names_of(mutants: Sequence[AnyMutant]) -> dict[Kind, list[str]]:
    """The names of the mutants in the table, by kind."""
    return {kind: [one.name for one in mutants if kind_of(one) == kind] for kind in KINDS}


def _counts(trials: Sequence[Trial]) -> Iterator[str]:
    yield "| kind: who has to notice | mutants | noticed | harmless |"
    yield "|---|---|---|---|"
    for kind, title in KINDS.items():
        of_kind = [one for one in trials if one.kind == kind]
        harmless = [one for one in of_kind if _is_harmless(one.mutant)]
        noticed = [one for one in of_kind if any(one.kills.values())]
        yield f"| {title} | {len(of_kind)} | {len(noticed)} | {len(harmless)} |"
    yield ""


def _table(kind: Kind, trials: Sequence[Trial]) -> Iterator[str]:
    yield f"{_title(kind)}\n{_HEAD}"
    yield from (line for trial in trials if trial.kind == kind for line in _rows(trial))
    yield ""


def _title(kind: Kind) -> str:
    return f"### Mutants: {kind}\n"


def _rows(trial: Trial) -> Iterator[str]:
    name = trial.mutant.name
    for layer, kill in _kills(trial.kills):
        steps = "" if kill.steps is None else f", {kill.steps}"
        yield f"| {name} | {layer} | {kill.property} | {_cell(kill.where)}{steps} |"
        name = ""
    if reason := _reason(trial.mutant):
        who = "no layer" if _is_harmless(trial.mutant) else f"not by {_unseen(trial.mutant)}"
        yield f"| {name} | {who} | | {_cell(reason)} |"


def _kills(kills: Mapping[Layer, Kill | None]) -> Iterator[tuple[Layer, Kill]]:
    return ((layer, kill) for layer, kill in kills.items() if kill is not None)


def _as_text(kill: Kill) -> str:
    steps = "" if kill.steps is None else f", {kill.steps}"
    return f"{kill.property} ({kill.where}{steps})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _is_harmless(mutant: AnyMutant) -> bool:
    return isinstance(mutant, Mutant) and bool(mutant.harmless)


def _unseen(mutant: AnyMutant) -> str:
    return ", ".join(mutant.unseen_by) if isinstance(mutant, Mutant) else ""


def _reason(mutant: AnyMutant) -> str:
    return (mutant.harmless or mutant.because) if isinstance(mutant, Mutant) else ""
