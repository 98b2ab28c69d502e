"""The core of a run: the model's state, a lock, and decisions that are not carried out yet.

1. Any thread may apply a fact, one at a time: the model has processed it when `apply` returns. Its
   effects wait until the run's loop takes them.
2. A run goes through its phases in one direction. Once it is closed, nothing is applied any more.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum

from wavelane.replay.replay import Replay, StepResult, missing_events
from wavelane.scheduler.notices import Audience
from wavelane_model.events import Event
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent


class RunPhase(IntEnum):
    """How far a run has come; it never goes back."""

    NEW = 0
    """`run` has not been called."""
    OPENING = 1
    """`run` was called: the journal is opened, and the pipeline is asked what the last run left."""
    RUNNING = 2
    """The wave has started."""
    FINISHED = 3
    """The wave has ended; the remaining work of the run ends by itself."""
    ABANDONED = 4
    """The run has failed or was cancelled; its remaining work is cancelled."""
    CLOSED = 5
    """The run is over, and nothing of it remains."""


class ThreadsafeEvent(asyncio.Event):
    """An event that any thread may set once it is bound to a loop."""

    def __init__(self) -> None:
        super().__init__()
        self._home: asyncio.AbstractEventLoop | None = None
        self._thread: int | None = None

    def bind(self) -> None:
        """Bind to the running loop. An earlier `set` is forgotten."""
        self._home = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def set(self) -> None:
        """Wake every waiter."""
        if threading.get_ident() == self._thread:
            super().set()
        elif self._home is not None:
            with suppress(RuntimeError):  # the loop is closed: the run is over
                self._home.call_soon_threadsafe(super().set)


class Core:
    """What a run has decided so far.

    Attributes:
        replay: The wave and its events.
        clock: Returns the time, in seconds since the epoch.
        lock: Is taken while the model is stepped or read.
        phase: How far the run has come.
        awake: Is set when the run's loop has something to do.
        audience: The listeners of the run.
    """

    def __init__(
        self, replay: Replay, clock: Callable[[], float], *, keeps_journal: bool = False
    ) -> None:
        self.replay = replay
        self.clock = clock
        self.lock = threading.RLock()
        self.phase = RunPhase.NEW
        self.awake = ThreadsafeEvent()
        self.audience = Audience()
        self._keeps_journal = keeps_journal
        self._results: list[StepResult] = []
        self._early: list[Event] | None = [] if keeps_journal else None
        """What was requested before the journal was opened."""

    @property
    def state(self) -> WaveState:
        """The model's state now."""
        return self.replay.state

    @property
    def has_ended(self) -> bool:
        """Whether this run has ended, and not only an earlier one."""
        return self.phase >= RunPhase.RUNNING and self.state.outcome not in (None, "unfinished")

    def claim(self) -> None:
        """Start the only run. Raises `RuntimeError` the second time."""
        if self.phase is not RunPhase.NEW:
            raise RuntimeError("run() was called before; make a new Scheduler")
        self.phase = RunPhase.OPENING
        self.awake.bind()

    def enter(self, phase: RunPhase) -> None:
        """Enter a later phase."""
        with self.lock:
            self.phase = max(self.phase, phase)

    def apply(self, event: Event) -> None:
        """Step an event through the model. Raises `IllegalEvent`, and then nothing has changed."""
        with self.lock:
            if self.phase is RunPhase.CLOSED:
                raise IllegalEvent(f"the run is over; {type(event).__name__} comes too late")
            result = self.replay.apply(
                self.clock(),
                event,
                with_standings=self._keeps_journal or self.audience.listens,
            )
            self._results.append(result)
            if self._early is not None:
                self._early.append(event)
        self.awake.set()

    def remember_early(self, event: Event) -> None:
        """Keep a request that changes nothing now: the opened journal may be in another state."""
        if self._early is not None:
            self._early.append(event)

    def take_early(self) -> list[Event]:
        """What was requested so far. No more is kept from now on: the journal is open."""
        early, self._early = self._early or [], None
        return early

    def take_results(self) -> list[StepResult]:
        """The decisions not taken yet, in order."""
        self.awake.clear()
        with self.lock:
            results, self._results = self._results, []
        return results

    def adopt(self, replay: Replay) -> None:
        """Continue with the wave of a journal, in place of the given one."""
        self._results.clear()
        self.replay = replay

    def cut_off(self) -> None:
        """Make an abandoned run look as its journal will once the process has died."""
        with self.lock:
            for event in missing_events(self.replay):
                self.replay.apply(self.replay.recorder.last_at, event)
