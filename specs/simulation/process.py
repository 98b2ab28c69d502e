"""A process that dies: at a point that is a number, and as after a `kill -9`.

Each life is played in a process of its own, forked from this one. Where it is to die it hands over
the history and is gone by `os._exit`: no `finally` runs, no callback, no garbage collector; the
kernel closes the journal's descriptors, and with them goes its lock; an open transaction is never
committed. What it has written stays.

The points of a life are counted from 0 in the order in which it passes them:

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


class ProcessFailed(RuntimeError):
    """A life neither ended nor died where it was to."""


class Fate:
    """When a process dies (`dies_at`, or never), and what it leaves."""

    def __init__(self, dies_at: int | None, hand_over: Callable[[str], NoReturn]) -> None:
        self.points = 0
        """How many were passed."""
        self._dies_at = dies_at
        self._hand_over = hand_over

    def passes(self, where: Callable[[], str]) -> None:
        """Pass a point, or die there."""
        if self.points == self._dies_at:
            self._hand_over(where())
        self.points += 1


def in_its_own_process(live: Callable[[Callable[[T], NoReturn]], T]) -> T:
    """What `live` returns, or hands to the function that it is given: then it dies there."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_the_child(live, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    if not said:
        raise ProcessFailed(f"a life said nothing; its status is {status}")
    found = pickle.loads(said)
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
