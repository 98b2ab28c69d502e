"""Loading a journal: it is read, checked, and folded through the model.

A journal that was damaged, or that was started with other settings, is refused and left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wavelane.journal import JournalError, JournalReader, Settings
from wavelane.replay.report import Folded, Follower, folded
from wavelane_model.limits import Limits
from wavelane_model.step import IllegalEvent


def past_of(path: Path, settings: Settings, follow: Follower | None = None) -> Folded:
    """The wave as the journal at `path` tells it. `follow` is shown each step.

    Raises `JournalError` for a journal of other settings than these, and for one that was changed
    or damaged.
    """
    with JournalReader(path) as reader:
        found = reader.settings()
        if differences := [*_differences(found, settings)]:
            raise JournalError(f"journal {path} {'; '.join(differences)}")
        try:
            past = folded(reader, found, follow=follow)
        except IllegalEvent as refusal:
            raise JournalError(
                f"journal {path} tells what cannot have happened: {refusal}; "
                f"`wavelane verify {path}` says where"
            ) from refusal
        if past.seal != reader.recorded_digest():
            raise JournalError(
                f"journal {path} was changed after it was written; "
                f"`wavelane verify {path}` says more. Restore it from a copy"
            )
        return past


def _differences(past: Settings, now: Settings) -> Iterable[str]:
    """What cannot be changed, with what to do about it."""
    for name, before, after in (
        ("the name", past.name, now.name),
        ("lane_release", past.lane_release, now.lane_release),
        *_limit_differences(past.limits, now.limits),
    ):
        if before != after:
            yield f"was started with {name} {before}, and now it is {after}; give {before}"


def _limit_differences(past: Limits, now: Limits) -> Iterable[tuple[str, Any, Any]]:
    """The counts; what takes how long may change from run to run."""
    for name in ("review_rounds", "checkpoints", "conflicts", "failures"):
        yield name, getattr(past, name), getattr(now, name)
