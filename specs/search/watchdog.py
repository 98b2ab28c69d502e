"""A step that never ends is a violation like any other, once it is noticed.

The watchdog counts processor time, not time, so that a busy machine is no violation. It gives up
only inside the model's own code: in a callback of the interpreter, such as those of the garbage
collector, what is raised is printed and lost.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

STALL_LIMIT: Final = 1.0
"""Seconds of processor time in which a search takes at least one event."""


class StepNeverEnds(Exception):
    """A step was given up: it dispatches for ever."""


@contextmanager
def watched(progress: Callable[[], int]) -> Iterator[None]:
    """Raise `StepNeverEnds` in what runs inside whenever `progress` stands still.

    Signals reach the main thread alone; elsewhere there is no watchdog.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen = -1

    def look(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        now = progress()
        if now == seen and _in_the_model(frame):
            raise StepNeverEnds("it was still dispatching when it was given up")
        seen = now

    before = signal.signal(signal.SIGVTALRM, look)
    signal.setitimer(signal.ITIMER_VIRTUAL, STALL_LIMIT, STALL_LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _in_the_model(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_globals.get("__name__", "").startswith("wavelane_model.")
