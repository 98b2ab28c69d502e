"""A pipeline and a run's notices, with an observer beside them that sees what it may see.

The observer sees calls of the pipeline begin and end. What an operator or an outcome took out of
flight or out of a merge queue it learns from the notices.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from specs.endings import counts_as
from specs.observers import Observer, Step
from wavelane.pipeline import Assignment
from wavelane.scheduler.notices import Notice
from wavelane_model.outcomes import Approved, Merged


class WatchedPipeline(ABC):
    """Notifies an observer of every call, and keeps its complaints in `errors`."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.errors: list[Exception] = []

    @abstractmethod
    async def play(self, step: Step, issue: Assignment) -> object:
        """One call: return what it returns, or raise. It begins after the observer was notified."""

    def complain(self, error: Exception) -> None:
        """Take note of a complaint of the observer."""
        self.errors.append(error)

    async def implement(self, issue: Assignment) -> object:
        return await self._call("implement", issue)

    async def review(self, issue: Assignment) -> object:
        return await self._call("review", issue)

    async def merge(self, issue: Assignment) -> object:
        return await self._call("merge", issue)

    async def _call(self, step: Step, issue: Assignment) -> object:
        with self._noted():
            self.observer.started(step, issue.id)
        try:
            returned = await self.play(step, issue)
        except BaseException:
            with self._noted():
                self.observer.ended(issue.id)
            raise
        outcome = counts_as(step, returned)
        with self._noted():
            self.observer.ended(issue.id, approved=outcome is Approved, merged=outcome is Merged)
        return returned

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.complain(error)
            raise


def overhear(observer: Observer, notice: Notice) -> None:
    """Notify the observer of what only a notice shows: leaving flight, or a merge queue."""
    if notice.kind == "issue" and notice.target in ("parked", "cancelled", "queued"):
        observer.left_flight(notice.issue)
    elif (notice.source, notice.target) == ("merging", "admitted"):
        observer.left_queue(notice.issue)
