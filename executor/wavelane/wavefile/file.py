"""The whole of a wave file, and its result: a wave, its limits, and the command for each step.

What may appear in it is checked when the object is made. `loading`, which knows the lines, checks
that its issues fit together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr

from wavelane.processes import CommandLine
from wavelane.wavefile.entries import EntryModel, IssueEntry, LimitsEntry, RepoEntry
from wavelane.wavefile.values import FilePath, Name, Positive, Shell, Text, Words
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.limits import Limits
from wavelane_model.wave import Finished, Issue, Wave

CommandStep = Literal["implement", "review"]
"""A step for which there is a command."""

_T = TypeVar("_T")


def _some(value: dict[str, _T]) -> dict[str, _T]:
    if value:
        return value
    raise ValueError("is empty; name at least one repo and its path")


class WaveFile(EntryModel):
    """A wave file: issues, the repos they live in, and the commands that work on them."""

    model_config = ConfigDict(title="Wave file of wavelane")

    wave: Name = Field(
        description="The name of the wave: letters, digits, '-', '_' and '.'; in its branch names."
    )
    work_dir: FilePath = Field(
        default=Path(".wavelane"),
        validate_default=True,
        description="Where worktrees, logs and the journal are kept, relative to the wave file.",
    )
    cap: Positive | None = Field(
        default=None,
        description="The cap: most issues in flight at a time; default: the number of repos.",
    )
    lane_release: LaneRelease = Field(
        default="done",
        description=(
            "When the next issue of a repo may start: when the one before is done, or (review) "
            "as soon as it is under review."
        ),
    )
    limits: LimitsEntry = Field(
        default_factory=LimitsEntry,
        description="How often and how long something is tried.",
    )
    implement: Shell | None = Field(
        default=None,
        description="Command that implements an issue: a text for the shell, or a list of words.",
    )
    review: Shell | None = Field(
        default=None,
        description="Command that reviews an implementation; without one, all are approved.",
    )
    gates: dict[Name, Shell] = Field(
        default_factory=dict,
        description="Checks by name (test, lint, …) that follow each implementation, in order.",
    )
    repos: Annotated[dict[Name, RepoEntry], AfterValidator(_some)] = Field(
        json_schema_extra={"minProperties": 1},
        description="The repos by name: a path, or a mapping with path, base, ….",
    )
    done: Words = Field(default=(), description="Ids outside this wave that are done already.")
    issues: tuple[IssueEntry, ...] = Field(description="The issues of the wave.")
    schema_uri: Text | None = Field(
        default=None,
        alias="$schema",
        title="Schema",
        description="Where an editor finds the schema; not used otherwise.",
    )

    _path: Path = PrivateAttr(default=Path("wave.yaml"))
    _issue: dict[str, IssueEntry] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any) -> None:
        """Record where the file is, and the issues by id."""
        self._issue = {issue.id: issue for issue in self.issues}
        if context:
            self._path = context["path"]

    @property
    def path(self) -> Path:
        """The wave file itself."""
        return self._path

    @property
    def directory(self) -> Path:
        """The directory that its paths are relative to."""
        return self._path.parent

    @property
    def state_dir(self) -> Path:
        """Where worktrees, logs and the journal of this wave are kept."""
        return self.work_dir / self.wave

    def to_wave(self, experience: Iterable[Finished] = ()) -> Wave:
        """The wave as the scheduler takes it. Raises `WaveError` if it cannot be run."""
        issues = [
            Issue(**issue.model_dump(exclude={"implement", "review"})) for issue in self.issues
        ]
        return Wave(issues, repos=list(self.repos), done=self.done, experience=experience)

    def to_limits(self) -> Limits:
        """The limits as the scheduler takes them."""
        return Limits(**self.limits.model_dump())

    def command_for(self, issue_id: str, step: CommandStep) -> CommandLine | None:
        """The command of a step: the issue's, else its repo's, else the file's, else None.

        Raises `KeyError` for an unknown id.
        """
        issue = self._issue[issue_id]
        given: Iterator[CommandLine | None] = (
            getattr(entry, step) for entry in (issue, self.repos[issue.repo], self)
        )
        return next((command for command in given if command is not None), None)

    def gates_for(self, repo: str) -> dict[str, CommandLine]:
        """The gates of a repo by name, in order. Raises `KeyError` for an unknown repo."""
        own = self.repos[repo].gates
        return dict(self.gates if own is None else own)
