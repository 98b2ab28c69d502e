"""luigi: a task an issue, which requires those that it depends on; its target is an empty file.

The local scheduler with one worker, in this process: one task at a time. With more workers luigi
forks a process a task, which takes longer still.
"""

# pyright: reportCallIssue=false, reportGeneralTypeIssues=false
# A task's parameters look to pyright like fields of a dataclass without types.

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import luigi  # pyright: ignore[reportMissingImports]

from benchmarks import workload
from benchmarks.contestants import Run
from benchmarks.workload import NoOpSessions
from wavelane import Issue


@contextmanager
def opened() -> Iterator[Run]:
    """Nothing has to be up."""
    yield _run


def _run(issues: Sequence[Issue], sessions: NoOpSessions) -> None:
    with tempfile.TemporaryDirectory(prefix="wavelane-benchmark-") as folder:
        _IssueTask.wave = {issue.id: issue for issue in issues}
        luigi.build([_WaveTask(folder)], local_scheduler=True, workers=1, log_level="CRITICAL")
        sessions.merged += sum(1 for _ in Path(folder).iterdir())


class _IssueTask(luigi.Task):
    wave: ClassVar[dict[str, Issue]] = {}
    folder = luigi.Parameter()
    issue = luigi.Parameter()

    def requires(self) -> Any:
        return [_IssueTask(self.folder, needed) for needed in self.wave[self.issue].depends_on]

    def output(self) -> Any:
        return luigi.LocalTarget(str(Path(self.folder) / self.issue))

    def run(self) -> None:
        workload.pass_through(self.issue)
        with self.output().open("w"):
            pass


class _WaveTask(luigi.WrapperTask):
    folder = luigi.Parameter()

    def requires(self) -> Any:
        return [_IssueTask(self.folder, issue) for issue in _IssueTask.wave]
