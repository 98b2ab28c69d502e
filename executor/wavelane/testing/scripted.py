"""A pipeline that follows a script, and records all calls with their times."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from wavelane.pipeline import Assignment
from wavelane.steps import Step
from wavelane_model.outcomes import Approved, Implemented, Merged, Outcome

_DEFAULTS: Final[dict[Step, Outcome]] = {
    "implement": Implemented(),
    "review": Approved(),
    "merge": Merged(),
}


class Call(NamedTuple):
    """One call of the pipeline. Times are those of the event loop, in seconds.

    Attributes:
        step: What was called: "implement", "review" or "merge".
        issue: The issue as the pipeline received it.
        began: When the call began.
        ended: When it ended; None: it is under way.
        outcome: What it returned or raised; "cancelled": it was cancelled.
    """

    step: Step
    issue: Assignment
    began: float
    ended: float | None
    outcome: object

    @property
    def name(self) -> tuple[Step, str]:
        """What was called, e.g. ("review", "api#1")."""
        return (self.step, self.issue.id)


class ScriptedPipeline:
    """Ends each step as a script says, or well, and records all calls with their times.

        ScriptedPipeline({("review", "api#1"): [ChangesRequested("add a test")]})

    Args:
        script: Maps (step, issue id) to the results of successive calls: an outcome,
            an exception to raise, any other value to return, or a function of the issue that gives
            one of these. When a list is used up, the step ends well.
        seconds: How long each step takes, in the loop's time: a number, or a function of step and
            issue.
    """

    def __init__(
        self,
        script: Mapping[tuple[Step, str], Iterable[object]] | None = None,
        *,
        seconds: float | Callable[[Step, Assignment], float] = 60.0,
    ) -> None:
        self._script = {at: list(acts) for at, acts in (script or {}).items()}
        self._seconds = seconds
        self.calls: list[Call] = []
        """All calls, in the order in which they began."""

    async def implement(self, issue: Assignment) -> Any:
        """One implementing session, by the script."""
        return await self._play("implement", issue)

    async def review(self, issue: Assignment) -> Any:
        """One reviewing session, by the script."""
        return await self._play("review", issue)

    async def merge(self, issue: Assignment) -> Any:
        """One merge, by the script."""
        return await self._play("merge", issue)

    def names(self, step: Step | None = None) -> list[tuple[Step, str]]:
        """What was called, in order.

        Args:
            step: Only calls of this step; None: all.
        """
        return [call.name for call in self.calls if step in (None, call.step)]

    def under_way(self) -> list[Call]:
        """The calls that have not ended."""
        return [call for call in self.calls if call.ended is None]

    async def _play(self, step: Step, issue: Assignment) -> object:
        time = asyncio.get_running_loop().time
        number = len(self.calls)
        self.calls.append(Call(step, issue, time(), None, None))
        outcome: object = "cancelled"
        try:
            seconds = self._seconds(step, issue) if callable(self._seconds) else self._seconds
            await asyncio.sleep(seconds)
            outcome = self._next_act(step, issue)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome
        finally:
            self.calls[number] = self.calls[number]._replace(ended=time(), outcome=outcome)

    def _next_act(self, step: Step, issue: Assignment) -> object:
        acts = self._script.get((step, issue.id))
        act = acts.pop(0) if acts else _DEFAULTS[step]
        return act(issue) if callable(act) and not isinstance(act, type) else act
