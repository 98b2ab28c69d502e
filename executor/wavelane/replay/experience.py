"""Experience: what finished issues have taken, from earlier waves and from the one on its way.

1. Finished is what is done. What is parked or cancelled says nothing.
2. What an issue has taken is the time in which its sessions were under way (`Recorder.worked`):
   without waits, without the time between runs, and without what was discarded after a crash.
3. Of another wave an issue counts by its repo's name and its labels. What that wave had learned
   itself from others is not handed on.

What follows from it is the model's to say (`wavelane_model.lengths`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wavelane.replay.loading import view_of
from wavelane.replay.recorder import Recorder
from wavelane_model.state import WaveState
from wavelane_model.wave import Finished


def experience_of(*journals: str | Path) -> tuple[Finished, ...]:
    """What the finished issues of these journals have taken, of running ones as of now.

    Args:
        *journals: Paths of journals; one that is named twice counts once.

    Returns:
        What to give to a `Wave` as its `experience`.

    Raises:
        JournalError: For a journal that is not there, and for one that was changed or damaged.
    """
    paths = {Path(journal).resolve(): Path(journal) for journal in journals}
    return tuple(one for path in paths.values() for one in _finished_in_journal(path))


def finished_in(state: WaveState, recorder: Recorder) -> Iterator[Finished]:
    """What the finished issues of a wave have taken so far."""
    for issue in state.wave.issues:
        if state.find(issue.id).state == "done":
            yield Finished(issue.repo, issue.labels, recorder.worked(issue.id))


def _finished_in_journal(path: Path) -> Iterator[Finished]:
    replay = view_of(path).replay
    return finished_in(replay.state, replay.recorder)
