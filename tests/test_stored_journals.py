"""Journals of an earlier version still open, keep the rules, and can be continued."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from wavelane import Report, Scheduler, Wave
from wavelane.control.requests import Answer
from wavelane.journal import FORMAT, JournalReader, Settings, read_journal
from wavelane.pipeline import Discarded, Resumed
from wavelane.testing import ScriptedPipeline, run_virtual
from wavelane.testing.virtual import EPOCH, virtual_clock
from wavelane.verify import verify
from wavelane_model.events import Event, ParkRequested, WaveAmended
from wavelane_model.lifecycle import State

DATA: Final = Path(__file__).parent / "data"
DAYS_LATER: Final = 1_000_000.0
"""Seconds from the first event of a stored journal to the run that continues it."""


class RecoveringPipeline(ScriptedPipeline):
    """Every session succeeds; what was in flight is resumed or discarded."""

    async def recover(self, issue: Any, state: State) -> object:
        return Discarded() if issue.id == "ops#1" else Resumed()


@pytest.fixture(params=["ended", "cut-off", "stopped"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return copy_of(request.param, tmp_path)


def copy_of(name: str, folder: Path) -> Path:
    return Path(shutil.copy(DATA / f"format4-{name}.db", folder / f"{name}.db"))


def wave_in(path: Path) -> Wave:
    """The wave of a journal as its latest amendment has left it."""
    settings, events = read_journal(path)
    wave = settings.wave
    for _, event in events:
        if isinstance(event, WaveAmended):
            wave = wave.amended(event.issues, event.done, event.experience)
    return wave


def continued(path: Path) -> Report:
    settings, _ = read_journal(path)
    scheduler = Scheduler(
        wave_in(path),
        RecoveringPipeline(),
        cap=2,
        lane_release=settings.lane_release,
        limits=settings.limits,
        name=settings.name,
        journal=path,
        clock=lambda: virtual_clock() + DAYS_LATER,
    )
    return run_virtual(scheduler.run)


def states_and_reasons(report: Report) -> dict[str, tuple[State, int, str]]:
    return {one.id: (one.state, one.attempts, str(one.why)) for one in report.issues.values()}


def test_a_stored_journal_keeps_the_rules(stored: Path) -> None:
    assert verify(stored).findings == ()


def test_the_stored_journals_have_every_kind_of_event(tmp_path: Path) -> None:
    found = {
        type(event)
        for name in ("ended", "cut-off", "stopped")
        for _, event in read_journal(copy_of(name, tmp_path))[1]
    }

    assert found == set(get_args(Event))


def test_the_settings_of_a_stored_journal_are_read(tmp_path: Path) -> None:
    settings: Settings = read_journal(copy_of("ended", tmp_path))[0]

    assert FORMAT == 4
    assert (settings.name, settings.ceiling, settings.lane_release) == ("pages", 4, "done")
    assert (settings.limits.review_rounds, settings.limits.implement_timeout) == (3, 7200)
    assert settings.wave["web#1"].body == "Show pages.\nZoë asked for it."
    assert settings.wave["core#1"].priority == 1
    assert settings.wave.done == {"old#7"}
    assert [one.seconds for one in settings.wave.experience] == [300.0, 900.0]


def test_an_ended_run_is_reported_as_it_was_by_the_version_that_wrote_it(tmp_path: Path) -> None:
    report = Report.from_journal(copy_of("ended", tmp_path))

    assert (report.outcome, report.started_at, report.ended_at) == (
        "blocked",
        EPOCH,
        1_000_207_140.0,
    )
    assert states_and_reasons(report) == {
        "api#1": ("done", 1, "done"),
        "web#1": ("done", 2, "done"),
        "api#2": ("parked", 0, "parked: which name?"),
        "web#2": ("done", 1, "done"),
        "core#1": ("done", 3, "done"),
        "core#2": ("done", 1, "done"),
        "core#3": ("done", 1, "done"),
        "ops#1": ("done", 2, "done"),
        "docs#1": ("done", 2, "done"),
        "docs#2": ("parked", 2, "parked: its branch is gone"),
        "docs#3": ("done", 2, "done"),
        "docs#4": ("cancelled", 0, "cancelled"),
        "core#4": ("done", 2, "done"),
    }
    recovered = report.recovered
    assert (recovered.resumed, recovered.discarded) == (1, 1)
    assert (recovered.merged, recovered.unclear) == (1, 1)
    assert report.issues["core#1"].seconds == {
        "admitted": 0.0,
        "running": 2160.0,
        "review": 600.0,
        "merging": 120.0,
    }


def test_a_run_that_was_stopped_is_reported_as_far_as_it_came(tmp_path: Path) -> None:
    report = Report.from_journal(copy_of("stopped", tmp_path))

    assert report.outcome == "stopped"
    assert {one.id: (one.state, one.attempts) for one in report.issues.values()} == {
        "api#1": ("done", 1),
        "web#1": ("queued", 0),
        "api#2": ("queued", 0),
        "web#2": ("review", 1),
        "core#1": ("done", 1),
    }


def test_a_run_that_was_stopped_is_continued_to_its_end(tmp_path: Path) -> None:
    path = copy_of("stopped", tmp_path)

    report = continued(path)

    assert report.outcome == "complete"
    assert verify(path).findings == ()


def test_a_run_that_was_cut_off_is_continued_and_its_waiting_command_carried_out(
    tmp_path: Path,
) -> None:
    path = copy_of("cut-off", tmp_path)
    before = len(read_journal(path)[1])

    report = continued(path)

    assert report.outcome == "blocked"
    parked = {one.id: str(one.why) for one in report.issues.values() if one.state == "parked"}
    assert parked == {
        "api#2": "parked: which name?",
        "docs#2": "parked: its branch is gone",
    }
    assert {one.state for one in report.issues.values()} == {"done", "parked", "cancelled"}
    assert ParkRequested("api#2", "which name?") in [
        event for _, event in read_journal(path)[1][before:]
    ]
    with JournalReader(path) as reader:
        assert reader.unanswered_commands() == []
    assert verify(path).findings == ()


def test_the_answers_in_a_stored_journal_are_read(tmp_path: Path) -> None:

    with closing(sqlite3.connect(copy_of("ended", tmp_path))) as db:
        rows = db.execute("SELECT answer FROM command ORDER BY number").fetchall()

    answers = [Answer.from_json(text) for (text,) in rows]
    assert [answer.done for answer in answers] == [False, False, True, False, True, False, True]
    assert answers[-1].text == "api#2 is parked: which name?"
