"""The simulated event loop: virtual time, and a chooser says which ready callback is next.

Rules:

1. Any callback that is ready may be the next. Timers of one time become ready together, in the
   order in which they were set, and keep it unless the chooser picks otherwise.
2. How much it picks is a choice at the start: never (first come, first served), at every turn, or
   now and then.
3. Work for a thread (a write to the journal) is done in the loop's thread, one piece after the
   other as a pool of one thread does it. It begins after a chosen virtual delay, and its end is
   heard of after another. What is cancelled before it begins is not done. Work for the loop's own
   pool (a plan) is done likewise, beside it and often later.
4. Nothing depends on where an object lies in memory: tasks hash by number, because asyncio keeps
   them in sets.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextvars import Context
from itertools import count
from typing import Any, Final, Generic, TypeVar, TypeVarTuple

from specs.simulation.chooser import Chooser
from wavelane.testing import VirtualLoop
from wavelane.testing.virtual import EPOCH

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TURNS: Final = 20_000
"""A schedule of more callbacks than this goes round in circles."""
_DELAYS: Final = (0, 0, 0, 1, 3)
"""Seconds that a write waits for its thread, and its end for the loop."""
_DELAYS_OF_THE_POOL: Final = (0, 0, 1, 4, 9)
"""The same for work of the loop's own pool."""


class Livelock(RuntimeError):
    """Callbacks run for ever."""


class SimulatedLoop(VirtualLoop):
    """An event loop whose order of callbacks is chosen."""

    _ready: deque[asyncio.Handle]

    def __init__(
        self,
        chooser: Chooser,
        *,
        now: float = EPOCH,
        before_turn: Callable[[asyncio.Handle], None] = lambda handle: None,
        before_wait: Callable[[], None] = lambda: None,
    ) -> None:
        """`now` is the time at the start; `before_turn` is told which callback is next.

        `before_wait` is called when all that was ready has run, before time goes on.
        """
        super().__init__(patience=0)
        self._now = now
        self.chooser = chooser
        self._before_wait = before_wait
        self.pool = SimulatedThread(lambda: None, _DELAYS_OF_THE_POOL)
        """Stands for the loop's own pool."""
        pick = chooser.one_of((_first, _any, _seldom))
        self._ready = _Ready(self._ready, lambda length: pick(chooser, length), before_turn)
        self._numbers = count()
        self.set_task_factory(self._task)

    def seconds(self) -> float:
        """Virtual seconds since virtual time began, to a thousandth."""
        return round(self.time() - EPOCH, 3)

    def run_in_executor(
        self, executor: object, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Have a `SimulatedThread` do the work; None: that of the loop's own pool."""
        thread = self.pool if executor is None else executor
        if not isinstance(thread, SimulatedThread):
            raise TypeError(f"work for {thread!r}; this loop knows simulated threads only")
        return thread.take(self, lambda: func(*args))

    def idle(self, timeout: float | None) -> bool:
        """Nothing is ready for `timeout`."""
        self._before_wait()
        return super().idle(timeout)

    def _task(
        self, loop: asyncio.AbstractEventLoop, coro: Any, context: Context | None = None
    ) -> asyncio.Task[Any]:
        return _NumberedTask(next(self._numbers), coro, loop=loop, context=context)


def _first(chooser: Chooser, length: int) -> int:
    return 0


def _any(chooser: Chooser, length: int) -> int:
    return chooser.number(length)


def _seldom(chooser: Chooser, length: int) -> int:
    return chooser.number(length) if chooser.once_in(6) else 0


class _Ready(deque[asyncio.Handle]):
    """The callbacks in line; the next one is a chosen one."""

    def __init__(
        self,
        handles: Iterable[asyncio.Handle],
        pick: Callable[[int], int],
        before_turn: Callable[[asyncio.Handle], None],
    ) -> None:
        super().__init__(handles)
        self._pick = pick
        self._before_turn = before_turn
        self._turns = 0

    def popleft(self) -> asyncio.Handle:
        self._turns += 1
        if self._turns > TURNS:
            self._turns = 0
            raise Livelock(f"{TURNS} callbacks have run, and more are ready")
        at = self._pick(len(self)) if len(self) > 1 else 0
        handle = self[at]
        self._before_turn(handle)
        del self[at]
        return handle


class _NumberedTask(asyncio.Task[T]):
    def __init__(
        self,
        number: int,
        coro: Coroutine[Any, Any, T],
        *,
        context: Context | None = None,
        **rest: Any,
    ) -> None:
        self._number = number
        super().__init__(coro, context=context, **rest)

    def __hash__(self) -> int:
        return self._number


class SimulatedThread:
    """Stands for a `ThreadPoolExecutor` of one thread. `heard` is called when work's end is.

    `delays`: the seconds of which one is chosen before work begins, and one before it is heard of.
    """

    def __init__(self, heard: Callable[[], None], delays: Sequence[int] = _DELAYS) -> None:
        self._heard = heard
        self._delays = delays
        self._jobs: deque[_Job[Any]] = deque()

    @property
    def busy(self) -> int:
        """How much it has to do, and has done that was not heard of."""
        return len(self._jobs)

    def take(self, loop: SimulatedLoop, work: Callable[[], T]) -> asyncio.Future[T]:
        """Do `work` after all that was taken before."""
        job = _Job(work, loop.create_future())
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._next(loop)
        return job.done

    def shutdown(self) -> None:
        """Do all work that is left. Nobody hears of its end."""
        while self._jobs:
            self._jobs.popleft().do()

    def _next(self, loop: SimulatedLoop) -> None:
        loop.call_later(loop.chooser.one_of(self._delays), self._begin, loop, self._jobs[0])

    def _begin(self, loop: SimulatedLoop, job: _Job[Any]) -> None:
        job.do()
        loop.call_later(loop.chooser.one_of(self._delays), self._end, loop, job)

    def _end(self, loop: SimulatedLoop, job: _Job[Any]) -> None:
        job.tell()
        self._heard()
        if self._jobs and self._jobs[0] is job:
            self._jobs.popleft()
            if self._jobs:
                self._next(loop)


class _Job(Generic[T]):
    """A piece of work, and the future that is told of its end."""

    def __init__(self, work: Callable[[], T], done: asyncio.Future[T]) -> None:
        self._work: Callable[[], T] | None = work
        self._result: list[T] = []
        self._error: Exception | None = None
        self.done = done

    def do(self) -> None:
        """Do the work, if it has not been done and nobody has cancelled it."""
        if self._work is None or self.done.cancelled():
            return
        work, self._work = self._work, None
        try:
            self._result.append(work())
        except Exception as error:
            self._error = error

    def tell(self) -> None:
        """Tell of the end."""
        if self.done.cancelled():
            return
        if self._error is not None:
            self.done.set_exception(self._error)
        else:
            self.done.set_result(self._result[0])
