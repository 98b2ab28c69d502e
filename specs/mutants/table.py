"""The recorded table: which layer noticed each mutant, and of which source.

table.json has one line for each mutant, and table.md is the same for people. The `source` of a
mutant is a digest of the text that it changes and of the change itself. If the digest differs
today, the entry is out of date and the mutant has to be tried again. So the files alone, in any
clone, say what is out of date.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from specs.mutants.mutant import Kill, Kind, Mutant
from specs.mutants.report import page
from specs.mutants.trials import ROOT, AnyMutant, Kills, Trial, kind_of
from specs.promela.models import sources

FILE: Final = Path(__file__).with_name("table.json")
PAGE: Final = Path(__file__).with_name("table.md")

Key = tuple[Kind, str]
"""A mutant's kind and name; a name is unique within its kind."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The entry of one mutant: the digest of its source, and the layers that noticed it."""

    source: str
    kills: Kills


Recorded = Mapping[Key, Entry]


def key_of(mutant: AnyMutant) -> Key:
    """The mutant's place in the table."""
    return kind_of(mutant), mutant.name


def source_of(mutant: AnyMutant) -> str:
    """The digest of the text that the mutant changes and of the change."""
    if isinstance(mutant, Mutant):
        said = (ROOT / mutant.file).read_text(encoding="utf-8"), mutant.old, mutant.new
        silent: object = mutant.silent
    else:
        said = "\0".join(sources().values()), mutant.model.file, repr(mutant.edits)
        silent = mutant.how, mutant.property
    return sha256("\0".join((*said, repr(silent))).encode()).hexdigest()[:16]


def recorded(text: str) -> Recorded:
    """The entries of table.json."""
    return {
        (kind, name): Entry(one["source"], {at: k and Kill(**k) for at, k in one["kills"].items()})
        for kind, entries in json.loads(text).items()
        for name, one in entries.items()
    }


def with_trials(table: Recorded, trials: Iterable[Trial]) -> Recorded:
    """The table with these trials, of the sources as they are now."""
    return {
        **table,
        **{key_of(one.mutant): Entry(source_of(one.mutant), one.kills) for one in trials},
    }


def as_text(table: Recorded, mutants: Iterable[AnyMutant]) -> str:
    """table.json: the entries of these mutants, in their order, a line each."""
    kinds: dict[Kind, list[str]] = {}
    for mutant in mutants:
        if entry := table.get(key_of(mutant)):
            kills = {layer: kill and asdict(kill) for layer, kill in entry.kills.items()}
            line = json.dumps({"source": entry.source, "kills": kills}, ensure_ascii=False)
            name = json.dumps(mutant.name, ensure_ascii=False)
            kinds.setdefault(kind_of(mutant), []).append(f"    {name}: {line}")
    parts = (f'  "{kind}": {{\n' + ",\n".join(lines) + "\n  }" for kind, lines in kinds.items())
    return "{\n" + ",\n".join(parts) + "\n}\n"


def as_page(table: Recorded, mutants: Iterable[AnyMutant]) -> str:
    """table.md: the same for people."""
    return page([Trial(one, table[key_of(one)].kills) for one in mutants if key_of(one) in table])


def write(trials: Iterable[Trial], mutants: Iterable[AnyMutant]) -> None:
    """Record trials; the entries of other mutants stay, and those without a mutant go."""
    every = tuple(mutants)
    table = with_trials(recorded(FILE.read_text(encoding="utf-8")), trials)
    FILE.write_text(as_text(table, every), encoding="utf-8")
    PAGE.write_text(as_page(table, every), encoding="utf-8")
