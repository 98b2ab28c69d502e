"""Views of time on a terminal: how long a wave may take, and how it went."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wavelane.cli.display import OUTCOME_STYLES, STATE_STYLES, first_line
from wavelane.timeline.cap_sweep import CapSweep
from wavelane.timeline.estimates import Unit, amount, provenance
from wavelane.timeline.forecast import Awaited, Forecast
from wavelane.timeline.history import History, IssueHistory
from wavelane.times import clock_text, duration

_MOST_CAPS: Final = 16
"""Rows of the table of caps, about."""
_MOST_REPOS: Final = 3
"""Repos named in a cell; if there are more, one less and the number of the others."""
_MOST_LINKS: Final = 12
"""Links of a chain to show."""
_LEAST_ID: Final = 16
"""Columns that an id has before it is folded."""
_AWAITED: Final[dict[Awaited, str]] = {
    "start": "",
    "dependency": "→",
    "lane": "—lane→",
    "slot": "—slot→",
    "turn": "—turn→",
    "pause": "—pause→",
    "reservation": "—reservation→",
}
"""How a chain leads to an issue, by what it got from the issue before it."""
_WAITED: Final = {
    "dependencies": "dependencies",
    "lane": "its lane",
    "reserved": "its lane",
    "cap": "a slot",
    "paused": "a pause",
    "stopping": "a stop",
    "ended": "a run",
    "postponed": "its time",
    "parked": "a human",
    "merge_turn": "its turn",
}


# How long it may take


def sweep_view(sweep: CapSweep) -> RenderableType:
    """When a wave is expected to end at each cap, and what determines it."""
    unit = sweep.expected.unit
    table = _table(
        *("cap", "predicted end", "change", "idle, with work left"),
        right=(0, 1, 2),
        folds=("idle, with work left",),
    )
    shown = [*_worth_showing(sweep)]
    for before, found in zip([None, *shown], shown, strict=False):
        style = "bold" if _is_chosen(sweep, found) else ""
        table.add_row(
            _cap_text(sweep, found),
            amount(found.end, unit),
            "" if before is None else _change(found.end - before.end, unit),
            _idle(found, unit),
            style=style,
        )
    return Group(
        table,
        "",
        _chain(sweep),
        *(Text(note, "dim") for note in _notes(sweep, len(shown) < len(sweep.forecasts))),
    )


def _worth_showing(sweep: CapSweep) -> Iterator[Forecast]:
    """All forecasts, or if there are many: the first, the chosen, the last, and every n-th."""
    found = sweep.forecasts
    apart = -(-len(found) // (_MOST_CAPS // 2))
    later = {setback.cap for setback in sweep.setbacks[: _MOST_CAPS // 4]}
    for number, one in enumerate(found, 1):
        if (
            len(found) <= _MOST_CAPS
            or number <= _MOST_CAPS // 4
            or number % apart == 0
            or number == len(found)
            or _is_chosen(sweep, one)
            or one.cap in later
        ):
            yield one


def _is_chosen(sweep: CapSweep, found: Forecast) -> bool:
    """Whether a row is the chosen cap's; the last one may stand for it."""
    return found.cap == sweep.cap or (found is sweep.forecasts[-1] and found.cap < sweep.cap)


def _cap_text(sweep: CapSweep, found: Forecast) -> str:
    if found is sweep.forecasts[-1] and found.cap < sweep.highest:
        return f"{found.cap}–{sweep.highest}"
    return str(found.cap)


def _change(change: float, unit: Unit) -> Text:
    if change == 0:
        return Text("=", "dim")
    sign, style = ("+", "bold red") if change > 0 else ("−", "green")
    return Text(sign + amount(abs(change), unit), style)


def _idle(found: Forecast, unit: Unit) -> str:
    idle = sorted((one for one in found.repos if one.idle > 0), key=lambda one: -one.idle)
    shown = idle if len(idle) <= _MOST_REPOS else idle[: _MOST_REPOS - 1]
    named = [f"{one.repo} {amount(one.idle, unit)}" for one in shown]
    if more := len(idle) - len(shown):
        named.append(f"{more} more")
    return ", ".join(named)


def _chain(sweep: CapSweep) -> Text:
    words = [f"{_AWAITED[link.awaited]} {link.issue}".strip() for link in sweep.chosen.chain]
    if len(words) > _MOST_LINKS:
        half = _MOST_LINKS // 2
        words = [*words[:half], f"… {len(words) - 2 * half} more …", *words[-half:]]
    return Text.assemble((f"decides the end at cap {sweep.cap}: ", "dim"), " ".join(words))


def _notes(sweep: CapSweep, left_out: bool) -> Iterator[str]:
    expected = sweep.expected
    if expected.unit == "sessions":
        yield "no issue has an estimate: these are numbers of successive sessions, not times"
    else:
        yield "predicted: as if every session took its estimate and ended well"
        if expected.finished:
            yield provenance(expected)
        if expected.missing:
            what = "neither" if expected.finished else "no estimate"
            yield (
                f"{expected.missing} of {len(expected.lengths)} issues have {what}: "
                "they take the median of those of their repo, or of all"
            )
    if left_out or len(sweep.forecasts) < sweep.forecasts[-1].cap:
        yield "not every cap is shown"
    if worst := max(sweep.setbacks, key=lambda one: one.later, default=None):
        yield (
            f"at cap {worst.cap} it is predicted to end {amount(worst.later, expected.unit)} later "
            f"than at cap {worst.than}: what may start starts, so more at a time can take longer"
        )


# How it went


def history_view(history: History) -> RenderableType:
    """How a wave went: its issues, its repos, and its end beside the predicted one."""
    if history.began is None:
        return Text("no run has begun")
    return Group(_issues(history.issues), "", _repos(history), "", *_verdict(history))


def _issues(issues: Collection[IssueHistory]) -> Table:
    table = _table(
        *("issue", "state", "attempts", "waited", "mostly for"),
        *("implementing", "review", "merge", "why"),
        right=(2, 3, 5, 6, 7),
        folds=("issue", "why"),
    )
    longest = max((len(issue.report.id) for issue in issues), default=0)
    table.columns[0].min_width = min(longest, _LEAST_ID)
    for issue in issues:
        report = issue.report
        mostly = next(iter(issue.waited), "")
        table.add_row(
            report.id,
            Text(report.state, STATE_STYLES[report.state]),
            str(report.attempts),
            _time(sum(issue.waited.values())),
            Text(_WAITED.get(mostly, mostly), "dim"),
            *(_time(seconds) for seconds in issue.worked.values()),
            "" if report.state == "done" else first_line(report.why.text),
        )
    return table


def _time(seconds: float) -> str:
    return duration(seconds) if seconds else ""


def _repos(history: History) -> Table:
    table = _table("repo", "done", "busy", "idle", "share busy", right=(1, 2, 3, 4))
    for repo in history.repos:
        states = [one.report.state for one in history.issues if one.report.repo == repo.repo]
        table.add_row(
            repo.repo,
            f"{states.count('done')}/{len(states)}",
            _time(repo.busy),
            _time(repo.idle),
            f"{repo.share:.0%}",
        )
    return table


def _verdict(history: History) -> Iterator[Text]:
    report, seconds = history.report, history.seconds
    how = report.outcome if history.phase == "ended" else history.phase
    runs = f", {len(history.runs)} runs" if len(history.runs) > 1 else ""
    yield Text.assemble(
        (how, OUTCOME_STYLES.get(how, "bold red" if history.phase != "running" else "bold")),
        f": {report.count('done')} of {len(report.issues)} issues done",
        f", {report.count('parked')} parked" if report.count("parked") else "",
        f" in {duration(seconds)}{runs}, begun {clock_text(history.began or 0.0)}",
    )
    yield Text(_against_plan(history), "dim")


def _against_plan(history: History) -> str:
    if history.planned is None:
        return "no issue has an estimate: nothing was predicted"
    planned, seconds = history.planned.end, history.seconds
    predicted = f"predicted end: after {duration(planned)}"
    if history.phase != "ended":
        return f"{predicted}, by the estimates at the start"
    if round(seconds) == round(planned):
        return f"{predicted}, which was right"
    later = "later" if seconds > planned else "earlier"
    return f"{predicted}; it was {duration(abs(seconds - planned))} {later}"


def _table(*names: str, right: Sequence[int], folds: Sequence[str] = ()) -> Table:
    """A table whose columns with the numbers in `right` are right-aligned."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for at, name in enumerate(names):
        table.add_column(
            name,
            justify="right" if at in right else "left",
            no_wrap=name not in folds,
            overflow="fold" if name in folds else "ellipsis",
        )
    return table
