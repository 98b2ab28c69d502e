"""Timers: events to apply when their time has come.

A time is in seconds since the epoch, by the clock of the run. Events that have come due are kept
until taken: a process that was frozen finds commands and times at once; commands came first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wavelane_model.events import Event

_About = tuple[type[Event], str]
"""The kind of an event, and its issue, if it has one."""


class Timers:
    """The timers of one run, in the thread of its loop; `wake` is called when one comes due."""

    def __init__(self, clock: Callable[[], float], wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._pending: dict[_About, asyncio.TimerHandle] = {}
        self._due: list[Event] = []

    def set(self, until: float, event: Event, issue: str = "") -> None:
        """Make `event` due at `until`; an earlier timer of its kind and issue is replaced."""
        about = (type(event), issue)
        if earlier := self._pending.pop(about, None):
            earlier.cancel()
        delay = max(0, until - self._clock())
        loop = asyncio.get_running_loop()
        self._pending[about] = loop.call_later(delay, self._come_due, about, event)

    def _come_due(self, about: _About, event: Event) -> None:
        del self._pending[about]
        self._due.append(event)
        self._wake()

    @property
    def are_due(self) -> bool:
        """Whether anything that has come due is not taken yet."""
        return bool(self._due)

    def take_due(self) -> list[Event]:
        """What has come due since the last call, in order."""
        due, self._due = self._due, []
        return due

    def cancel(self) -> None:
        """Cancel all timers."""
        for timer in self._pending.values():
            timer.cancel()
        self._pending.clear()
