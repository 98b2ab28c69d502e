"""What the trials say, as a table: for people, for machines, and in specs/README.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from specs.mutants.mutant import Kill, Kind, Layer, Mutant
from specs.mutants.trials import AnyMutant, Trial, kind_of

README: Final = Path(__file__).parents[1] / "README.md"
BEGIN: Final = "<!-- begin of the mutants: python -m specs.mutants --write -->"
END: Final = "<!-- end of the mutants -->"
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
        "objection": trial.objection,
    }


def as_line(trial: Trial) -> str:
    """A trial in one line of text."""
    word = "WRONG" if trial.objection else "ok"
    who = "; ".join(f"{layer}: {_told(kill)}" for layer, kill in _kills(trial.kills))
    return f"{word:6}{trial.kind:9}{trial.mutant.name}: {trial.objection or who or 'harmless'}"


def written(text: str, trials: Sequence[Trial]) -> str:
    """The text of the README with this table in it. Raises `ValueError` without its markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{README} lacks the lines {BEGIN!r} and {END!r}; put them back")
    return f"{before}{BEGIN}\n\n{chapter(trials)}\n{END}{after}"


def chapter(trials: Sequence[Trial]) -> str:
    """What stands between the markers: counts, and one table a kind."""
    return "\n".join([*_counts(trials), *(line for kind in KINDS for line in _table(kind, trials))])


def names(text: str) -> dict[Kind, list[str]]:
    """The names of the mutants in the README's table, by kind."""
    found: dict[Kind, list[str]] = {}
    for kind in KINDS:
        part = text.partition(BEGIN)[2].partition(END)[0].partition(_title(kind))[2]
        lines = part.partition("\n### ")[0].splitlines()
        cells = (line.split(" | ")[0].removeprefix("| ") for line in lines if line[:2] == "| ")
        found[kind] = [cell for cell in cells if cell not in ("", "mutant")]
    return found


def names_of(mutants: Sequence[AnyMutant]) -> dict[Kind, list[str]]:
    """The names of the mutants that are to stand in the table, by kind."""
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
        who = "nobody" if _is_harmless(trial.mutant) else f"not by {_unseen(trial.mutant)}"
        yield f"| {name} | {who} | | {_cell(reason)} |"


def _kills(kills: Mapping[Layer, Kill | None]) -> Iterator[tuple[Layer, Kill]]:
    return ((layer, kill) for layer, kill in kills.items() if kill is not None)


def _told(kill: Kill) -> str:
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
