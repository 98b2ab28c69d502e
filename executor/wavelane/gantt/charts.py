"""The charts of a history and of a forecast."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from wavelane.gantt.chart import Bar, Chart, ChartRow, Marker, Outline, Shade, WaitLine
from wavelane.gantt.look import BarLook, WaitLook
from wavelane.steps import Step
from wavelane.timeline.cap_sweep import CapSweep
from wavelane.timeline.estimates import Expected, Unit, amount, provenance
from wavelane.timeline.forecast import Cause, Forecast, IssueSpan
from wavelane.timeline.history import History
from wavelane.timeline.spans import Ending, SessionSpan
from wavelane.timeline.waits import Wait
from wavelane.times import clock_text, duration
from wavelane_model.why import ReasonCode

_LOOKS: Final[dict[Ending, BarLook]] = {
    "checkpoint": "rework",
    "changes requested": "rework",
    "conflict": "rework",
    "failed": "failed",
    "postponed": "postponed",
    "blocked": "parked",
    "stopped": "stopped",
    "cut off": "cut off",
    "under way": "under way",
}
_WAITS: Final[dict[ReasonCode, WaitLook]] = {
    "dependencies": "dependencies",
    "cap": "cap",
    "lane": "lane",
    "reserved": "lane",
    "merge_turn": "turn",
    "paused": "paused",
    "stopping": "paused",
    "postponed": "postponed",
    "parked": "parked",
}
_DOING: Final[dict[Step, str]] = {
    "implement": "implementing",
    "review": "review",
    "merge": "merge",
}


# A history


def history_chart(history: History) -> Chart:
    """The chart of how a wave went, compared with how it was expected to go."""
    began = history.began or 0.0
    planned_end = history.planned.end if history.planned else 0.0
    row_of = {one.repo: at for at, one in enumerate(history.repos)}
    tracks = _tracks(history)
    most: defaultdict[str, int] = defaultdict(lambda: 1)
    for session in history.sessions:
        track = tracks[session.issue, session.visit]
        most[session.repo] = max(most[session.repo], track + 1)
    return Chart(
        title=f"{_named(history.name)}: how it {'goes' if history.phase == 'running' else 'went'}",
        subtitle=_history_subtitle(history),
        unit="seconds",
        end=max(history.seconds, planned_end),
        rows=[ChartRow(one.repo, f"{one.share:.0%} busy", most[one.repo]) for one in history.repos],
        bars=[
            _bar(history, session, row_of[session.repo], tracks[session.issue, session.visit])
            for session in history.sessions
        ],
        waits=[
            *_wait_lines((*history.gaps, *history.waits), row_of, began, history.ended, "seconds")
        ],
        outlines=[*_outlines(history.planned, row_of)],
        shades=[*_shades(history)],
        markers=[*_history_markers(history)],
        cap=[(count.at - began, count.number) for count in history.cap],
        flight=[(count.at - began, count.number) for count in history.flight],
        ceiling=history.ceiling,
        notes=() if history.planned else ("No issue had an estimate, so nothing was predicted.",),
    )


def _history_subtitle(history: History) -> str:
    if history.began is None:
        return "no run has begun"
    done = history.report.count("done")
    how = history.report.outcome if history.phase == "ended" else history.phase
    runs = f", {len(history.runs)} runs" if len(history.runs) > 1 else ""
    return (
        f"{how}{runs}: {done} of {len(history.issues)} issues done in {duration(history.seconds)}, "
        f"from {clock_text(history.began)} on"
    )


def _tracks(history: History) -> Mapping[tuple[str, int], int]:
    """The track of each visit of an issue in its row, so that no two overlap."""
    extents: dict[tuple[str, int], tuple[str, float, float]] = {}
    for session in history.sessions:
        visit = (session.issue, session.visit)
        ended = history.ended if session.ended is None else session.ended
        since = extents[visit][1] if visit in extents else session.began
        extents[visit] = (session.repo, since, ended)
    free: defaultdict[str, list[float]] = defaultdict(list)
    found: dict[tuple[str, int], int] = {}
    for visit, (repo, since, until) in extents.items():  # in the order in which they began
        ends = free[repo]
        track = next((at for at, end in enumerate(ends) if end <= since), len(ends))
        ends[track : track + 1] = [until]
        found[visit] = track
    return found


def _bar(history: History, session: SessionSpan, row: int, track: int) -> Bar:
    began = history.began or 0.0
    ended = history.ended if session.ended is None else session.ended
    words = [
        f"{session.issue}: {_DOING[session.step]}, session {session.number}",
        f"{_clock(session.began - began)} to {_clock(ended - began)} "
        f"({duration(ended - session.began)})",
        session.ending + (", parked" if session.parked else ""),
    ]
    if session.text:
        words.append(_brief(session.text))
    return Bar(
        row=row,
        track=track,
        began=session.began - began,
        ended=ended - began,
        step=session.step,
        look="parked" if session.parked else _LOOKS.get(session.ending, "good"),
        visit=session.visit,
        label=session.issue,
        title="\n".join(words),
    )


def _wait_lines(
    waits: Iterable[Wait], row_of: Mapping[str, int], start: float, now: float, unit: Unit
) -> Iterator[WaitLine]:
    """The waits as lines; open waits last until `now`. Times begin at `start`."""
    for wait in waits:
        ended = now if wait.ended is None else wait.ended
        yield WaitLine(
            row=row_of[wait.repo],
            began=wait.began - start,
            ended=ended - start,
            look=_WAITS.get(wait.code, "other"),
            title=f"{wait.issue}: {_brief(wait.text)} ({amount(ended - wait.began, unit)})",
            label=_brief(wait.text, 60),
            aside=wait.code in ("parked", "postponed"),
        )


def _outlines(planned: Forecast | None, row_of: Mapping[str, int]) -> Iterator[Outline]:
    for span in planned.spans if planned else ():
        title = (
            f"{span.issue}: predicted from {_clock(span.began)} to {_clock(span.ended)} "
            f"({duration(span.ended - span.began)})"
        )
        yield Outline(row_of[span.repo], span.began, span.ended, title)


def _shades(history: History) -> Iterator[Shade]:
    began = history.began or 0.0
    for since, until in history.downtimes:
        yield Shade(
            since - began, until - began, "down", f"no process ran it for {duration(until - since)}"
        )
    ends = [*(count.at for count in history.cap[1:]), history.ended]
    for count, until in zip(history.cap, ends, strict=False):
        if count.number == 0 and until > count.at:
            yield Shade(
                count.at - began,
                until - began,
                "paused",
                f"paused for {duration(until - count.at)}",
            )


def _history_markers(history: History) -> Iterator[Marker]:
    if history.planned and history.planned.spans:
        end = history.planned.end
        yield Marker(end, "planned", f"predicted end {duration(end)}")
    if history.began is not None:
        word = {"ended": "end", "running": "now", "cut off": "cut off"}.get(history.phase, "end")
        yield Marker(history.seconds, "real", f"{word} {duration(history.seconds)}")


# A forecast


def forecast_chart(sweep: CapSweep, name: str = "") -> Chart:
    """The chart of how a wave is expected to go at the chosen cap."""
    found, unit = sweep.chosen, sweep.expected.unit
    row_of = {repo: at for at, repo in enumerate(sweep.wave.repos)}
    deciding = {link.issue for link in found.chain}
    by_repo = {one.repo: one for one in found.repos}
    end = f"{amount(found.end, unit)}"
    return Chart(
        title=f"Wave {name}: how it is expected to go"
        if name
        else "How the wave is expected to go",
        subtitle=(
            f"cap {sweep.cap}: {len(found.spans)} issues in {end}, "
            "if every session takes as long as expected and ends well"
        ),
        unit=unit,
        end=found.end,
        rows=[
            ChartRow(repo, f"idle {amount(by_repo[repo].idle, unit)}" if by_repo[repo].idle else "")
            for repo in sweep.wave.repos
        ],
        bars=[
            bar
            for span in found.spans
            for bar in _expected_bars(span, row_of[span.repo], unit, span.issue in deciding)
        ],
        waits=[*_wait_lines(found.gaps, row_of, 0.0, found.end, unit)],
        markers=[Marker(found.end, "planned", f"predicted end {end}")] if found.spans else (),
        cap=[(0.0, sweep.cap)],
        flight=_in_flight(found.spans),
        ceiling=sweep.cap,
        notes=[*_notes(sweep.expected)],
    )


def _notes(expected: Expected) -> Iterator[str]:
    if expected.unit == "sessions":
        yield "No issue has an estimate: lengths are numbers of sessions, not times."
    elif expected.finished:
        yield f"{provenance(expected).capitalize()}."


def _expected_bars(span: IssueSpan, row: int, unit: Unit, strong: bool) -> Iterator[Bar]:
    steps: tuple[tuple[Step, float, float], ...] = (
        ("implement", span.began, span.implemented),
        ("review", span.implemented, span.approved),
        ("merge", span.merging, span.ended),
    )
    for step, began, ended in steps:
        if step == "implement" or ended > began:
            title = f"{span.issue}: {_DOING[step]}\n{amount(ended - began, unit)}"
            if step == "implement":
                title += f"\n{_cause(span.cause)}"
            yield Bar(row, 0, began, ended, step, "good", 0, span.issue, title, strong)


def _cause(cause: Cause) -> str:
    match cause.awaited:
        case "dependency":
            return f"waits for {cause.issue}"
        case "lane":
            return f"waits for its lane, held by {cause.issue}"
        case "slot":
            return f"waits for the slot of {cause.issue}"
        case "reservation":
            return "waits for the end of a reservation of its lane"
        case "pause":
            return "waits for the end of the pause"
        case _:
            return "starts with the wave"


def _in_flight(spans: Sequence[IssueSpan]) -> list[tuple[float, int]]:
    moves = sorted([*((span.began, 1) for span in spans), *((span.ended, -1) for span in spans)])
    counts: list[tuple[float, int]] = [(0.0, 0)]
    for at, move in moves:
        level = counts[-1][1] + move
        if counts[-1][0] == at:
            counts.pop()
        counts.append((at, level))
    return counts


def _clock(seconds: float) -> str:
    """A time since the start."""
    return duration(seconds)


def _named(name: str) -> str:
    return f"Wave {name}" if name else "A wave"


def _brief(text: str, most: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
