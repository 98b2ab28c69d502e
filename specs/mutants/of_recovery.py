"""Mutants of recovery: what the executor does with a journal that it continues."""

from __future__ import annotations

from typing import Final

from specs.mutants.mutant import Mutant

_CONTINUATION: Final = "executor/wavelane/scheduler/continuation.py"
_RECOVERY: Final = "executor/wavelane/scheduler/recovery.py"
_EACH_IN_FLIGHT: Final = "for issue in issues_in_flight(state):"
_ASK: Final = "group.create_task(self._ask_about(state.find(issue)))"


def _continuation(name: str, old: str, new: str) -> Mutant:
    return Mutant(name, "executor", _CONTINUATION, old, new)


def _recovery(name: str, old: str, new: str) -> Mutant:
    return Mutant(name, "executor", _RECOVERY, old, new)


RECOVERY: Final = (
    _continuation(
        "recovery asks about no issue",
        _EACH_IN_FLIGHT,
        "for issue in ():",
    ),
    _continuation(
        "recovery also asks about queued issues",
        _EACH_IN_FLIGHT,
        "for issue in [one.id for one in state.wave.issues]:",
    ),
    _continuation("recovery asks about each issue twice", _ASK, f"{_ASK}\n                {_ASK}"),
    _continuation(
        "a cut-off is not recorded",
        "for event in missing_events(replay):",
        "for event in ():",
    ),
    _continuation(
        "recovery findings are not applied",
        "            self._core.apply(found)\n",
        "            pass\n",
    ),
    _continuation(
        "the hash chain begins anew",
        "        file.continue_from(digest)\n",
        "",
    ),
    _continuation(
        "the cap starts at its first level, not at its last",
        "if self._cap_given and settings.ceiling < replay.state.cap.level:",
        "if self._cap_given:",
    ),
    _continuation(
        "a run without planning follows the plan of the run before",
        "        if self._planner.wanted is False and is_planned(replay.state):\n",
        "        if False:\n",
    ),
    _recovery(
        "a merge that is in is made again",
        "            return MergeFound(issue_id)\n",
        "            return AttemptResumed(issue_id)\n",
    ),
    _recovery(
        "a discarded attempt is resumed",
        "            return AttemptDiscarded(issue_id)\n",
        "            return AttemptResumed(issue_id)\n",
    ),
    _recovery(
        "an unclear attempt is resumed",
        "            return AttemptUnclear(issue_id, str(reason))\n",
        "            return AttemptResumed(issue_id)\n",
    ),
)
