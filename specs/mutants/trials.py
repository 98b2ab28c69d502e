"""Trials: mutants are applied to a copy of the code, and the layers judge the copy.

A process of its own judges each copy, so that it can be ended when a step never returns. A judge
that never ends has noticed the mutant.
"""

from __future__ import annotations

import compileall
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final, TypeVar

from specs.mutants.judges import JUDGES, SCHEDULES, SHARED
from specs.mutants.mutant import HAVE_TO_NOTICE, Kill, Kind, Layer, Mutant
from specs.promela.graphs import Graph, by_spin
from specs.promela.models import Model
from specs.promela.mutants import Mutant as PromelaMutant
from specs.promela.mutants import judge
from wavelane_model.cap import CAP_TABLE
from wavelane_model.lifecycle import TABLE

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = ("model", "executor", "specs")
TRIAL_TIMEOUT: Final = 600
"""Seconds for the judges of one copy; a judge that waits for ever uses no processor time."""
ENDLESS: Final = Kill("never ends", "")

Result = TypeVar("Result")
AnyMutant = Mutant | PromelaMutant
Kills = dict[Layer, Kill | None]
"""By layer, how it noticed a mutant, or None. A layer after one that never ends is missing."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The verdicts of the layers on a mutant."""

    mutant: AnyMutant
    kills: Kills

    @property
    def kind(self) -> Kind:
        """The mutant's kind."""
        return kind_of(self.mutant)

    @property
    def error(self) -> str:
        """What is wrong with the trial; empty if nothing is."""
        noticed = {layer for layer, kill in self.kills.items() if kill is not None}
        silent = set(_silent(self.mutant))
        if wrong := noticed & silent:
            return f"is not to be noticed by {_and(wrong)}, and is"
        if self.kind == "executor" and noticed:
            return ""
        missing = set(HAVE_TO_NOTICE[self.kind]) - silent - noticed
        return f"is not noticed by {_and(missing)}" if missing else ""


def kind_of(mutant: AnyMutant) -> Kind:
    """The kind of a mutant of the code or of the Promela model."""
    return mutant.kind if isinstance(mutant, Mutant) else "promela"


def _silent(mutant: AnyMutant) -> tuple[Layer, ...]:
    return mutant.silent if isinstance(mutant, Mutant) else ()


def _and(layers: Iterable[str]) -> str:
    return " and ".join(sorted(layers))


def tried(
    mutants: Sequence[AnyMutant],
    jobs: int,
    schedules: int = SCHEDULES,
    seconds: float | None = None,
) -> Iterator[Trial]:
    """Try the mutants, `jobs` at a time, and yield each trial in order.

    An executor counts as right after `schedules` without a failure. No trial begins after
    `seconds`; those that have not begun are left out.
    """
    of_code = [one for one in mutants if isinstance(one, Mutant)]
    end = inf if seconds is None else monotonic() + seconds
    groups = {
        (one.name, layer): group
        for layer, group in _expected_to_be_silent(of_code)
        for one in group
    }
    silence: dict[tuple[str, Layer], Future[dict[str, Kill | None] | None]] = {}
    alone: list[Future[Kills | None]] = []
    with _bench(of_code, schedules) as bench, _pool(jobs) as pool:
        for mutant in mutants:
            for layer in _silent(mutant):
                if (mutant.name, layer) not in silence:
                    group = groups[mutant.name, layer]
                    silent = pool.submit(_before, end, lambda of=(layer, group): bench.silence(*of))
                    silence |= {(one.name, layer): silent for one in group}
            alone.append(pool.submit(_before, end, lambda one=mutant: _alone(one, bench)))
        for mutant, future in zip(mutants, alone, strict=True):
            kills = future.result()
            unseen: Kills = {}
            for layer in _silent(mutant):
                if (found := silence[mutant.name, layer].result()) is None:
                    kills = None
                else:
                    unseen[layer] = found[mutant.name]
            if kills is not None:
                yield Trial(mutant, {**kills, **unseen})


def _before(end: float, work: Callable[[], Result]) -> Result | None:
    """The result of the work; None where it is too late to begin it."""
    return work() if monotonic() < end else None


@contextmanager
def _pool(jobs: int) -> Iterator[ThreadPoolExecutor]:
    """A pool that leaves undone what has not begun when it is left."""
    pool = ThreadPoolExecutor(jobs)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _alone(mutant: AnyMutant, bench: Bench) -> Kills:
    """The verdicts of the layers that have to notice the mutant, or may."""
    if isinstance(mutant, PromelaMutant):
        kill = Kill(mutant.property, f"{mutant.how}, {mutant.model.file}")
        return {"promela": kill if judge(mutant).killed else None}
    layers: list[Layer] = [layer for layer in mutant.judges if not mutant.is_silent_for(layer)]
    return bench.judged([mutant], layers) if layers else {}


def _expected_to_be_silent(mutants: Sequence[Mutant]) -> Iterator[tuple[Layer, list[Mutant]]]:
    """By layer, the mutants that it must not notice, in groups that fit into one copy."""
    for layer in JUDGES:
        silent = [one for one in mutants if one.is_silent_for(layer)]
        for group in _groups(silent):
            yield layer, group


def _groups(mutants: Sequence[Mutant]) -> list[list[Mutant]]:
    groups: list[list[Mutant]] = []
    for mutant in mutants:
        fitting = next((one for one in groups if _fit(*one, mutant)), None)
        if fitting is None:
            groups.append([mutant])
        else:
            fitting.append(mutant)
    return groups


def _fit(*mutants: Mutant) -> bool:
    """Whether the mutants can be applied one after the other."""
    texts = {one.file: (ROOT / one.file).read_text(encoding="utf-8") for one in mutants}
    try:
        for one in mutants:
            texts[one.file] = one.applied(texts[one.file])
    except ValueError:
        return False
    return True


@contextmanager
def _bench(mutants: Sequence[Mutant], schedules: int) -> Iterator[Bench]:
    with TemporaryDirectory(prefix="wavelane-mutants-") as folder:
        with_spin = any("promela" in one.judges for one in mutants)
        yield Bench(Path(folder), with_spin, schedules)


class Bench:
    """The code, ready to be copied, and what a judge needs beside it."""

    def __init__(self, folder: Path, with_spin: bool, schedules: int) -> None:
        """`with_spin`: layer 3 judges, which needs the states that spin reaches."""
        self._code = folder / "code"
        self._schedules = schedules
        self._lines = folder / "lines"
        for name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, self._code / name, ignore=ignored)
        compileall.compile_dir(self._code, quiet=1)
        if with_spin:
            self._lines.write_bytes(pickle.dumps({one.file: _reached(one) for one in SHARED}))

    def silence(self, layer: Layer, group: Sequence[Mutant]) -> dict[str, Kill | None]:
        """By name, what a layer notices of mutants that it must not notice.

        They are judged all at once, because finding nothing takes a whole search: each only takes
        away what never prevents anything, so all together change nothing if none does. If something
        is noticed, each is judged by itself.
        """
        if self.judged(group, (layer,))[layer] is None:
            return dict.fromkeys((one.name for one in group), None)
        return {one.name: self.judged([one], (layer,))[layer] for one in group}

    def judged(self, mutants: Sequence[Mutant], layers: Sequence[Layer]) -> Kills:
        """Let layers judge a copy of the code in which the mutants are applied."""
        with TemporaryDirectory(prefix="wavelane-mutant-") as folder:
            copy = Path(folder)
            shutil.copytree(self._code, copy, dirs_exist_ok=True)
            for mutant in mutants:
                _apply(mutant, copy)
            asked = {
                "copy": folder,
                "kind": mutants[0].kind,
                "layers": layers,
                "rows": [repr(row) for row in (*TABLE, *CAP_TABLE)],
                "lines": str(self._lines),
                "schedules": self._schedules,
            }
            returncode, said, errors = _in_copy(copy, json.dumps(asked))
        if returncode > 0:
            raise RuntimeError(f'the trial of mutant "{mutants[0].name}" failed:\n{errors}')
        kills = dict(map(_read, said.splitlines()))
        if returncode < 0:
            kills[layers[len(kills)]] = ENDLESS
        return kills


def _reached(model: Model) -> Graph:
    with model.compiled("safety") as verifier:
        return by_spin(verifier.safety())


def _apply(mutant: Mutant, copy: Path) -> None:
    path = copy / mutant.file
    path.write_text(mutant.applied(path.read_text(encoding="utf-8")), encoding="utf-8")
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
        compiled.unlink()


def _in_copy(copy: Path, asked: str) -> tuple[int, str, str]:
    """Run the trial in a process of its own; its status and output."""
    roots = os.pathsep.join(str(copy / one) for one in ("model", "executor", "."))
    with subprocess.Popen(
        [sys.executable, "-m", "specs.mutants.trial"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": roots},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            said, errors = process.communicate(asked, TRIAL_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            said, errors = process.communicate()
    return process.returncode, said, errors


def _read(line: str) -> tuple[Layer, Kill | None]:
    layer, kill = json.loads(line)
    return layer, kill and Kill(**kill)
