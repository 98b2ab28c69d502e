"""Virtual time: an event loop whose clock jumps to the next timer instead of waiting for it.

Hours of sessions pass in milliseconds, in the same order every time. Rules:

1. Time stands still while anything is ready to run, and then jumps to the earliest timer.
2. Work for threads (`run_in_executor`, `asyncio.to_thread`) is done at once, in the loop's own
   thread, so that no thread can race the clock.
3. With nothing ready and no timer, only another thread could go on. After `patience` seconds of
   real time without a sign of one, the loop raises `Deadlock`.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH = 1_000_000_000.0
"""Where virtual time starts: seconds since the epoch, so that a clock of the loop is plausible."""


class Deadlock(RuntimeError):
    """Everything waits and nothing is left that could end the waiting."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time. `patience`: real seconds to wait for another thread."""

    def __init__(self, *, patience: float = 2.0) -> None:
        self._now = EPOCH
        self._patience = patience
        self._settling = False
        super().__init__(_JumpingSelector(self))
        # A timer is due when it lies less than this ahead: more than the spacing of floats at EPOCH.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Seconds since the epoch, virtually."""
        return self._now

    @property
    def patience(self) -> float:
        """Real seconds to wait for another thread."""
        return self._patience

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
        """Run all that is ready, without letting time pass."""
        self._settling = True
        try:
            self.call_soon(lambda: None)
            self.run_forever()
        finally:
            self._settling = False

    def idle(self, timeout: float | None) -> bool:
        """Nothing is ready for `timeout`, or None for ever. True: the loop need not wait."""
        if self._settling:
            self.stop()
        elif timeout is not None:
            self._now += timeout
        return self._settling or timeout is not None


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
    """Run `main()` to its end in virtual time, like `asyncio.run`."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(patience=patience)) as runner:
        return runner.run(main())


def virtual_clock() -> float:
    """The running loop's time; the `clock` for a `Scheduler` in virtual time.

    Outside of a running loop it is the time at which virtual time starts.
    """
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return EPOCH
