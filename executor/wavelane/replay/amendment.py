"""What must change in the wave of a journal to make it the given wave, and what cannot change."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from wavelane.journal import JournalError
from wavelane_model.events import WaveAmended
from wavelane_model.state import WaveState
from wavelane_model.wave import Wave

_MOST_NAMED: Final = 5


def amendment_of(path: Path, state: WaveState, wave: Wave) -> WaveAmended | None:
    """The additions and changes that make the wave of a journal into `wave`, if there are any.

    Issues that are done or cancelled may be missing or changed: that has no effect. The model
    decides whether any other issue may still be changed. A new experience replaces the old one;
    without a new one, the old one stays. Raises `JournalError` for another wave.
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
        yield f"has {_named(gone)}, which this wave lacks; put it back, or cancel it first"
    for issue in sorted(wave.done & past.position.keys()):
        if (found := state.find(issue).state) != "done":
            yield f"says that {issue} is {found}, and this wave lists it under done; drop it there"
    if set(past.repos) != set(wave.repos):
        yield f"is of the repos {', '.join(past.repos)}, and this wave of {', '.join(wave.repos)}"


def _is_settled(state: WaveState, issue_id: str) -> bool:
    return state.find(issue_id).state in ("done", "cancelled")


def _named(ids: Iterable[str]) -> str:
    some = sorted(ids)
    more = len(some) - _MOST_NAMED
    named = ", ".join(some[:_MOST_NAMED]) or "none"
    return f"{named} and {more} more" if more > 0 else named
