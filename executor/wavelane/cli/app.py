"""The command `wavelane`.

Exit codes of `run`: 0 complete, 1 blocked, 2 bad input, 3 stopped, 130 interrupted before the wave
went on. Every mistake of the user ends in one clear error, without a traceback. Commands to a wave
that may be running are in `wavelane.cli.steering`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wavelane.cli import steering
from wavelane.cli.terminal import (
    EXIT_CODES,
    INTERRUPTED,
    JsonOption,
    WaveArgument,
    explained,
    fail,
    print_json,
    print_output,
    refuse_option,
)

if TYPE_CHECKING:
    from wavelane.cli.wave_run import WaveRun
    from wavelane.gantt import Chart
    from wavelane.replay.report import Report
    from wavelane.scheduler.scheduler import Scheduler
    from wavelane.wavefile import WaveFile
    from wavelane_model.problems import Problem

    Companion = Callable[[Scheduler], Coroutine[None, None, None]]

app = typer.Typer(
    name="wavelane",
    help="Run a wave of issues over several git repos: one lane a repo, a cap, merges in turn.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(steering.app)

_INTERRUPTED = (
    "interrupted before the wave went on; processes left by an earlier run are still "
    "there, the next run ends them"
)

_INTERRUPTED_LATE = "interrupted after the run was over; `wavelane report` shows how it went"

PlanOption = Annotated[
    bool | None,
    typer.Option(
        "--plan/--no-plan",
        help="Plan the order of admission ahead.",
        show_default="if there are estimates",
    ),
]
CapOption = Annotated[
    int | None,
    typer.Option("--cap", help="How many issues may be in flight.", show_default="number of repos"),
]
LearnOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--learn",
        metavar="JOURNAL",
        help="The journal of an earlier wave, to learn missing estimates from. May be repeated.",
    ),
]
SvgOption = Annotated[
    Path | None,
    typer.Option("--svg", metavar="FILE", help="A file to write a Gantt picture to."),
]


class Picture(StrEnum):
    """What can be drawn."""

    ISSUE = "issue"
    CAP = "cap"
    ARCHITECTURE = "architecture"


class PictureFormat(StrEnum):
    """How it can be drawn."""

    SVG = "svg"
    PNG = "png"
    DOT = "dot"
    MERMAID = "mermaid"


class Described(StrEnum):
    """Outputs with a JSON Schema; `steering` is the answer to cap, pause, park and the like."""

    WAVE_FILE = "wave-file"
    RUN = "run"
    PLAN = "plan"
    REPORT = "report"
    STATUS = "status"
    VERIFY = "verify"
    STEERING = "steering"
    PROBLEMS = "problems"


def main() -> None:
    """Run the command."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        from wavelane import __version__

        print(f"wavelane {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    pass


@app.command()
def run(
    wave: WaveArgument,
    cap: CapOption = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            help="The journal to make, or to continue.", show_default="journal.db in the work_dir"
        ),
    ] = None,
    pause_until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help=f"Start nothing before then. {steering.TIME_HELP}"),
    ] = None,
    plan: PlanOption = None,
    learn: LearnOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a wave to its end, from where its journal ends if there is one.

    Ctrl-C drains it; a second one ends its sessions now. See also: status, cap, pause, stop.
    """
    with explained(as_json):
        from wavelane.cli.wave_run import WaveRun

        resume_at = steering.time_given("--pause-until", pause_until, as_json)
        wave_run = WaveRun(
            _load(wave),
            cap=_checked_cap(cap, as_json),
            journal=journal,
            plan=plan,
            learn=_journals(learn),
        )
        if cap is not None:  # a continued wave may be at another level
            wave_run.scheduler.cap.set(cap)
        if resume_at is not None and resume_at > time.time():
            wave_run.scheduler.cap.pause(resume_at)
        try:
            report = asyncio.run(_run(wave_run, quiet=as_json))
        except KeyboardInterrupt:
            fail([_interruption(wave_run.went_on)], INTERRUPTED, as_json=as_json)
        _print_report(report, as_json)
        if not as_json:
            _say_where(wave_run, report)
    raise typer.Exit(EXIT_CODES[report.outcome])


@app.command()
def plan(
    wave: WaveArgument,
    cap: CapOption = None,
    ahead: PlanOption = None,
    learn: LearnOption = None,
    svg: SvgOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a wave file, and show its order, its longest path, and when it may end at each cap."""
    with explained(as_json):
        from wavelane.cli.wave_run import pipeline_of
        from wavelane.replay.experience import experience_of
        from wavelane.timeline.cap_sweep import sweep_caps
        from wavelane.timeline.preview import preview

        file = _load(wave)
        checked = file.to_wave(experience_of(*_journals(learn)))
        asyncio.run(pipeline_of(file, checked).check())
        level = _checked_cap(cap, as_json) or file.cap
        found = preview(checked, cap=level, lane_release=file.lane_release)
        sweep = sweep_caps(checked, cap=level, lane_release=file.lane_release, plan=ahead)
        if svg is not None:
            from wavelane.gantt import forecast_chart

            _draw(svg, forecast_chart(sweep, file.wave))
        if as_json:
            print_output({**found.to_dict(), "cap_sweep": sweep.to_dict()})
            return
        from wavelane.cli.display import console, preview_view
        from wavelane.cli.tables import sweep_view

        console().print(preview_view(found), "", sweep_view(sweep), sep="\n")
        if learn and not checked.experience:
            print("nothing is learned: no issue of these journals is finished")


@app.command("report")
def report_of(
    journal: steering.JournalArgument,
    svg: SvgOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how a wave went, from its journal: which issue was worked on or waited when, and why."""
    with explained(as_json):
        from wavelane.timeline.history import history_of_journal

        history = history_of_journal(steering.journal_of(journal))
        if svg is not None:
            from wavelane.gantt import history_chart

            _draw(svg, history_chart(history))
        if as_json:
            print_output(history.to_dict())
            return
        from wavelane.cli.display import console
        from wavelane.cli.tables import history_view

        console().print(history_view(history))


@app.command()
def demo(
    directory: Annotated[
        Path | None,
        typer.Option("--dir", help="Where to make its repos.", show_default="a temporary folder"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make three small git repos and run a wave over them, with everything that can happen."""
    with explained(as_json):
        from wavelane.cli.wave_run import WaveRun
        from wavelane.demo import Demo

        made = Demo.make(directory)
        wave_run = WaveRun(_load(made.wave_file))
        if not as_json:
            print(f"three repos and a wave file are in {made.directory}\n")
        report = asyncio.run(_run(wave_run, quiet=as_json, beside=made.monitor))
        _print_report(report, as_json)
        if not as_json:
            print(made.farewell())
        stopped = EXIT_CODES[report.outcome] == EXIT_CODES["stopped"]
    raise typer.Exit(EXIT_CODES["stopped"] if stopped else 0)


@app.command()
def verify(
    journal: steering.JournalArgument,
    as_json: JsonOption = False,
) -> None:
    """Check whether a recorded run kept the rules, and if not, which rule it broke where."""
    with explained(as_json):
        from wavelane.verify import verify as judge

        verdict = judge(steering.journal_of(journal))
    if as_json:
        print_output(verdict.to_dict())
    else:
        print(verdict)
    raise typer.Exit(0 if verdict.keeps_the_rules else 1)


@app.command()
def diagram(
    name: Annotated[Picture, typer.Argument(help="What to draw.", show_default=False)],
    format: Annotated[  # noqa: A002
        PictureFormat, typer.Option("--format", "-f", help="How to draw it.")
    ] = PictureFormat.SVG,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file to write it to.")
    ] = None,
) -> None:
    """Draw the issue lifecycle, the cap machine or the architecture, from table and code."""
    with explained():
        from wavelane.diagrams import render

        picture = render(name.value, format.value)
        data = picture if isinstance(picture, bytes) else picture.encode()
        if output is not None:
            output.write_bytes(data)
        elif format is PictureFormat.PNG and sys.stdout.isatty():
            refuse_option(
                "--output",
                "a PNG cannot be shown on a terminal; give --output FILE, or send it to a file",
            )
        else:
            sys.stdout.buffer.write(data)


@app.command()
def schema(
    of: Annotated[
        Described, typer.Option("--of", help="The wave file, or a command's JSON output.")
    ] = Described.WAVE_FILE,
) -> None:
    """Print the JSON Schema of the wave file, for editors, or of what a command prints as JSON."""
    from wavelane.cli.outputs import output_schema
    from wavelane.wavefile import json_schema

    print_json(json_schema() if of is Described.WAVE_FILE else output_schema(of.value))


async def _run(wave_run: WaveRun, *, quiet: bool, beside: Companion | None = None) -> Report:
    """Run a wave with its display, and with a companion task if there is one."""
    from wavelane.cli.display import console, follow

    shown = console(stderr=quiet)
    notices = wave_run.scheduler.events()
    companions: list[asyncio.Task[None]] = []
    if not quiet:
        companions.append(asyncio.create_task(follow(wave_run.scheduler, notices, shown)))
    if beside is not None:
        companions.append(asyncio.create_task(beside(wave_run.scheduler)))
    try:
        report = await wave_run.run(lambda text: shown.print(text, style="bold yellow"))
        await asyncio.gather(*companions)
    finally:
        for companion in companions:
            companion.cancel()
        await asyncio.gather(*companions, return_exceptions=True)
    return report


def _draw(path: Path, chart: Chart) -> None:
    """Write the picture of a chart."""
    from wavelane.gantt import svg

    path.write_text(svg(chart), encoding="utf-8")


def _load(path: Path) -> WaveFile:
    from wavelane.wavefile import load

    return load(path)


def _journals(given: list[Path] | None) -> list[Path]:
    return [steering.journal_of(path) for path in given or ()]


def _checked_cap(cap: int | None, as_json: bool) -> int | None:
    if cap is not None and cap < 1:
        refuse_option(
            "--cap", f"--cap is {cap}; give 1 or more (1 is fully sequential)", as_json=as_json
        )
    return cap


def _interruption(went_on: bool) -> Problem:
    from wavelane_model.problems import Problem

    return Problem("interrupted", "", _INTERRUPTED_LATE if went_on else _INTERRUPTED)


def _print_report(report: Report, as_json: bool) -> None:
    if as_json:
        print_output(report.to_dict())
        return
    from wavelane.cli.display import console, report_view

    console().print("", report_view(report), sep="\n")


def _say_where(wave_run: WaveRun, report: Report) -> None:
    merged = f"merged work is on branch {wave_run.pipeline.agent_branch('')} of each repo; "
    print(
        f"\n{merged if report.count('done') else ''}"
        f"logs are in {wave_run.file.state_dir}, the journal is {wave_run.journal}"
    )
