"""Dask distributed: a task an issue, with the futures of what it depends on as arguments.

The cluster is in this process: one worker with as many threads as the cap, no dashboard and no
socket. Each repo is a resource of which a task takes one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from distributed import Client, LocalCluster  # pyright: ignore[reportMissingImports]

from benchmarks import workload
from benchmarks.contestants import Run
from benchmarks.workload import CAP, NoOpSessions
from wavelane import Issue


@contextmanager
def opened() -> Iterator[Run]:
    """The cluster is up and its client connected."""
    with (
        LocalCluster(
            processes=False,
            n_workers=1,
            threads_per_worker=CAP,
            dashboard_address=None,  # pyright: ignore[reportArgumentType]
            resources=dict.fromkeys(workload.REPO_NAMES, 1),
        ) as cluster,
        Client(cluster) as client,
    ):
        yield lambda issues, sessions: _run(client, issues, sessions)


def _run(client: Any, issues: Sequence[Issue], sessions: NoOpSessions) -> None:
    run = uuid4().hex
    futures: dict[str, Any] = {}
    for issue in issues:
        futures[issue.id] = client.submit(
            _issue,
            issue.id,
            *(futures[needed] for needed in issue.depends_on),
            key=f"{issue.id}-{run}",
            resources={issue.repo: 1},
        )
    sessions.merged += sum(client.gather(list(futures.values())))


def _issue(issue_id: str, *needed: int) -> int:
    return workload.pass_through(issue_id)
