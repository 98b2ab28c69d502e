"""Recovery: how a wave goes on whose run has ended, in order or not.

1. The journal is folded through the model: that is where the wave stands. A journal that was
   damaged, or that is of another wave, is refused and left as it is.
2. A run that was cut off is told as such (`RunCutOff`). Nothing of it lives any more.
3. The pipeline's `recover` is asked about each issue in flight, and about no other: so about no
   more than the highest cap in force before. Git is the truth and the journal a hint: what it
   answers is told to the model, whatever the journal says. What it raises parks the issue.
4. Only then the next run starts.

A pipeline without `recover` is taken to have nothing to clean up: a session that was implementing
is discarded, a review is made again, and of a merge that was under way nothing can be told.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from wavelane.encoding import JournalError
from wavelane.journal import JournalReader, Settings
from wavelane.pipeline import Assignment, Discarded, Found, Pipeline, Resumed
from wavelane.report import Folded, Follower, folded
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    AttemptUnclear,
    Event,
    MergeFound,
    WaveAmended,
)
from wavelane_model.lifecycle import State
from wavelane_model.limits import Limits
from wavelane_model.outcomes import Blocked, Merged
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent
from wavelane_model.wave import Wave

log = logging.getLogger("wavelane")

_MOST_NAMED: Final = 5


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
        if past.seal != reader.seal():
            raise JournalError(
                f"journal {path} was changed after it was written; "
                f"`wavelane verify {path}` says more. Restore it from a copy"
            )
        return past


async def account_of(
    pipeline: Pipeline, issue: Assignment, state: State, *, was_open: bool
) -> Event:
    """What is left of an issue that was in flight in `state`, told as an event.

    `was_open`: a session or merge of it was under way.
    """
    recover = getattr(pipeline, "recover", None)
    if recover is None:
        return _event(issue.id, _without_asking(state, was_open))
    try:
        asked = recover(issue, state)
        found = await asked if inspect.isawaitable(asked) else asked
    except Exception as error:
        log.warning("recover of issue %s raised", issue.id, exc_info=error)
        return AttemptUnclear(issue.id, f"recover raised {type(error).__name__}: {error}")
    return _event(issue.id, found)


def _without_asking(state: State, was_open: bool) -> Found:
    if was_open and state == "merging":
        return Blocked(
            "its merge was under way when the run was cut off; look whether it is in: then cancel "
            "this issue, else unpark it"
        )
    return Discarded() if was_open and state == "running" else Resumed()


def _event(issue_id: str, found: object) -> Event:
    match found:
        case Merged():
            return MergeFound(issue_id)
        case Resumed():
            return AttemptResumed(issue_id)
        case Discarded():
            return AttemptDiscarded(issue_id)
        case Blocked(reason):
            return AttemptUnclear(issue_id, str(reason))
        case _:
            return AttemptUnclear(
                issue_id,
                f"recover returned {found!r}; it may return Merged, Resumed, Discarded, Blocked",
            )


# Whether a journal is that of the wave at hand


def amendment_of(path: Path, state: WaveState, wave: Wave) -> WaveAmended | None:
    """What has to be added to or changed in the wave of a journal to make it `wave`, if anything.

    Issues that are done or cancelled may be missing or changed: nothing follows from it. Whether
    another one may still be changed is the model's to say. Another experience takes the place of
    the one before; none leaves it. Raises `JournalError` for another wave.
    """
    past = state.wave
    if past.issues and wave.issues and not past.position.keys() & wave.position.keys():
        raise JournalError(
            f"journal {path} is of another wave: its issues are {_named(past.position)}, and those "
            f"of this one {_named(wave.position)}; name another journal"
        )
    if problems := [*_unfit(state, wave)]:
        raise JournalError(f"journal {path} {'; '.join(problems)}")
    issues = tuple(
        issue
        for issue in wave.issues
        if issue.id not in past or (issue != past[issue.id] and not _is_settled(state, issue.id))
    )
    done = tuple(sorted(wave.done - past.done - past.position.keys()))
    experience = wave.experience if wave.experience not in ((), past.experience) else None
    if not (issues or done or experience):
        return None
    return WaveAmended(issues, done, experience)


def _unfit(state: WaveState, wave: Wave) -> Iterable[str]:
    past = state.wave
    gone = [one for one in past.position if one not in wave and not _is_settled(state, one)]
    if gone := [one for one in gone if one not in wave.done]:
        yield f"has {_named(gone)}, which this wave has not; put it back, or cancel it first"
    for issue in sorted(wave.done & past.position.keys()):
        if (found := state.find(issue).state) != "done":
            yield f"says that {issue} is {found}, and this wave lists it under done; drop it there"
    if set(past.repos) != set(wave.repos):
        yield f"is of the repos {', '.join(past.repos)}, and this wave of {', '.join(wave.repos)}"


def _is_settled(state: WaveState, issue_id: str) -> bool:
    return state.find(issue_id).state in ("done", "cancelled")


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


def _named(ids: Iterable[str]) -> str:
    some = sorted(ids)
    more = len(some) - _MOST_NAMED
    named = ", ".join(some[:_MOST_NAMED]) or "none"
    return f"{named} and {more} more" if more > 0 else named
