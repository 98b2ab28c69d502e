"""Virtual time: an event loop whose clock jumps to the next timer instead of waiting for it.

Hours of sessions pass in milliseconds, in the same order every time. Rules:

1. Time stands still while anything is ready to run, and then jumps to the earliest timer. Timers
   for the same time run in the order in which they were set.
2. Work for threads (`run_in_executor`, `asyncio.to_thread`) is done at once, in the loop's own
   thread, so that no thread can race the clock.
3. If nothing is ready and no timer is set, only another thread could continue. After `patience`
   seconds of real time without a sign of one, the loop raises `Deadlock`.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from heapq import heappush
from itertools import count
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH = 1_000_000_000.0
"""Where virtual time starts: seconds since the epoch, so that a clock of the loop is plausible."""


class Deadlock(RuntimeError):
    """Everything waits, and nothing is left that could end the waiting."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time: its clock jumps to the next timer.

    Args:
        patience: Real seconds to wait for another thread when nothing is ready and no timer is set.
    """

    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, *, patience: float = 2.0) -> None:
        self._now = EPOCH
        self._patience = patience
        self._settling = False
        self._timer_numbers = count()
        super().__init__(_JumpingSelector(self))
        # A timer is due when it lies less than this ahead: more than the spacing of floats here.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Virtual seconds since the epoch."""
        return self._now

    @property
    def patience(self) -> float:
        """Real seconds to wait for another thread."""
        return self._patience

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back at `when`, after the timers for that time that were set before."""
        timer = _Timer(next(self._timer_numbers), when, callback, args, self, context)
        heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    def run_in_executor(
        self, executor: object, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Do the work at once, in this thread."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def settle(self) -> None:
        """Run everything that is ready, without letting time pass."""
        self._settling = True
        try:
            self.call_soon(lambda: None)
            self.run_forever()
        finally:
            self._settling = False

    def idle(self, timeout: float | None) -> bool:
        """Nothing is ready for `timeout`, or for ever if None. True: the loop need not wait."""
        if self._settling:
            self.stop()
        elif timeout is not None:
            self._now += timeout
        return self._settling or timeout is not None


class _Timer(asyncio.TimerHandle):
    """A timer with a number, because the loop's heap does not keep the order of equals."""

    def __init__(self, number: int, when: float, *rest: Any) -> None:
        super().__init__(when, *rest)
        self._scheduled = False
        self._number = number

    def __lt__(self, other: object) -> bool:
        if isinstance(other, _Timer):
            return (self.when(), self._number) < (other.when(), other._number)
        return NotImplemented


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0 or self._loop.idle(timeout):
            return ready
        ready = super().select(self._loop.patience)
        if not ready:
            raise Deadlock(
                "everything waits, no timer is set, and no other thread has called in "
                f"for {self._loop.patience:g} s"
            )
        return ready


def run_virtual(main: Callable[[], Coroutine[Any, Any, T]], *, patience: float = 2.0) -> T:
    """Run `main()` to its end in virtual time, like `asyncio.run`.

    Args:
        main: Makes the coroutine to run, e.g. `scheduler.run`.
        patience: Real seconds to wait for another thread when everything else waits.

    Returns:
        What the coroutine returns.

    Raises:
        Deadlock: When everything waits, and nothing is left that could end the waiting.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(patience=patience)) as runner:
        return runner.run(main())


def virtual_clock() -> float:
    """The running loop's time; the `clock` for a `Scheduler` in virtual time.

    Outside a running loop it is the time at which virtual time starts.
    """
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return EPOCH
