"""Loading a journal: it is read, checked, and folded through the model.

1. A process that continues a journal holds its lock, and takes it as it is (`load`): a journal that
   is damaged, or was started with other settings, is refused and left unchanged.
2. A process that only reads one (`view_of`) sees it as of one instant. If no process runs its wave
   at that instant, a run without an end was cut off, and every reader sees it as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from wavelane.journal import CommandRow, JournalError, JournalReader, Settings, next_digest
from wavelane.lock import LockOwner, owner_of
from wavelane.replay.replay import Follower, Replay, missing_events
from wavelane_model.limits import Limits
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent

Phase = Literal["not started", "running", "ended", "cut off"]
"""Whether a run of a wave is under way."""

_LOOKS: Final = 5
"""How often to read again because a run has begun or ended meanwhile."""


class Loaded(NamedTuple):
    """A wave as recorded in its journal, and the last digest of the journal's hash chain."""

    replay: Replay
    digest: str


class JournalView(NamedTuple):
    """A journal as of one instant, for reading only.

    Attributes:
        replay: The wave, after the last event, which includes the end of a run that was cut off.
        settings: What its first run was started with.
        process: The process that runs the wave, if there is one.
        commands: Those without an answer yet.
    """

    replay: Replay
    settings: Settings
    process: LockOwner | None
    commands: tuple[CommandRow, ...]

    @property
    def phase(self) -> Phase:
        """Whether a run is under way, and how the last one ended."""
        return "running" if self.process is not None else phase_without_a_run(self.replay.state)


def phase_without_a_run(state: WaveState) -> Phase:
    """How the last run of a wave ended that no process runs now."""
    if not state.started:
        return "not started"
    return "cut off" if state.outcome == "unfinished" else "ended"


def load(path: Path, settings: Settings) -> Loaded:
    """The wave of a journal as it was written, for the process that holds the journal's lock.

    Raises:
        JournalError: It has other settings than these, was changed, or is damaged.
    """
    with JournalReader(path) as reader:
        found = reader.settings()
        if differences := [*_differences(found, settings)]:
            raise JournalError(f"journal {path} {'; '.join(differences)}")
        with _possible(path):
            loaded = folded(reader, Replay.of(found))
        _check_digest(reader, loaded)
        return loaded


def view_of(path: Path, *followers: Follower) -> JournalView:
    """A journal as of now, for reading only. `followers` receive each step.

    Raises:
        JournalError: It is not a journal of this version, was changed, or is damaged.
    """
    with opened(path) as (reader, process):
        settings = reader.settings()
        with _possible(path):
            loaded = replayed(reader, process, settings, *followers)
        _check_digest(reader, loaded)
        return JournalView(loaded.replay, settings, process, tuple(reader.unanswered_commands()))


@contextmanager
def opened(path: Path) -> Iterator[tuple[JournalReader, LockOwner | None]]:
    """A journal open for reading, and the process that runs its wave at that instant.

    A process that has the journal briefly only executes commands: it runs no wave.
    """
    reader, owner = _steady(path)
    with reader:
        yield reader, None if owner is None or owner.briefly else owner


def _steady(path: Path) -> tuple[JournalReader, LockOwner | None]:
    """A journal, read while no run began or ended, and the owner of its lock."""
    looks = _LOOKS
    while True:
        owner = owner_of(path)
        reader = JournalReader(path)
        looks -= 1
        if owner_of(path) == owner or looks == 0:
            return reader, owner
        reader.close()


def replayed(
    reader: JournalReader,
    process: LockOwner | None,
    settings: Settings | None = None,
    *followers: Follower,
) -> Loaded:
    """Fold a journal that is only read; see `opened`. Raises `JournalError`, and `IllegalEvent`.

    `settings`: those of `reader`, if they were read already.
    """
    loaded = folded(reader, Replay.of(settings or reader.settings(), *followers))
    if process is None:
        for event in missing_events(loaded.replay):
            loaded.replay.apply(loaded.replay.recorder.last_at, event)
    return loaded


def folded(reader: JournalReader, replay: Replay) -> Loaded:
    """Apply all events of a journal. Raises `JournalError`, and `IllegalEvent`."""
    digest = reader.first_digest()
    for row in reader.event_rows():
        entry = reader.recorded_event(row)
        digest = next_digest(digest, row[1:])
        replay.apply(entry.at, entry.event)
    return Loaded(replay, digest)


@contextmanager
def _possible(path: Path) -> Iterator[None]:
    """Turn the refusal of an event into a `JournalError` that says what to do."""
    try:
        yield
    except IllegalEvent as refusal:
        raise JournalError(
            f"journal {path} records what cannot have happened: {refusal}; "
            f"`wavelane verify {path}` says where"
        ) from refusal


def _check_digest(reader: JournalReader, loaded: Loaded) -> None:
    if loaded.digest != reader.recorded_digest():
        raise JournalError(
            f"journal {reader.path} was changed after it was written; "
            f"`wavelane verify {reader.path}` says more. Restore it from a copy"
        )


def _differences(past: Settings, now: Settings) -> Iterable[str]:
    """Settings that cannot be changed, each with what to do about it."""
    for name, before, after in (
        ("the name", past.name, now.name),
        ("lane_release", past.lane_release, now.lane_release),
        *_limit_differences(past.limits, now.limits),
    ):
        if before != after:
            yield f"was started with {name} {before}, and now it is {after}; give {before}"


def _limit_differences(past: Limits, now: Limits) -> Iterable[tuple[str, Any, Any]]:
    """The counts; time-outs may change from run to run."""
    for name in ("review_rounds", "checkpoints", "conflicts", "failures"):
        yield name, getattr(past, name), getattr(now, name)
