"""Timers: what is to be applied when its time has come.

A time is in seconds since the epoch, by the clock of the run. What has come due is kept until it is
taken: a process that was frozen finds commands and times at once, and the commands came first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wavelane_model.events import Event

_About = tuple[type[Event], str]
"""The kind of an event, and the issue that it is about, if it is about one."""


class Timers:
    """The timers of one run, in the thread of its loop; `wake` is called when one has come due."""

    def __init__(self, clock: Callable[[], float], wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._pending: dict[_About, asyncio.TimerHandle] = {}
        self._due: list[Event] = []

    def set(self, until: float, event: Event, issue: str = "") -> None:
        """Have `event` come due at `until`; an earlier timer of this kind and issue is void."""
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
        """Whether the time of something has come that was not taken yet."""
        return bool(self._due)

    def take_due(self) -> list[Event]:
        """What has come due since this was last asked, in order."""
        due, self._due = self._due, []
        return due

    def cancel(self) -> None:
        """Let no other timer come due."""
        for timer in self._pending.values():
            timer.cancel()
        self._pending.clear()
