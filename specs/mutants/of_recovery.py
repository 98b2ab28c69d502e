"""Mutants of recovery: what the executor does with a journal that it continues."""

from __future__ import annotations

from typing import Final

from specs.mutants.mutant import Mutant

_SCHEDULER: Final = "executor/wavelane/scheduler/scheduler.py"
_RECOVERY: Final = "executor/wavelane/scheduler/recovery.py"
_EACH_IN_FLIGHT: Final = "for position in [*self._state.flight]:"
_ASK: Final = "group.create_task(self._ask_about(self._state.records[position]))"


def _scheduler(name: str, old: str, new: str) -> Mutant:
    return Mutant(name, "executor", _SCHEDULER, old, new)


def _recovery(name: str, old: str, new: str) -> Mutant:
    return Mutant(name, "executor", _RECOVERY, old, new)


RECOVERY: Final = (
    _scheduler(
        "nobody is asked what is left",
        _EACH_IN_FLIGHT,
        "for position in []:",
    ),
    _scheduler(
        "what is queued is asked about, too",
        _EACH_IN_FLIGHT,
        "for position in range(len(self._state.records)):",
    ),
    _scheduler("each is asked about twice", _ASK, f"{_ASK}\n                {_ASK}"),
    _scheduler(
        "a run that was cut off is not told as such",
        "            self._tell(RunCutOff())\n",
        "            pass\n",
    ),
    _scheduler(
        "what is found is not told",
        "            self._tell(found)\n",
        "            pass\n",
    ),
    _scheduler(
        "the seal begins anew",
        "        journal.continue_from(past.seal)\n",
        "",
    ),
    _scheduler(
        "the cap is where it was first, and not where it was left",
        "if self._cap_given and self._settings.ceiling < past.state.cap.level:",
        "if self._cap_given:",
    ),
    _scheduler(
        "a run that is not to plan follows the plan of the one before",
        "        if self._plan_wanted is False and self._state.plan:\n",
        "        if False:\n",
    ),
    _recovery(
        "a merge that is in is made again",
        "            return MergeFound(issue_id)\n",
        "            return AttemptResumed(issue_id)\n",
    ),
    _recovery(
        "what was thrown away is gone on with",
        "            return AttemptDiscarded(issue_id)\n",
        "            return AttemptResumed(issue_id)\n",
    ),
    _recovery(
        "what cannot be told is gone on with",
        "            return AttemptUnclear(issue_id, str(reason))\n",
        "            return AttemptResumed(issue_id)\n",
    ),
)
