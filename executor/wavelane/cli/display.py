"""What a person sees of a wave: the live table of lanes, plain lines, the plan, the report.

Only this module and `wavelane.cli.tables` know `rich`.
"""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wavelane.control.journal_status import JournalStatus
from wavelane.replay.report import IssueReport, Report
from wavelane.replay.status import LaneStatus, Overview, Status
from wavelane.scheduler.notices import Notice, NoticeStream
from wavelane.scheduler.scheduler import Scheduler
from wavelane.timeline.estimates import amount
from wavelane.timeline.preview import Preview
from wavelane.times import clock_text, duration
from wavelane_model.cap import level_name
from wavelane_model.lengths import Origin
from wavelane_model.lifecycle import State, Trigger

STATE_STYLES: Final[dict[State, str]] = {
    "queued": "dim",
    "admitted": "cyan",
    "running": "bold cyan",
    "review": "magenta",
    "merging": "yellow",
    "done": "green",
    "parked": "bold red",
    "cancelled": "red",
}
_WIDTH_OF_FILES: Final = 140
"""Columns for a file or a pipe, if COLUMNS does not say."""
OUTCOME_STYLES = {"complete": "bold green", "blocked": "bold yellow"}


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal; for a file or a pipe, wide enough for whole lines."""
    found = Console(stderr=stderr)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = _WIDTH_OF_FILES
    return found


async def follow(scheduler: Scheduler, notices: NoticeStream, console: Console) -> None:
    """Show a run until it ends: a live table on a terminal, else a line for each change."""
    began = time.time()
    live = (
        Live(
            get_renderable=lambda: lanes_table(scheduler.overview(), time.time() - began),
            console=console,
            refresh_per_second=4,
        )
        if console.is_terminal
        else nullcontext()
    )
    with live:
        async for notice in notices:
            line = notice_line(notice, began)
            if line is not None:
                console.print(line, soft_wrap=True)


def notice_line(notice: Notice, began: float) -> Text | None:
    """One change in one line, or None if it is not worth one."""
    text = Text(f"cap {level_name(notice.level or 0)}", "bold")
    if notice.kind == "issue":
        change = _change(notice)
        if change is None:
            return None
        text = Text.assemble(f"{notice.issue}  {notice.source} → ", change)
    elif notice.kind == "end":
        return None
    return Text.assemble((f"{duration(notice.at - began):>7}  ", "dim"), text)


_SETBACKS: Final[dict[Trigger, str]] = {
    "request_changes": "changes requested",
    "conflict": "merge conflict",
    "checkpoint": "checkpoint",
    "fail": "failed, will be tried again",
    "withhold": "withheld, the cap came first",
}


def _change(notice: Notice) -> tuple[str, str] | None:
    if notice.target is None:
        return None
    if notice.target == "parked":
        return f"parked: {first_line(notice.reason)}", STATE_STYLES["parked"]
    if notice.trigger in _SETBACKS:
        return _SETBACKS[notice.trigger], "yellow"
    if notice.trigger == "postpone":
        return f"postponed: {first_line(notice.reason)}".removesuffix(": "), "yellow"
    if notice.target in ("admitted", notice.source):
        return None
    return notice.target, STATE_STYLES[notice.target]


def lanes_table(overview: Overview, seconds: float | None = None) -> RenderableType:
    """The lanes as they are now, `seconds` after the display began."""
    table = Table(box=None, pad_edge=False, header_style="dim", expand=False)
    for name in ("repo", "done", "issue", "state", "time", "next", "why it waits"):
        table.add_column(name, no_wrap=name != "why it waits", overflow="ellipsis")
    for lane in overview.lanes:
        _add_lane(table, lane)
    return Group(_headline(overview, seconds), table)


def _headline(overview: Overview, seconds: float | None) -> Text:
    lanes = overview.lanes
    done, total = sum(lane.done for lane in lanes), sum(lane.total for lane in lanes)
    parked = sum(lane.parked for lane in lanes)
    return Text.assemble(
        ("wave ", "bold"),
        f"{done} of {total} done",
        f", {parked} parked" if parked else "",
        f" · in flight {overview.in_flight}",
        f" · waiting {overview.waiting}",
        f" · cap {level_name(overview.level)}",
        f" of {overview.ceiling}" if overview.level else "",
        "" if overview.resumes_at is None else f" until {clock_text(overview.resumes_at)}",
        "" if seconds is None else f" · {duration(seconds)}",
    )


def _add_lane(table: Table, lane: LaneStatus) -> None:
    rows: list[Status | None] = [*lane.in_flight] or [None]
    for at, status in enumerate(rows):
        first = at == 0
        waiting = lane.next if first else None
        table.add_row(
            lane.repo if first else "",
            f"{lane.done}/{lane.total}" if first else "",
            *_in_flight_cells(status),
            waiting.issue.id if waiting else "",
            Text(waiting.why.text if waiting else "", "dim"),
        )


def _in_flight_cells(status: Status | None) -> tuple[RenderableType, RenderableType, str]:
    if status is None:
        return Text("idle", "dim"), "", ""
    since = "" if status.since is None else duration(time.time() - status.since)
    return status.issue.id, Text(status.state, STATE_STYLES[status.state]), since


def report_view(report: Report) -> RenderableType:
    """The report of a run, a row an issue."""
    verdict = Text.assemble(
        (report.outcome, OUTCOME_STYLES.get(report.outcome, "bold red")),
        f": {report.count('done')} of {len(report.issues)} issues done",
        f", {report.count('parked')} parked" if report.count("parked") else "",
        f" in {duration(report.ended_at - report.started_at)}",
    )
    return Group(_issues_table(report), "", verdict)


def status_view(status: JournalStatus) -> RenderableType:
    """Where the wave of a journal stands: its process, its lanes, its issues."""
    waiting = len(status.commands)
    commands = f"{waiting} command{'s' if waiting > 1 else ''} not answered yet\n"
    return Group(
        Text(f"{status.text}\n{commands if waiting else ''}", "bold" if status.process else ""),
        lanes_table(status.overview),
        "",
        _issues_table(status.report),
    )


def _issues_table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("issue", "repo", "state", "sessions", "time", "why"):
        table.add_column(
            name,
            justify="right" if name in ("sessions", "time") else "left",
            no_wrap=name != "why",
        )
    for issue in report.issues.values():
        table.add_row(
            issue.id,
            issue.repo,
            Text(issue.state, STATE_STYLES[issue.state]),
            str(issue.attempts),
            _time_of(issue),
            "" if issue.state == "done" else first_line(issue.why.text),
        )
    return table


def _time_of(issue: IssueReport) -> str:
    if issue.started_at is None or issue.ended_at is None:
        return ""
    return duration(issue.ended_at - issue.started_at)


_ORIGINS: Final[dict[Origin, str]] = {
    "estimate": "given",
    "labels": "learned: labels",
    "repo": "learned: repo",
    "all": "learned: all",
    "estimates": "others' estimates",
    "nothing": "",
}


def preview_view(found: Preview) -> RenderableType:
    """The usual order, the rounds, the longest path."""
    order = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
    in_seconds = found.unit == "seconds"
    expected = ("expected", "origin") if in_seconds else ()
    for name in (
        *("#", "issue", "repo", "priority", "tail", "hops"),
        *(*expected, "depends on", "title"),
    ):
        order.add_column(
            name,
            justify="right" if name in ("#", "priority", "tail", "hops", "expected") else "left",
            no_wrap=name != "depends on",
        )
    for number, issue in enumerate(found.order, 1):
        order.add_row(
            str(number),
            issue.id,
            issue.repo,
            str(issue.priority),
            amount(issue.tail, found.unit),
            str(issue.hops),
            *((amount(issue.expected, found.unit), _ORIGINS[issue.origin]) if in_seconds else ()),
            ", ".join(issue.depends_on),
            issue.title,
        )
    rounds = Table(box=None, pad_edge=False, header_style="dim")
    rounds.add_column("round", justify="right")
    rounds.add_column(f"side by side, at cap {found.cap}, if sessions took equally long")
    for number, issues in enumerate(found.rounds, 1):
        rounds.add_row(str(number), ", ".join(issues))
    count = len(found.longest_path)
    length = f"{count} issue{'' if count == 1 else 's'}"
    if found.longest_seconds is not None:
        length += f", {duration(found.longest_seconds)}"
    path = Text.assemble(("longest path ", "dim"), f"({length}): {' → '.join(found.longest_path)}")
    return Group(Text("usual order of admission", "bold"), order, "", rounds, "", path)


def first_line(text: str, most: int = 160) -> str:
    """The first line of a text that may have more, cut at `most` characters."""
    line = next(iter(text.strip().splitlines()), "")
    return line if len(line) <= most else line[: most - 1] + "…"
