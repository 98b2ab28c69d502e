"""Layer 4: `wavelane verify` judges journals, and the rule monitor judges their model.

    believes   the journals of random runs of the real executor keep the rules, and end as reported
    goes on    the journals of random waves with runs that are cut off and continued keep the rules
    rejects    verify finds every forgery of `specs.forgeries`, by its rule and with its sentence
    notices    verify always finds random damage without a new hash chain
    survives   random damage with a new hash chain ends in a verdict, never in an error

Where `verify` finds nothing, the rule monitor (specs/monitor) looks at the same events and at
the effects that the step has for them: `verify` folds a journal through the model, and could not
notice that the model itself is wrong.

A random run has a random wave, cap, lane policy, script and moves of the cap. A random wave whose
runs are cut off is written from random events that the step takes (specs/written.py). Everything
follows from a seed, so a seed that fails can be tried again.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any, Final, get_args

from specs.endings import OUTCOMES
from specs.forgeries import FORGERIES, Base, Forger, forge
from specs.monitored import broken_rules
from specs.results import Result
from specs.written import Scribe
from wavelane import Issue, Limits, Report, Scheduler, Wave
from wavelane.journal import Settings
from wavelane.testing import ScriptedPipeline, run_virtual, virtual_clock
from wavelane.verify import verify
from wavelane_model.cap import CapMove
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    AttemptUnclear,
    CancelRequested,
    CapMoved,
    Event,
    MergeFound,
    MergeTurnRequested,
    MergeTurnReturned,
    ParkRequested,
    PostponementEnded,
    RunCutOff,
    SessionEnded,
    SessionWithheld,
    StopRequested,
    UnparkRequested,
    WaveStarted,
)
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.outcomes import (
    Approved,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Conflicted,
    Outcome,
    Postponed,
)
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent

LAYER: Final = "traces"
ENDINGS: Final[dict[str, list[object]]] = {
    "implement": [None, Checkpoint("half"), Blocked("a question"), Postponed(), OSError("gone")],
    "review": [Approved(), ChangesRequested("again"), Blocked("a question"), Postponed()],
    "merge": [None, Conflicted("a.py"), Blocked("a question"), OSError("no disk")],
}


def run(nightly: bool = False) -> list[Result]:
    """All of the layer; ten times as many runs and damages at night."""
    runs = 1_500 if nightly else 150
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [
            _timed("believes", "runs", runs, lambda: _believes(folder, runs)),
            _timed("goes on", "waves", runs, lambda: _goes_on(folder, runs)),
            _timed("rejects", "forgeries", len(FORGERIES), lambda: _rejects(folder)),
            _timed("notices", "damages", runs, lambda: _damaged(folder, runs, rehashed=False)),
            _timed("survives", "damages", runs, lambda: _damaged(folder, runs, rehashed=True)),
        ]


def random_run(path: Path, seed: int) -> Report:
    """A run of the real executor in virtual time, with its journal at `path`."""
    random = Random(seed)
    wave = random_wave(random)
    script: dict[Any, list[object]] = {
        (step, issue.id): random.choices(endings, k=random.randint(0, 2))
        for issue in wave.issues
        for step, endings in ENDINGS.items()
    }
    scheduler = Scheduler(
        wave,
        ScriptedPipeline(script, seconds=lambda step, issue: random.choice((1.0, 60.0, 600.0))),
        cap=random.randint(1, 4),
        lane_release=random.choice(get_args(LaneRelease)),
        journal=path,
        clock=virtual_clock,
    )

    async def main() -> Report:
        loop = asyncio.get_running_loop()
        for _ in range(random.randint(0, 4)):
            loop.call_later(random.uniform(0, 3_000), _move, scheduler, random.choice(_MOVES))
        loop.call_later(4_000, scheduler.cap.set, scheduler.cap.ceiling)
        return await scheduler.run()

    return run_virtual(main)


def random_history(path: Path, seed: int) -> int:
    """A random wave over several runs, with its journal at `path`.

    Returns how often it was cut off.
    """
    random = Random(f"history {seed}")
    wave = random_wave(random)
    scribe = Scribe(
        path,
        Settings(wave, random.randint(1, 4), random.choice(get_args(LaneRelease)), Limits()),
    )
    cuts = 0
    try:
        scribe.take(WaveStarted())
        for _ in range(random.randint(10, 60)):
            event = random.choice(list(_what_may_happen(random, scribe.state)))
            with suppress(IllegalEvent):
                scribe.take(event)
                cuts += isinstance(event, RunCutOff)
    finally:
        scribe.close()
    return cuts


def _what_may_happen(random: Random, state: WaveState) -> Iterator[Event]:
    issue = random.choice(state.wave.issues).id
    yield from (CancelRequested(issue), ParkRequested(issue, "a question"), UnparkRequested(issue))
    yield from (CapMoved(random.choice(_MOVES)), CapMoved("set", random.randint(0, 4)))
    if state.ended:
        found = (AttemptDiscarded, AttemptResumed, MergeFound)
        yield AttemptUnclear(issue, "its branch is gone")
        for record in state.records:
            yield random.choice(found)(state.issue_id(record))
        yield from (WaveStarted(), WaveStarted(), StopRequested())
        return
    yield RunCutOff()
    repo, ticket = random.choice(state.wave.repos), f"turn-{random.randint(1, 2)}"
    yield from (MergeTurnRequested(repo, ticket), MergeTurnReturned(repo, ticket))
    for record in state.records:
        name = state.issue_id(record)
        if record.postponed:
            yield PostponementEnded(name)
        if record.open:
            yield SessionWithheld(name, record.session)
            for outcome in _HOW_SESSIONS_END:
                yield SessionEnded(name, record.session, outcome)


_HOW_SESSIONS_END: Final[tuple[Outcome, ...]] = (
    *(one for one in OUTCOMES if not isinstance(one, Postponed)),
    Postponed(0.0, "quota"),
)
"""What is postponed is due at once: the events of a history do not wait."""
_MOVES: Final = [move for move in get_args(CapMove) if move != "set"]


def _move(scheduler: Scheduler, move: str) -> None:
    getattr(scheduler.cap, move)()


def random_wave(random: Random) -> Wave:
    """A wave of a few repos and issues, with dependencies."""
    repos = [f"repo{number}" for number in range(random.randint(1, 3))]
    issues: list[Issue] = []
    for number in range(random.randint(1, 7)):
        needed = random.sample(issues, min(len(issues), random.choice((0, 0, 1, 2))))
        repo = random.choice(repos)
        issues.append(Issue(f"{repo}#{number}", repo, [issue.id for issue in needed]))
    return Wave(issues, repos=repos)


def random_damage(random: Random, path: Path) -> Callable[[Forger], object]:
    """A random change of a journal's events."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT kind, issue, data FROM event ORDER BY seq").fetchall()
    at, other = random.randint(1, len(rows)), random.randint(1, len(rows))
    if rows[at - 1] == rows[other - 1]:
        return lambda f: f.double(at)
    event: Event = random.choice(
        (
            WaveStarted(),
            StopRequested(),
            RunCutOff(),
            MergeFound(rows[other - 1][1] or "unknown#1"),
            CapMoved("set", random.randint(0, 9)),
            SessionEnded(
                rows[other - 1][1] or "unknown#1", random.randint(1, 4), random.choice(OUTCOMES)
            ),
        )
    )
    return random.choice(
        (
            lambda f: f.drop(at, close_gap=True),
            lambda f: f.drop(at, close_gap=False),
            lambda f: f.double(at),
            lambda f: f.swap(at, other),
            lambda f: f.insert(at, event),
            lambda f: f.change(at, data='{"session":'),
        )
    )


def _believes(folder: Path, runs: int) -> Iterator[str]:
    for seed in range(runs):
        path = folder / f"run{seed}.db"
        report = random_run(path, seed)
        verdict = verify(path)
        if not verdict.keeps_the_rules or verdict.outcome != report.outcome:
            yield f"seed {seed}, reported as {report.outcome}: {verdict}"
        else:
            yield from (f"seed {seed}: {broken}" for broken in broken_rules(path))


def _goes_on(folder: Path, waves: int) -> Iterator[str]:
    cuts = 0
    for seed in range(waves):
        path = folder / f"history{seed}.db"
        cuts += random_history(path, seed)
        verdict = verify(path)
        if not verdict.keeps_the_rules:
            yield f"history {seed}: {verdict}"
        else:
            yield from (f"history {seed}: {broken}" for broken in broken_rules(path))
    if not cuts:
        yield "no run was cut off"


def _rejects(folder: Path) -> Iterator[str]:
    bases: dict[int, Path] = {}
    for number, forgery in enumerate(FORGERIES):
        base = _base(folder, forgery.base, bases)
        if not verify(base).keeps_the_rules:
            yield f"{forgery}: its base breaks a rule by itself"
        path = Path(shutil.copy(base, folder / f"forged{number}.db"))
        forgery.apply(path)
        found = verify(path).findings
        first = next((str(one) for one in found if one.rule == forgery.rule), "")
        if not first or forgery.says not in first:
            yield f"{forgery}: {[str(one) for one in found] or 'nothing'}"


def _base(folder: Path, base: Base, known: dict[int, Path]) -> Path:
    if id(base) not in known:
        known[id(base)] = folder / f"base{len(known)}.db"
        base.write(known[id(base)])
    return known[id(base)]


def _damaged(folder: Path, runs: int, *, rehashed: bool) -> Iterator[str]:
    for seed in range(runs):
        random = Random(seed)
        kind = random.choice(("run", "history"))
        path = Path(shutil.copy(folder / f"{kind}{seed}.db", folder / "damaged.db"))
        forge(path, random_damage(random, path), rehash=rehashed)
        try:
            keeps_the_rules = verify(path).keeps_the_rules
        except Exception as error:
            yield f"seed {seed}: {error!r}"
        else:
            if keeps_the_rules and not rehashed:
                yield f"seed {seed}: the damage was not found"


def _timed(name: str, unit: str, amount: int, failures: Callable[[], Iterator[str]]) -> Result:
    began = time.perf_counter()
    found = list(failures())
    seconds = time.perf_counter() - began
    return Result(LAYER, name, not found, amount, unit, seconds, "\n".join(found[:5]))
