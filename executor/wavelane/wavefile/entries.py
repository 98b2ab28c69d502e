"""The entries of a wave file: limits, repos, issues. Editors show the descriptions."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wavelane.wavefile.problems import shown
from wavelane.wavefile.values import (
    Count,
    FilePath,
    Line,
    Name,
    Positive,
    Seconds,
    Shell,
    Text,
    Timeout,
    Whole,
    Word,
    Words,
)
from wavelane_model.limits import Limits

_DEFAULTS: Final = Limits()


class EntryModel(BaseModel):
    """A mapping in a wave file, whatever it describes; keys without a value are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def keys(cls) -> list[str]:
        """The keys it may have, as written."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty_keys(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        known = cls.keys()
        return {key: item for key, item in value.items() if item is not None or key not in known}


class LimitsEntry(EntryModel):
    """How often a step is repeated before its issue is parked, and how long it may take."""

    model_config = ConfigDict(title="Limits")

    review_rounds: Count = Field(
        default=_DEFAULTS.review_rounds,
        description="Change requests of a review that go back to implementing; the next one parks.",
    )
    checkpoints: Positive = Field(
        default=_DEFAULTS.checkpoints,
        description="How many checkpoints without a review in between park the issue.",
    )
    conflicts: Count = Field(
        default=_DEFAULTS.conflicts,
        description="Merge conflicts that go back to implementing; the next one parks.",
    )
    failures: Count = Field(
        default=_DEFAULTS.failures,
        description="Failed steps that are tried again; the next one parks.",
    )
    gate_attempts: Count = Field(
        default=_DEFAULTS.gate_attempts,
        description="Times a failing gate goes back to implementing within one step.",
    )
    implement_timeout: Timeout | None = Field(
        default=_DEFAULTS.implement_timeout,
        description="Time an implementing session may take (600, 90s, 30m, 2h); default: no limit.",
    )
    review_timeout: Timeout | None = Field(
        default=_DEFAULTS.review_timeout,
        description="Time a reviewing session may take (600, 90s, 30m, 2h); default: no limit.",
    )
    merge_timeout: Timeout | None = Field(
        default=_DEFAULTS.merge_timeout,
        description="Time a merge may take (600, 90s, 30m, 2h); default: no limit.",
    )
    postpone_delay: Seconds = Field(
        default=_DEFAULTS.postpone_delay,
        description="Time until a postponed issue is tried again (600, 90s, 30m, 2h).",
    )


def _with_short_form(schema: dict[str, Any]) -> None:
    """In the schema, a repo is its path or a mapping."""
    mapping = {**schema}
    schema.clear()
    schema["title"] = mapping["title"]
    schema["description"] = mapping["description"]
    short = {"type": "string", "title": "Path", "description": "Its path, and nothing else."}
    schema["anyOf"] = [short, mapping]


class RepoEntry(EntryModel):
    """A repo of the project: its path, or a mapping with its path and what differs in it."""

    model_config = ConfigDict(title="Repo", json_schema_extra=_with_short_form)

    path: FilePath = Field(description="Where the repo is, relative to the wave file.")
    base: Word | None = Field(
        default=None,
        description="The integration branch; default: the branch the repo's checkout is on.",
    )
    implement: Shell | None = Field(
        default=None, description="Command that implements an issue of this repo."
    )
    review: Shell | None = Field(
        default=None, description="Command that reviews an issue of this repo."
    )
    gates: dict[Name, Shell] | None = Field(
        default=None, description="Checks of this repo by name; they replace those of the file."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: object) -> object:
        if isinstance(value, str):
            return {"path": value}
        if isinstance(value, dict):
            return value
        raise ValueError(f"is {shown(value)}; give its path, or a mapping with its path")


class IssueEntry(EntryModel):
    """One piece of work in one repo."""

    model_config = ConfigDict(title="Issue")

    id: Word = Field(description="Its name, unique in the wave, e.g. api#12.")
    repo: Word = Field(description="The repo it is about: one of `repos`.")
    title: Line = Field(default="", description="What it is about, in one line; heads its commits.")
    body: Text = Field(
        default="", description="The full description of the task, for the commands to read."
    )
    depends_on: Words = Field(
        default=(), description="Ids of issues that must be done before it starts: one, or a list."
    )
    priority: Whole = Field(default=0, description="Higher is more urgent.")
    estimate: Seconds | None = Field(
        default=None, description="The time it is expected to take (600, 90s, 30m, 2h)."
    )
    labels: Words = Field(
        default=(),
        description="What it is like: one, or a list. Issues like it teach how long it takes.",
    )
    implement: Shell | None = Field(default=None, description="Command that implements this issue.")
    review: Shell | None = Field(default=None, description="Command that reviews this issue.")
