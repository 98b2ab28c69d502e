"""How long issues were in each state and under work, over any number of runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.helpers import wave_of

from wavelane.control.journal_status import status_of_journal
from wavelane.journal import Journal, JournalError, RecordedEvent, Settings
from wavelane.replay.recorder import Recovered
from wavelane.replay.replay import Replay
from wavelane.replay.report import Report, report_of
from wavelane.timeline.history import history_of_journal
from wavelane_model.cap import Cap
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    CapMoved,
    Event,
    RunCutOff,
    SessionEnded,
    SessionWithheld,
    StopRequested,
    WaveStarted,
)
from wavelane_model.limits import Limits
from wavelane_model.outcomes import Approved, ChangesRequested, Implemented, Merged, Outcome
from wavelane_model.state import WaveState
from wavelane_model.wave import Issue, Wave

MINUTE = 60.0
NOON = 1_000_000_000.0


class RecordedWave:
    """A wave of one issue, whose events are recorded with their times in minutes."""

    def __init__(self, *issues: str) -> None:
        wave = Wave([Issue(one, one.partition("#")[0]) for one in issues or ("api#1",)])
        self.replay = Replay(WaveState(wave, cap=Cap.at(2)))
        self.state = self.replay.state
        self.record(0, WaveStarted())

    def record(self, minute: float, *events: Event) -> None:
        for event in events:
            self.replay.apply(NOON + minute * MINUTE, event)

    def end(self, minute: float, outcome: Outcome, issue: str = "api#1") -> None:
        self.record(minute, SessionEnded(issue, self.state.find(issue).session, outcome))

    def worked(self, issue: str = "api#1", minute: float | None = None) -> float:
        """The total length of an issue's sessions, in minutes."""
        now = None if minute is None else NOON + minute * MINUTE
        return self.replay.recorder.worked(issue, now) / MINUTE

    def minutes(self) -> dict[str, float]:
        """Of api#1, by state."""
        seconds = report_of(self.replay).issues["api#1"].seconds
        return {state: spent / MINUTE for state, spent in seconds.items() if spent}


def killed_after(path: Path, *events: Event) -> Path:
    """The journal of a run that was killed after these events."""
    settings = Settings(wave_of("a#1", "a#2"), 2, "done", Limits())
    replay = Replay.of(settings)
    with closing(Journal(path, settings)) as journal:
        for event in events:
            result = replay.apply(NOON, event, with_standings=True)
            journal.append([RecordedEvent(NOON, event)], result.standings.items())
    return path


def test_every_reader_gives_the_same_reasons_once_a_run_was_killed(tmp_path: Path) -> None:
    path = killed_after(tmp_path / "j.db", WaveStarted())

    status = status_of_journal(path).report
    history = history_of_journal(path).report

    assert status.issues["a#2"].why.text == "the run has ended"
    assert status == history == Report.from_journal(path)


@pytest.mark.broken_journals
def test_no_report_is_made_of_a_journal_that_was_changed(tmp_path: Path) -> None:
    path = killed_after(tmp_path / "j.db", WaveStarted())
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE event SET at = at + 1")

    for read in (Report.from_journal, status_of_journal, history_of_journal):
        with pytest.raises(JournalError, match="was changed after it was written"):
            read(path)


@pytest.mark.broken_journals
def test_a_report_of_what_cannot_have_happened_is_refused_as_a_journal(tmp_path: Path) -> None:
    path = killed_after(tmp_path / "j.db", WaveStarted(), RunCutOff())
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM event WHERE seq = 1")

    with pytest.raises(JournalError, match="records what cannot have happened"):
        Report.from_journal(path)


def test_a_path_of_a_journal_may_be_a_text(tmp_path: Path) -> None:
    path = killed_after(tmp_path / "j.db", WaveStarted())

    status = status_of_journal(str(path))

    assert status == status_of_journal(path)
    assert status.journal == path


def test_what_a_run_found_is_in_its_report_after_it_was_killed(tmp_path: Path) -> None:
    events = (WaveStarted(), RunCutOff(), AttemptResumed("a#1"), WaveStarted())
    path = killed_after(tmp_path / "j.db", *events)

    assert Report.from_journal(path).recovered == Recovered(resumed=1)


def test_an_issue_has_worked_for_as_long_as_its_sessions_took() -> None:
    wave = RecordedWave()
    wave.end(10, Implemented())
    wave.end(13, ChangesRequested("a test"))
    wave.end(18, Implemented())
    wave.end(20, Approved())
    wave.end(21, Merged())

    assert wave.worked() == 21
    assert wave.minutes() == {"running": 15, "review": 5, "merging": 1}


def test_a_session_that_is_under_way_counts_up_to_now() -> None:
    wave = RecordedWave()
    wave.end(10, Implemented())

    assert wave.worked(minute=12) == 12
    assert wave.worked() == 10


def test_an_issue_that_waits_in_flight_is_not_worked_on() -> None:
    wave = RecordedWave()
    wave.record(5, CapMoved("pause"))
    wave.end(10, Implemented())
    wave.record(40, CapMoved("resume"))
    wave.end(43, Approved())

    assert wave.worked() == 13
    assert wave.minutes() == {"running": 10, "review": 33}


def test_a_session_that_was_withheld_does_not_count_as_work() -> None:
    wave = RecordedWave()
    wave.record(0, CapMoved("pause"))
    wave.record(1, SessionWithheld("api#1", 1))
    wave.record(30, CapMoved("resume"))
    wave.end(40, Implemented())

    assert wave.worked() == 10


def test_the_time_between_a_crash_and_the_next_run_is_neither_worked_nor_spent_in_a_state() -> None:
    wave = RecordedWave("api#1", "web#1")
    wave.end(10, Implemented())
    wave.end(12, Implemented(), "web#1")  # the last event of this run
    wave.record(600, RunCutOff(), AttemptResumed("api#1"), AttemptResumed("web#1"))
    wave.record(601, WaveStarted())
    wave.end(604, Approved())
    wave.end(605, Merged())

    assert wave.worked() == 10 + 2 + 3 + 1
    assert wave.minutes() == {"running": 10, "review": 2 + 3, "merging": 1}


def test_the_time_after_a_stop_is_neither_worked_nor_spent_in_a_state() -> None:
    wave = RecordedWave()
    wave.record(5, StopRequested())
    wave.end(10, Implemented())
    wave.record(600, AttemptResumed("api#1"), WaveStarted())
    wave.end(603, Approved())

    assert wave.worked() == 13
    assert wave.minutes() == {"running": 10, "review": 3}


def test_an_attempt_that_was_discarded_after_a_crash_does_not_count_as_work() -> None:
    wave = RecordedWave()
    wave.end(10, Implemented())
    wave.end(12, ChangesRequested("a test"))
    wave.record(600, RunCutOff(), AttemptDiscarded("api#1"), WaveStarted())

    assert wave.worked(minute=607) == 7


def test_a_clock_that_is_set_back_does_not_reduce_the_time_worked() -> None:
    wave = RecordedWave()
    wave.end(-30, Implemented())
    wave.end(-20, Approved())

    assert wave.worked() == 10
