"""What the commands print with `--json`: the JSON Schema of each output, and their version.

A key of an output is never renamed, removed or given another meaning without a new `VERSION`; a key
may be added, so a program that reads an output should ignore unknown keys. Times are seconds since
the epoch and lengths are seconds, unless stated otherwise.

The schemas are made from the models below. The outputs themselves are the library's `to_dict`, and
a test compares the commands' actual output with the schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from wavelane.replay.loading import Phase
from wavelane.steps import Step
from wavelane.timeline.estimates import Unit
from wavelane.timeline.forecast import Awaited
from wavelane.timeline.spans import Ending
from wavelane_model.effects import RunOutcome
from wavelane_model.lengths import Origin
from wavelane_model.lifecycle import State
from wavelane_model.why import ReasonCode

VERSION: Final = 1
"""The version of all outputs; every output carries it under the key `version`."""


class _Object(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class _Output(_Object):
    version: Literal[1]
    """The version of the output: 1."""


class Why(_Object):
    """Why an issue is where it is."""

    code: ReasonCode
    """For programs."""
    text: str
    """For people."""
    issues: list[str]
    """Ids of the issues that it waits for."""


class IssueOutput(_Object):
    """How one issue fared."""

    id: str
    """Its id, unique in the wave."""
    repo: str
    """Its repo."""
    title: str
    """What it is about, in one line."""
    labels: list[str]
    """What it is like."""
    state: State
    """Its state."""
    why: Why
    """Why it is in that state."""
    attempts: int
    """How many implementing sessions it has had."""
    started_at: float | None
    """When it was first admitted; null: never."""
    ended_at: float | None
    """When it was done, parked or cancelled; null: it is not."""
    seconds: dict[State, float]
    """Seconds in flight, by state, without the time between runs."""


class RecoveredOutput(_Object):
    """What the run found out about the issues that were in flight when the last run ended."""

    resumed: int
    """Attempts that were continued."""
    discarded: int
    """Attempts of which nothing was left."""
    merged: int
    """Merges that were in."""
    unclear: int
    """Issues parked because their progress could not be determined."""


class RunOutput(_Output):
    """`wavelane run --json` and `wavelane demo --json`: how the run ended."""

    outcome: RunOutcome
    """`complete`: all issues are done. `blocked`: some are parked, cancelled or wait for such
    issues. `stopped`: it was stopped. `unfinished`: it has not ended, or was cut off."""
    started_at: float
    """When the wave's first run began."""
    ended_at: float
    """When the last event happened."""
    highest_cap: int
    """The highest cap in force since the run began."""
    recovered: RecoveredOutput
    """What the run found out about the one before."""
    issues: list[IssueOutput]
    """In the order of the wave."""


class ProcessOutput(_Object):
    """The process that runs a wave."""

    pid: int
    """Its process id; 0: not written yet."""
    since: float
    """When it took the journal."""


class CapOutput(_Object):
    """The cap."""

    level: int
    """How many issues may be in flight; 0: paused."""
    ceiling: int
    """The highest level."""
    resumes_at: float | None
    """When the pause ends by itself; null: never, or there is no pause."""


class StatusOutput(RunOutput):
    """`wavelane status --json`: where a wave stands."""

    journal: str
    """Path of the journal."""
    phase: Phase
    """Whether a run is under way."""
    process: ProcessOutput | None
    """The process that runs it; null: no process does."""
    cap: CapOutput
    """How many issues may be in flight now, and at most."""
    in_flight: int
    """How many issues are in flight."""
    waiting: int
    """How many issues are queued."""
    unanswered_commands: int
    """How many commands have no answer yet."""


class OrderedOutput(_Object):
    """One issue in the order of admission."""

    id: str
    """Its id."""
    repo: str
    """Its repo."""
    title: str
    """What it is about."""
    labels: list[str]
    """What it is like."""
    priority: int
    """Its priority, or the highest of an issue that depends on it."""
    tail: float
    """The least time that the wave goes on from the issue's start, in `unit`."""
    hops: int
    """How many issues are on the longest path of dependents behind it."""
    depends_on: list[str]
    """Ids of what it depends on."""
    expected: float
    """What it is expected to take, in `unit`."""
    origin: Origin
    """How that is known: given with it (`estimate`), learned, or the median of others."""


class LinkOutput(_Object):
    """An issue of the chain that decides the end."""

    issue: str
    """Its id."""
    awaited: Awaited
    """What it waited for: the issue before it in the chain."""


class RepoForecast(_Object):
    """How a repo is expected to spend the time of the wave, in `unit`."""

    repo: str
    """Its name."""
    busy: float
    """One of its issues is in flight."""
    idle: float
    """None is, and it has more to do."""
    after: float
    """All its issues are done."""


class CapForecast(_Object):
    """The wave as it is expected to go at one cap."""

    cap: int
    """The cap."""
    end: float
    """From the start to the end, in `unit`."""
    outcome: RunOutcome
    """How it ends."""
    in_flight_at_most: int
    """The most issues in flight at a time."""
    decided_by: list[LinkOutput]
    """The issues that decide the end; each waited for the one before it."""
    repos: list[RepoForecast]
    """In the order of the wave."""


class SpanForecast(_Object):
    """When one issue is expected to be worked on, in `unit` from the start."""

    id: str
    """Its id."""
    repo: str
    """Its repo."""
    began: float
    """When its implementation begins."""
    implemented: float
    """When its review begins."""
    approved: float
    """When it is approved."""
    merging: float
    """When its merge begins."""
    ended: float
    """When it is done."""
    waited_for: Awaited
    """What it waited for last, before it began."""
    of: str | None
    """The issue that released it."""
    turn_of: str | None
    """The issue whose merge it waited for after its approval."""


class WaitOutput(_Object):
    """A time in which an issue waited, or in which a repo was idle and its next issue waited."""

    id: str
    """The issue."""
    repo: str
    """Its repo."""
    began: float
    """When it began."""
    ended: float | None
    """When it ended; null: it still waits."""
    code: ReasonCode
    """Why, for programs."""
    text: str
    """Why, for people."""


class Forecast(CapForecast):
    """The wave as it is expected to go at the chosen cap, issue by issue."""

    issues: list[SpanForecast]
    """In the order in which they begin."""
    gaps: list[WaitOutput]
    """When a repo is idle though it has more to do."""


class SetbackOutput(_Object):
    """A cap at which the wave is expected to end later than at a lower one."""

    cap: int
    """The cap."""
    than: int
    """The lower cap."""
    later: float
    """How much later, in `unit`."""


class CapSweepOutput(_Object):
    """When the wave is expected to end at each cap."""

    unit: Unit
    """The unit of all lengths of the forecasts. `sessions`: no issue has an estimate."""
    with_estimate: int
    """How many issues have an estimate of their own."""
    learned: int
    """How many have one that was learned from finished issues."""
    learned_from: int
    """How many finished issues it was learned from."""
    cap: int
    """The chosen cap."""
    highest: int
    """The highest cap requested."""
    caps: list[CapForecast]
    """By rising caps. After the last one, a higher cap changes nothing, or is above `highest`."""
    setbacks: list[SetbackOutput]
    """Caps at which it is expected to end later than at the next lower one."""
    chosen: Forecast
    """At the chosen cap."""


class PlanOutput(_Output):
    """`wavelane plan --json`: a wave before it starts."""

    cap: int
    """The cap that it would run with."""
    unit: Unit
    """The unit of `tail` and `expected`."""
    order: list[OrderedOutput]
    """The order of admission among issues that are ready, if nothing is planned."""
    rounds: list[list[str]]
    """The issues that would start together, if all sessions took equally long."""
    longest_path: list[str]
    """The longest chain of dependencies, first to last."""
    longest_seconds: float | None
    """Its length; null: not every issue on it has an estimate."""
    cap_sweep: CapSweepOutput
    """The forecast at each cap."""


class IssueHistoryOutput(IssueOutput):
    """How one issue fared, and where its time went."""

    worked: dict[Step, float]
    """Seconds in sessions and merges, by step."""
    waited: dict[ReasonCode, float]
    """Seconds that it waited, by the code of the reason, longest first."""


class RepoHistoryOutput(_Object):
    """How one repo spent the time in which runs were under way."""

    repo: str
    """Its name."""
    busy: float
    """One of its sessions or merges was under way."""
    idle: float
    """None was."""


class SessionOutput(_Object):
    """One session or merge."""

    id: str
    """The issue."""
    step: Step
    """Its step."""
    session: int
    """Its number among all those of the issue, from 1."""
    began: float
    """When it began."""
    ended: float | None
    """When it ended; null: it is under way."""
    ending: Ending
    """How it ended."""
    parked: bool
    """Whether its end parked the issue."""
    text: str
    """The text of its outcome."""


class NumberFrom(_Object):
    """A number that holds from a time on."""

    at: float
    """The time."""
    number: int
    """The number."""


class RunSpanOutput(_Object):
    """One run of the wave."""

    began: float
    """When it began."""
    ended: float | None
    """When it ended; null: it is under way."""
    outcome: RunOutcome | None
    """How it ended; null: it is under way."""


class ReportOutput(_Output):
    """`wavelane report --json`: how a wave went, over all its runs."""

    journal: str
    """Path of the journal."""
    wave: str
    """The name of the wave; empty if it has none."""
    phase: Phase
    """Whether a run is under way."""
    outcome: RunOutcome
    """How the last run ended."""
    started_at: float
    """When the first run began."""
    ended_at: float
    """When the last event happened."""
    highest_cap: int
    """The highest cap in force since the last run began."""
    recovered: RecoveredOutput
    """What the last run found out about the one before."""
    seconds: float
    """From the start of the wave to its end, or to now."""
    predicted_seconds: float | None
    """The same as predicted at the start; null: no issue had an estimate."""
    issues: list[IssueHistoryOutput]
    """In the order of the wave."""
    repos: list[RepoHistoryOutput]
    """In the order of the wave."""
    sessions: list[SessionOutput]
    """In the order in which they began."""
    waits: list[WaitOutput]
    """Waits of issues that were in flight, parked or postponed."""
    gaps: list[WaitOutput]
    """When a repo was idle though it had more to do."""
    cap: list[NumberFrom]
    """The level of the cap over time."""
    in_flight: list[NumberFrom]
    """How many issues were in flight over time."""
    runs: list[RunSpanOutput]
    """The runs of the wave."""
    planned: Forecast | None
    """The wave as predicted at its start; null: no issue had an estimate."""


class FindingOutput(_Object):
    """Something that the journal of a run that kept the rules would not record."""

    rule: str
    """The name of the rule that was broken."""
    subject: str
    """The issue or repo concerned; "": the whole wave or the file."""
    text: str
    """What is wrong, in a sentence."""
    event: int | None
    """The number of the event; null: the finding concerns the whole journal."""
    at: float | None
    """The time of the event."""
    what: str
    """The event in short, e.g. `SessionEnded api#2`."""


class VerifyOutput(_Output):
    """`wavelane verify --json`: whether a journal keeps the rules."""

    keeps_the_rules: bool
    """Whether it keeps the rules: no broken rule was found."""
    events: int
    """How many events there are."""
    outcome: RunOutcome
    """How the run ended."""
    findings: list[FindingOutput]
    """What is wrong."""
    notes: list[str]
    """Remarks that break no rule."""


class SteeringOutput(_Output):
    """`wavelane cap|pause|resume|stop|park|unpark|cancel|add --json`: the answer to a command."""

    done: bool
    """Whether the request holds now."""
    answered: bool
    """False: the run has not answered in time; the command stays in the journal."""
    text: str
    """The answer, in a sentence."""


class PlaceOutput(_Object):
    """The place of a problem."""

    path: list[str | int]
    """The keys and positions (from 0) that lead to it; empty: the whole."""
    file: str
    """The file that it was read from, or empty."""
    line: int | None
    """The line in the file, from 1; null: it has none."""
    column: int | None
    """The column in the line, from 1; null: unknown."""


class ProblemOutput(_Object):
    """One problem."""

    code: str
    """Its kind, e.g. `unknown-dependency`."""
    subject: str
    """Its subject: the id of an issue, the name of a repo, a key, an option; or empty."""
    message: str
    """What is wrong and what to do, in a sentence."""
    place: PlaceOutput
    """Its place."""


class ProblemsOutput(_Output):
    """Any command with `--json` that refuses its input (exit code 2) or is interrupted (130)."""

    problems: list[ProblemOutput]
    """Everything that is wrong; the same is on standard error, a line each."""


OUTPUTS: Final[Mapping[str, type[_Output]]] = {
    "run": RunOutput,
    "plan": PlanOutput,
    "report": ReportOutput,
    "status": StatusOutput,
    "verify": VerifyOutput,
    "steering": SteeringOutput,
    "problems": ProblemsOutput,
}
"""The outputs by the name that `wavelane schema --of` has for them."""


def versioned(output: Mapping[str, Any]) -> dict[str, Any]:
    """An output as it is printed: with its version first."""
    return {"version": VERSION, **output}


def output_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of an output.

    Args:
        name: one of `OUTPUTS`.

    Raises:
        KeyError: for another name.
    """
    schema = OUTPUTS[name].model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
