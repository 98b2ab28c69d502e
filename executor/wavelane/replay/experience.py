"""Experience: how long finished issues took, in earlier waves and in the running one.

1. An issue is finished when it is done. Parked and cancelled issues do not count.
2. What an issue has taken is the time in which its sessions were under way (`Recorder.worked`):
   without waits, without the time between runs, and without attempts discarded after a crash.
3. An issue of another wave counts by its repo's name and its labels. What that wave itself had
   learned from others is not passed on.

The model decides what follows from it (`wavelane_model.lengths`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wavelane.replay.loading import view_of
from wavelane.replay.recorder import Recorder
from wavelane_model.state import WaveState
from wavelane_model.wave import Finished


def experience_of(*journals: str | Path) -> tuple[Finished, ...]:
    """How long the finished issues of these journals took; for a running wave, as of now.

    Args:
        *journals: Paths of journals; a path given twice counts once.

    Returns:
        What to pass to a `Wave` as its `experience`.

    Raises:
        JournalError: For a journal that does not exist, was changed, or is damaged.
    """
    paths = {Path(journal).resolve(): Path(journal) for journal in journals}
    return tuple(one for path in paths.values() for one in _finished_in_journal(path))


def finished_in(state: WaveState, recorder: Recorder) -> Iterator[Finished]:
    """How long the finished issues of a wave have taken so far."""
    for issue in state.wave.issues:
        if state.find(issue.id).state == "done":
            yield Finished(issue.repo, issue.labels, recorder.worked(issue.id))


def _finished_in_journal(path: Path) -> Iterator[Finished]:
    replay = view_of(path).replay
    return finished_in(replay.state, replay.recorder)
