"""A process that dies at a numbered point, as if by `kill -9`.

Each life is played in a process of its own, forked from this one. At its last point it hands the
history over and exits by `os._exit`: no `finally` runs, no callback, no garbage collector; the
kernel closes the journal's descriptors, which releases its lock; an open transaction is never
committed. What the process has written stays.

The points of a life are counted from 0 in the order in which it reaches them:

- before every turn of its event loop: a turn is one callback, and ends where a task awaits;
- while the journal is opened, before every statement of a write, and after every commit;
- before and after every change of the world.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
from collections.abc import Callable
from typing import NoReturn, TypeVar

T = TypeVar("T")
ReachPoint = Callable[[Callable[[], str]], None]
"""Called at each point of a life, with a function that describes it."""


class ProcessFailed(RuntimeError):
    """A life neither ended nor died at its point."""


class CrashPoints:
    """Counts the points of a life, which dies at `dies_at`, or never."""

    def __init__(self, dies_at: int | None, hand_over: Callable[[str], NoReturn]) -> None:
        self.reached = 0
        """How many points were passed."""
        self._dies_at = dies_at
        self._hand_over = hand_over

    def reach(self, where: Callable[[], str]) -> None:
        """Pass a point, or die there; `where` describes it."""
        if self.reached == self._dies_at:
            self._hand_over(where())
        self.reached += 1


def in_forked_process(live: Callable[[Callable[[T], NoReturn]], T]) -> T:
    """What `live` returns, or passes to the function that it gets, which ends the process."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_the_child(live, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        pickled = pipe.read()
    _, status = os.waitpid(pid, 0)
    if not pickled:
        raise ProcessFailed(f"a life ended without a result; its status is {status}")
    found = pickle.loads(pickled)
    if isinstance(found, ProcessFailed):
        raise found
    left: T = found
    return left


def _be_the_child(live: Callable[[Callable[[T], NoReturn]], T], writing: int) -> NoReturn:
    gc.disable()
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def die(left: object) -> NoReturn:
        with os.fdopen(writing, "wb", closefd=False) as pipe:
            pickle.dump(left, pipe)
        os._exit(0)

    try:
        left: object = live(die)
    except BaseException as error:
        left = ProcessFailed(f"a life ended with {error!r}")
    die(left)
