"""Plans: what happens to each wave, chosen by a seed.

One seed chooses the same waves and the same moments again. When a random moment comes is a matter
of the clock, so where it meets the run can differ from one time to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, TypeVar

from specs.kills.moments import CALLS, GIT, JOURNAL, PHASES, PLANNED, REMOVED, SESSIONS, Moment
from specs.kills.project import Setting
from wavelane_model.lifecycle import LaneRelease

T = TypeVar("T")

SIGNALS: Final = ("SIGTERM", "SIGINT", "SIGINT twice", "SIGSTOP")
_LATE: Final = 0.6
"""Until when random moments come; in lengths of a wave that is not disturbed: some seconds."""
_SURELY: Final = 10.0
"""Likewise: when a moment has come that every run comes to."""
_DISKS: Final = 10
"""Of so many waves, two have a full disk."""
_SMALL: Final = (100_000, 200_000)
"""Bytes with which a journal gets into a wave, and not to its end."""
_OFTEN: Final = ("SessionEnded:Implemented", "SessionEnded:Approved", "SessionEnded:Merged")


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What is done to one run: killed at `moment`, or sent a `signal`.

    Where the moment does not come, the run is killed at `otherwise`, in lengths of a wave that is
    not disturbed. The signal comes `seconds` after the first session has begun, or, when it is
    `early`, after the run has.
    """

    moment: Moment | None = None
    otherwise: float = 0.0
    signal: str = ""
    seconds: float = 0.0
    early: bool = False

    def __str__(self) -> str:
        if self.moment is not None:
            return f"SIGKILL {self.moment}"
        since = "start" if self.early else "first session"
        return f"{self.signal} {self.seconds:.3f} s after the {since}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A wave, and what is done to its runs, one after the other."""

    seed: int
    wave: int
    setting: Setting
    disturbances: tuple[Disturbance, ...]
    disk: int = 0
    """Bytes that the journal has room for until its disk was full twice; 0: as many as it likes."""


def plan_of(seed: int, wave: int, policies: Sequence[LaneRelease] = ("done", "review")) -> Plan:
    """The plan of one wave. Its choices do not hang on any other wave."""
    random = Random(f"{seed} {wave}")
    _, first = _dealt(seed, _FIRST, wave)
    setting = Setting(
        policy=policies[wave % len(policies)],
        ceiling=random.choice((2, 3, 3)),
        has_parked=random.random() < 0.25,
        has_estimates=first == PLANNED or wave // len(policies) % 2 == 1,
    )
    disk = random.randrange(*_SMALL) if wave % _DISKS in (2, 3) else 0
    return Plan(seed, wave, setting, tuple(_disturbances(seed, wave, random)), disk)


def _disturbances(seed: int, wave: int, random: Random) -> Iterator[Disturbance]:
    """One a run. The first is aimed at what comes once a wave; the order of the others is free."""
    place, what = _dealt(seed, _FIRST, wave)
    yield _aimed(random, place, what, otherwise=_SURELY)
    (before, phase), (place, what) = _dealt(seed, _PAIRS, wave)
    pair = [
        _aimed(random, *before, phase=phase, otherwise=_later(random)),
        _aimed(random, place, what, otherwise=_later(random)),
    ]
    kinds = [_dealt(seed, _ANY, 3 * wave + at) for at in range(3)]
    blocks = [
        pair,
        *([_aimed(random, *kind, otherwise=_patience(random, kind))] for kind in kinds),
        *([_at_random(random)] for _ in range(3)),
    ]
    random.shuffle(blocks)
    blocks.insert(random.randrange(3), [_signalled(random, SIGNALS[wave // 2 % len(SIGNALS)])])
    for block in blocks:
        yield from block


def _aimed(
    random: Random, place: str, what: str, *, otherwise: float, phase: str = ""
) -> Disturbance:
    repeats = what in _OFTEN or place in ("git", "session")
    moment = Moment(
        place,
        what,
        phase or random.choice(PHASES[place]),
        random.choice((1, 1, 1, 2)) if repeats else 1,
        random.uniform(0, 0.03),
    )
    return Disturbance(moment, otherwise)


def _at_random(random: Random) -> Disturbance:
    return Disturbance(Moment("time", "", "", delay=_delay(random)))


def _signalled(random: Random, name: str) -> Disturbance:
    seconds = random.uniform(0, 0.4)
    is_early = name != "SIGSTOP" and random.random() < 0.2
    return Disturbance(signal=name, seconds=seconds, early=is_early)


def _delay(random: Random) -> float:
    return random.triangular(0, _LATE, 0.1)


def _later(random: Random) -> float:
    return random.uniform(_LATE, 1.0)


def _patience(random: Random, kind: tuple[str, str]) -> float:
    return _SURELY if kind in _AT_THE_END else _later(random)


_AT_THE_END: Final = (("call", "tidied"), ("files", REMOVED))


def _dealt(seed: int, deck: Sequence[T], index: int) -> T:
    """A card of a deck that is shuffled anew after each turn: all come before one comes again."""
    turn, at = divmod(index, len(deck))
    return Random(f"{seed} {turn} {len(deck)}").sample(deck, len(deck))[at]


_FIRST: Final = (
    *(("journal", kind) for kind in JOURNAL),
    ("call", "journal made"),
    ("call", "journal opened"),
    ("call", "prepared"),
    ("git", "branch --no-track"),
)
"""Most of these come once a wave, so the first run is to meet them."""
_PAIRS: Final = (
    ((("git", "merge --no-ff"), "after"), ("journal", "MergeFound")),
    ((("git", "merge --no-ff"), "while"), ("call", "recover")),
    ((("session", "review"), "while"), ("journal", "AttemptResumed")),
    ((("session", "implement"), "while"), ("journal", "AttemptDiscarded")),
    ((("session", "gate"), "while"), ("journal", "RunCutOff")),
)
"""A kill, and what the next run comes to because of it, which is then killed there."""
_ANY: Final = (
    *(("git", command) for command in GIT),
    *(("session", step) for step in SESSIONS),
    *(("journal", kind) for kind in _OFTEN),
    *(("call", name) for name in CALLS if name != "journal made"),
    ("files", REMOVED),
)
KINDS: Final = tuple(
    dict.fromkeys(
        f"{place}: {what}" for place, what in (*_FIRST, *(follows for _, follows in _PAIRS), *_ANY)
    )
)
"""All kinds of moments, by name."""
