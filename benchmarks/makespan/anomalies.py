"""What greedy schedules cannot promise, counted over the generated waves.

A higher cap, or shorter sessions, may lengthen a wave (Graham's anomalies), and no order ends each
wave sooner than first come, first served does. How often, under the default order with estimates:
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from benchmarks.makespan.contenders import CONTENDERS
from benchmarks.makespan.instances import Instance, with_estimates
from benchmarks.makespan.simulate import simulated

_SHORTER: Final = 0.9


class Anomaly(NamedTuple):
    """In how many of `waves` it was seen."""

    sentence: str
    seen: int
    waves: int

    def __str__(self) -> str:
        share = 100 * self.seen / self.waves
        return f"{self.sentence}: {self.seen} of {self.waves} waves ({share:.0f} %)"


def anomalies(instances: Sequence[Instance]) -> list[Anomaly]:
    """Each kind, and how often it is seen."""
    return [
        Anomaly(sentence, sum(map(is_seen, instances)), len(instances))
        for sentence, is_seen in _KINDS.items()
    ]


def _higher_cap(instance: Instance) -> bool:
    caps = range(1, len(instance.wave.repos) + 1)
    ends = [simulated(instance.wave, instance.seconds, cap) for cap in caps]
    return any(higher > lower for lower, higher in pairwise(ends))


def _shorter_session(instance: Instance) -> bool:
    cap = len(instance.wave.repos)
    seconds = [_SHORTER * one for one in instance.seconds]
    usual = simulated(instance.wave, instance.seconds, cap)
    for at in range(len(seconds)):
        shorter = [*instance.seconds]
        shorter[at] = seconds[at]
        if simulated(with_estimates(instance.wave, shorter), shorter, cap) > usual:
            return True
    return False


def _first_come_is_sooner(instance: Instance) -> bool:
    first_come, ours = CONTENDERS["first come, first served"], CONTENDERS["default, estimates"]
    return any(first_come(instance, cap) < ours(instance, cap) for cap in instance.best)


def _first_come_beats_the_planner(instance: Instance) -> bool:
    first_come, ours = CONTENDERS["first come, first served"], CONTENDERS["planner"]
    return any(first_come(instance, cap) < ours(instance, cap) for cap in instance.best)


_KINDS: Final[dict[str, Callable[[Instance], bool]]] = {
    "a cap one higher ends the wave later, at some cap": _higher_cap,
    "one session that is 10 % shorter ends the wave later": _shorter_session,
    "first come, first served ends sooner, at one of the caps above": _first_come_is_sooner,
    "the same, beside the planner with exact estimates": _first_come_beats_the_planner,
}
