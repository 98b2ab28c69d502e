"""Disturbances: what is done to the runs of each wave, chosen by a seed.

A seed always chooses the same waves, disturbances and kill points. A random moment depends on the
clock, so the run may be at another place when it comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, TypeVar

from specs.kills.kill_points import (
    CALLS,
    GIT,
    JOURNAL,
    PHASES,
    PLANNED,
    REMOVED,
    SESSIONS,
    KillPoint,
)
from specs.kills.project import Setting
from wavelane_model.lifecycle import LaneRelease

T = TypeVar("T")

SIGNALS: Final = ("SIGTERM", "SIGINT", "SIGINT twice", "SIGSTOP")
_LATE: Final = 0.6
"""The latest random moment, as a share of the length of an undisturbed wave (some seconds)."""
_SURELY: Final = 10.0
"""The same unit: a time by which a run has surely reached a kill point that every run has."""
_DISKS: Final = 10
"""Two waves in this many have a full disk."""
_SMALL: Final = (100_000, 200_000)
"""Bytes: enough for the journal of a started wave, too few for its end."""
_OFTEN: Final = ("SessionEnded:Implemented", "SessionEnded:Approved", "SessionEnded:Merged")


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What is done to one run: it is killed at a point, or gets a signal.

    Attributes:
        kill_point: Where the run is killed, if it is.
        otherwise: When it is killed if it does not reach that point, as a share of the length of an
            undisturbed wave.
        signal: The signal, in words.
        seconds: When the signal is sent, after the first session has begun.
        early: Whether `seconds` counts from the start of the run instead.
    """

    kill_point: KillPoint | None = None
    otherwise: float = 0.0
    signal: str = ""
    seconds: float = 0.0
    early: bool = False

    def __str__(self) -> str:
        if self.kill_point is not None:
            return f"SIGKILL {self.kill_point}"
        since = "start" if self.early else "first session"
        return f"{self.signal} {self.seconds:.3f} s after the {since}"


@dataclass(frozen=True, slots=True)
class DisturbedWave:
    """A wave, and what is done to its runs, one after the other."""

    seed: int
    number: int
    setting: Setting
    disturbances: tuple[Disturbance, ...]
    disk: int = 0
    """Bytes of the journal's disk, which grows after it was full twice; 0: no disk of its own."""


def disturbed_wave(
    seed: int, wave: int, policies: Sequence[LaneRelease] = ("done", "review")
) -> DisturbedWave:
    """One wave with its disturbances. Its choices do not depend on any other wave."""
    random = Random(f"{seed} {wave}")
    _, first = _dealt(seed, _FIRST, wave)
    setting = Setting(
        policy=policies[wave % len(policies)],
        ceiling=random.choice((2, 3, 3)),
        has_parked=random.random() < 0.25,
        has_estimates=first == PLANNED or wave // len(policies) % 2 == 1,
    )
    disk = random.randrange(*_SMALL) if wave % _DISKS in (2, 3) else 0
    return DisturbedWave(seed, wave, setting, tuple(_disturbances(seed, wave, random)), disk)


def _disturbances(seed: int, wave: int, random: Random) -> Iterator[Disturbance]:
    """One for each run: the first aims at a point that occurs once, the rest is shuffled."""
    target, operation = _dealt(seed, _FIRST, wave)
    yield _aimed(random, target, operation, otherwise=_SURELY)
    (before, phase), (target, operation) = _dealt(seed, _PAIRS, wave)
    pair = [
        _aimed(random, *before, phase=phase, otherwise=_later(random)),
        _aimed(random, target, operation, otherwise=_later(random)),
    ]
    kinds = [_dealt(seed, _ANY, 3 * wave + at) for at in range(3)]
    blocks = [
        pair,
        *([_aimed(random, *kind, otherwise=_fallback(random, kind))] for kind in kinds),
        *([_at_random(random)] for _ in range(3)),
    ]
    random.shuffle(blocks)
    blocks.insert(random.randrange(3), [_signalled(random, SIGNALS[wave // 2 % len(SIGNALS)])])
    for block in blocks:
        yield from block


def _aimed(
    random: Random, target: str, operation: str, *, otherwise: float, phase: str = ""
) -> Disturbance:
    repeats = operation in _OFTEN or target in ("git", "session")
    moment = KillPoint(
        target,
        operation,
        phase or random.choice(PHASES[target]),
        random.choice((1, 1, 1, 2)) if repeats else 1,
        random.uniform(0, 0.03),
    )
    return Disturbance(moment, otherwise)


def _at_random(random: Random) -> Disturbance:
    return Disturbance(KillPoint("time", "", "", delay=_delay(random)))


def _signalled(random: Random, name: str) -> Disturbance:
    seconds = random.uniform(0, 0.4)
    is_early = name != "SIGSTOP" and random.random() < 0.2
    return Disturbance(signal=name, seconds=seconds, early=is_early)


def _delay(random: Random) -> float:
    return random.triangular(0, _LATE, 0.1)


def _later(random: Random) -> float:
    return random.uniform(_LATE, 1.0)


def _fallback(random: Random, kind: tuple[str, str]) -> float:
    return _SURELY if kind in _AT_THE_END else _later(random)


_AT_THE_END: Final = (("call", "tidied"), ("files", REMOVED))


def _dealt(seed: int, deck: Sequence[T], index: int) -> T:
    """A card of a deck that is reshuffled after each round: all come before one comes again."""
    turn, at = divmod(index, len(deck))
    return Random(f"{seed} {turn} {len(deck)}").sample(deck, len(deck))[at]


_FIRST: Final = (
    *(("journal", kind) for kind in JOURNAL),
    ("call", "journal made"),
    ("call", "journal opened"),
    ("call", "prepared"),
    ("git", "branch --no-track"),
)
"""Most of these occur once in a wave, so the first run has to meet them."""
_PAIRS: Final = (
    ((("git", "merge --no-ff"), "after"), ("journal", "MergeFound")),
    ((("git", "merge --no-ff"), "while"), ("call", "recover")),
    ((("session", "review"), "while"), ("journal", "AttemptResumed")),
    ((("session", "implement"), "while"), ("journal", "AttemptDiscarded")),
    ((("session", "gate"), "while"), ("journal", "RunCutOff")),
)
"""A kill point, and the one that the next run reaches because of it, and is killed at."""
_ANY: Final = (
    *(("git", command) for command in GIT),
    *(("session", step) for step in SESSIONS),
    *(("journal", kind) for kind in _OFTEN),
    *(("call", name) for name in CALLS if name != "journal made"),
    ("files", REMOVED),
)
KINDS: Final = tuple(
    dict.fromkeys(
        f"{target}: {operation}"
        for target, operation in (*_FIRST, *(follows for _, follows in _PAIRS), *_ANY)
    )
)
"""The names of all kinds of kill points."""
