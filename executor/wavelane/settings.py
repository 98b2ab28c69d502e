"""Settings of the command pipeline: which repos, and which commands for which issue.

They are plain values, whoever read them from where. `wavelane.preflight` checks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wavelane.processes import Command


@dataclass(frozen=True, slots=True)
class RepoSettings:
    """One repo: a checkout or a bare repo at `path`.

    `base` is the branch that the wave's agent branch starts from; None: the one that the repo's
    own checkout is on. `gates` are run in order after each implementing session, by name.
    """

    path: Path
    base: str | None = None
    gates: Mapping[str, Command] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IssueCommands:
    """What is run for one issue. Without `review`, every implementation is approved."""

    implement: Command
    review: Command | None = None


class PipelineError(ValueError):
    """A pipeline that cannot work. `problems` lists everything that is wrong, a sentence each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))
