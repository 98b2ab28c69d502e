"""The commands for a wave that may be running: `status`, and those that steer it.

Exit codes: 0 done, 1 cannot be done, 2 bad input, 75 given, but not answered in time.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from wavelane.cli.terminal import (
    REFUSED,
    UNANSWERED,
    JsonOption,
    WaveArgument,
    explained,
    fail,
    print_output,
    refuse_option,
)

if TYPE_CHECKING:
    from wavelane.control.requests import Request

TIME_HELP: Final = "TIME is ISO 8601, local without a zone, or a delay such as +30m, +2h."
_UNANSWERED: Final = (
    "the run has not answered for {seconds:g} s; the command stays in the journal, "
    "and takes effect as soon as the run looks"
)
_SQLITE: Final = b"SQLite format 3\0"

app = typer.Typer()

JournalArgument = Annotated[
    Path,
    typer.Argument(
        metavar="JOURNAL",
        help="The journal of the wave, or the wave file if the journal is where it says.",
        show_default=False,
    ),
]
IssueArgument = Annotated[
    str, typer.Argument(help='The id of the issue, e.g. "api#12".', show_default=False)
]


@app.command()
def status(journal: JournalArgument, as_json: JsonOption = False) -> None:
    """Show where a wave stands: its lanes, its issues and why they wait, the cap, its process."""
    with explained(as_json):
        from wavelane.control.journal_status import status_of_journal

        found = status_of_journal(journal_of(journal))
        if as_json:
            print_output(found.to_dict())
            return
        from wavelane.cli.display import console, status_view

        console().print(status_view(found))


@app.command()
def cap(
    journal: JournalArgument,
    level: Annotated[
        str,
        typer.Argument(metavar="N|up|down", help="The level; 0 is paused.", show_default=False),
    ],
    as_json: JsonOption = False,
) -> None:
    """Set how many issues may be in flight, or move it by one. Nothing is interrupted."""
    from wavelane_model.events import CapMoved

    if level in ("up", "down"):
        _give(journal, CapMoved("step_up" if level == "up" else "step_down"), as_json)
    if not (level.isascii() and level.isdecimal()) or len(level) > 9:
        text = f"the level is {level!r}; give a whole number (0 is paused), or up, or down"
        refuse_option("level", text, as_json=as_json)
    _give(journal, CapMoved("set", int(level)), as_json)


@app.command()
def pause(
    journal: JournalArgument,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help=f"Resume by itself then. {TIME_HELP}"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start nothing new: sessions finish their step, and the run waits for `resume`."""
    from wavelane_model.events import CapMoved

    at = time_given("--until", until, as_json)
    if at is not None and at <= time.time():
        text = f"--until is {until}, which is past; give a future time"
        refuse_option("--until", text, as_json=as_json)
    _give(journal, CapMoved("pause", until=at), as_json)


@app.command()
def resume(journal: JournalArgument, as_json: JsonOption = False) -> None:
    """End a pause: the cap returns to the level before it."""
    from wavelane_model.events import CapMoved

    _give(journal, CapMoved("resume"), as_json)


@app.command()
def stop(journal: JournalArgument, as_json: JsonOption = False) -> None:
    """Let sessions finish their step and then end the run, with exit code 3."""
    from wavelane_model.events import StopRequested

    _give(journal, StopRequested(), as_json)


@app.command()
def park(
    journal: JournalArgument,
    issue: IssueArgument,
    reason: Annotated[str, typer.Argument(help="What the human has to look into.")],
    as_json: JsonOption = False,
) -> None:
    """Set an issue aside for a human. If it has a session, that is ended now."""
    from wavelane_model.events import ParkRequested

    _give(journal, ParkRequested(issue, reason), as_json)


@app.command()
def unpark(journal: JournalArgument, issue: IssueArgument, as_json: JsonOption = False) -> None:
    """Queue a parked issue again, its counters reset."""
    from wavelane_model.events import UnparkRequested

    _give(journal, UnparkRequested(issue), as_json)


@app.command()
def cancel(journal: JournalArgument, issue: IssueArgument, as_json: JsonOption = False) -> None:
    """Give an issue up. If it has a session, that is ended now; a merge that is in stays in."""
    from wavelane_model.events import CancelRequested

    _give(journal, CancelRequested(issue), as_json)


@app.command()
def add(journal: JournalArgument, file: WaveArgument, as_json: JsonOption = False) -> None:
    """Add what is new in a wave file. Issues that have not begun may have changed, too."""
    with explained(as_json):
        from wavelane.cli.wave_run import pipeline_of
        from wavelane.control.requests import Addition
        from wavelane.journal import JournalReader
        from wavelane.replay.amendment import amendment_of
        from wavelane.replay.loading import folded
        from wavelane.replay.replay import Replay
        from wavelane.wavefile import load

        path, changed = journal_of(journal), load(file)
        wave = changed.to_wave()
        pipeline = pipeline_of(changed, wave)
        asyncio.run(pipeline.check())
        with JournalReader(path) as reader:
            settings = reader.settings()
            named = settings.name
            if named != changed.wave:
                text = f'{file} is wave "{changed.wave}", and the journal is of wave "{named}"'
                refuse_option("file", text, as_json=as_json)
            amendment = amendment_of(path, folded(reader, Replay.of(settings)).replay.state, wave)
        if amendment is None:
            _say(True, f"nothing is new in {file}", as_json)
        _give(path, Addition(amendment, pipeline.details_of(amendment.issues)), as_json)


def time_given(option: str, text: str | None, as_json: bool = False) -> float | None:
    """The time given with an option, in seconds since the epoch."""
    from wavelane.times import parse_time

    if text is None:
        return None
    try:
        return parse_time(text, time.time())
    except ValueError as error:
        refuse_option(option, f"{option}: {error}", as_json=as_json)


def journal_of(path: Path) -> Path:
    """The journal at `path`: the file itself, or the journal of the wave file."""
    from wavelane.journal import JournalError
    from wavelane.wavefile import load

    if not path.exists():
        raise JournalError(f"there is no {path}; give a journal, or a wave file")
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(_SQLITE)) == _SQLITE:
                return path
    if path.suffix in (".db", ".sqlite", ".sqlite3"):
        return path  # opening it shows what is wrong with it
    journal = load(path).state_dir / "journal.db"
    if not journal.exists():
        raise JournalError(
            f"there is no journal {journal}: the wave has not been run yet, or only with "
            "--journal; run it, or give that journal"
        )
    return journal


def _give(journal: Path, request: Request, as_json: bool) -> NoReturn:
    """Give a command, print the answer, and exit."""
    with explained(as_json):
        from wavelane.control.inbox import PATIENCE, give
        from wavelane.journal import storable_text

        answer = give(journal_of(journal), request)
        if answer is None:
            _say(False, _UNANSWERED.format(seconds=PATIENCE), as_json, UNANSWERED)
        _say(answer.done, storable_text(answer.text), as_json)


def _say(done: bool, text: str, as_json: bool, code: int = REFUSED) -> NoReturn:
    """Print the result of a command, and exit."""
    from wavelane_model.problems import Problem

    if as_json:
        print_output({"done": done, "answered": code != UNANSWERED, "text": text})
    elif done:
        print(text)
    else:
        kind = "unanswered" if code == UNANSWERED else "refused"
        fail([Problem(kind, "", text)], code)
    raise typer.Exit(0 if done else code)
