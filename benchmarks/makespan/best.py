"""The best that is known of each instance and cap, kept in `best.json`.

With a slot for each machine, the classic ones have their published values instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, get_args

from benchmarks.makespan import classic, generated
from benchmarks.makespan.instances import Best, Instance
from wavelane import Wave

Collection = Literal["classic", "agent", "hard"]
COLLECTIONS: Final[tuple[Collection, ...]] = get_args(Collection)
_FILE: Final = Path(__file__).with_name("best.json")


class Store:
    """What `best.json` holds."""

    def __init__(self) -> None:
        self._kept: dict[str, list[float]] = {}
        if _FILE.exists():
            self._kept = json.loads(_FILE.read_text(encoding="utf-8"))

    def get(self, name: str, cap: int) -> Best | None:
        """The best that is known, if anything is."""
        found = self._kept.get(f"{name} cap {cap}")
        return Best(*found) if found else None

    def improve(self, name: str, cap: int, found: Best) -> Best:
        """Keep what is better of `found` and what is known."""
        known = self.get(name, cap) or found
        better = Best(min(known.makespan, found.makespan), max(known.bound, found.bound))
        self._kept[f"{name} cap {cap}"] = list(better)
        return better

    def write(self) -> None:
        """Put it on disk, a line each."""
        lines = (f"{json.dumps(key)}: {json.dumps(self._kept[key])}" for key in sorted(self._kept))
        _FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def waves(collection: Collection) -> Iterator[tuple[str, Wave, list[int]]]:
    """All waves of a collection with their names, and the caps under which they are run."""
    if collection == "classic":
        for name in classic.names():
            wave = classic.wave_of(name)
            yield name, wave, [len(wave.repos), len(wave.repos) // 2]
    else:
        for seed in generated.SEEDS:
            wave = generated.wave_of(collection, seed)
            yield f"{collection} {seed}", wave, generated.caps(wave)


def best_of(store: Store, name: str, wave: Wave, cap: int) -> Best | None:
    """What is published, or what is kept."""
    return classic.published(name) if is_published(name, wave, cap) else store.get(name, cap)


def is_published(name: str, wave: Wave, cap: int) -> bool:
    """Whether others have looked for the optimum: classic, and a slot for each machine."""
    is_generated = name.partition(" ")[0] in get_args(generated.Shape)
    return not is_generated and cap == len(wave.repos) and name in classic.documents()


def instances(collection: Collection, every: int = 1) -> list[Instance]:
    """All instances of a collection, or each `every`-th.

    Raises `LookupError` where nothing is known of one.
    """
    store = Store()
    found: list[Instance] = []
    for name, wave, caps in islice(waves(collection), 0, None, every):
        known: dict[int, Any] = {cap: best_of(store, name, wave, cap) for cap in caps}
        if missing := [cap for cap in caps if known[cap] is None]:
            raise LookupError(
                f"nothing is known of {name} at cap {missing[0]}; "
                "run python -m benchmarks.makespan.optima"
            )
        found.append(Instance(name, wave, known))
    return found
