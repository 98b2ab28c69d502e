"""Ray: a task an issue, with the references of what it depends on as arguments.

A node on this machine, without its dashboard and without usage statistics. It has as many CPUs as
the cap, and all its worker processes are up before the clock starts. Each repo is a resource of
which a task takes one.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"

import ray  # pyright: ignore[reportMissingImports]

from benchmarks import workload
from benchmarks.contestants import Run
from benchmarks.workload import CAP, NoOpSessions
from wavelane import Issue

_ROUNDS: Final = 20
"""How often it is looked whether all workers are up, before the wave runs with those that are."""


@contextmanager
def opened() -> Iterator[Run]:
    """The node is up, and so are its workers."""
    with tempfile.TemporaryDirectory(prefix="wl-", ignore_cleanup_errors=True) as folder:
        ray.init(
            num_cpus=CAP,
            resources=dict.fromkeys(workload.REPO_NAMES, 1),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
        try:
            _wait_for_workers()
            yield _run
        finally:
            ray.shutdown()


def _wait_for_workers() -> None:
    nap = ray.remote(num_cpus=1)(_nap)
    for _ in range(_ROUNDS):
        if len(set(ray.get([nap.remote() for _ in range(CAP)]))) == CAP:
            return


def _nap() -> int:
    time.sleep(0.2)
    return os.getpid()


def _run(issues: Sequence[Issue], sessions: NoOpSessions) -> None:
    task = ray.remote(num_cpus=1)(_issue)
    references: dict[str, Any] = {}
    for issue in issues:
        references[issue.id] = task.options(resources={issue.repo: 1}).remote(
            issue.id, *(references[needed] for needed in issue.depends_on)
        )
    sessions.merged += sum(ray.get(list(references.values())))


def _issue(issue_id: str, *needed: int) -> int:
    return workload.pass_through(issue_id)
