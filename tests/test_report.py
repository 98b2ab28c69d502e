"""How long issues have been in a state and worked on, however many runs that took."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from tests.helpers import wave_of

from wavelane.control.journal_status import status_of_journal
from wavelane.journal import Journal, RecordedEvent, Settings
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


class Told:
    """A wave of one issue, told minute by minute what happens."""

    def __init__(self, *issues: str) -> None:
        wave = Wave([Issue(one, one.partition("#")[0]) for one in issues or ("api#1",)])
        self.replay = Replay(WaveState(wave, cap=Cap.at(2)))
        self.state = self.replay.state
        self.tell(0, WaveStarted())

    def tell(self, minute: float, *events: Event) -> None:
        for event in events:
            self.replay.apply(NOON + minute * MINUTE, event)

    def end(self, minute: float, outcome: Outcome, issue: str = "api#1") -> None:
        self.tell(minute, SessionEnded(issue, self.state.find(issue).session, outcome))

    def worked(self, issue: str = "api#1", minute: float | None = None) -> float:
        """In minutes."""
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


def test_what_a_run_found_is_in_its_report_after_it_was_killed(tmp_path: Path) -> None:
    events = (WaveStarted(), RunCutOff(), AttemptResumed("a#1"), WaveStarted())
    path = killed_after(tmp_path / "j.db", *events)

    assert Report.from_journal(path).recovered == Recovered(resumed=1)


def test_an_issue_has_worked_for_as_long_as_its_sessions_took() -> None:
    told = Told()
    told.end(10, Implemented())
    told.end(13, ChangesRequested("a test"))
    told.end(18, Implemented())
    told.end(20, Approved())
    told.end(21, Merged())

    assert told.worked() == 21
    assert told.minutes() == {"running": 15, "review": 5, "merging": 1}


def test_a_session_that_is_under_way_counts_up_to_now() -> None:
    told = Told()
    told.end(10, Implemented())

    assert told.worked(minute=12) == 12
    assert told.worked() == 10


def test_what_waits_in_flight_does_not_work() -> None:
    told = Told()
    told.tell(5, CapMoved("pause"))
    told.end(10, Implemented())
    told.tell(40, CapMoved("resume"))
    told.end(43, Approved())

    assert told.worked() == 13
    assert told.minutes() == {"running": 10, "review": 33}


def test_a_session_that_was_withheld_was_no_work() -> None:
    told = Told()
    told.tell(0, CapMoved("pause"))
    told.tell(1, SessionWithheld("api#1", 1))
    told.tell(30, CapMoved("resume"))
    told.end(40, Implemented())

    assert told.worked() == 10


def test_the_time_between_a_crash_and_the_next_run_is_neither_worked_nor_spent_in_a_state() -> None:
    told = Told("api#1", "web#1")
    told.end(10, Implemented())
    told.end(12, Implemented(), "web#1")  # the last that is known of this run
    told.tell(600, RunCutOff(), AttemptResumed("api#1"), AttemptResumed("web#1"))
    told.tell(601, WaveStarted())
    told.end(604, Approved())
    told.end(605, Merged())

    assert told.worked() == 10 + 2 + 3 + 1
    assert told.minutes() == {"running": 10, "review": 2 + 3, "merging": 1}


def test_the_time_after_a_stop_is_neither_worked_nor_spent_in_a_state() -> None:
    told = Told()
    told.tell(5, StopRequested())
    told.end(10, Implemented())
    told.tell(600, AttemptResumed("api#1"), WaveStarted())
    told.end(603, Approved())

    assert told.worked() == 13
    assert told.minutes() == {"running": 10, "review": 3}


def test_what_was_discarded_after_a_crash_does_not_count_as_worked() -> None:
    told = Told()
    told.end(10, Implemented())
    told.end(12, ChangesRequested("a test"))
    told.tell(600, RunCutOff(), AttemptDiscarded("api#1"), WaveStarted())

    assert told.worked(minute=607) == 7


def test_a_clock_that_was_set_back_takes_nothing_away() -> None:
    told = Told()
    told.end(-30, Implemented())
    told.end(-20, Approved())

    assert told.worked() == 10
