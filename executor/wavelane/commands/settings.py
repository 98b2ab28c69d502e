"""Settings of the command pipeline: which repos, and which commands for which issue.

They are plain values, from whatever source. `wavelane.commands.preflight` checks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wavelane.processes import CommandLine
from wavelane_model.problems import ProblemsError


@dataclass(frozen=True, slots=True)
class RepoSettings:
    """One repo: a checkout or a bare repo at `path`.

    `base` is the branch that the wave's agent branch starts from; None: the branch of the repo's
    own checkout. `gates` are run in order after each implementing session, by name.
    """

    path: Path
    base: str | None = None
    gates: Mapping[str, CommandLine] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IssueCommands:
    """The commands for one issue. Without `review`, every implementation is approved."""

    implement: CommandLine
    review: CommandLine | None = None

    def to_details(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {"implement": self.implement, "review": self.review}

    @classmethod
    def from_details(cls, issue_id: str, details: object) -> IssueCommands:
        """The commands from `to_details`. Raises `ValueError` for anything else."""
        if isinstance(details, Mapping) and details.keys() == {"implement", "review"}:
            implement, review = details["implement"], details["review"]
            if _is_command(implement) and (review is None or _is_command(review)):
                return cls(_as_command(implement), None if review is None else _as_command(review))
        raise ValueError(f'the commands of issue "{issue_id}" cannot be read: {details!r}')


def _is_command(given: object) -> bool:
    if isinstance(given, list | tuple):
        return bool(given) and all(isinstance(word, str) for word in given)
    return isinstance(given, str) and bool(given.strip())


def _as_command(given: Any) -> CommandLine:
    return given if isinstance(given, str) else tuple(given)


class PipelineError(ProblemsError):
    """A pipeline that cannot work.

    Attributes:
        problems: Everything that is wrong. A place leads into what the pipeline was made from:
            `("repos", "api", "base")`, `("commands", "api#1", "review")`.
    """
