"""The simulated event loop: virtual time, and a chooser picks the next of the ready callbacks.

Rules:

1. Any ready callback may be the next. Timers of one time become ready together, in the order in
   which they were set, and keep that order unless the chooser picks another.
2. How often the chooser picks is a choice at the start: never (first come, first served), at every
   turn, or now and then.
3. Work for a thread (a write to the journal) is done in the loop's thread, one job after the other,
   as by a pool of one thread. A job starts after a chosen virtual delay, and the loop learns of its
   end after another. A job that is cancelled before its start is not done. Jobs for the loop's own
   pool (a plan) are done in the same way, concurrently and often later.
4. Nothing depends on an object's address in memory: tasks hash by number, because asyncio keeps
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
"""A schedule of more callbacks than this is a livelock."""
_DELAYS: Final = (0, 0, 0, 1, 3)
"""Seconds until a thread starts a write, and until the loop learns of its end."""
_DELAYS_OF_THE_POOL: Final = (0, 0, 1, 4, 9)
"""The same for jobs of the loop's own pool."""


class Livelock(RuntimeError):
    """Callbacks keep running without end."""


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
        """Make a loop.

        Args:
            chooser: Makes the choices.
            now: The virtual time at the start, in seconds since the epoch.
            before_turn: Called with each callback before it runs.
            before_wait: Called when all ready callbacks have run, before virtual time goes on.
        """
        super().__init__(patience=0)
        self._now = now
        self.chooser = chooser
        self._before_wait = before_wait
        self.pool = SimulatedThread(lambda: None, _DELAYS_OF_THE_POOL)
        """Takes the place of the loop's own pool."""
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
        """Have a `SimulatedThread` do a job; None: that of the loop's own pool."""
        thread = self.pool if executor is None else executor
        if not isinstance(thread, SimulatedThread):
            raise TypeError(f"work for {thread!r}; this loop knows simulated threads only")
        return thread.take(self, lambda: func(*args))

    def idle(self, timeout: float | None) -> bool:
        """No callback is ready for `timeout`."""
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
    """The ready callbacks; the next one is chosen."""

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
    """Takes the place of a `ThreadPoolExecutor` of one thread.

    `acknowledged` is called when the loop learns of a job's end. From `delays`, in seconds, one is
    chosen before a job starts, and one before the loop learns of its end.
    """

    def __init__(self, acknowledged: Callable[[], None], delays: Sequence[int] = _DELAYS) -> None:
        self._acknowledged = acknowledged
        self._delays = delays
        self._jobs: deque[_Job[Any]] = deque()

    @property
    def busy(self) -> int:
        """How many jobs are left, or done without the loop having learned of it."""
        return len(self._jobs)

    def take(self, loop: SimulatedLoop, work: Callable[[], T]) -> asyncio.Future[T]:
        """Do `work` after all earlier jobs."""
        job = _Job(work, loop.create_future())
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._next(loop)
        return job.done

    def shutdown(self) -> None:
        """Do all jobs that are left; the loop does not learn of their end."""
        while self._jobs:
            self._jobs.popleft().do()

    def _next(self, loop: SimulatedLoop) -> None:
        loop.call_later(loop.chooser.one_of(self._delays), self._begin, loop, self._jobs[0])

    def _begin(self, loop: SimulatedLoop, job: _Job[Any]) -> None:
        job.do()
        loop.call_later(loop.chooser.one_of(self._delays), self._end, loop, job)

    def _end(self, loop: SimulatedLoop, job: _Job[Any]) -> None:
        job.resolve()
        self._acknowledged()
        if self._jobs and self._jobs[0] is job:
            self._jobs.popleft()
            if self._jobs:
                self._next(loop)


class _Job(Generic[T]):
    """Work for a thread, and the future that gets its result."""

    def __init__(self, work: Callable[[], T], done: asyncio.Future[T]) -> None:
        self._work: Callable[[], T] | None = work
        self._result: list[T] = []
        self._error: Exception | None = None
        self.done = done

    def do(self) -> None:
        """Do the work, unless it was done or cancelled."""
        if self._work is None or self.done.cancelled():
            return
        work, self._work = self._work, None
        try:
            self._result.append(work())
        except Exception as error:
            self._error = error

    def resolve(self) -> None:
        """Hand the result to the future."""
        if self.done.cancelled():
            return
        if self._error is not None:
            self.done.set_exception(self._error)
        else:
            self.done.set_result(self._result[0])
