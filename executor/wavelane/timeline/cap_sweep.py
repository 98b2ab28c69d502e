"""The cap sweep: when a wave is expected to end at each cap, why, and which repos are idle.

It promises nothing: see `wavelane.timeline.forecast`. If a higher cap is expected to end later, the
sweep says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

from wavelane.planning.replanner import LARGEST, opening
from wavelane.timeline.estimates import Expected, expected_seconds
from wavelane.timeline.forecast import Forecast, forecast, forecasts
from wavelane_model.events import Event
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.wave import Wave

_EACH: Final = 50_000
"""Up to this many issues times caps, every cap is forecast, which takes seconds."""
_EACH_PLANNED: Final = 1_000
"""The same if the order is planned at each cap."""


class Setback(NamedTuple):
    """At `cap` the wave is expected to end `later` than at the lower cap `than`."""

    cap: int
    than: int
    later: float


@dataclass(frozen=True, slots=True)
class CapSweep:
    """Forecasts of a wave at each cap, in seconds or sessions as `expected` says.

    `cap` is the chosen one, `chosen` the forecast at it, and `highest` the highest cap requested.
    `forecasts` are in order of rising caps: each from 1 on, or some of them for a very large wave.
    After the last one, a higher cap changes nothing or is above `highest`.
    """

    wave: Wave
    expected: Expected
    cap: int
    highest: int
    chosen: Forecast
    forecasts: tuple[Forecast, ...]

    @property
    def setbacks(self) -> tuple[Setback, ...]:
        """The caps at which the wave is expected to end later than at the next lower one."""
        pairs = zip(self.forecasts, self.forecasts[1:], strict=False)
        return tuple(
            Setback(higher.cap, lower.cap, higher.end - lower.end)
            for lower, higher in pairs
            if higher.end > lower.end
        )

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON; issues are listed at the chosen cap alone."""
        return {
            "unit": self.expected.unit,
            "with_estimate": self.expected.given,
            "learned": self.expected.learned,
            "learned_from": self.expected.finished,
            "cap": self.cap,
            "highest": self.highest,
            "caps": [_without_issues(one) for one in self.forecasts],
            "setbacks": [one._asdict() for one in self.setbacks],
            "chosen": self.chosen.to_dict(),
        }


def sweep_caps(
    wave: Wave,
    *,
    cap: int | None = None,
    lane_release: LaneRelease = "done",
    plan: bool | None = None,
) -> CapSweep:
    """Forecast a wave from its estimates, at each cap up to `cap` and the number of repos.

    `cap` defaults to the number of repos; `plan` is as for the scheduler. Raises `ValueError` for a
    cap below 1.
    """
    chosen = max(1, len(wave.repos)) if cap is None else cap
    if chosen < 1:
        raise ValueError(f"the cap is {chosen}; give 1 or more (1 is fully sequential)")
    highest = max(chosen, len(wave.repos))
    expected = expected_seconds(wave)
    is_planned = plan or (plan is None and expected.unit == "seconds")
    most = _EACH_PLANNED if is_planned and len(wave) <= LARGEST else _EACH
    caps = _caps(len(wave), chosen, highest, most)
    lengths = expected.lengths

    @cache
    def begin(at: int) -> tuple[Event, ...]:
        return opening(wave, at, lane_release=lane_release, wanted=plan)

    return CapSweep(
        wave=wave,
        expected=expected,
        cap=chosen,
        highest=highest,
        chosen=forecast(wave, lengths, chosen, lane_release=lane_release, opening=begin(chosen)),
        forecasts=forecasts(wave, lengths, caps, lane_release=lane_release, opening=begin),
    )


def _caps(issues: int, chosen: int, highest: int, most: int) -> list[int]:
    """The caps to forecast: each; beyond `most` issues times caps 1, 2, 4, … and the chosen one."""
    if issues * highest <= most:
        return list(range(1, highest + 1))
    doubled = {1 << power for power in range(highest.bit_length())}
    return sorted({*doubled, chosen, highest})


def _without_issues(found: Forecast) -> dict[str, Any]:
    left_out = ("issues", "gaps")
    return {name: value for name, value in found.to_dict().items() if name not in left_out}
