"""The usage ladder: the level of the cap for each reading of a usage meter.

A ladder for a cap with ceiling N has N steps, which are utilisations in percent. Rules:

1. A step is *reached* at a reading at or above it. Each reached step takes one level away, so the
   level is N below the first step and 0, paused, from the last step on.
2. A step is *released* at a reading that is at least `margin` points below it. At a reading of 0
   all steps are released; otherwise a run whose first step is below the margin would never recover.
3. The level goes down as soon as steps are reached, and up as soon as steps are released. In
   between it stays where it is.

One reading may move the level by several, so the same reading again changes nothing: after a reset
of the meter the run recovers at the next reading, not N readings later.

So between two changes of the level in opposite directions the meter moves by `margin` points, or by
the whole of a step that is below the margin. Smaller movements never make the level go back and
forth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wavelane_model.cap import Cap

THRESHOLD: Final = 80.0
"""The utilisation, in percent, at which a ladder pauses by default."""
MARGIN: Final = 10.0
"""Percentage points that the meter falls below a step before it is released."""


@dataclass(frozen=True, slots=True)
class UsageLadder:
    """Gives the level of the cap for a reading of a usage meter; pure, with hysteresis.

    A monitor reads the meter, asks the ladder, sets the cap:

        ladder = UsageLadder.even(scheduler.cap.ceiling)
        while True:
            utilisation = await read_meter()
            level = ladder.level(utilisation, scheduler.cap.level)
            scheduler.cap.set(level)
            await asyncio.sleep(300)

    The ladder knows the current level but not who set it. The next reading corrects a level set by
    hand, up or down, and lifts a pause if the meter is low. To keep a limit of your own, apply it
    to the ladder's level: `scheduler.cap.set(min(limit, level))`; a limit of 0 is a lasting pause.

    Attributes:
        steps: Utilisations in percent, above 0, at most 100, each higher than the one before; one
            for each level below the ceiling: `(50, 65, 80)` is 3 below 50, then 2, 1, paused.
        margin: Percentage points that the meter falls below a step before it is released; above 0,
            at most 100.

    Raises:
        ValueError: For steps or a margin out of range.
        TypeError: For steps or a margin that are not numbers.
    """

    steps: Sequence[float]
    margin: float = MARGIN

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", _checked_steps(self.steps))
        if not _is_number(self.margin):
            raise TypeError(f"the margin is {self.margin!r}; give percentage points, a number")
        if not 0 < self.margin <= 100:
            raise ValueError(
                f"the margin is {self.margin}; give percentage points, above 0 and at most 100"
            )

    @classmethod
    def even(
        cls, ceiling: int, threshold: float = THRESHOLD, margin: float = MARGIN
    ) -> UsageLadder:
        """The ladder for a cap with this ceiling: steps evenly spread, paused from `threshold` on.

        For a ceiling of 3 and 80 percent the steps are 26.7, 53.3 and 80.

        Args:
            ceiling: The cap's ceiling, 1 or more.
            threshold: The highest step, in percent.
            margin: As for `UsageLadder`.

        Raises:
            ValueError: For a value out of range.
            TypeError: For a value that is not a number.
        """
        Cap.at(ceiling)
        if not _is_number(threshold):
            raise TypeError(f"the threshold is {threshold!r}; give percent, a number")
        if not 0 < threshold <= 100:
            raise ValueError(f"the threshold is {threshold}; give percent, above 0 and at most 100")
        below = (threshold * number / ceiling for number in range(1, ceiling))
        return cls((*below, threshold), margin)

    @property
    def ceiling(self) -> int:
        """The level below the first step: the number of steps."""
        return len(self.steps)

    @property
    def releases(self) -> tuple[float, ...]:
        """For each step the utilisation, in percent, at or below which it is released."""
        return tuple(max(step - self.margin, 0) for step in self.steps)

    def level(self, utilisation: float, current: int) -> int:
        """The level to set at this reading of the meter.

        Args:
            utilisation: The reading, in percent (not a fraction of 1). Above 100 counts as full.
            current: The current level; 0 is paused.

        Returns:
            The level, from 0 (paused) to the ceiling.

        Raises:
            ValueError: For a reading that is negative or NaN, as meters give when they do not know:
                then leave the cap as it is. Also for a current level that the ladder does not have.
            TypeError: For a value that is not a number.
        """
        _check_reading(utilisation)
        self._check_level(current)
        at_most = sum(utilisation < step for step in self.steps)
        at_least = sum(utilisation <= release for release in self.releases)
        return min(max(current, at_least), at_most)

    def _check_level(self, current: int) -> None:
        if isinstance(current, bool) or not isinstance(current, int):
            raise TypeError(f"the current level is {current!r}; give a whole number")
        if not 0 <= current <= self.ceiling:
            raise ValueError(
                f"the current level is {current}, and the ladder's levels are 0 to {self.ceiling}; "
                "give it as many steps as the cap's ceiling"
            )


def _check_reading(utilisation: float) -> None:
    if not _is_number(utilisation):
        raise TypeError(f"the utilisation is {utilisation!r}; give percent, a number")
    if not utilisation >= 0:
        raise ValueError(
            f"the utilisation is {utilisation}; give percent, 0 or more, "
            "and leave the cap as it is when the meter cannot be read"
        )


def _checked_steps(given: Sequence[float]) -> tuple[float, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise TypeError(f"the steps are {given!r}; give a list of percents, e.g. [50, 65, 80]")
    if not given:
        raise ValueError("there are no steps; give one for each level, e.g. [80] for a cap of 1")
    for number, step in enumerate(given, 1):
        if not _is_number(step):
            raise TypeError(f"step {number} is {step!r}; give percent, a number")
        if not 0 < step <= 100:
            raise ValueError(f"step {number} is {step}; give percent, above 0 and at most 100")
        if number > 1 and step <= given[number - 2]:
            raise ValueError(
                f"step {number} is {step}, not above step {number - 1}, {given[number - 2]}; "
                "give steps that rise"
            )
    return tuple(given)


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)
