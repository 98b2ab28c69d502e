"""The orders of admission that are compared, each run through the model.

The *planner* has exact estimates, and plans once, before the start. Where estimates are *off*, by a
log-normal factor, the default keeps its order, and the planner plans anew as the scheduler does.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, Literal

from benchmarks.makespan.instances import (
    Instance,
    blurred,
    with_estimates,
    without_estimates,
)
from benchmarks.makespan.simulate import simulated
from wavelane import Wave
from wavelane.planning.planner import planned
from wavelane.planning.replanner import Replanner
from wavelane_model.events import OrderPlanned, Reservation

Name = Literal[
    "first come, first served",
    "random",
    "default, no estimates",
    "default, estimates",
    "planner",
    "default, estimates off",
    "planner, estimates off",
]
SIGMA: Final = 0.3
"""The standard deviation of the logarithm of that factor."""
FOREVER: Final = 1e12
"""Seconds; exact plans need no patience."""


def _first_come(instance: Instance, cap: int) -> float:
    return _in_order(instance, cap, range(len(instance.wave)))


def _random(instance: Instance, cap: int) -> float:
    chance = random.Random(f"{instance.name} {cap}")
    return _in_order(instance, cap, _shuffled(instance.wave, chance))


def _shuffled(wave: Wave, chance: random.Random) -> list[int]:
    """Some order in which each issue comes after all that it depends on."""
    unmet = [len(needed) for needed in wave.dependencies]
    free = [at for at, count in enumerate(unmet) if count == 0]
    order: list[int] = []
    while free:
        at = free.pop(chance.randrange(len(free)))
        order.append(at)
        for dependent in wave.dependents[at]:
            unmet[dependent] -= 1
            if unmet[dependent] == 0:
                free.append(dependent)
    return order


def _in_order(instance: Instance, cap: int, order: range | list[int]) -> float:
    plan = OrderPlanned(tuple(instance.wave.issues[at].id for at in order))
    return simulated(instance.wave, instance.seconds, cap, opening=[plan])


def _default(instance: Instance, cap: int) -> float:
    return simulated(without_estimates(instance.wave), instance.seconds, cap)


def _estimated(instance: Instance, cap: int) -> float:
    return simulated(instance.wave, instance.seconds, cap)


def _planner(instance: Instance, cap: int) -> float:
    wave = instance.wave
    plan = planned(wave, instance.seconds, cap, may_reserve=True)
    planning = OrderPlanned(
        tuple(wave.issues[at].id for at in plan.order),
        tuple(Reservation(wave.issues[at].id, FOREVER) for at in sorted(plan.reserved_for)),
    )
    return simulated(wave, instance.seconds, cap, opening=[planning])


def _estimated_off(instance: Instance, cap: int) -> float:
    return simulated(_off(instance, cap), instance.seconds, cap)


def _planner_off(instance: Instance, cap: int) -> float:
    wave = _off(instance, cap)
    return simulated(wave, instance.seconds, cap, replanner=Replanner(wave, True))


def _off(instance: Instance, cap: int) -> Wave:
    chance = random.Random(f"{instance.name} {cap}")
    return with_estimates(instance.wave, blurred(instance.seconds, SIGMA, chance))


CONTENDERS: Final[dict[Name, Callable[[Instance, int], float]]] = {
    "first come, first served": _first_come,
    "random": _random,
    "default, no estimates": _default,
    "default, estimates": _estimated,
    "planner": _planner,
    "default, estimates off": _estimated_off,
    "planner, estimates off": _planner_off,
}
