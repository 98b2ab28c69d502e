"""Cap control: moves the cap of a run, for an operator or a usage monitor."""

from __future__ import annotations

import math
from collections.abc import Callable

from wavelane_model.cap import Cap, CapMove, moved
from wavelane_model.events import CapMoved
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent


class CapControl:
    """Moves the cap of a scheduler, before or during its run, from any thread.

    A move takes effect before the call returns: no session starts that the new level does not
    allow, and none that has started is interrupted. If another thread moves the cap, a start that
    was allowed at that very moment may still be seen right after it. A move past the end changes
    nothing. Each method returns the resulting level; 0 is paused.
    """

    def __init__(
        self,
        state: Callable[[], WaveState],
        apply: Callable[[CapMoved], None],
        remember_early: Callable[[CapMoved], None],
    ) -> None:
        """Control a cap.

        Args:
            state: Returns the model's current state.
            apply: Applies a move. Raises `IllegalEvent` for one that changes nothing.
            remember_early: Is called with a move that changes nothing in the current state: the
                journal, once opened, may be in another.
        """
        self._state = state
        self._apply = apply
        self._remember_early = remember_early

    @property
    def level(self) -> int:
        """How many issues may be in flight now; 0 is paused."""
        return self._current().level

    @property
    def resumes_at(self) -> float | None:
        """When the pause ends by itself, in seconds since the epoch; None: never, or not paused."""
        return self._state().resume_at

    @property
    def ceiling(self) -> int:
        """The highest level: N."""
        return self._current().ceiling

    def step_down(self) -> int:
        """Move one level down; from 1 to paused."""
        return self._move("step_down")

    def step_up(self) -> int:
        """Move one level up; from paused to 1."""
        return self._move("step_up")

    def set(self, level: int) -> int:
        """Move to a level.

        Args:
            level: From 0 (paused) to the ceiling.

        Raises:
            ValueError: For a level below 0 or above the ceiling.
            TypeError: For anything but a whole number.
        """
        if isinstance(level, bool) or not isinstance(level, int):
            raise TypeError(f"the cap's level is {level!r}; give a whole number")
        return self._move("set", level)

    def pause(self, until: float | None = None) -> int:
        """Pause: no session starts; those that run finish their step.

        Args:
            until: Seconds since the epoch. The pause then ends by itself, also in a later run,
                unless the cap was moved before. Pausing again replaces this time, or removes it.

        Raises:
            ValueError: For a time that is not finite.
            TypeError: For anything but a number.
        """
        if until is None:
            return self._move("pause")
        if isinstance(until, bool) or not isinstance(until, (int, float)):
            raise TypeError(f"the end of the pause is {until!r}; give seconds since the epoch")
        if not math.isfinite(until):
            raise ValueError(f"the end of the pause is {until}; give seconds since the epoch")
        pause = CapMoved("pause", until=float(until))
        try:
            self._apply(pause)
        except IllegalEvent:
            self._remember_early(pause)
        return self.level

    def resume(self) -> int:
        """Return to the level before the pause."""
        return self._move("resume")

    def _current(self) -> Cap:
        return self._state().cap

    def _move(self, move: CapMove, level: int = 0) -> int:
        try:
            self._apply(CapMoved(move, level))
        except IllegalEvent:
            cap = self._current()
            if move == "set" and level != cap.level and moved(cap, move, level) is None:
                raise ValueError(
                    f"the cap's level is {level}; give 0 (paused) to {cap.ceiling}, its ceiling"
                ) from None
            self._remember_early(CapMoved(move, level))
        return self.level

    def __repr__(self) -> str:
        return f"<cap {self.level} of {self.ceiling}>"
